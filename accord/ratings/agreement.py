"""Agreement between labelers: raw, corrected for chance, and labeler by labeler.

Raw agreement is what people quote (63% in Bai et al. 2022, 73% and 77% in Ouyang et al. 2022).
Three answers by chance agree a third of the time, or more when one of them is common, so alpha
subtracts that. Agreement also limits how often any preference model can be right about a single
vote, see ``accuracy_ceiling``.

Everything here takes votes in long format, with any of them missing. Sides play no part: votes
say which *response* is better, whatever side of the screen it was on. "Both are bad" is an
answer of its own, beside better, tie and worse. Who voted twice on the same two responses counts
with the later vote, except in ``self_agreement``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from accord.ratings.agreement_bootstrap import (
    FEWEST_CLUSTERS,
    Copies,
    Ratings,
    count,
    estimate,
    latest,
)
from accord.ratings.alpha import alpha_of_pairs
from accord.ratings.intervals import Estimate, clustered_rate
from accord.ratings.votes import TIE, FloatArray, IntArray, Votes

ANSWERS = ("worse", "tie", "better", "both_bad")
SWAPPED = [2, 1, 0, 3]  #: what each answer becomes when the two responses change places
BY = ("labeler", "prompt")


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


def raw_agreement(
    votes: Votes,
    confidence: float = 0.95,
    *,
    by: Sequence[str] = BY,
    draws: int = 200,
    seed: int = 0,
) -> Estimate:
    """How often two labelers say the same about the same two responses.

        Σ_u agreeing pairs of votes / Σ_u pairs of votes;  better, tie and worse are three answers

    Args:
        votes: pairwise votes; weights play no part.
        confidence: of the interval.
        by: any of ``"labeler"`` and ``"prompt"``: the interval says how far the rate would move
            with other labelers, other prompts, or both. Labelers are resampled only when there
            are three or more.
        draws: number of resamples; prompts alone need none.
        seed: of the resampling.

    Returns:
        The rate; ``n`` counts the pairs of responses that have at least two votes,
        ``n_clusters`` the labelers or prompts, whichever are fewer of those in ``by``.
        The interval is never narrower than the one for prompts alone.

    Raises:
        ValueError: no two responses were judged twice, or an unknown ``by``.

    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.4, without their exclusion of ties.
    The interval: Owen 2007, arXiv:0712.1111, for labelers, ``clustered_rate`` for prompts.

    >>> from accord.ratings.votes import from_pairs
    >>> twice = from_pairs(["x"] * 2, ["y"] * 2, [1, 0], prompt=["p"] * 2, labeler=["k", "l"])
    >>> raw_agreement(twice).mean
    0.0
    """
    ratings = _several(votes)
    agreeing, pairs = _pairs(ratings.counts, ratings.counts)
    judged = pairs > 0
    rate = clustered_rate(
        agreeing[judged] / pairs[judged],
        ratings.cluster[judged],
        confidence,
        weights=pairs[judged],
    )
    ways = _ways(by)
    if "labeler" not in ways or len(np.unique(ratings.labeler)) < FEWEST_CLUSTERS:
        return rate

    def share(copies: Copies) -> float:
        agreeing, pairs = _pairs(*ratings.sums(copies))
        total = float(copies.unit @ pairs)
        return float(copies.unit @ agreeing) / total if total > 0 else math.nan

    found = estimate(ratings, share, ways, confidence, draws=draws, seed=seed)
    return found._replace(low=min(rate.low, found.low), high=max(rate.high, found.high))


def preference_alpha(
    votes: Votes,
    confidence: float = 0.95,
    *,
    by: Sequence[str] = BY,
    draws: int = 200,
    seed: int = 0,
) -> Estimate:
    """Krippendorff's alpha of preferences, the two responses having no natural order.

        α = 1 − D_o / D_e
        D_o = share of pairs of votes on the same two responses that differ, as in nominal alpha
        D_e = share of pairs of votes on any responses that differ, one of the two turned round
              with probability ½

    Without the turn a policy that always wins would make perfect agreement look like chance:
    nearly all votes would be equal, whoever gave them. With decided votes only, α is twice the
    agreement minus one.

    Args:
        votes: pairwise votes; weights play no part.
        confidence: of the interval.
        by: any of ``"labeler"`` and ``"prompt"``, which the bootstrap resamples; one with fewer
            than three is left out.
        draws: number of resamples.
        seed: of the resampling.

    Returns:
        Alpha: 1 perfect agreement, 0 chance, NaN when all votes are ties; ``n`` counts the pairs
        of responses that have at least two votes. The interval is infinite when there are
        fewer than three labelers and prompts.

    Raises:
        ValueError: no two responses were judged twice, or an unknown ``by``.

    Source: Krippendorff 2011; the turn is ours. Differs from alpha of every vote counted twice,
    once turned, by a factor 2n/(2n − 1) in D_e: a vote is not compared with its own mirror image.

    >>> from accord.ratings.votes import from_pairs
    >>> votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 1], prompt=["p", "p", "q", "q"])
    >>> preference_alpha(votes).mean
    1.0
    """
    ratings = _several(votes)
    differ = 1 - np.eye(len(ANSWERS))
    by_chance = (differ + differ[:, SWAPPED]) / 2

    def alpha(copies: Copies) -> float:
        sums = ratings.sums(copies)
        return alpha_of_pairs(*sums, copies.unit, lambda _, __: differ, by_chance)

    found = estimate(ratings, alpha, _ways(by), confidence, draws=draws, seed=seed)
    if math.isnan(found.mean) or found.mean < 1:
        return found
    # No resample disagrees when no vote does. The raw rate knows how little that may mean.
    totals = np.bincount(ratings.level, minlength=len(ANSWERS))
    pairs = np.outer(totals, totals) - np.diag(totals)
    expected = float((pairs * by_chance).sum() / pairs.sum())
    raw = raw_agreement(votes, confidence, by=("prompt",))
    return found._replace(low=min(found.low, 1 - (1 - raw.low) / expected))


def self_agreement(votes: Votes, confidence: float = 0.95) -> Estimate:
    """How often labelers repeat themselves when shown the same two responses again.

        Σ agreeing pairs / Σ pairs,   over pairs of votes of one labeler on the same two responses

    Nobody can agree with others more than with themselves; a low rate says that the task, or the
    labeler's care, is the problem rather than differing taste.

    Args:
        votes: pairwise votes; weights play no part.
        confidence: of the interval, which is clustered by labeler.

    Returns:
        The rate; ``n`` counts the labelers' repeated comparisons.

    Raises:
        ValueError: nobody judged the same two responses twice.

    Source: intra-rater agreement, as in Gwet 2014, Handbook of Inter-Rater Reliability.

    >>> from accord.ratings.votes import from_pairs
    >>> again = from_pairs(["x"] * 2, ["y"] * 2, [1, 1], prompt=["p"] * 2, labeler=["k", "k"])
    >>> self_agreement(again).mean
    1.0
    """
    known = votes.where(votes.labeler < len(votes.labelers))
    key = known.unit * max(len(votes.labelers), 1) + known.labeler
    _, first, pair = np.unique(key, return_index=True, return_inverse=True)
    counts = count(pair, _answers(known), len(ANSWERS), len(first))
    agreeing, pairs = _pairs(counts, counts)
    again = pairs > 0
    if not again.any():
        raise ValueError("nobody judged the same two responses twice")
    who = known.labeler[first][again]
    return clustered_rate(agreeing[again] / pairs[again], who, confidence, weights=pairs[again])


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
    counts = _several(votes.where(votes.outcome != TIE)).counts
    agreeing, pairs = _pairs(counts, counts)
    n = round(float(pairs.sum()))
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
        Votes whose labeler is not known are among the others, with no row of their own.

    Source: agreement with peers as in Ouyang et al. 2022, arXiv:2203.02155, appendix B.1.

    >>> from accord.ratings.votes import from_pairs
    >>> people = from_pairs(["x"] * 3, ["y"] * 3, [1, 1, 0], prompt=["p"] * 3, labeler=list("klm"))
    >>> [row.agreement for row in labeler_summary(people)]  # k and m each see a split
    [None, None, 0.0]
    """
    said = _answers(votes)
    others = _said_by_others(votes, said)
    has_majority = (others == others.max(axis=1)[:, None]).sum(axis=1) == 1
    agrees = others.argmax(axis=1) == said
    decided = (votes.outcome != TIE) & ~np.isnan(votes.a_first)
    first_won = votes.outcome == votes.a_first
    is_tie = said == ANSWERS.index("tie")
    order = np.argsort(votes.labeler, kind="stable")
    ends = np.searchsorted(votes.labeler[order], np.arange(len(votes.labelers) + 1))
    rows = []
    for code, labeler in enumerate(votes.labelers):
        mine = order[ends[code] : ends[code + 1]]
        compared, chosen = mine[has_majority[mine]], mine[decided[mine]]
        rows.append(
            LabelerSummary(
                labeler,
                len(mine),
                len(compared),
                *_rate(agrees[compared], votes.prompt[compared], confidence),
                *_rate(first_won[chosen], votes.prompt[chosen], confidence),
                tie_rate=float(is_tie[mine].mean()) if len(mine) else math.nan,
            )
        )
    return tuple(rows)


