"""Agreement of votes: raw, beyond chance, with oneself, labeler by labeler; the ceiling."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from accord.ratings.agreement import (
    accuracy_ceiling,
    labeler_summary,
    preference_alpha,
    raw_agreement,
    self_agreement,
)
from accord.ratings.intervals import clustered_rate
from accord.ratings.votes import Ranking, from_columns, from_pairs, from_rankings


def votes_on(answers, a="x", b="y"):
    """Votes from {prompt: answers of labelers k, l, m, ...}."""
    rows = [(p, "klmnopqrst"[i], o) for p, given in answers.items() for i, o in enumerate(given)]
    prompt, labeler, outcome = zip(*rows, strict=True)
    return from_pairs([a] * len(rows), [b] * len(rows), outcome, prompt=prompt, labeler=labeler)


# by hand


def test_raw_agreement_counts_pairs_of_votes():
    # p: 1 of 3 pairs agree; q: 1 of 1; r has one vote and says nothing.
    votes = votes_on({"p": [1, 1, 0], "q": [0.5, 0.5], "r": [1]})
    rate = raw_agreement(votes, by=["prompt"])
    assert rate.mean == pytest.approx(2 / 4)
    assert (rate.n, rate.n_clusters) == (2, 2)
    assert rate == clustered_rate([1 / 3, 1], ["p", "q"], weights=[3, 1])
    both = raw_agreement(votes)
    assert (both.mean, both.n, both.n_clusters) == (rate.mean, 2, 3)  # three labelers
    assert both.low <= rate.low < rate.high <= both.high


def test_alpha_of_preferences_by_hand():
    # Decided votes, one of two turned at random: half of all pairs differ by chance. Of p and q
    # half do; r has one vote and says nothing. 1 - (1/2)/(1/2) = 0.
    alpha = preference_alpha(votes_on({"p": [1, 1], "q": [1, 0], "r": [0.5]}))
    assert alpha.mean == pytest.approx(0)
    assert (alpha.n, alpha.n_clusters) == (2, 2)
    # With a tie: of 6 votes, 15 pairs, 1 is of two ties and never differs, 4 * 2 of a tie and a
    # decided vote and always do, 6 of two decided and do half of the time: 11/15. Observed 2/3.
    alpha = preference_alpha(votes_on({"p": [1, 0.5], "q": [1, 1], "r": [0, 0.5]}))
    assert alpha.mean == pytest.approx(1 - (2 / 3) / (11 / 15))


def test_both_bad_is_an_answer_of_its_own():
    # Of p's 6 pairs only the two `both_bad` agree; chance: 1 pair of equals, 1 of two decided.
    said = ["both_bad", "tie", "a", "both_bad"]
    votes = from_columns(["x"] * 4, ["y"] * 4, said, prompt=["p"] * 4, labeler=list("klmn"))
    assert raw_agreement(votes).mean == pytest.approx(1 / 6)
    assert preference_alpha(votes).mean == pytest.approx(1 - (5 / 6) / (5 / 6))
    assert [row.tie_rate for row in labeler_summary(votes)] == [0, 1, 0, 0]
    with pytest.raises(ValueError, match="judged twice"):
        accuracy_ceiling(votes)


def test_sides_play_no_part():
    # The same policy is better, whichever column it is in.
    votes = from_columns(
        ["x", "y"], ["y", "x"], ["a", "b"], prompt=["p", "p"], labeler=["k", "l"], a_first=[1, 0]
    )
    assert raw_agreement(votes).mean == 1


def test_nobody_agrees_with_themselves():
    # k says twice what l does not: one pair, not three.
    rows = [("k", 1), ("k", 1), ("l", 0)]
    who, said = zip(*rows, strict=True)
    votes = from_pairs(["x"] * 3, ["y"] * 3, said, prompt=["p"] * 3, labeler=who)
    assert raw_agreement(votes).mean == 0
    assert accuracy_ceiling(votes).n_pairs == 1
    assert self_agreement(votes).mean == 1
    k, other = labeler_summary(votes)
    assert (k.compared, k.agreement, other.agreement) == (2, 0, 0)


def test_the_later_vote_counts():
    rows = [("k", 1), ("l", 0), ("k", 0)]
    who, said = zip(*rows, strict=True)
    votes = from_pairs(["x"] * 3, ["y"] * 3, said, prompt=["p"] * 3, labeler=who)
    assert raw_agreement(votes).mean == 1
    assert self_agreement(votes)[:1] == (0,)


def test_self_agreement_by_hand():
    # k repeats itself on p in 1 of 3 pairs and on q in 1 of 1; l votes once; nobody knows who
    # else voted, so that is nobody's repetition.
    rows = [("p", "k", 1), ("p", "k", 1), ("p", "k", 0.5), ("q", "k", 0), ("q", "k", 0)]
    rows += [("q", "l", 0), ("q", "", 0), ("q", "", 0)]
    prompt, who, said = zip(*rows, strict=True)
    votes = from_pairs(["x"] * 8, ["y"] * 8, said, prompt=prompt, labeler=who)
    found = self_agreement(votes)
    assert found == clustered_rate([1 / 3, 1], ["k", "k"], weights=[3, 1])
    assert found.mean == pytest.approx(2 / 4)
    with pytest.raises(ValueError, match="nobody"):
        self_agreement(votes_on({"p": [1, 0]}))


def test_whoever_is_not_known_is_somebody_else():
    votes = from_pairs(["x"] * 3, ["y"] * 3, [1, 1, 0], prompt=["p"] * 3)
    assert raw_agreement(votes).mean == pytest.approx(1 / 3)
    assert labeler_summary(votes) == ()


def test_perfect_agreement_of_few_is_not_certain():
    alpha = preference_alpha(votes_on({f"p{i}": [1, 1, 1] for i in range(4)}))
    assert (alpha.mean, alpha.high) == (1, 1)
    assert alpha.low < 0.5
    assert raw_agreement(votes_on({f"p{i}": [1, 1, 1] for i in range(4)})).low < 0.7


def test_rankings_agree_pair_by_pair():
    # x > y = z against x > y > z: two of three pairs.
    rankings = [
        Ranking(("x", "y", "z"), ranks, labeler=who, prompt="p", comparison="c")
        for who, ranks in (("k", (1, 2, 2)), ("l", (1, 2, 3)))
    ]
    assert raw_agreement(from_rankings(rankings)).mean == pytest.approx(2 / 3)


def test_the_ceiling_of_uniform_difficulty():
    # Two thirds of pairs agree, as when p is uniform: E max(p, 1-p) is 3/4.
    ceiling = accuracy_ceiling(votes_on({"p": [1, 1], "q": [0, 0], "r": [1, 0], "s": [0.5, 1]}))
    assert ceiling.agreement == pytest.approx(2 / 3)
    assert ceiling.accuracy == pytest.approx(0.75)
    assert ceiling.low == pytest.approx(2 / 3)
    assert ceiling.high == pytest.approx(0.7886751, abs=1e-7)  # (1 + √(1/3)) / 2
    assert ceiling.n_pairs == 3


def test_a_labeler_against_the_others():
    # k goes with the majority on p, against it on q; on r the others are split.
    votes = votes_on({"p": [1, 1, 1], "q": [0, 1, 1], "r": [1, 0, 1]})
    k, other, m = labeler_summary(votes)
    assert (k.labeler, k.n, k.compared, k.agreement) == ("k", 3, 2, 0.5)
    assert (other.compared, other.agreement) == (2, 0.5)  # p, and against k and m on r
    assert (m.compared, m.agreement) == (1, 1)
    assert (k.low, k.high) == clustered_rate([1, 0], ["p", "q"])[1:3]
    assert (k.first_place_rate, k.first_place_low, k.first_place_high) == (None, 0, 1)
    assert k.tie_rate == 0


def test_position_bias_and_ties():
    # Shown first and chosen twice, shown second and chosen once, and a tie.
    rows = [((1, 2), (0, 1)), ((2, 1), (1, 0)), ((1, 2), (1, 0)), ((1, 1), (0, 1))]
    votes = from_rankings(
        [
            Ranking(("x", "y"), ranks, labeler="k", prompt=f"p{i}", shown_order=order)
            for i, (ranks, order) in enumerate(rows)
        ]
    )
    (k,) = labeler_summary(votes)
    assert k.first_place_rate == pytest.approx(2 / 3)
    assert k.tie_rate == 0.25
    assert (k.compared, k.agreement) == (0, None)
    assert k.first_place_low < 2 / 3 < k.first_place_high


# by law


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=5), min_size=1))
def test_the_ceiling_lies_between_its_bounds(table):
    ceiling = accuracy_ceiling(votes_on({f"p{i}": row for i, row in enumerate(table)}))
    assert 0.5 <= ceiling.low <= ceiling.accuracy + 1e-12
    assert ceiling.accuracy <= ceiling.high + 1e-12 <= 1 + 2e-12


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=4), min_size=1))
def test_alpha_of_preferences_does_not_know_the_order(table):
    one = preference_alpha(votes_on({f"p{i}": row for i, row in enumerate(table)}), draws=5)
    swapped = {f"p{i}": [1 - v for v in row] for i, row in enumerate(table)}
    other = preference_alpha(votes_on(swapped), draws=5)
    assert one[:3] == pytest.approx(other[:3], nan_ok=True)


# by twin


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_ceiling_is_the_mean_of_the_larger_probability(alpha):
    beta = stats.beta(alpha, alpha)
    exact = 2 * integrate.quad(lambda p: p * beta.pdf(p), 0.5, 1)[0]
    agreement = (alpha + 1) / (2 * alpha + 1)
    n = 20_000
    agreeing = round(n * agreement)
    votes = from_pairs(
        ["x"] * (2 * n),
        ["y"] * (2 * n),
        [1.0] * n + [1.0] * agreeing + [0.0] * (n - agreeing),
        prompt=[str(i) for i in range(n)] * 2,
    )
    assert accuracy_ceiling(votes).accuracy == pytest.approx(exact, abs=1e-3)


# edges


@pytest.mark.parametrize(("answers", "ceiling"), [([[1, 0], [0, 1]], 0.5), ([[1, 1]], 1.0)])
def test_the_ends_of_the_ceiling(answers, ceiling):
    found = accuracy_ceiling(votes_on({f"p{i}": row for i, row in enumerate(answers)}))
    assert found[:3] == (ceiling, ceiling, ceiling)


def test_alpha_of_one_prompt_has_no_interval():
    votes = votes_on({"p": [1, 1, 0]})
    assert preference_alpha(votes, by=["prompt"])[1:3] == (-math.inf, math.inf)
    assert preference_alpha(votes_on({"p": [1, 0]}))[1:3] == (-math.inf, math.inf)


def test_unknown_ways_of_resampling():
    for function in (raw_agreement, preference_alpha):
        with pytest.raises(ValueError, match="any of labeler, prompt, not unit"):
            function(votes_on({"p": [1, 1]}), by=["unit"])


def test_only_ties_have_no_alpha():
    assert math.isnan(preference_alpha(votes_on({"p": [0.5, 0.5]})).mean)


def test_nothing_was_judged_twice():
    for function in (raw_agreement, accuracy_ceiling, preference_alpha):
        with pytest.raises(ValueError, match="judged twice"):
            function(votes_on({"p": [1], "q": [0]}))
    with pytest.raises(ValueError, match="judged twice"):
        accuracy_ceiling(votes_on({"p": [0.5, 0.5]}))
