"""How many more votes would separate two policies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings.fit import fit
from accord.ratings.power import chance_to_separate, votes_to_separate
from accord.ratings.votes import from_pairs


def a_pair(wins, losses, **columns):
    pairs = from_pairs(
        ["x"] * (wins + losses), ["y"] * (wins + losses), [1] * wins + [0] * losses, **columns
    )
    return fit(pairs, prior_sd=None, cluster=("labeler",) if columns else ())


def by_taste(labelers=12, each=20, wins=(16, 8)):
    """Labelers of two tastes in turn: half prefer x 16 to 4, half 8 to 12."""
    outcome = [float(i < wins[g % 2]) for g in range(labelers) for i in range(each)]
    who = [f"l{g}" for g in range(labelers) for _ in range(each)]
    pairs = from_pairs(["x"] * len(who), ["y"] * len(who), outcome, labeler=who)
    return fit(pairs, prior_sd=None, cluster=("labeler",))


# by hand


def test_sample_size_of_one_proportion():
    # (1.959964 + 0.841621)² / (ln(55/45)² · .55 · .45) = 787.5 votes in all
    needed = votes_to_separate(a_pair(55, 45), "x", "y")
    assert needed.more_votes == 688
    assert needed.on_the_pair == 688  # there is no other pair
    assert needed.same_labelers == 688  # nobody said that labelers differ
    assert needed.status == "possible"


def test_the_chance_of_as_many_votes_again():
    # 55 of 100: 0.9983 se. After 100 more δ̂₁ ~ N(δ̂, v/2), edge 1.96 √(v/2): in units of
    # √(v/2) the mean is 1.41178, so P(z > .54818) + P(z < −3.37175) = .29179 + .00037
    assert chance_to_separate(a_pair(55, 45), "x", "y", 100) == pytest.approx(0.29216, abs=5e-5)


def test_two_labelers_of_every_taste_are_needed():
    needed = votes_to_separate(by_taste(labelers=6), "x", "y")
    assert needed.status == "possible"
    assert math.isinf(needed.same_labelers)  # how labelers differ alone exceeds what is allowed
    assert 0 < needed.low < needed.more_votes < needed.high < math.inf
    assert "no number by the same labelers on the same prompts" in needed.message


def test_the_same_labelers_may_do_when_they_agree():
    needed = votes_to_separate(by_taste(labelers=12, each=4, wins=(3, 2)), "x", "y")
    assert needed.same_labelers < math.inf


# by law


@settings(max_examples=20, deadline=None)
@given(st.integers(51, 59), st.floats(0.5, 0.95), st.floats(0.8, 0.99))
def test_more_certainty_takes_more_votes(wins, power, confidence):
    pair = a_pair(wins, 100 - wins)
    needed = votes_to_separate(pair, "x", "y", confidence=confidence, power=power)
    stricter = votes_to_separate(
        pair, "x", "y", confidence=(1 + confidence) / 2, power=(1 + power) / 2
    )
    assert needed.more_votes <= stricter.more_votes
    if needed.status == "possible":
        assert needed.low <= needed.high
        for number, chance in ((needed.low, 0.1), (needed.high, 0.9)):
            reached = chance_to_separate(pair, "x", "y", number, confidence=confidence)
            assert reached >= chance - 1e-9
            one_less = chance_to_separate(pair, "x", "y", max(number - 1, 0), confidence=confidence)
            assert one_less <= chance or number == 0


def test_names_in_either_order():
    pair = a_pair(55, 45)
    one, other = votes_to_separate(pair, "x", "y"), votes_to_separate(pair, "y", "x")
    assert one.more_votes == other.more_votes
    assert one.chance == pytest.approx(other.chance)


def test_chance_grows_with_votes():
    pair = by_taste()
    chances = [chance_to_separate(pair, "x", "y", n) for n in (0, 50, 500, 5_000, 10**6, 10**9)]
    assert chances == sorted(chances)
    assert chances[-1] > 0.99


def test_votes_on_the_pair_alone_are_fewer():
    rng = np.random.default_rng(0)
    names = list("vwxyz")
    pairs = [rng.choice(names, 2, replace=False) for _ in range(400)]
    votes = from_pairs([a for a, _ in pairs], [b for _, b in pairs], [1.0, 0.0] * 200)
    needed = votes_to_separate(fit(votes, cluster=()), "v", "w", power=0.6)
    assert needed.on_the_pair < needed.more_votes


def test_so_many_votes_separate_as_often_as_asked():
    """Take the number for a true 58%, draw so many votes more, look."""
    needed = votes_to_separate(a_pair(58, 42), "x", "y")
    total, rng = 100 + int(needed.more_votes), np.random.default_rng(0)
    wins = rng.binomial(total, 0.58, size=2000)
    z = np.log(wins / (total - wins)) * np.sqrt(wins * (total - wins) / total)
    assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.8, abs=0.03)


# edges


def test_already_separated():
    needed = votes_to_separate(a_pair(80, 20), "x", "y")
    assert (needed.status, needed.more_votes, needed.chance) == ("separated", 0, 1)
    assert chance_to_separate(a_pair(80, 20), "x", "y", 0) == 1


def test_no_number_separates_equals():
    needed = votes_to_separate(a_pair(50, 50), "x", "y")
    assert needed.status == "no_difference"
    assert math.isinf(needed.more_votes)
    assert math.isinf(needed.on_the_pair)
    assert "take them as equal" in needed.message


def test_almost_certainty_about_equals_takes_more_than_anyone_has():
    needed = votes_to_separate(a_pair(50, 50), "x", "y", confidence=0.999999)
    assert math.isinf(needed.high)  # |z| > 4.9 √(1/1000) has less than a chance of 90%
    assert needed.low < math.inf


def test_disconnected_policies_are_never_separated():
    apart = fit(from_pairs(["x", "z"] * 9, ["y", "w"] * 9, [1, 0] * 9))
    needed = votes_to_separate(apart, "x", "z")
    assert needed.status == "disconnected"
    assert math.isinf(needed.more_votes)
    assert chance_to_separate(apart, "x", "z", 10**6) == 0


def test_what_is_refused():
    pair = a_pair(55, 45)
    with pytest.raises(ValueError, match="`q` is not rated; rated are x, y"):
        votes_to_separate(pair, "x", "q")
    with pytest.raises(ValueError, match="compared with itself"):
        votes_to_separate(pair, "x", "x")
    with pytest.raises(ValueError, match="`power`"):
        votes_to_separate(pair, "x", "y", power=1)
    with pytest.raises(ValueError, match="`confidence`"):
        votes_to_separate(pair, "x", "y", confidence=1)
    with pytest.raises(ValueError, match="negative"):
        chance_to_separate(pair, "x", "y", -1)
    with pytest.raises(ValueError, match="negative"):
        chance_to_separate(pair, "x", "y", math.nan)