def _said_by_others(votes: Votes, said: IntArray) -> FloatArray:
    """Counts [votes, answers] on the same responses, those of the vote's own labeler left out."""
    units = int(votes.unit.max(initial=-1)) + 1
    counts = count(votes.unit, said, len(ANSWERS), units)
    labelers = int(votes.labeler.max(initial=-1)) + 1
    _, own = np.unique(votes.unit * labelers + votes.labeler, return_inverse=True)
    return counts[votes.unit] - count(own, said, len(ANSWERS), int(own.max(initial=-1)) + 1)[own]


def _rate(
    values: ArrayLike, prompt: IntArray, confidence: float
) -> tuple[float | None, float, float]:
    if not len(prompt):
        return None, 0.0, 1.0
    return clustered_rate(values, prompt, confidence)[:3]


def _answers(votes: Votes) -> IntArray:
    """Which of ``ANSWERS`` each vote is."""
    said = np.rint(2 * votes.outcome).astype(np.int64)
    return np.where(votes.both_bad, ANSWERS.index("both_bad"), said)


def _several(votes: Votes) -> Ratings:
    """The votes on responses that two labelers judged."""
    units = int(votes.unit.max(initial=-1)) + 1
    prompt = np.zeros(units, dtype=np.int64)
    prompt[votes.unit] = votes.prompt
    ratings = latest(Ratings(votes.unit, votes.labeler, _answers(votes), len(ANSWERS), prompt))
    several = np.bincount(ratings.unit, minlength=units)[ratings.unit] > 1
    if not several.any():
        raise ValueError("no two responses were judged twice: there is nothing to agree on")
    columns = (ratings.unit[several], ratings.labeler[several], ratings.level[several])
    return Ratings(*columns, len(ANSWERS), prompt)


def _pairs(counts: FloatArray, squares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of each unit: agreeing pairs of votes, and pairs."""
    answers = np.ones(counts.shape[1])
    agreeing = (counts**2 - squares) @ answers / 2
    return agreeing, ((counts @ answers) ** 2 - squares @ answers) / 2


def _ways(by: Sequence[str]) -> list[str]:
    if not set(by) <= set(BY):
        raise ValueError(f"`by` must be any of {', '.join(BY)}, not {', '.join(map(str, by))}")
    return ["unit" if way == "prompt" else way for way in by]
