"""Which two policies to compare next, so that the intervals shrink fastest.

A vote between far policies is foreseen and says little; one between policies that both have many
votes says little too. Choosing well saves votes, and a fixed share of random choices with every
probability on record keeps what is chosen open to checks and to inverse-probability weighting.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from accord.ratings.contrasts import members, vote_information
from accord.ratings.fitted import Fit
from accord.ratings.votes import FloatArray, IntArray

RANDOM_SHARE = 0.1  # of the choices
SHARPNESS = 2  # measured: 1 saves less, more than 4 sends all labelers to one pair between fits
CHUNK = 256  # pairs whose columns of the covariance are held at once


@dataclass(frozen=True, eq=False)
class PairChoice:
    """The pair to show next, and how it came about."""

    index: int  #: into the candidates
    probability: FloatArray  #: of each candidate to be chosen; store that of the index


def next_pair(
    fit: Fit | None,
    pairs: Sequence[tuple[str, str]],
    rng: np.random.Generator,
    *,
    random_share: float = RANDOM_SHARE,
) -> PairChoice:
    """Draw the pair to show next.

        index ~ ``pair_probabilities``

    Args:
        fit: of the votes so far; None before the first.
        pairs: candidates, as names of the two policies; the same two may appear many times,
            once for each prompt that is waiting.
        rng: draws the pair; one uniform number is used.
        random_share: share of choices that are uniform over the candidates, in (0, 1].

    Returns:
        The choice, with the probabilities of all candidates.

    Raises:
        ValueError: no candidates, or a share outside (0, 1].

    Source: as ``pair_probabilities``.

    >>> next_pair(None, [("x", "y")], np.random.default_rng(0))
    PairChoice(index=0, probability=array([1.]))
    """
    probability = pair_probabilities(fit, pairs, random_share=random_share)
    edges = np.cumsum(probability)
    # Scaled by the last edge: rounding must not leave a gap below 1.
    index = int(np.searchsorted(edges, rng.uniform() * edges[-1], side="right"))
    return PairChoice(min(index, len(pairs) - 1), probability)


def pair_probabilities(
    fit: Fit | None, pairs: Sequence[tuple[str, str]], *, random_share: float = RANDOM_SHARE
) -> FloatArray:
    """How likely each candidate should be shown next.

        P_c = share / n + (1 − share) · g_c² / Σ g²

        g_c = m ‖Σ d‖² w / (1 + w dᵀΣd),   d = e_a − e_b,   w the information of one vote

    g is by how much one more vote between a and b reduces the sum of the variances of all
    differences in their group of m policies: one Newton step on the covariance Σ. While any
    candidate joins two groups that no votes connect, only such candidates share 1 − share, by
    the number of differences that become known: the product of the sizes of the two groups.

    Args:
        fit: of the votes so far; None before the first. Policies that it does not know are
            groups of their own.
        pairs: candidates, as names of the two policies.
        random_share: share of choices that are uniform over the candidates, in (0, 1].

    Returns:
        [pairs], sums to 1, nowhere below share / n.

    Raises:
        ValueError: no candidates, or a share outside (0, 1].

    Source: A-optimal design, Atkinson, Donev and Tobias 2007, section 10.2; sampling in
    proportion to what an interval shrinks: Chiang et al. 2024, arXiv:2403.04132, section 5.
    Differs from it: all differences count and not only the pair's own, and gains are squared.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> known = fit(from_pairs(["x", "x", "z"], ["y", "y", "w"], [1, 0, 1]))
    >>> pair_probabilities(known, [("x", "y"), ("x", "z")])  # x–z would join two groups
    array([0.05, 0.95])
    """
    if not pairs:
        raise ValueError("there are no pairs to choose from")
    if not 0 < random_share <= 1:
        raise ValueError("`random_share` must be above 0 and at most 1")
    index, group = _places(fit, pairs)
    a, b = index.T
    joins = group[a] != group[b]
    if joins.any():
        sizes = np.bincount(group)
        gain = np.where(joins, sizes[group[a]] * sizes[group[b]], 0.0)
    else:
        gain, apart = np.zeros(len(pairs)), a != b  # one policy with itself tells nothing
        if fit is not None and apart.any():
            gain[apart] = _gains(fit, a[apart], b[apart]) ** SHARPNESS
    total = gain.sum()
    chosen = gain / total if total > 0 else np.full(len(pairs), 1 / len(pairs))
    return np.asarray(random_share / len(pairs) + (1 - random_share) * chosen)


def _places(fit: Fit | None, pairs: Sequence[tuple[str, str]]) -> tuple[IntArray, IntArray]:
    """Index of each policy of each pair, and the group of every policy."""
    names = {} if fit is None else {name: i for i, name in enumerate(fit.names)}
    known = len(names)
    index = [[names.setdefault(name, len(names)) for name in pair] for pair in pairs]
    parts = [] if fit is None else members(fit)
    group = np.empty(len(names), dtype=np.int64)
    for number, part in enumerate(parts):
        group[part] = number
    group[known:] = len(parts) + np.arange(len(names) - known)
    return np.array(index, dtype=np.int64), group


def _gains(fit: Fit, a: IntArray, b: IntArray) -> FloatArray:
    """Drop of the sum of the variances of all differences in the pair's group."""
    sizes = np.ones(len(fit.names))
    for part in members(fit):
        sizes[part] = len(part)
    number = len(fit.names)
    code, back = np.unique(np.minimum(a, b) * number + np.maximum(a, b), return_inverse=True)
    i, j = np.divmod(code, number)
    covariance = fit.model_covariance
    squared = np.concatenate(
        [
            ((covariance[i[k : k + CHUNK]] - covariance[j[k : k + CHUNK]]) ** 2).sum(axis=1)
            for k in range(0, len(code), CHUNK)
        ]
    )
    variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    w = vote_information(fit, fit.strengths[i] - fit.strengths[j])
    return np.asarray((sizes[i] * squared * w / (1 + w * variance))[back])
