"""Clustered covariances when labelers are few or give very different numbers of votes.

The fit bends towards the labelers with the most votes, so their residuals are too small and the
usual clustered covariance with them. And a variance that is the sum of a few large terms is
itself uncertain, however many small ones there are beside them. Two corrections:

    adjusted scores     s̃_g = L⁻ᵀ (I − Lᵀ H_g L)^(−½) Lᵀ s_g,   B = L Lᵀ        (CR2)
    degrees of freedom  (Σ n_g)² / Σ n_g² − 1,   G − 1 when all give the same number

Measured in benchmarks/ratings_coverage.md: with votes by Zipf's law, 10 to 50 labelers of
differing taste, intervals with G/(G−1) and G − 1 cover 90 to 91%, these 94 to 95%; with one labeler
who gives 80% of the votes 37% and 100%, then 1198 points wide.
"""

import math
from dataclasses import replace

import numpy as np

from accord.ratings.cells import Cells, Clustering
from accord.ratings.likelihood import Terms, gram
from accord.ratings.votes import FloatArray, IntArray

LEVERAGE = 0.1  # below, a cluster's scores are off by less than 6% in every direction
MOST_PARAMETERS = 200  # above, no cluster is adjusted: each takes an eigendecomposition
LEAST_LEFT = 1e-9  # of 1 − leverage: a direction that only one cluster informs has no score


def effective_number(cluster: IntArray, weight: FloatArray) -> float:
    """How many clusters of equal size would make as uncertain a variance.

        (Σ n_g)² / Σ n_g²,   n_g the weight of cluster g

    Args:
        cluster: number of each row's cluster, from 0.
        weight: of each row.

    Returns:
        Between 1 and the number of clusters.

    Raises:
        ValueError: no rows, or none with weight.

    Source: Kish 1965, section 11.7, for unequal weights; Carter, Schnepel and Steigerwald 2017
    for clusters: their effective number with the regressors alike in all clusters.

    >>> effective_number(np.array([0, 0, 1, 2]), np.ones(4))  # 16 / 6
    2.6666666666666665
    """
    sizes = np.bincount(cluster, weight)
    total = float(sizes.sum())
    if not total > 0:
        raise ValueError("there are no votes with weight")
    return total**2 / float(sizes @ sizes)


def degrees_of_freedom(cluster: IntArray, weight: FloatArray) -> float:
    """Of Student's t for a variance summed over clusters.

        max(1, effective number − 1)

    Args:
        cluster: number of each row's cluster, from 0.
        weight: of each row.

    Returns:
        At least 1, at most the number of clusters − 1 or 1.

    Raises:
        ValueError: no rows, or none with weight.

    Source: Bell and McCaffrey 2002 match the variance's own variance; for intercepts that is
    this number. Measured here it agrees with theirs to 0.3 for clusters from equal to Zipf's;
    below 1 the quantiles of t say nothing any more.

    >>> degrees_of_freedom(np.arange(8), np.ones(8))
    7.0
    """
    return max(1.0, effective_number(cluster, weight) - 1.0)


