"""How few votes, or which labeler, decide who leads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings.fit import fit
from accord.ratings.influence import (
    _smallest,
    fewest_votes,
    labelers_that_flip,
    one_labeler_decides,
)
from accord.ratings.votes import from_columns, from_pairs


def refit(votes):
    return fit(votes, cluster=())


def exact(votes):
    return fit(votes, prior_sd=None, cluster=())


def votes_of(rows):
    """Votes from (winner, loser, labeler, number)."""
    every = [row[:3] for row in rows for _ in range(row[3])]
    a, b, who = zip(*every, strict=True)
    return from_pairs(a, b, [1] * len(every), labeler=who)


def arena(seed, number=600, spread=0.25):
    rng = np.random.default_rng(seed)
    strength = dict(zip("vwxyz", np.linspace(spread, -spread, 5), strict=True))
    pairs = [rng.choice(list(strength), 2, replace=False) for _ in range(number)]
    won = [rng.uniform() < 1 / (1 + np.exp(strength[b] - strength[a])) for a, b in pairs]
    return from_pairs([a for a, _ in pairs], [b for _, b in pairs], np.array(won) * 1.0)


# by hand


def test_three_of_forty():
    votes = from_pairs(["x"] * 40, ["y"] * 40, [1] * 21 + [0] * 19)
    flip = fewest_votes(votes, refit(votes), refit)
    assert (flip.top, flip.rival, len(flip.votes)) == ("x", "y", 3)
    assert flip.votes.max() < 21  # three votes for x
    assert flip.share == pytest.approx(3 / 40)
    assert flip.message == "without 3 of the 40 votes (7.5%) `y` would lead and not `x`"


def test_too_many_to_matter():
    votes = from_pairs(["x"] * 40, ["y"] * 40, [1] * 30 + [0] * 10)  # 21 of 40 would be needed
    assert fewest_votes(votes, refit(votes), refit) is None
    assert len(fewest_votes(votes, refit(votes), refit, most_share=0.6).votes) == 21


def test_one_heavy_vote_is_enough():
    votes = from_pairs(["x"] * 5, ["y"] * 5, [1, 1, 1, 0, 0], weight=[1, 1, 9, 5, 5])
    flip = fewest_votes(votes, refit(votes), refit, most_share=0.5)
    assert flip.votes.tolist() == [2]
    assert flip.share == pytest.approx(9 / 21)


def test_one_labeler_decides():
    votes = votes_of(
        [("x", "y", "anna", 30), ("y", "x", "ben", 6), ("y", "x", "chris", 6), ("x", "y", "dan", 2)]
    )
    found = one_labeler_decides(votes, refit(votes), refit)
    assert (found.labeler, found.top, found.rival) == ("anna", "x", "y")
    assert found.share == pytest.approx(30 / 44)
    assert found.code == "one_labeler_decides"
    assert "68% of all" in found.message


def test_nobody_decides_a_close_race():
    votes = votes_of([("x", "y", f"l{i}", 10) for i in range(3)] + [("y", "x", "q", 29)])
    assert [one.labeler for one in labelers_that_flip(votes, refit(votes), refit)] == [
        "l0",
        "l1",
        "l2",
    ]
    assert one_labeler_decides(votes, refit(votes), refit) is None


# by law


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_without_these_votes_the_rival_leads(seed):
    votes = arena(seed)
    fitted = refit(votes)
    flip = fewest_votes(votes, fitted, refit, most_share=1.0)
    assert flip.top == fitted.names[int(np.argmax(fitted.strengths))]
    keep = np.ones(len(votes), dtype=bool)
    keep[flip.votes] = False
    rest = refit(votes.where(keep))
    strength = dict(zip(rest.names, rest.strengths, strict=True))
    assert strength[flip.rival] > strength[flip.top]
    keep[flip.votes[-1]] = True  # with one vote more it would not
    rest = refit(votes.where(keep))
    strength = dict(zip(rest.names, rest.strengths, strict=True))
    assert strength[flip.rival] <= strength[flip.top] + 1e-9


def test_chosen_votes_are_fewer_than_votes_at_random():
    votes = arena(3, number=400)
    fitted = refit(votes)
    flip = fewest_votes(votes, fitted, refit, most_share=1.0)
    rng = np.random.default_rng(0)
    flipped = 0
    for _ in range(30):
        keep = np.ones(len(votes), dtype=bool)
        keep[rng.permutation(len(votes))[: len(flip.votes)]] = False
        rest = refit(votes.where(keep))
        flipped += rest.names[int(np.argmax(rest.strengths))] == flip.rival
    assert flipped <= 6


# by twin


def test_no_smaller_set_of_two_policies():
    """With two policies the fewest are known: one more than the lead in wins."""
    for wins, losses in ((12, 11), (20, 13), (9, 4)):
        n = wins + losses
        votes = from_pairs(["x"] * n, ["y"] * n, [1] * wins + [0] * losses)
        flip = fewest_votes(votes, exact(votes), exact, most_share=1.0)
        assert len(flip.votes) == wins - losses + 1


def test_every_labeler_left_out_by_hand():
    found = 0
    for seed in range(6):
        votes = arena(seed, number=300, spread=0.05)
        named = from_pairs(
            [votes.names[i] for i in votes.a],
            [votes.names[i] for i in votes.b],
            votes.outcome,
            labeler=[f"l{g}" for g in np.random.default_rng(seed).integers(9, size=300)],
        )
        fitted = refit(named)
        top = fitted.names[int(np.argmax(fitted.strengths))]
        expected = set()
        for g in range(9):
            rest = refit(named.where(named.labeler != g))
            if rest.names[int(np.argmax(rest.strengths))] != top:
                expected.add(f"l{g}")
        assert {one.labeler for one in labelers_that_flip(named, fitted, refit)} == expected
        found += len(expected)
    assert found  # else this test would show nothing


@pytest.mark.parametrize("model", ["thurstone", "davidson", "rao_kupper"])
def test_other_models_are_verified_too(model):
    def of_model(votes):
        return fit(votes, model, cluster=())

    outcome = [1.0] * 21 + [0.0] * 17 + [0.5] * 8
    votes = from_pairs(["x"] * 46, ["y"] * 46, outcome)
    assert len(fewest_votes(votes, of_model(votes), of_model, most_share=0.5).votes) == 5


# edges


def test_where_there_is_no_rival():
    alone = from_pairs(["x"], ["x"], [1])
    assert fewest_votes(alone, refit(alone), refit) is None
    assert labelers_that_flip(alone, refit(alone), refit) == ()


def test_unknown_labelers_are_nobody():
    votes = from_pairs(["x"] * 9, ["y"] * 9, [1] * 5 + [0] * 4)
    assert labelers_that_flip(votes, refit(votes), refit) == ()


def test_a_group_that_falls_apart_has_no_new_leader():
    # Without anna nothing connects x and y to z.
    votes = votes_of([("x", "z", "anna", 3), ("x", "y", "ben", 2), ("x", "y", "chris", 2)])
    assert labelers_that_flip(votes, refit(votes), refit) == ()


def test_where_the_likelihood_has_no_maximum_nobody_leads():
    votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    flip = fewest_votes(votes, exact(votes), exact, most_share=1.0)
    assert flip is None  # leaving out x's three wins leaves y unbeaten


def test_votes_that_found_both_bad_are_not_left_out():
    winner = ["a"] * 6 + ["b"] * 5 + ["both_bad"] * 4
    votes = from_columns(["x"] * 15, ["y"] * 15, winner)
    flip = fewest_votes(votes, refit(votes), refit, most_share=0.5)
    assert len(flip.votes) == 2
    assert flip.share == pytest.approx(2 / 11)


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_outside_its_range(share):
    votes = from_pairs(["x"], ["y"], [1])
    with pytest.raises(ValueError, match="most_share"):
        fewest_votes(votes, refit(votes), refit, most_share=share)


def test_a_guess_that_is_too_low_is_raised():
    votes = from_pairs(["x"] * 40, ["y"] * 40, [1] * 30 + [0] * 10)
    for guess in (1, 20, 21, 30):
        assert _smallest(votes, refit, np.arange(30), ("x", "y"), guess) == 21
    assert _smallest(votes, refit, np.arange(12), ("x", "y"), 1) == 0
