"""Agreement: kappas, alpha, raw agreement, labelers, the ceiling of accuracy."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from accord.ratings.agreement import (
    accuracy_ceiling,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    labeler_summary,
    preference_alpha,
    raw_agreement,
)
from accord.ratings.intervals import clustered_rate
from accord.ratings.votes import Ranking, from_pairs, from_rankings

NONE = None
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]
THREE_CODERS = [
    [NONE, NONE, NONE, NONE, NONE, 3, 4, 1, 2, 1, 1, 3, 3, NONE, 3],
    [1, NONE, 2, 1, 3, 3, 4, 3, NONE, NONE, NONE, NONE, NONE, NONE, NONE],
    [NONE, NONE, 2, 1, 3, 4, 4, NONE, 2, 1, 1, 3, 3, NONE, 4],
]


def long(table):
    rows = [(u, v) for row in table for u, v in enumerate(row) if v is not None]
    return zip(*rows, strict=True)


def votes_on(answers, a="x", b="y"):
    """Votes from {prompt: answers of labelers k, l, m, ...}."""
    rows = [(p, "klmnopqrst"[i], o) for p, given in answers.items() for i, o in enumerate(given)]
    prompt, labeler, outcome = zip(*rows, strict=True)
    return from_pairs([a] * len(rows), [b] * len(rows), outcome, prompt=prompt, labeler=labeler)


# by hand


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304348),
        ([[25, 35], [5, 35]], 0.2592593),
    ],
)
def test_cohen(table, kappa):
    assert cohen_kappa(table) == pytest.approx(kappa, abs=1e-7)


def test_fleiss():
    assert fleiss_kappa(FLEISS) == pytest.approx(0.2099307, abs=1e-7)


@pytest.mark.parametrize(
    ("table", "metric", "alpha"),
    [
        (FOUR_OBSERVERS, "nominal", 0.7434211),
        (FOUR_OBSERVERS, "ordinal", 0.8153875),
        (FOUR_OBSERVERS, "interval", 0.8491071),
        (FOUR_OBSERVERS, "ratio", 0.7974028),
        (THREE_CODERS, "nominal", 0.6913580),
        (THREE_CODERS, "interval", 0.8108449),
    ],
)
def test_krippendorff(table, metric, alpha):
    assert krippendorff_alpha(*long(table), metric=metric) == pytest.approx(alpha, abs=1e-7)


def test_raw_agreement_counts_pairs_of_votes():
    # p: 1 of 3 pairs agree; q: 1 of 1; r has one vote and says nothing.
    rate = raw_agreement(votes_on({"p": [1, 1, 0], "q": [0.5, 0.5], "r": [1]}))
    assert rate.mean == pytest.approx(2 / 4)
    assert (rate.n, rate.n_clusters) == (2, 2)
    assert rate == clustered_rate([1 / 3, 1], ["p", "q"], weights=[3, 1])


def test_alpha_of_preferences_by_hand():
    # Swapped votes make wins and losses equally frequent: of 8 ratings, 4 wins and 4 losses,
    # so two differ with probability 2*4*4/(8*7) = 4/7; observed 1/2. 1 - (1/2)/(4/7) = 1/8.
    alpha = preference_alpha(votes_on({"p": [1, 1], "q": [1, 0], "r": [0.5]}))
    assert alpha.mean == pytest.approx(1 / 8)
    assert (alpha.n, alpha.n_clusters) == (2, 2)
    assert alpha.low <= 1 / 8 <= alpha.high


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

answers = st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=5), min_size=2, max_size=8)


@given(answers, st.sampled_from(["nominal", "ordinal", "interval", "ratio"]))
def test_alpha_is_at_most_one_and_ignores_single_ratings(table, metric):
    units = [u for u, row in enumerate(table) for _ in row]
    values = [v for row in table for v in row]
    alpha = krippendorff_alpha(units, values, metric=metric)
    assert math.isnan(alpha) or alpha <= 1 + 1e-12
    more = krippendorff_alpha([*units, 99], [*values, 4], metric=metric)
    assert more == pytest.approx(alpha, nan_ok=True)


@given(answers)
def test_interval_alpha_does_not_know_the_unit(table):
    units = [u for u, row in enumerate(table) for _ in row]
    values = np.array([v for row in table for v in row])
    one = krippendorff_alpha(units, values, metric="interval")
    other = krippendorff_alpha(units, 10 * values - 3, metric="interval")
    assert other == pytest.approx(one, nan_ok=True)


@given(answers)
def test_ratio_alpha_does_not_know_the_unit(table):
    units = [u for u, row in enumerate(table) for _ in row]
    values = np.array([v for row in table for v in row])
    one = krippendorff_alpha(units, values, metric="ratio")
    assert krippendorff_alpha(units, 7 * values, metric="ratio") == pytest.approx(one, nan_ok=True)


@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=3, max_size=3))
def test_cohen_does_not_know_who_is_first(table):
    if sum(map(sum, table)):
        one, other = cohen_kappa(table), cohen_kappa(np.transpose(table))
        assert one == pytest.approx(other, nan_ok=True)


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=5), min_size=1))
def test_the_ceiling_lies_between_its_bounds(table):
    ceiling = accuracy_ceiling(votes_on({f"p{i}": row for i, row in enumerate(table)}))
    assert 0.5 <= ceiling.low <= ceiling.accuracy + 1e-12
    assert ceiling.accuracy <= ceiling.high + 1e-12 <= 1 + 2e-12


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=4), min_size=1))
def test_alpha_of_preferences_does_not_know_the_order(table):
    one = preference_alpha(votes_on({f"p{i}": row for i, row in enumerate(table)}), draws=5)
    swapped = {f"p{i}": [1 - v for v in row] for i, row in enumerate(table)}
    other = preference_alpha(votes_on(swapped), draws=5)
    assert one[:3] == pytest.approx(other[:3], nan_ok=True)


# by twin


@given(answers)
def test_nominal_alpha_is_pairable_disagreement(table):
    units = [u for u, row in enumerate(table) for _ in row]
    values = [v for row in table for v in row]
    n = len(values)
    observed = sum(
        sum(a != b for a, b in combinations(row, 2)) * 2 / (len(row) - 1) for row in table
    )
    expected = sum(a != b for a, b in combinations(values, 2)) * 2 / (n - 1)
    twin = 1 - observed / expected if expected else math.nan
    alpha = krippendorff_alpha(units, values, metric="nominal")
    assert alpha == pytest.approx(twin, nan_ok=True)


def test_fleiss_is_that_of_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.random.default_rng(0).multinomial(6, [0.5, 0.3, 0.2], size=30)
    assert fleiss_kappa(table) == pytest.approx(inter_rater.fleiss_kappa(table))
    square = np.random.default_rng(1).integers(1, 30, size=(4, 4))
    assert cohen_kappa(square) == pytest.approx(
        inter_rater.cohens_kappa(square, return_results=False)
    )


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


def test_no_disagreement_was_possible():
    assert math.isnan(krippendorff_alpha([0, 0], [1, 1], metric="nominal"))
    assert math.isnan(cohen_kappa([[5, 0], [0, 0]]))
    assert math.isnan(fleiss_kappa([[2, 0], [2, 0]]))


def test_one_unit_is_enough_for_fleiss():
    # P = (4 + 1 - 3) / 6 = 1/3, P_e = 4/9 + 1/9 = 5/9.
    assert fleiss_kappa([[2, 1]]) == pytest.approx((1 / 3 - 5 / 9) / (4 / 9))


def test_ratio_of_zeros_is_equality():
    assert krippendorff_alpha([0, 0, 1, 1], [0, 0, 1, 1], metric="ratio") == 1


@pytest.mark.parametrize(("answers", "ceiling"), [([[1, 0], [0, 1]], 0.5), ([[1, 1]], 1.0)])
def test_the_ends_of_the_ceiling(answers, ceiling):
    found = accuracy_ceiling(votes_on({f"p{i}": row for i, row in enumerate(answers)}))
    assert found[:3] == (ceiling, ceiling, ceiling)


def test_tables_that_make_no_sense():
    for table, message in [
        ([[1, 2, 3], [1, 2, 3]], "square"),
        ([1, 2], "square"),
        ([[0, 0], [0, 0]], "counts"),
        ([[1, -1], [1, 1]], "counts"),
    ]:
        with pytest.raises(ValueError, match=message):
            cohen_kappa(table)
    for table, message in [
        ([[1, 0], [0, 1]], "at least two"),
        ([[2, 0], [1, 2]], "same number"),
        ([[0, 0]], "counts"),
    ]:
        with pytest.raises(ValueError, match=message):
            fleiss_kappa(table)


def test_ratings_that_make_no_sense():
    with pytest.raises(ValueError, match="unknown metric `cosine`"):
        krippendorff_alpha([0, 0], [1, 2], metric="cosine")
    with pytest.raises(ValueError, match="one entry"):
        krippendorff_alpha([0, 0], [1])
    for units in ([], [0, 1]):
        with pytest.raises(ValueError, match="no unit"):
            krippendorff_alpha(units, units)


def test_alpha_of_one_prompt_has_no_interval():
    assert preference_alpha(votes_on({"p": [1, 1, 0]}))[1:3] == (-math.inf, math.inf)


def test_nothing_was_judged_twice():
    for function in (raw_agreement, accuracy_ceiling, preference_alpha):
        with pytest.raises(ValueError, match="judged twice"):
            function(votes_on({"p": [1], "q": [0]}))
    with pytest.raises(ValueError, match="judged twice"):
        accuracy_ceiling(votes_on({"p": [0.5, 0.5]}))
