"""Agreement between labelers who rank several responses, ties allowed.

Two rankings are as far apart as the pairs of responses they order differently: a pair counts
fully when the two orders are opposite and half when one of the rankings has a tie. This is the
distance of Kemeny and Snell, the only one that satisfies their axioms, and τ_x of Emond and
Mason is the same on a scale from −1 to 1. Kendall's τ_b, the usual choice, divides by the pairs
that are not tied: it is not defined for a ranking that ties everything, is not a distance when
there are ties, and calls 1 = 2 = 3 no more like itself than like any other ranking.

Chance is then what two rankings have in common when the responses of one change places at
random; the correction has Krippendorff's form.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from accord.ratings.agreement_bootstrap import Copies, Ratings, count, estimate
from accord.ratings.intervals import Estimate, wilson
from accord.ratings.votes import FloatArray, IntArray, Ranking

BY = ("labeler", "prompt")


class RankingAgreement(NamedTuple):
    """How far labelers rank the same responses alike."""

    tau_x: Estimate  #: mean τ_x of two rankings of the same responses, −1 to 1
    alpha: Estimate  #: the same beyond chance: 1 perfect agreement, 0 chance
    n_rankings: int  #: of responses that at least two labelers ranked


def kemeny_distance(ranks: ArrayLike, other: ArrayLike) -> float:
    """How differently two rankings order the same responses.

        d = Σ_{i<j} |a_ij − b_ij| / (K(K−1)),   a_ij = 1, 0, −1 for i before, tied with, after j

    Args:
        ranks: rank of each response, [K]; equal ranks are a tie, 1 is best.
        other: ranks of the same responses, in the same order.

    Returns:
        0 for equal rankings, 1 for opposite ones without ties.

    Raises:
        ValueError: fewer than two responses, different numbers of them, or a rank that is not
            a number.

    Source: Kemeny and Snell 1962, Mathematical Models in the Social Sciences, chapter 2;
    theirs is K(K−1)/2 times two as large.

    >>> kemeny_distance([1, 2, 3], [3, 2, 1]), kemeny_distance([1, 1], [1, 2])
    (1.0, 0.5)
    """
    first, second = _order(ranks), _order(other)
    if len(first) != len(second):
        raise ValueError("two rankings must rank the same responses")
    return float(np.abs(first - second).mean()) / 2


def tau_x(ranks: ArrayLike, other: ArrayLike) -> float:
    """Rank correlation that is right about ties.

        τ_x = Σ_{i≠j} a_ij b_ij / (K(K−1)) = 1 − 2d,
        a_ij = 1 for i before or tied with j, −1 for i after j;   d as ``kemeny_distance``

    Args:
        ranks: rank of each response, [K]; equal ranks are a tie, 1 is best.
        other: ranks of the same responses, in the same order.

    Returns:
        1 for equal rankings, tied or not, −1 for opposite ones; Kendall's τ without ties.

    Raises:
        ValueError: as ``kemeny_distance``.

    Source: Emond and Mason 2002, "A new rank correlation coefficient with application to the
    consensus ranking problem", Journal of Multi-Criteria Decision Analysis 11.

    >>> tau_x([1, 2, 2], [1, 2, 2]), tau_x([1, 1, 1], [1, 2, 3])
    (1.0, 0.0)
    """
    return 1 - 2 * kemeny_distance(ranks, other)


def ranking_agreement(
    rankings: Sequence[Ranking],
    confidence: float = 0.95,
    *,
    by: Sequence[str] = BY,
    draws: int = 200,
    seed: int = 0,
) -> RankingAgreement:
    """Agreement of rankings with ties, raw and beyond chance.

        α = 1 − D_o / D_e
        D_o = Σ_u m_u d̄_u / Σ_u m_u,   d̄_u the mean distance of two rankings of u, m_u of them
        D_e = (1 − mean of t_r t_s) / 2 over all pairs of rankings,   t the share of tied pairs

    D_e is the mean distance when the responses of one ranking change places at random. A pair is
    then tied in both with probability t_r t_s, and else as often alike as opposite.

    Args:
        rankings: any number of responses each; rankings with the same prompt and comparison are
            of the same responses in the same order. A labeler's later ranking of the same
            responses replaces the earlier one. Weights play no part.
        confidence: of the intervals.
        by: any of ``"labeler"`` and ``"prompt"``, which the bootstrap resamples.
        draws: number of resamples.
        seed: of the resampling.

    Returns:
        Mean τ_x = 1 − 2 D_o and alpha; ``n`` counts the comparisons with two rankings. With two
        responses alpha treats a tie as half way between better and worse, which
        ``preference_alpha`` does not.

    Raises:
        ValueError: no comparison was ranked twice, rankings of one comparison differ in
            length, or an unknown ``by``.

    Source: the distance as in ``kemeny_distance``, the form of Krippendorff 2011, whose alpha
    allows any distance; chance by change of places is ours and makes rankings of different
    numbers of responses comparable.

    >>> same = [Ranking(("x", "y", "z"), (1, 2, 2), who, "p") for who in "kl"]
    >>> found = ranking_agreement(same)
    >>> found.tau_x.mean, found.alpha.mean, found.n_rankings
    (1.0, 1.0, 2)
    """
    if not set(by) <= set(BY):
        raise ValueError(f"`by` must be any of {', '.join(BY)}, not {', '.join(map(str, by))}")
    ways = ["unit" if way == "prompt" else way for way in by]
    chosen = _of_different_labelers(rankings)
    _, labeler = _numbered([r.labeler for r in chosen])
    _, prompt = _numbered([r.prompt for r in chosen])
    sets, comparison = _numbered([(r.prompt, r.comparison) for r in chosen])
    of_set = np.zeros(len(sets), dtype=np.int64)
    of_set[comparison] = prompt
    ratings = Ratings(comparison, labeler, np.zeros(len(chosen), dtype=np.int64), 1, of_set)
    pairs = _Pairs(chosen, comparison, labeler)

    def raw(copies: Copies) -> float:
        return 1 - 2 * pairs.distances(copies)[0]

    def alpha(copies: Copies) -> float:
        observed, expected = pairs.distances(copies)
        return 1 - observed / expected if expected > 0 else math.nan

    of_raw = estimate(ratings, raw, ways, confidence, draws=draws, seed=seed)
    beyond = estimate(ratings, alpha, ways, confidence, draws=draws, seed=seed)
    observed, expected = pairs.distances(Copies(None, np.ones(len(sets))))
    if not observed:  # no resample differs where no ranking does: what if the next one did?
        differ = 1 - wilson(beyond.n, beyond.n, confidence)[0]
        of_raw = of_raw._replace(low=min(of_raw.low, 1 - 2 * differ))
        if expected:
            beyond = beyond._replace(low=min(beyond.low, 1 - differ / expected))
    return RankingAgreement(of_raw, beyond, len(chosen))


class _Pairs:
    """Pairs of responses of comparisons that several labelers ranked."""

    def __init__(self, rankings: Sequence[Ranking], comparison: IntArray, labeler: IntArray):
        orders = [_order(r.ranks) for r in rankings]
        self.sizes = np.zeros(int(comparison.max()) + 1, dtype=np.int64)  # pairs of each
        self.sizes[comparison] = [len(order) for order in orders]
        if any(len(o) != self.sizes[c] for o, c in zip(orders, comparison, strict=True)):
            raise ValueError("rankings of one comparison must rank the same responses")
        self.labeler, self.comparison = labeler, comparison
        self.ties = np.array([float((order == 0).mean()) for order in orders])
        starts = np.cumsum(self.sizes) - self.sizes
        self.of = np.repeat(np.arange(len(rankings)), self.sizes[comparison])  # the ranking
        place = np.concatenate([np.arange(len(order)) for order in orders])
        self.pair = starts[comparison[self.of]] + place
        self.order = np.concatenate(orders).astype(np.int64) + 1

    def distances(self, copies: Copies) -> tuple[float, float]:
        """Mean distance of two rankings of the same responses, and of any two by chance."""
        w = np.ones(len(self.ties)) if copies.labeler is None else copies.labeler[self.labeler]
        sets = len(self.sizes)
        said = count(self.pair, self.order, 3, int(self.sizes.sum()), w[self.of])
        # Opposite orders are a whole pair apart, a tie and an order half of one; both ways round.
        apart = 2 * said[:, 0] * said[:, 2] + said[:, 1] * (said[:, 0] + said[:, 2])
        within = np.bincount(np.repeat(np.arange(sets), self.sizes), apart) / self.sizes
        each = np.bincount(self.comparison, w, sets)
        pairs = each**2 - np.bincount(self.comparison, w**2, sets)
        several = (pairs > 0) & (copies.unit > 0)
        if not several.any():
            raise ValueError("no two labelers ranked the same responses")
        weight = (copies.unit * each)[several]
        observed = float(weight @ (within[several] / pairs[several])) / float(weight.sum())
        v = w * (copies.unit * several)[self.comparison]
        both_tied = float(v @ self.ties) ** 2 - float(v**2 @ self.ties**2)
        total = float(v.sum()) ** 2 - float((v**2).sum())
        return observed, (1 - both_tied / total) / 2


def _of_different_labelers(rankings: Sequence[Ranking]) -> list[Ranking]:
    """Rankings of what two labelers ranked; the last one of each labeler."""
    last: dict[tuple[str, str, str], Ranking] = {}
    for number, ranking in enumerate(rankings):
        who = ranking.labeler or f"\0{number}"  # not known: somebody else each time
        last[ranking.prompt, ranking.comparison, who] = replace(ranking, labeler=who)
    often = Counter((prompt, comparison) for prompt, comparison, _ in last)
    found = [r for (prompt, comparison, _), r in last.items() if often[prompt, comparison] > 1]
    if not found:
        raise ValueError("no two labelers ranked the same responses")
    return found


def _order(ranks: ArrayLike) -> FloatArray:
    """1, 0 or −1 for every pair i < j: i before, tied with or after j."""
    values = np.asarray(ranks, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:  # noqa: PLR2004 - a pair
        raise ValueError("a ranking needs at least two responses")
    if np.isnan(values).any():
        raise ValueError("a rank must be a number")
    i, j = np.triu_indices(len(values), 1)
    return np.sign(values[j] - values[i])


def _numbered(column: Sequence[Hashable]) -> tuple[list[Hashable], IntArray]:
    """Distinct values in order of appearance, and the number of each row's."""
    place: dict[Hashable, int] = {}
    codes = [place.setdefault(value, len(place)) for value in column]
    return list(place), np.array(codes, dtype=np.int64)
