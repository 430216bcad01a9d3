"""Pairs, triads and cycles: what contradicts one scale, and what is chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from accord.ratings.transitivity import cycles, pair_rates, triads
from accord.ratings.votes import from_columns, from_pairs


def votes_of(wins, **columns):
    """Votes from {(winner, loser): number}."""
    rows = [pair for pair, n in wins.items() for _ in range(n)]
    return from_pairs([a for a, _ in rows], [b for _, b in rows], [1] * len(rows), **columns)


def simulated(seed, rates, labelers, each, taste=0.0):
    """Votes on all pairs at the given win rates, by labelers who differ in taste."""
    rng = np.random.default_rng(seed)
    pairs = list(rates)
    who = np.repeat(np.arange(labelers), each)
    pick = rng.integers(len(pairs), size=len(who))
    bias = taste * rng.normal(size=(labelers, len(pairs)))
    odds = np.log([rates[p] / (1 - rates[p]) for p in pairs])[pick] + bias[who, pick]
    won = rng.uniform(size=len(who)) < 1 / (1 + np.exp(-odds))
    return from_pairs(
        [pairs[k][0] for k in pick],
        [pairs[k][1] for k in pick],
        won * 1.0,
        labeler=[f"l{g}" for g in who],
    )


# by hand


def test_rates_of_pairs():
    votes = votes_of({("x", "y"): 7, ("y", "x"): 3, ("z", "x"): 4})
    met = pair_rates(votes)
    assert [(votes.names[a], votes.names[b]) for a, b in zip(met.a, met.b, strict=True)] == [
        ("x", "y"),
        ("x", "z"),
    ]
    assert met.n.tolist() == [10, 4]
    assert met.rate == pytest.approx([0.7, 0])
    assert met.z == pytest.approx([4 / np.sqrt(10), -2])  # (7 − 3)/√10 and −4/√4
    # 2 · P(z > 2) / (4 P(z > √2)) = .0455003 / .3145989
    assert met.p_value[1] == pytest.approx(0.144629, abs=1e-6)


def test_labelers_who_agree_with_themselves_count_once():
    # Four labelers of ten votes each, three for x: totals 5, 5, 5, −5, z = 10/√100.
    who = [name for name in "abcd" for _ in range(10)]
    met = pair_rates(from_pairs(["x"] * 40, ["y"] * 40, [1] * 30 + [0] * 10, labeler=who))
    assert met.z == pytest.approx([1.0])
    assert met.p_value == pytest.approx([1.0])


def test_prompts_count_too():
    what = [f"p{i}" for i in range(4) for _ in range(10)]
    met = pair_rates(from_pairs(["x"] * 40, ["y"] * 40, [1] * 30 + [0] * 10, prompt=what))
    assert met.z == pytest.approx([1.0])


def test_a_cycle_beyond_chance():
    (cycle,) = cycles(votes_of({("a", "b"): 12, ("b", "c"): 14, ("c", "a"): 11, ("a", "d"): 9}))
    assert cycle.names == ("a", "b", "c")
    assert cycle.rates == (1, 1, 1)
    assert cycle.code == "intransitive"
    assert cycle.message.startswith("`a` beats `b` in 100%, `b` beats `c` in 100%, `c` beats `a`")
    # Of four pairs 11 to 0 has the second largest p-value: Holm takes it twice.
    p = 2 * 2 * stats.norm.sf(np.sqrt(11)) / (4 * stats.norm.sf(np.sqrt(2)))
    assert cycle.p_value == pytest.approx(p)


def test_a_cycle_of_four_without_diagonals():
    around = {("a", "b"): 20, ("b", "c"): 20, ("c", "d"): 20, ("d", "a"): 20}
    assert cycles(votes_of(around))[0].names == ("a", "b", "c", "d")


def test_the_shortest_cycle_is_named():
    around = {("a", "b"): 20, ("b", "c"): 20, ("c", "d"): 20, ("d", "a"): 20, ("c", "a"): 20}
    (cycle,) = cycles(votes_of(around))
    assert cycle.names == ("a", "b", "c")


def test_what_two_sides_say_about_the_third():
    # Odds 3 and 3 make 9; with half a vote on each side 30.5/10.5 and 30.5/10.5 make 8.4376.
    (one,) = triads(
        votes_of(
            {
                ("x", "y"): 30,
                ("y", "x"): 10,
                ("y", "z"): 30,
                ("z", "y"): 10,
                ("x", "z"): 10,
                ("z", "x"): 30,
            }
        )
    )
    assert one.is_cycle
    # Nothing tells x, y and z apart: they go around. Any order has the same prediction.
    assert one.predicted == pytest.approx(8.4376 / 9.4376, abs=1e-4)
    assert one.observed == 0.25
    # 3 log(30.5/10.5) over √(3 / (40 p q)) with p = 30.5/41: 3.1992 / .6275 = 5.098
    assert one.p_value == pytest.approx(2 * stats.t.sf(5.098, 119), rel=0.02)


# by law


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_turning_pairs_around_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    pairs = [rng.choice(list("uvwxyz"), 2, replace=False) for _ in range(80)]
    outcome = rng.choice([0, 0.5, 1], size=80)
    one = from_pairs([a for a, _ in pairs], [b for _, b in pairs], outcome)
    other = from_pairs([b for _, b in pairs], [a for a, _ in pairs], 1 - outcome)
    for here, there in zip(pair_rates(one), pair_rates(other), strict=True):
        assert here == pytest.approx(there)
    assert [t[:3] for t in triads(one)] == [t[:3] for t in triads(other)]


@settings(max_examples=25, deadline=None)
@given(st.permutations(list("abcde")), st.integers(20, 60))
def test_votes_that_follow_a_ranking_have_no_cycle(order, each):
    wins = {(order[i], order[j]): each for i in range(5) for j in range(i + 1, 5)}
    votes = votes_of(wins)
    assert cycles(votes) == ()
    found = triads(votes)
    assert len(found) == 10
    assert not any(one.is_cycle for one in found)
    assert all(one.observed == 1 for one in found)


@pytest.mark.parametrize(("labelers", "each", "taste"), [(6, 60, 0.8), (200, 3, 0.0)])
def test_chance_is_not_called_a_cycle(labelers, each, taste):
    even = {("a", "b"): 0.5, ("b", "c"): 0.5, ("a", "c"): 0.5}
    shown, found, of_triads = [], 0, []
    for seed in range(150):
        votes = simulated(seed, even, labelers, each, taste)
        shown += (pair_rates(votes).p_value <= 0.05).tolist()
        of_triads += [one.p_value <= 0.05 for one in triads(votes)]
        found += len(cycles(votes)) > 0
    assert np.mean(shown) <= 0.05
    assert np.mean(of_triads) <= 0.09  # 0.05 and three standard errors
    assert found == 0


def test_a_true_cycle_is_found():
    around = {("a", "b"): 0.75, ("b", "c"): 0.75, ("c", "a"): 0.75}
    found = [len(cycles(simulated(seed, around, 20, 30, 0.5))) for seed in range(40)]
    assert np.mean(found) > 0.9


# edges


def test_what_does_not_count():
    votes = from_columns(
        ["x"] * 30 + ["x", "z"],
        ["y"] * 30 + ["x", "y"],
        ["both_bad"] * 30 + ["a", "a"],
        weight=[1.0] * 31 + [0.0],
    )
    assert pair_rates(votes).n.tolist() == []
    assert cycles(votes) == ()
    assert triads(votes) == ()


def test_ties_are_no_wins():
    around = [("a", "b"), ("b", "c"), ("c", "a")] * 20
    votes = from_pairs([x for x, _ in around], [y for _, y in around], [0.5] * 60)
    assert pair_rates(votes).z.tolist() == [0, 0, 0]
    assert cycles(votes) == ()


def test_a_single_labeler_is_taken_vote_by_vote():
    one = votes_of({("x", "y"): 16}, labeler=["anna"] * 16)
    assert pair_rates(one).z == pytest.approx([4])
    assert triads(votes_of({("x", "y"): 9, ("y", "z"): 9, ("x", "z"): 9}, labeler=["anna"] * 27))


def test_triads_of_the_busiest_only():
    names = list("abcdef")
    wins = {(x, y): 3 + (x in "abc") * 5 for i, x in enumerate(names) for y in names[i + 1 :]}
    assert len(triads(votes_of(wins))) == 20
    assert [one[:3] for one in triads(votes_of(wins), most=3)] == [("a", "b", "c")]


def test_many_policies_are_no_trouble():
    rng = np.random.default_rng(0)
    a = rng.integers(3000, size=20_000)
    b = (a + rng.integers(1, 3000, size=20_000)) % 3000
    votes = from_pairs([f"m{i}" for i in a], [f"m{i}" for i in b], (a < b) * 1.0)
    assert cycles(votes) == ()


@pytest.mark.parametrize("confidence", [0, 1])
def test_a_confidence_outside_its_range(confidence):
    with pytest.raises(ValueError, match="strictly between"):
        cycles(votes_of({("x", "y"): 1}), confidence)
