"""Agreement between labelers: raw, corrected for chance, and labeler by labeler.

Raw agreement is what people quote (63% in Bai et al. 2022, 73% and 77% in Ouyang et al. 2022);
the kappas and alpha subtract what chance alone would give. Agreement also limits how often any
preference model can be right about a single vote, see ``accuracy_ceiling``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from accord.ratings.intervals import Estimate, bootstrap, clustered_rate, percentile_interval
from accord.ratings.votes import TIE, FloatArray, IntArray, Votes

TWO_DIMENSIONS = 2


class Ceiling(NamedTuple):
    """How often a perfect predictor of the majority is right about one decided vote."""

    accuracy: float  #: when the difficulty of comparisons follows a beta distribution
    low: float  #: whatever the difficulties, not below this: the agreement itself
    high: float  #: whatever the difficulties, not above this: all equally difficult
    agreement: float  #: share of pairs of decided votes on the same responses that agree
    n_pairs: int


@dataclass(frozen=True)
class LabelerSummary:
    """How one labeler's votes look beside those of the others."""

    labeler: str
    n: int  #: pairwise votes
    compared: int  #: votes on which the others have a majority
    agreement: float | None  #: share of these that go with it; None without any
    low: float
    high: float
    first_place_rate: float | None  #: share of decided votes for the one shown first
    first_place_low: float
    first_place_high: float
    tie_rate: float


def cohen_kappa(table: ArrayLike) -> float:
    """Agreement of two raters beyond chance.

        κ = (p_o − p_e) / (1 − p_e),   p_o = Σ n_ii / n,   p_e = Σ_i n_i· n_·i / n²

    Args:
        table: counts [categories, categories]; row what the first said, column the second.

    Returns:
        1 for perfect agreement, 0 for chance; NaN when chance agreement is certain.

    Raises:
        ValueError: the table is not square, is empty or has negative counts.

    Source: Cohen 1960.

    >>> round(cohen_kappa([[20, 5], [10, 15]]), 6)
    0.4
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != TWO_DIMENSIONS or counts.shape[0] != counts.shape[1]:
        raise ValueError("the table of two raters must be square")
    n = _total(counts)
    observed = float(np.trace(counts)) / n
    return _beyond_chance(observed, float(counts.sum(axis=0) @ counts.sum(axis=1)) / n**2)


def fleiss_kappa(counts: ArrayLike) -> float:
    """Agreement of many raters beyond chance, with equally many ratings of every unit.

        κ = (P̄ − P_e) / (1 − P_e),   P_u = (Σ_c n_uc² − m) / (m(m − 1)),   P_e = Σ_c p_c²

    Args:
        counts: [units, categories]; how many raters put the unit into the category.

    Returns:
        1 for perfect agreement, 0 for chance; NaN when chance agreement is certain.

    Raises:
        ValueError: fewer than two ratings of a unit, or not the same number for all.

    Source: Fleiss 1971.

    >>> fleiss_kappa([[2, 0], [0, 2]])
    1.0
    """
    table = np.asarray(counts, dtype=np.float64)
    total = _total(table)
    each = table.sum(axis=1)
    m = float(each[0])
    if m < 2 or (each != m).any():  # noqa: PLR2004 - one rating agrees with nothing
        raise ValueError("every unit needs the same number of ratings, at least two")
    agreeing = ((table**2).sum(axis=1) - m) / (m * (m - 1))
    shares = table.sum(axis=0) / total
    return _beyond_chance(float(agreeing.mean()), float(shares @ shares))


def krippendorff_alpha(units: ArrayLike, values: ArrayLike, *, metric: str = "nominal") -> float:
    """Agreement beyond chance for any number of raters, with ratings missing.

        α = 1 − D_o / D_e
        D_o = Σ_cd o_cd δ²_cd / n,   o_cd = Σ_u n_uc (n_ud − [c = d]) / (m_u − 1)
        D_e = Σ_cd n_c (n_d − [c = d]) δ²_cd / (n (n − 1))

    Args:
        units: what was rated, one entry a rating. A missing rating has no entry.
        values: the rating, as a number.
        metric: ``"nominal"``, ``"ordinal"``, ``"interval"`` or ``"ratio"``; δ² is 0 or 1, the
            squared number of ratings between, (c − d)², or ((c − d)/(c + d))².

    Returns:
        1 for perfect agreement, 0 for chance, negative for less than chance; NaN when all
        ratings are equal, since nothing could have disagreed.

    Raises:
        ValueError: an unknown metric, lengths that differ, or no unit with two ratings.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".

    >>> krippendorff_alpha(["u", "u", "v", "v"], [1, 1, 2, 2])
    1.0
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric `{metric}`; known: {', '.join(METRICS)}")
    counts, levels = _value_counts(units, values)
    rated = counts[counts.sum(axis=1) > 1]
    if not len(rated):
        raise ValueError("no unit has two ratings: there is nothing to agree on")
    return _alpha(rated, METRICS[metric](levels, rated.sum(axis=0)))


