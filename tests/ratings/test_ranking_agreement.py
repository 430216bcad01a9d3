"""Agreement of rankings with ties."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from accord.ratings.agreement import preference_alpha
from accord.ratings.ranking_agreement import kemeny_distance, ranking_agreement, tau_x
from accord.ratings.votes import Ranking, from_rankings

ranks = st.lists(st.integers(1, 4), min_size=4, max_size=4)


def ranked(table, names="wxyz"):
    """Rankings from {prompt: {labeler: ranks}}."""
    return [
        Ranking(tuple(names[: len(r)]), tuple(r), labeler=who, prompt=prompt)
        for prompt, rows in table.items()
        for who, r in rows.items()
    ]


# by hand


def test_the_distance_by_hand():
    # Pairs 12, 13, 23: before, before, tied against before, tied, after: 0 + 1 + 1 of 2 each.
    assert kemeny_distance([1, 2, 2], [1, 2, 1]) == pytest.approx((0 + 1 + 1) / 6)
    assert tau_x([1, 2, 2], [1, 2, 1]) == pytest.approx(1 - 2 / 3)


def test_tau_x_where_tau_b_is_not_right():
    # Emond and Mason: everything tied agrees with itself, and is halfway between opposites.
    assert tau_x([1, 1, 1], [1, 1, 1]) == 1
    assert tau_x([1, 1, 1], [1, 2, 3]) == tau_x([1, 1, 1], [3, 2, 1]) == 0
    assert tau_x([1, 2, 3], [3, 2, 1]) == -1


def test_agreement_by_hand():
    # p: k and l differ in one of three pairs by a tie: d = 1/6. q: opposite orders, d = 1.
    # Tied shares 0, 1/3, 0, 0: no two rankings have ties, so chance is 1/2.
    found = ranking_agreement(
        ranked({"p": {"k": (1, 2, 3), "l": (1, 2, 2)}, "q": {"k": (1, 2, 3), "l": (3, 2, 1)}})
    )
    observed = (1 / 6 + 1) / 2
    assert found.tau_x.mean == pytest.approx(1 - 2 * observed)
    assert found.alpha.mean == pytest.approx(1 - observed / 0.5)
    assert (found.tau_x.n, found.n_rankings) == (2, 4)


def test_ties_agree_by_chance():
    # Tied shares 1/3, 1/3, 1, 0: of 6 pairs of rankings the products sum to 1/9 + 1/3 + 1/3.
    found = ranking_agreement(
        ranked({"p": {"k": (1, 2, 2), "l": (1, 2, 2)}, "q": {"k": (1, 1, 1), "l": (1, 2, 3)}})
    )
    expected = (1 - (1 / 9 + 1 / 3 + 1 / 3) / 6) / 2
    assert found.alpha.mean == pytest.approx(1 - (0 + 0.5) / 2 / expected)


def test_rankings_of_different_length_and_number():
    # p has three rankings of two responses (mean distance 2/3 of a pair), q two of three.
    found = ranking_agreement(
        ranked(
            {
                "p": {"k": (1, 2), "l": (1, 2), "m": (2, 1)},
                "q": {"k": (1, 2, 3), "l": (1, 3, 2)},
                "r": {"k": (1, 2, 3, 4)},  # nobody else's: says nothing
            }
        )
    )
    observed = (3 * (2 / 3) + 2 * (1 / 3)) / 5
    assert found.tau_x.mean == pytest.approx(1 - 2 * observed)
    assert found.n_rankings == 5


# by law


@settings(deadline=None, max_examples=25)
@given(ranks, ranks, ranks)
def test_it_is_a_distance(one, two, three):
    d = kemeny_distance
    assert d(one, two) == d(two, one) >= 0
    assert (d(one, two) == 0) == (stats.rankdata(one) == stats.rankdata(two)).all()
    assert d(one, three) <= d(one, two) + d(two, three) + 1e-12
    assert -1 <= tau_x(one, two) <= 1


@settings(deadline=None, max_examples=25)
@given(st.lists(ranks, min_size=2, max_size=5), st.permutations(range(4)))
def test_agreement_does_not_know_the_order_of_responses(rows, order):
    table = {"p": dict(zip("klmno", rows, strict=False)), "q": {"k": (1, 2), "l": (2, 1)}}
    moved = {w: tuple(r[i] for i in order) for w, r in table["p"].items()}
    one = ranking_agreement(ranked(table), draws=3)
    other = ranking_agreement(ranked({**table, "p": moved}), draws=3)
    assert [*other.tau_x, *other.alpha] == pytest.approx([*one.tau_x, *one.alpha], nan_ok=True)


def test_chance_is_zero():
    rng = np.random.default_rng(0)
    rows = {
        f"p{i:03d}": {who: stats.rankdata(rng.integers(3, size=4), "min") for who in "klm"}
        for i in range(300)
    }
    found = ranking_agreement(ranked(rows)).alpha
    assert found.low < 0 < found.high
    assert abs(found.mean) < 0.03


# by twin


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(5)), st.permutations(range(5)))
def test_without_ties_it_is_kendalls(one, other):
    assert tau_x(one, other) == pytest.approx(stats.kendalltau(one, other).statistic)


@settings(deadline=None, max_examples=25)
@given(ranks, ranks)
def test_tau_x_from_its_own_definition(one, other):
    def score(r):
        return [1 if r[i] <= r[j] else -1 for i, j in permutations(range(4), 2)]

    twin = sum(a * b for a, b in zip(score(one), score(other), strict=True)) / 12
    assert tau_x(one, other) == pytest.approx(twin)


@settings(deadline=None, max_examples=25)
@given(st.lists(ranks, min_size=2, max_size=4), st.lists(ranks, min_size=2, max_size=4))
def test_agreement_pair_by_pair(first, second):
    """Chance by trying every change of places of the responses."""
    groups = [first, second]
    pairs = [list(combinations(rows, 2)) for rows in groups]
    each = [np.mean([kemeny_distance(a, b) for a, b in found]) for found in pairs]
    observed = sum(len(g) * d for g, d in zip(groups, each, strict=True)) / sum(map(len, groups))
    expected = np.mean(
        [
            np.mean([kemeny_distance(a, [b[i] for i in p]) for p in permutations(range(4))])
            for a, b in combinations(first + second, 2)
        ]
    )
    table = {
        name: dict(zip("klmn", rows, strict=False)) for name, rows in zip("pq", groups, strict=True)
    }
    found = ranking_agreement(ranked(table), draws=3)
    assert found.tau_x.mean == pytest.approx(1 - 2 * observed)
    twin = 1 - observed / expected if expected > 1e-12 else math.nan
    assert found.alpha.mean == pytest.approx(twin, nan_ok=True)


def test_pairs_without_ties_are_preferences():
    rows = {"p": {"k": (1, 2), "l": (1, 2), "m": (2, 1)}, "q": {"k": (2, 1), "m": (2, 1)}}
    rankings = ranked(rows)
    alpha = preference_alpha(from_rankings(rankings)).mean
    assert ranking_agreement(rankings).alpha.mean == pytest.approx(alpha)


# edges


def test_the_interval_covers_its_estimate_and_labelers_are_resampled():
    rng = np.random.default_rng(1)
    rows = {
        f"p{i}": {
            who: tuple(rng.permutation(4) + 1) if who == "m" else (1, 2, 3, 4) for who in "klmn"
        }
        for i in range(40)
    }
    found = ranking_agreement(ranked(rows))
    alone = ranking_agreement(ranked(rows), by=["prompt"])
    assert alone.alpha.low < alone.alpha.mean < alone.alpha.high < 1
    assert found.alpha.low < alone.alpha.low  # another four labelers might have two like m
    assert (found.alpha.n_clusters, alone.alpha.n_clusters) == (4, 40)


def test_a_later_ranking_replaces_an_earlier_one():
    rankings = ranked({"p": {"k": (1, 2, 3), "l": (1, 2, 3)}})
    earlier = ranked({"p": {"k": (3, 2, 1)}})
    assert ranking_agreement(earlier + rankings).tau_x.mean == 1
    unknown = [Ranking(("x", "y"), r, prompt="p") for r in ((1, 2), (2, 1))]
    assert ranking_agreement(unknown).tau_x.mean == -1  # two people, though nobody knows who


def test_all_ties_have_no_alpha():
    found = ranking_agreement(ranked({"p": {"k": (1, 1), "l": (1, 1)}}))
    assert found.tau_x.mean == 1
    assert math.isnan(found.alpha.mean)


def test_perfect_agreement_of_few_is_not_certain():
    rows = {"p": {w: (1, 2, 3) for w in "klm"}, "q": {w: (2, 1, 3) for w in "klm"}}
    found = ranking_agreement(ranked(rows))
    assert (found.tau_x.mean, found.alpha.mean) == (1, 1)
    assert found.tau_x.low < 0.7
    assert found.alpha.low < 0.7


def test_rankings_that_make_no_sense():
    with pytest.raises(ValueError, match="same responses"):
        kemeny_distance([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="two responses"):
        kemeny_distance([1], [1])
    with pytest.raises(ValueError, match="a number"):
        tau_x([1, math.nan], [1, 2])
    with pytest.raises(ValueError, match="no two labelers"):
        ranking_agreement(ranked({"p": {"k": (1, 2)}}))
    with pytest.raises(ValueError, match="same responses"):
        ranking_agreement(ranked({"p": {"k": (1, 2), "l": (1, 2, 3)}}))
    with pytest.raises(ValueError, match="any of labeler, prompt"):
        ranking_agreement(ranked({"p": {"k": (1, 2), "l": (1, 2)}}), by=["unit"])
