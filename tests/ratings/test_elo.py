"""Elo: the scale, one update, a replay."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.ratings.elo import (
    ELO_SCALE,
    POINTS_PER_NAT,
    normal_win_probability,
    order_spread,
    rating_difference,
    replay,
    update,
    win_probability,
)

points = st.floats(-3000, 3000)
outcomes = st.sampled_from([0.0, 0.5, 1.0])

# by hand


def test_one_nat_in_points():
    assert pytest.approx(173.71779, abs=1e-5) == POINTS_PER_NAT
    assert ELO_SCALE == 400


@pytest.mark.parametrize(
    ("gap", "probability"),
    [
        (0, 0.5),
        (50, 0.5714631),
        (100, 0.6400650),
        (200, 0.7597469),
        (400, 0.9090909),
        (800, 0.9900990),
        (POINTS_PER_NAT, 0.7310586),
        (2 * POINTS_PER_NAT, 0.8807971),
        (4 * POINTS_PER_NAT, 0.9820138),
    ],
)
def test_win_probability_of_known_gaps(gap, probability):
    assert win_probability(1000 + gap, 1000) == pytest.approx(probability, abs=1e-7)
    assert win_probability(1000, 1000 + gap) == pytest.approx(1 - probability, abs=1e-7)


@pytest.mark.parametrize(
    ("gap", "probability"),
    [(0, 0.5), (100, 0.6381632), (200, 0.7602499), (400, 0.9213504)],
)
def test_normal_win_probability_of_known_gaps(gap, probability):
    assert normal_win_probability(gap, 0) == pytest.approx(probability, abs=1e-7)


@pytest.mark.parametrize(
    ("probability", "gap"),
    [
        (0.51, 6.950),
        (0.55, 34.860),
        (0.57, 48.963),
        (0.6, 70.437),
        (0.61, 77.706),
        (0.71, 155.544),
        (0.75, 190.849),
        (0.85, 301.331),
        (0.9, 381.697),
        (0.95, 511.501),
    ],
)
def test_rating_difference_of_known_probabilities(probability, gap):
    assert rating_difference(probability) == pytest.approx(gap, abs=5e-4)


def test_the_weaker_player_wins():
    winner, loser = update(1800, 2000, 1, elo_step=32)
    assert winner == pytest.approx(1824.3119, abs=1e-4)
    assert loser == pytest.approx(1975.6881, abs=1e-4)


def test_a_tournament_rated_at_its_start():
    # A player at 1613: a loss, a draw, two wins, a loss, every gain from the first rating.
    games = [(1609, 0), (1477, 0.5), (1388, 1), (1586, 1), (1720, 0)]
    gains = [update(1613, opponent, o, elo_step=32)[0] - 1613 for opponent, o in games]
    assert 1613 + sum(gains) == pytest.approx(1601.2699, abs=1e-4)


def test_a_replay_uses_the_rating_reached_so_far():
    # a gains 16 from b; then c at 0 beats a at 16: expected .4769904, gain 32 * .5230096.
    ratings = replay([("a", "b", 1), ("c", "a", 1)], elo_step=32)
    assert ratings == {
        "a": pytest.approx(16 - 16.736307, abs=1e-5),
        "b": -16,
        "c": pytest.approx(16.736307, abs=1e-5),
    }


# by law


@given(points, points, outcomes, st.floats(0, 64))
def test_no_points_come_or_go(rating, opponent, outcome, elo_step):
    after = update(rating, opponent, outcome, elo_step=elo_step)
    assert sum(after) == pytest.approx(rating + opponent, abs=1e-9)


@given(points, points, outcomes)
def test_swapping_the_players_swaps_the_ratings(rating, opponent, outcome):
    there = update(rating, opponent, outcome, elo_step=32)
    back = update(opponent, rating, 1 - outcome, elo_step=32)
    assert there == pytest.approx(back[::-1], abs=1e-9)


@given(st.floats(0.001, 0.999))
def test_difference_and_probability_are_inverse(probability):
    assert win_probability(rating_difference(probability), 0) == pytest.approx(probability)


@given(points, points, st.floats(-1000, 1000))
def test_only_differences_count(rating, opponent, shift):
    for model in (win_probability, normal_win_probability):
        assert model(rating + shift, opponent + shift) == pytest.approx(
            model(rating, opponent), abs=1e-9
        )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), outcomes), max_size=30))
def test_a_replay_keeps_the_mean(games):
    ratings = replay(games, elo_step=24, start=1000)
    assert sum(ratings.values()) == pytest.approx(1000 * len(ratings))


# by twin


@given(st.floats(-900, 900))
def test_logistic_is_ten_to_the_power_of_the_gap(gap):
    assert win_probability(gap, 0) == pytest.approx(1 / (1 + 10 ** (-gap / 400)))


def test_normal_model_is_the_error_function():
    assert normal_win_probability(150, 0) == pytest.approx((1 + math.erf(150 / 400)) / 2)


# edges


def test_extreme_ratings_do_not_overflow():
    assert win_probability(1e6, -1e6) == 1
    assert win_probability(-1e6, 1e6) == 0


@pytest.mark.parametrize("probability", [0, 1, -0.1, 1.1, math.nan])
def test_unbounded_differences_are_refused(probability):
    with pytest.raises(ValueError, match="strictly between"):
        rating_difference(probability)


def test_no_games():
    assert replay([]) == {}


def test_the_usual_step_is_sixteen_points_from_zero():
    assert replay([("a", "b", 1)]) == {"a": 8, "b": -8}


# orders


def a_log(number=400, seed=0):
    """Games of five players whose neighbors are 0.3 nats apart."""
    rng = np.random.default_rng(seed)
    strength = dict(zip("abcde", (0.6, 0.3, 0, -0.3, -0.6), strict=True))
    pairs = [rng.choice(list("abcde"), 2, replace=False) for _ in range(number)]
    odds = [math.exp(strength[y] - strength[x]) for x, y in pairs]
    return [
        (x, y, float(rng.uniform() < 1 / (1 + o))) for (x, y), o in zip(pairs, odds, strict=True)
    ]


def test_two_orders_of_two_games():
    # a beats b: a 16, b -16. Then b beats c: E = 1/(1 + 10^(16/400)) = .476990, b gains 16.736.
    # In the other order b beats c first: b 16, c -16; then a beats b: E = .476990, b loses 16.736.
    games = [("a", "b", 1.0), ("b", "c", 1.0)]
    spread = order_spread(games, elo_step=32, orders=4000)
    assert spread.mean["b"] == pytest.approx(0, abs=0.02)
    assert spread.sd["b"] == pytest.approx(0.736319, abs=1e-3)
    assert spread.sd["a"] == pytest.approx(0.736319 / 2, abs=1e-3)
    assert spread.rankings_changed == 0


def test_the_spread_over_all_orders():
    games = a_log(6, seed=1)
    every = [replay(order, elo_step=64) for order in permutations(games)]
    spread = order_spread(games, elo_step=64, orders=4000, seed=1)
    for name in spread.sd:
        assert spread.mean[name] == pytest.approx(np.mean([r[name] for r in every]), abs=1)
        assert spread.sd[name] == pytest.approx(np.std([r[name] for r in every]), abs=0.7)


def test_a_larger_step_depends_more_on_the_order():
    spreads = [order_spread(a_log(), elo_step=step) for step in (4, 16, 32)]
    sds = [np.mean(list(spread.sd.values())) for spread in spreads]
    assert sds == sorted(sds)
    assert 4 < sds[0] < 6  # points
    assert 20 < sds[1] < 30
    assert 35 < sds[2] < 50
    changed = [spread.rankings_changed for spread in spreads]
    assert changed == sorted(changed)
    assert changed[2] > 0.5  # most orders give a ranking of their own


def test_orders_change_neither_the_mean_nor_a_seed():
    spread = order_spread(a_log(), seed=3)
    assert sum(spread.mean.values()) == pytest.approx(0, abs=1e-9)
    assert spread == order_spread(a_log(), seed=3)
    assert spread != order_spread(a_log(), seed=4)


def test_a_game_against_oneself_moves_nothing():
    assert order_spread([("a", "a", 1.0), ("a", "b", 1.0)]).mean == {"a": 8, "b": -8}


def test_no_games_have_no_order():
    assert order_spread([]) == ({}, {}, 0.0)


def test_one_order_has_no_spread():
    with pytest.raises(ValueError, match="at least 2"):
        order_spread(a_log(), orders=1)