def preference_alpha(
    votes: Votes, confidence: float = 0.95, *, draws: int = 200, seed: int = 0
) -> Estimate:
    """Krippendorff's alpha of preferences, the two responses having no natural order.

        every vote counted twice, once as given and once with the responses swapped;
        nominal alpha of the answers better, tie and worse

    Without the swap a policy that always wins would make agreement look like chance.

    Args:
        votes: pairwise votes; weights play no part.
        confidence: of the interval, a bootstrap over prompts.
        draws: number of resamples.
        seed: of the resampling.

    Returns:
        Alpha; ``n`` counts the pairs of responses that have at least two votes. The interval
        is infinite with a single prompt.

    Raises:
        ValueError: no two responses were judged twice.

    Source: Krippendorff 2011; the swap is ours.

    >>> from accord.ratings.votes import from_pairs
    >>> votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 1], prompt=["p", "p", "q", "q"])
    >>> preference_alpha(votes).mean
    1.0
    """
    _, _, prompt, counts = _pairs_by_unit(votes)

    def alpha(rows: IntArray) -> float:
        both = np.concatenate([counts[rows], counts[rows][:, ::-1]])
        return _alpha(both, 1 - np.eye(len(both.T)))

    n_clusters = len(np.unique(prompt))
    low, high = -math.inf, math.inf
    if n_clusters > 1:
        resampled = bootstrap(alpha, prompt, draws=draws, seed=seed)
        low, high = percentile_interval(resampled, confidence)
    return Estimate(alpha(np.arange(len(prompt))), low, high, len(prompt), n_clusters)


def raw_agreement(votes: Votes, confidence: float = 0.95) -> Estimate:
    """How often two labelers say the same about the same two responses.

        Σ_u agreeing pairs of votes / Σ_u pairs of votes;  better, tie and worse are three answers

    Args:
        votes: pairwise votes; weights play no part.
        confidence: of the interval, which is clustered by prompt.

    Returns:
        The rate; ``n`` counts the pairs of responses that have at least two votes.

    Raises:
        ValueError: no two responses were judged twice.

    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.4, without their exclusion of ties.

    >>> from accord.ratings.votes import from_pairs
    >>> twice = from_pairs(["x"] * 2, ["y"] * 2, [1, 0], prompt=["p"] * 2, labeler=["k", "l"])
    >>> raw_agreement(twice).mean
    0.0
    """
    agreeing, pairs, prompt, _ = _pairs_by_unit(votes)
    return clustered_rate(agreeing / pairs, prompt, confidence, weights=pairs)


def accuracy_ceiling(votes: Votes) -> Ceiling:
    """The best accuracy against single decided votes that agreement leaves room for.

        A = E[p² + (1−p)²] is the agreement,  E[max(p, 1−p)] the ceiling, p differs by comparison
        A ≤ ceiling ≤ (1 + √(2A − 1)) / 2
        p ~ Beta(α, α) with α = (1 − A)/(2A − 1):   ceiling = ½ + Γ(α+½) / (2 √π Γ(α+1))

    Args:
        votes: pairwise votes; ties are left out, weights play no part.

    Returns:
        The ceiling with its bounds. A preference model above ``high`` has seen its test votes.

    Raises:
        ValueError: no two responses have two decided votes.

    Source: derived here; the lower bound is max(p, q) ≥ p² + q², the upper is Jensen's
    inequality for |2p − 1|. Counting the majority among the votes themselves would be too high,
    since each vote would be compared with a majority that contains it.

    >>> from accord.ratings.votes import from_pairs
    >>> said = [1, 1, 1, 1, 1, 0]  # three prompts, two votes each: two agree, one does not
    >>> votes = from_pairs(["x"] * 6, ["y"] * 6, said, prompt=["p", "p", "q", "q", "r", "r"])
    >>> round(accuracy_ceiling(votes).accuracy, 6)  # A = 2/3: p is uniform
    0.75
    """
    agreeing, pairs, _, _ = _pairs_by_unit(votes.where(votes.outcome != TIE))
    n = int(pairs.sum())
    agreement = float(agreeing.sum()) / n
    low = max(agreement, 0.5)
    high = (1 + math.sqrt(2 * low - 1)) / 2
    if low in (0.5, 1.0):
        return Ceiling(low, low, high, agreement, n)
    alpha = (1 - low) / (2 * low - 1)
    spread = math.exp(gammaln(alpha + 0.5) - gammaln(alpha + 1)) / (2 * math.sqrt(math.pi))
    return Ceiling(0.5 + spread, low, high, agreement, n)