def adjusted_sums(
    cells: Cells, clustering: Clustering, terms: Terms, bread: FloatArray, sums: FloatArray
) -> FloatArray:
    """Scores of clusters, enlarged by how far the fit bends towards each.

        s̃_g = L⁻ᵀ (I − Lᵀ H_g L)^(−½) Lᵀ s_g,   H_g the information in the votes of cluster g

    Clusters of little leverage tr(B H_g) keep their scores times √(G/(G−1)).

    Args:
        cells: the votes.
        clustering: of them.
        terms: of the model in each cell, at the fitted parameters.
        bread: B, inverse of the information, [parameters, parameters].
        sums: s_g, [clusters, parameters].

    Returns:
        [clusters, parameters]; B Σ_g s̃_g s̃_gᵀ B is the clustered covariance, with no further
        correction.

    Source: Bell and McCaffrey 2002, "bias reduced linearization"; Pustejovsky and Tipton 2018,
    arXiv:1601.01981, section 2.1, for weighted regressions. With independent votes it has no
    bias. Differs from them: leverage below 0.1 is treated as the average one.

    >>> from accord.ratings import bradley_terry
    >>> from accord.ratings.cells import cells_of
    >>> from accord.ratings.votes import from_pairs
    >>> who = ["anna"] * 3 + ["ben"]
    >>> votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 0, 0], labeler=who)
    >>> cells = cells_of(votes, cluster=["labeler"])
    >>> flat = bradley_terry.terms(np.zeros(len(cells.a)))  # x and y equal: H_anna is 3/4 of all
    >>> bread, sums = np.array([[0.25, -0.25], [-0.25, 0.25]]), np.array([[0.5, -0.5], [-0.5, 0.5]])
    >>> adjusted_sums(cells, cells.clusterings["labeler"], flat, bread, sums)[0].round(6)
    array([ 1., -1.])
    """
    few = math.sqrt(clustering.number / (clustering.number - 1))
    if len(bread) > MOST_PARAMETERS:
        return np.asarray(sums * few)
    second = _information(terms)
    forms = _quadratic(cells, bread, has_tie=len(second) > 1)
    each = np.asarray(sum(part * form for part, form in zip(second, forms, strict=True))).ravel()
    cluster, place, weight = clustering.cluster, clustering.place, clustering.weight
    leverage = np.bincount(cluster, weight * each[place], minlength=clustering.number)
    is_large = leverage > LEVERAGE
    result = np.array(sums * few)
    if not is_large.any():
        return result
    values, vectors = np.linalg.eigh(bread)
    scale = np.sqrt(np.maximum(values, 0.0))
    half = vectors * scale
    # Back from Lᵀs to s; a direction without variance has no score either.
    back = vectors * np.divide(1, scale, out=np.zeros_like(scale), where=scale > scale[-1] * 1e-6)
    rows = np.flatnonzero(is_large[cluster])
    rows = rows[np.argsort(cluster[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(cluster[rows], prepend=-1))
    for own in np.split(rows, starts[1:]):
        g, at = int(cluster[own[0]]), place[own]
        cell = at % len(cells.a)
        design = replace(cells, a=cells.a[cell], b=cells.b[cell], x=cells.x[cell])
        of_votes = [weight[own] * part.ravel()[at] for part in second]
        fractions, axes = np.linalg.eigh(half.T @ gram(design, None, *of_votes) @ half)
        stretch = np.maximum(1 - fractions, LEAST_LEFT) ** -0.5
        result[g] = back @ (axes @ (stretch * (axes.T @ (half.T @ sums[g]))))
    return result


def _information(terms: Terms) -> list[FloatArray]:
    """Of one vote of each outcome in each cell: by gap, by gap and tie, and by tie, [3, K] each."""
    second = [terms.by_gap_gap]
    if terms.by_gap_tie is not None and terms.by_tie_tie is not None:
        second += [terms.by_gap_tie, terms.by_tie_tie]
    return [-np.broadcast_to(part, terms.log_p.shape) for part in second]


def _quadratic(cells: Cells, bread: FloatArray, *, has_tie: bool) -> list[FloatArray]:
    """Of each cell dᵀBd, and with a tie parameter 2 dᵀB_τ and B_ττ."""
    m, c = len(cells.names), len(cells.covariates)
    a, b, x = cells.a, cells.b, cells.x
    by_x = bread[m : m + c, m : m + c]
    form = bread[a, a] + bread[b, b] - 2 * bread[a, b] + ((x @ by_x) * x).sum(axis=1)
    form = form + 2 * ((bread[a, m : m + c] - bread[b, m : m + c]) * x).sum(axis=1)
    if not has_tie:
        return [form]
    mixed = 2 * (bread[a, -1] - bread[b, -1] + x @ bread[m : m + c, -1])
    return [form, mixed, np.full(len(a), bread[-1, -1])]
