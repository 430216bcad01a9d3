"""Differences of strengths: how uncertain each is, and which cannot be formed at all.

A fit says something about θ_i − θ_j only when chains of votes connect i and j, so everything
here is NaN across groups. With few clusters the clustered variance can come out far too small by
luck, so the larger of it and the one for independent votes counts (Angrist and Pischke 2009,
section 8.2.3), as in ``intervals``.
"""

import math

import numpy as np
from numpy.typing import NDArray

from accord.ratings import bradley_terry, davidson, rao_kupper, thurstone
from accord.ratings.fitted import Fit
from accord.ratings.votes import FloatArray, IntArray


def members(fit: Fit) -> list[IntArray]:
    """Indices of the policies of each group.

    Args:
        fit: of any model.

    Returns:
        One array a group, in the order of ``fit.groups``.

    Source: none needed; a change of form.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> two = from_pairs(["x", "y"], ["z", "w"], [1, 0])
    >>> [part.tolist() for part in members(fit(two))]
    [[0, 2], [1, 3]]
    """
    index = {name: i for i, name in enumerate(fit.names)}
    return [np.array([index[name] for name in group], dtype=np.int64) for group in fit.groups]


def difference_variances(fit: Fit) -> FloatArray:
    """Variance of every difference of two strengths.

        v_ij = max(C_ii + C_jj − 2 C_ij, the same of the model's covariance)

    Args:
        fit: of any model.

    Returns:
        [policies, policies] in squared units of ``fit.strengths``; 0 on the diagonal, NaN for
        policies of different groups.

    Source: Angrist and Pischke 2009, section 8.2.3 for the larger of the two.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> even = from_pairs(["x"] * 16, ["y"] * 16, [1, 0] * 8)
    >>> difference_variances(fit(even, prior_sd=None, cluster=())).round(6)
    array([[0.  , 0.25],
           [0.25, 0.  ]])
    """
    variances = np.full((len(fit.names), len(fit.names)), math.nan)
    for part in members(fit):
        block = np.ix_(part, part)
        larger = np.maximum(_spread(fit.covariance[block]), _spread(fit.model_covariance[block]))
        variances[block] = np.maximum(larger, 0.0)
    return variances


def upper_covariance(fit: Fit, part: IntArray) -> FloatArray:
    """Covariance of a group's strengths that no contrast undercuts.

        U = A + (B − A)₊,   A of the model, B clustered, (·)₊ keeps positive eigenvalues

    Args:
        fit: of any model.
        part: indices of the policies of one group, from ``members``.

    Returns:
        [part, part], positive semi-definite: cᵀUc ≥ max(cᵀAc, cᵀBc) for every c. For two
        policies it is exactly the larger of the two.

    Source: the Loewner order; a bound for all contrasts of the rule for one.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> even = from_pairs(["x"] * 16, ["y"] * 16, [1, 0] * 8)
    >>> fitted = fit(even, prior_sd=None, cluster=())
    >>> upper_covariance(fitted, np.array([0, 1])).round(6)
    array([[ 0.0625, -0.0625],
           [-0.0625,  0.0625]])
    """
    block = np.ix_(part, part)
    model = fit.model_covariance[block]
    values, vectors = np.linalg.eigh(fit.covariance[block] - model)
    return np.asarray(model + (vectors * np.maximum(values, 0.0)) @ vectors.T)


def vote_information(fit: Fit, gap: FloatArray) -> FloatArray:
    """How much one more vote says about the difference of the two policies it compares.

        w = Σ_o P_o (∂ log P_o / ∂ gap)²,   o a win, a loss and, in models with ties, a tie

    In Bradley and Terry's model that is p (1 − p): a vote that everybody can foresee says nothing.

    Args:
        fit: of any model; its tie parameter counts, its strengths do not.
        gap: differences of strengths, of any shape.

    Returns:
        Fisher information of one vote at each gap, in the same shape.

    Source: Fisher 1925; p (1 − p) in Bradley and Terry 1952.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> vote_information(fit(from_pairs(["x"], ["y"], [1])), np.array([0.0, np.log(3)]))
    array([0.25  , 0.1875])
    """
    gaps = np.ravel(gap)
    if fit.model == "davidson" and fit.tie:
        terms = davidson.terms(gaps, math.log(fit.tie))
    elif fit.model == "rao_kupper" and fit.tie and fit.tie > 1:
        terms = rao_kupper.terms(gaps, math.log(fit.tie - 1))
    else:
        half = thurstone.terms(gaps) if fit.model == "thurstone" else bradley_terry.terms(gaps)
        terms = half._replace(log_p=half.log_p[::2], by_gap=half.by_gap[::2])  # without the tie
    information = (np.exp(terms.log_p) * terms.by_gap**2).sum(axis=0)
    return np.asarray(information.reshape(np.shape(gap)))


def root(covariance: FloatArray) -> FloatArray:
    """A matrix whose square is the covariance, negative eigenvalues taken as 0.

        R Rᵀ = V Λ₊ Vᵀ

    Args:
        covariance: symmetric, [k, k]; a two-way clustered one need not be positive.

    Returns:
        [k, k].

    Source: the spectral theorem; Cameron, Gelbach and Miller 2011, section 2.3 for the 0.

    >>> half = root(np.array([[4.0, 2.0], [2.0, 4.0]]))
    >>> (half @ half.T).round(6)
    array([[4., 2.],
           [2., 4.]])
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _spread(covariance: FloatArray) -> NDArray[np.float64]:
    diagonal = np.diag(covariance)
    return np.asarray(diagonal[:, None] + diagonal[None, :] - 2 * covariance)