def labeler_summary(votes: Votes, confidence: float = 0.95) -> tuple[LabelerSummary, ...]:
    """Each labeler's agreement with the majority of the others, position bias and ties.

        agreement = votes that go with the others' most frequent answer / votes that have one
        first_place_rate = decided votes for the response shown first / decided votes

    Args:
        votes: pairwise votes; weights play no part.
        confidence: of the intervals, which are clustered by prompt.

    Returns:
        One summary a labeler, in the order of ``votes.labelers``. Where the others' votes
        are split evenly there is no majority. An unknown rate is None with the interval 0 to 1.

    Source: agreement with peers as in Ouyang et al. 2022, arXiv:2203.02155, appendix B.1.

    >>> from accord.ratings.votes import from_pairs
    >>> people = from_pairs(["x"] * 3, ["y"] * 3, [1, 1, 0], prompt=["p"] * 3, labeler=list("klm"))
    >>> [row.agreement for row in labeler_summary(people)]  # k and m each see a split
    [None, None, 0.0]
    """
    counts = _outcome_counts(votes)
    said = np.rint(2 * votes.outcome).astype(np.int64)
    others = counts[votes.unit].copy()
    others[np.arange(len(votes)), said] -= 1
    most = others.max(axis=1)
    has_majority = (others == most[:, None]).sum(axis=1) == 1
    agrees = others.argmax(axis=1) == said
    decided = (votes.outcome != TIE) & ~np.isnan(votes.a_first)
    first_won = votes.outcome == votes.a_first
    rows = []
    for code, labeler in enumerate(votes.labelers):
        mine = votes.labeler == code
        rows.append(
            LabelerSummary(
                labeler,
                int(mine.sum()),
                int((mine & has_majority).sum()),
                *_rate(agrees, votes.prompt, mine & has_majority, confidence),
                *_rate(first_won, votes.prompt, mine & decided, confidence),
                tie_rate=float((votes.outcome[mine] == TIE).mean()),
            )
        )
    return tuple(rows)


def _rate(
    values: ArrayLike, prompt: IntArray, mask: ArrayLike, confidence: float
) -> tuple[float | None, float, float]:
    chosen = np.asarray(mask)
    if not chosen.any():
        return None, 0.0, 1.0
    return clustered_rate(np.asarray(values)[chosen], prompt[chosen], confidence)[:3]


def _beyond_chance(observed: float, expected: float) -> float:
    return math.nan if expected == 1 else (observed - expected) / (1 - expected)


def _alpha(rated: FloatArray, distance: FloatArray) -> float:
    """Alpha of counts [units, levels], every unit with two ratings or more."""
    ratings = rated.sum(axis=1)
    shares = rated / (ratings - 1)[:, None]
    observed = shares.T @ rated - np.diag(shares.sum(axis=0))
    totals = rated.sum(axis=0)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    by_chance = float((expected * distance).sum())
    return 1 - float((observed * distance).sum()) / by_chance if by_chance else math.nan


def _total(counts: FloatArray) -> float:
    total = float(counts.sum())
    if total <= 0 or counts.min() < 0:
        raise ValueError("counts must not be negative and must not all be 0")
    return total


def _value_counts(units: ArrayLike, values: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Counts [units, levels], and the levels in ascending order."""
    numbers = np.asarray(values, dtype=np.float64)
    _, unit = np.unique(np.asarray(units), return_inverse=True)
    if len(unit) != len(numbers):
        raise ValueError("units and values must have one entry a rating")
    levels, level = np.unique(numbers, return_inverse=True)
    shape = (int(unit.max(initial=-1)) + 1, len(levels))
    counts = np.zeros(shape)
    np.add.at(counts, (unit, level), 1.0)
    return counts, levels


def _outcome_counts(votes: Votes) -> FloatArray:
    """Counts [units, answers]: worse, tie, better."""
    counts = np.zeros((int(votes.unit.max(initial=-1)) + 1, 3))
    np.add.at(counts, (votes.unit, np.rint(2 * votes.outcome).astype(np.int64)), 1.0)
    return counts


def _pairs_by_unit(votes: Votes) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
    """Of the units with at least two votes: agreeing pairs, pairs, prompt, outcome counts."""
    counts = _outcome_counts(votes)
    each = counts.sum(axis=1)
    prompt = np.zeros(len(each), dtype=np.int64)
    prompt[votes.unit] = votes.prompt
    several = each > 1
    if not several.any():
        raise ValueError("no two responses were judged twice: there is nothing to agree on")
    counts, each = counts[several], each[several]
    agreeing = (counts * (counts - 1)).sum(axis=1) / 2
    return agreeing, each * (each - 1) / 2, prompt[several], counts


def _nominal(levels: FloatArray, totals: FloatArray) -> FloatArray:
    return 1 - np.eye(len(levels))


def _ordinal(levels: FloatArray, totals: FloatArray) -> FloatArray:
    # Ratings from c to d, both included, less half of those at the two ends: a difference of
    # mid-ranks, so the two orders of c and d give the same square.
    middle = np.cumsum(totals) - totals / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2)


def _interval(levels: FloatArray, totals: FloatArray) -> FloatArray:
    return np.asarray((levels[:, None] - levels[None, :]) ** 2)


def _ratio(levels: FloatArray, totals: FloatArray) -> FloatArray:
    total = levels[:, None] + levels[None, :]
    gap = levels[:, None] - levels[None, :]
    # 0 and 0 are equal, not undefined.
    return np.asarray((gap / np.where(total == 0, 1.0, total)) ** 2)


METRICS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
    "ratio": _ratio,
}
