"""Covariance of fitted parameters when votes of one labeler, or on one prompt, are alike.

    V = B M B,   B the inverse of the information,
    M = G/(G−1) Σ_g s_g s_gᵀ,   s_g the sum of the scores of cluster g
    two ways: M_labeler + M_prompt − M_both

Scores of votes are never laid out: a cluster's sum is counted from cells.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import linalg, sparse

from accord.ratings.cells import Cells, Clustering, demand_known
from accord.ratings.few_clusters import adjusted_sums, degrees_of_freedom
from accord.ratings.likelihood import Terms, gram, layout_of
from accord.ratings.problems import Problem, of_clusters
from accord.ratings.votes import FloatArray, IntArray

DENSE_SUMS = 20_000_000  # entries of a dense table of clusters by parameters; above, sparse


def sandwich(scores: Any, bread: FloatArray, clusters: Sequence[IntArray]) -> FloatArray:
    """Covariance of fitted parameters when observations are dependent within clusters.

        V_c = B (G/(G−1) Σ_g s_g s_gᵀ) B,   s_g the sum of the scores in cluster g
        one clustering: V_1;   two: V_1 + V_2 − V_{1∩2}

    Args:
        scores: gradient of each observation's log-likelihood, [n, parameters], dense or sparse.
        bread: inverse of the information matrix, [parameters, parameters].
        clusters: one or two arrays of cluster numbers, one entry an observation.

    Returns:
        [parameters, parameters]. The two-way form need not be positive definite.

    Raises:
        ValueError: neither one nor two clusterings, or one that has a single cluster.

    Source: Liang and Zeger 1986; Cameron, Gelbach and Miller 2011, eq. 2.3 for two ways.

    >>> scores = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    >>> sandwich(scores, np.eye(1), [np.array([0, 0, 1, 1])])
    array([[0.]])
    >>> sandwich(scores, np.eye(1), [np.array([0, 1, 0, 1])])
    array([[36.]])
    """
    numbered = [np.unique(codes, return_inverse=True)[1].astype(np.int64) for codes in clusters]
    if len(numbered) == 1:
        return _around(bread, _meat(scores, numbered[0]))
    if len(numbered) != 2:  # noqa: PLR2004 - two ways
        raise ValueError("`clusters` must hold one or two clusterings")
    first, second = numbered
    both = np.unique(first * (int(second.max()) + 1) + second, return_inverse=True)[1]
    meat = _meat(scores, first) + _meat(scores, second) - _meat(scores, both.astype(np.int64))
    return _around(bread, meat)


def clustered(cells: Cells, terms: Terms, bread: FloatArray, ways: Sequence[str]) -> FloatArray:
    """The same from cells: nothing of the size of the votes but three columns is made.

    Args:
        cells: the votes.
        terms: of the model in each cell, at the fitted parameters.
        bread: inverse of the information matrix, [parameters, parameters].
        ways: one or two names of clusterings, each of at least two clusters.

    Returns:
        [parameters, parameters].

    Source: as ``sandwich``. Differs from it: the scores of a cluster with much leverage, such as
    a labeler with a tenth of all votes, are enlarged as ``few_clusters.adjusted_sums`` says.
    """
    if len(ways) == 1:
        clustering = cells.clusterings[ways[0]]
        if clustering.number < len(bread):  # cheaper than the meat
            half = bread @ _adjusted(cells, clustering, terms, bread).T
            return np.asarray(half @ half.T)
        return _around(bread, _cell_meat(cells, clustering, terms, bread))
    meat = sum(_cell_meat(cells, cells.clusterings[name], terms, bread) for name in ways)
    return _around(bread, meat - _cell_meat(cells, cells.clusterings["both"], terms, bread))


def ways_of(
    clusterings: Mapping[str, Clustering], cluster: Sequence[str]
) -> tuple[list[str], float, tuple[Problem, ...]]:
    """Which clusterings say something about spread.

    Args:
        clusterings: by name.
        cluster: the names asked for.

    Returns:
        Names of those with at least two clusters, degrees of freedom (the fewest; infinite
        without any), and what is wrong with the clusters.

    Raises:
        ValueError: an unknown name.

    Source: those of the smaller way: Cameron and Miller 2015, section VI. G − 1 for equal
    clusters, fewer for unequal ones: ``few_clusters.degrees_of_freedom``.
    """
    demand_known(cluster)
    found: list[Problem] = []
    ways, degrees = [], math.inf
    for name in dict.fromkeys(cluster):
        if name not in clusterings:
            raise ValueError(f"the votes were not counted by `{name}`")
        clustering = clusterings[name]
        found += of_clusters(name, clustering)
        if clustering.number > 1:
            ways.append(name)
            degrees = min(degrees, degrees_of_freedom(clustering.cluster, clustering.weight))
    return ways, degrees, tuple(found)


def inverse(information: FloatArray) -> FloatArray:
    """Inverse of a positive definite information matrix.

    Args:
        information: [parameters, parameters].

    Returns:
        [parameters, parameters], an array.

    Raises:
        ValueError: it is not positive definite: the votes leave a direction open.

    >>> inverse(np.diag([2.0, 4.0]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    factor, refused = linalg.lapack.dpotrf(information, lower=1)
    if refused:
        raise ValueError(
            "the votes leave some parameters open, such as the effects of two covariates that "
            "always go together; give a `prior_sd` or leave one out"
        )
    lower, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)  # half the work of solving
    whole = lower + lower.T  # above the diagonal there were zeros
    whole[np.diag_indices(len(whole))] /= 2
    return np.asarray(whole)


def _around(bread: FloatArray, meat: FloatArray) -> FloatArray:
    return np.asarray(bread @ meat @ bread)


def _few(number: int) -> float:
    """The correction for few clusters."""
    if number == 1:
        raise ValueError("a clustering needs at least two clusters")
    return number / (number - 1)


def _meat(scores: Any, codes: IntArray) -> FloatArray:
    """Σ_g s_g s_gᵀ with the correction for few clusters."""
    number = int(codes.max()) + 1
    membership = sparse.csr_array(
        (np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(number, len(codes))
    )
    sums = membership @ sparse.csr_array(scores)
    return np.asarray((sums.T @ sums).toarray()) * _few(number)


def _cell_meat(cells: Cells, clustering: Clustering, terms: Terms, bread: FloatArray) -> FloatArray:
    each = np.bincount(clustering.cluster, minlength=clustering.number)
    alone = each[clustering.cluster] == 1
    if clustering.number * len(bread) <= DENSE_SUMS / 10 or 2 * alone.sum() < len(alone):
        sums = _adjusted(cells, clustering, terms, bread)
        return _dense(sums.T @ sums)
    # Very many clusters of one row need no sums: their outer products add up within cells.
    shape, size = terms.by_gap.shape, terms.by_gap.size
    squares = np.bincount(
        clustering.place[alone], clustering.weight[alone] ** 2, minlength=size
    ).reshape(shape)
    weights = [squares * terms.by_gap**2]
    if terms.by_tie is not None:
        weights += [squares * terms.by_gap * terms.by_tie, squares * terms.by_tie**2]
    meat = _dense(gram(cells, layout_of(cells), *(weight.sum(axis=0) for weight in weights)))
    if not alone.all():
        rest = np.cumsum(each > 1) - 1
        shared = clustering._replace(
            cluster=rest[clustering.cluster[~alone]],
            place=clustering.place[~alone],
            weight=clustering.weight[~alone],
            number=int((each > 1).sum()),
        )
        sums = _sums(cells, shared, terms)
        meat = meat + _dense(sums.T @ sums)
    return meat * _few(clustering.number)


def _adjusted(cells: Cells, clustering: Clustering, terms: Terms, bread: FloatArray) -> Any:
    """Sums of scores with the correction for few clusters, [clusters, parameters]."""
    sums = _sums(cells, clustering, terms)
    if isinstance(sums, np.ndarray):
        return adjusted_sums(cells, clustering, terms, bread, sums)
    return sums * math.sqrt(_few(clustering.number))


def _sums(cells: Cells, clustering: Clustering, terms: Terms) -> Any:
    """Σ of the scores in each cluster, [clusters, parameters], an array or sparse."""
    m, k = len(cells.names), len(cells.a)
    amount = terms.by_gap.ravel()[clustering.place] * clustering.weight
    cell = clustering.place % k
    columns = [amount * cells.x[:, i][cell] for i in range(len(cells.covariates))]
    if terms.by_tie is not None:
        tie = np.broadcast_to(terms.by_tie, terms.by_gap.shape).ravel()
        columns.append(tie[clustering.place] * clustering.weight)
    edge = np.zeros((clustering.number, len(columns)))
    for i, column in enumerate(columns):
        edge[:, i] = np.bincount(clustering.cluster, column, minlength=clustering.number)
    a, b = cells.a[cell], cells.b[cell]
    if clustering.number * m <= DENSE_SUMS:
        row, size = clustering.cluster * m, clustering.number * m
        sums = np.bincount(row + a, amount, minlength=size)
        sums -= np.bincount(row + b, amount, minlength=size)
        return np.hstack([sums.reshape(clustering.number, m), edge])
    rows = np.tile(clustering.cluster, 2)
    entries = np.concatenate([amount, -amount])
    shape = (clustering.number, m)
    sparse_sums = sparse.coo_array((entries, (rows, np.concatenate([a, b]))), shape=shape).tocsr()
    return sparse.hstack([sparse_sums, sparse.csr_array(edge)]).tocsr() if columns else sparse_sums


def _dense(matrix: Any) -> FloatArray:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())
