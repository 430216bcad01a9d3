"""Which pair to compare next."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings.active import next_pair, pair_probabilities
from accord.ratings.contrasts import difference_variances
from accord.ratings.fit import fit
from accord.ratings.votes import from_pairs

NAMES = "tuvwxyz"
STRENGTH = dict(zip(NAMES, np.linspace(2.5, -2.5, len(NAMES)), strict=True))


def even(pairs, each=2):
    """Each pair as often won as lost."""
    a, b = zip(*(pair for pair in pairs for _ in range(each)), strict=True)
    return from_pairs(a, b, [1, 0] * (len(a) // 2))


def voted(rng, pairs):
    won = [rng.uniform() < 1 / (1 + np.exp(STRENGTH[b] - STRENGTH[a])) for a, b in pairs]
    return from_pairs([a for a, _ in pairs], [b for _, b in pairs], np.array(won) * 1.0)


# by hand


def test_a_newton_step_of_one_vote():
    # 8 even votes on x–y and 2 on x–z: variances 1/2, 2 and 5/2 of x–y, x–z and y–z, in all 5.
    fitted = fit(even([("x", "y")] * 4 + [("x", "z")]), prior_sd=None, cluster=())
    assert difference_variances(fitted).sum() / 2 == pytest.approx(5.0)
    # One more vote has information 1/4. On x–y: 4/9 + 2 + 22/9, a drop of 1/9. On x–z:
    # 1/2 + 4/3 + 11/6, a drop of 4/3. On y–z, by Sherman and Morrison: 6/13 + 20/13 + 18/13, a drop
    # of 21/13.
    drops = np.array([1 / 9, 4 / 3, 21 / 13])
    found = pair_probabilities(fitted, [("x", "y"), ("x", "z"), ("y", "z")], random_share=0.1)
    assert found == pytest.approx(0.1 / 3 + 0.9 * drops**2 / (drops**2).sum())


def test_the_gain_is_what_a_refit_finds():
    votes = even([("x", "y")] * 4 + [("x", "z")] * 2 + [("z", "w")] * 3, each=4)
    fitted, pairs = fit(votes, prior_sd=None, cluster=()), list(combinations("wxyz", 2))
    drops = []
    for a, b in pairs:
        more = from_pairs(
            [*(votes.names[i] for i in votes.a), a, a],
            [*(votes.names[i] for i in votes.b), b, b],
            [*votes.outcome, 1, 0],
            weight=[1.0] * len(votes) + [0.5, 0.5],
        )
        after = fit(more, prior_sd=None, cluster=())
        drops.append(difference_variances(fitted).sum() - difference_variances(after).sum())
    expected = np.array(drops) ** 2 / (np.array(drops) ** 2).sum()
    assert pair_probabilities(fitted, pairs, random_share=1e-9) == pytest.approx(expected, rel=1e-5)


def test_a_far_pair_says_little():
    rng = np.random.default_rng(0)
    pairs = [pair for pair in combinations(NAMES, 2) for _ in range(30)]
    fitted = fit(voted(rng, pairs), cluster=())
    near, far = pair_probabilities(fitted, [("v", "w"), ("t", "z")])
    assert near > far


def test_groups_are_joined_first():
    fitted = fit(even([("t", "u"), ("u", "v"), ("w", "x")]), cluster=())
    candidates = [("t", "u"), ("t", "w"), ("w", "x"), ("x", "q"), ("t", "t")]
    # Joining 3 policies to 2 makes 6 differences known, 2 to the unknown q makes 2.
    expected = np.full(5, 0.02) + 0.9 * np.array([0, 6 / 8, 0, 2 / 8, 0])
    assert pair_probabilities(fitted, candidates) == pytest.approx(expected)


def test_before_the_first_vote_all_are_alike():
    assert pair_probabilities(None, [("x", "y"), ("y", "z")]).tolist() == [0.5, 0.5]


# by law


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1), st.sampled_from(["davidson", "thurstone"]))
def test_probabilities_sum_to_one_and_keep_their_floor(seed, share, model):
    rng = np.random.default_rng(seed)
    pairs = [tuple(rng.choice(list(NAMES), 2)) for _ in range(int(rng.integers(1, 30)))]
    fitted = fit(from_pairs(*zip(*pairs, strict=True), rng.choice([0, 0.5, 1], len(pairs))), model)
    candidates = [tuple(rng.choice(list(NAMES + "q"), 2)) for _ in range(int(rng.integers(1, 40)))]
    found = pair_probabilities(fitted, candidates, random_share=share)
    assert found.sum() == pytest.approx(1)
    assert found.min() >= share / len(candidates) - 1e-12
    turned = pair_probabilities(fitted, [(b, a) for a, b in candidates], random_share=share)
    assert turned == pytest.approx(found)


def test_draws_follow_the_probabilities():
    fitted = fit(even([("x", "y"), ("y", "z")] * 3), cluster=())
    pairs = [("x", "y"), ("y", "z"), ("x", "z")]
    rng = np.random.default_rng(0)
    drawn = [next_pair(fitted, pairs, rng) for _ in range(2000)]
    counts = np.bincount([choice.index for choice in drawn], minlength=3) / 2000
    assert counts == pytest.approx(drawn[0].probability, abs=0.03)


def test_the_same_seed_draws_the_same_pair():
    pairs = list(combinations(NAMES, 2))
    one, other = (next_pair(None, pairs, np.random.default_rng(7)) for _ in range(2))
    assert one.index == other.index


def test_weights_by_stored_probabilities_undo_the_choice():
    """Horvitz and Thompson: the mean over all pairs from chosen ones, without bias."""
    rng = np.random.default_rng(1)
    fitted = fit(voted(rng, [("t", "z"), *combinations(NAMES, 2)] * 2), cluster=())
    pairs = list(combinations(NAMES, 2))
    far = np.array([abs(STRENGTH[a] - STRENGTH[b]) for a, b in pairs])
    drawn = [next_pair(fitted, pairs, rng, random_share=0.3) for _ in range(3000)]
    plain = np.mean([far[one.index] for one in drawn])
    weighted = np.mean([far[one.index] / one.probability[one.index] for one in drawn]) / len(pairs)
    assert weighted == pytest.approx(far.mean(), rel=0.07)
    assert plain < 0.9 * far.mean()


def test_fewer_votes_than_at_random_for_the_same_widths():
    """Four fifths of the votes, chosen, give intervals as narrow as all of them at random."""
    pairs, widths = list(combinations(NAMES, 2)), {}
    for share, number in ((1.0, 300), (0.1, 240)):
        for seed in range(6):
            rng = np.random.default_rng(seed)
            shown, fitted = [], None
            while len(shown) < number:
                chances = pair_probabilities(fitted, pairs, random_share=share)
                shown += [pairs[k] for k in rng.choice(len(pairs), size=20, p=chances)]
                fitted = fit(voted(np.random.default_rng(seed), shown), cluster=())
            upper = difference_variances(fitted)[np.triu_indices(len(NAMES), 1)]
            widths.setdefault(share, []).append(np.sqrt(upper).mean())
    assert np.mean(widths[0.1]) < np.mean(widths[1.0])


# edges


def test_what_is_refused():
    with pytest.raises(ValueError, match="no pairs"):
        next_pair(None, [], np.random.default_rng(0))
    for share in (0, -0.1, 1.1):
        with pytest.raises(ValueError, match="random_share"):
            pair_probabilities(None, [("x", "y")], random_share=share)


def test_where_nothing_can_be_gained_all_are_alike():
    fitted = fit(even([("x", "y")]), cluster=())
    assert pair_probabilities(fitted, [("x", "x"), ("y", "y")]).tolist() == [0.5, 0.5]
