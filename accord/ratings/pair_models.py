"""The models of one vote, and the climb to their most likely strengths."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from accord.ratings import bradley_terry, davidson, rao_kupper, thurstone
from accord.ratings.cells import Cells
from accord.ratings.covariance import inverse
from accord.ratings.elo import POINTS_PER_NAT
from accord.ratings.likelihood import DENSE, TermsOf, objective
from accord.ratings.newton import Curve, Graph, maximize
from accord.ratings.votes import FloatArray, IntArray


class PairModel(NamedTuple):
    """A model of one vote."""

    terms: TermsOf
    points_per_unit: float
    tie_of: Callable[[float], float] | None = None  #: ν or κ of the last parameter, if it is one


MODELS = {
    "bradley_terry": PairModel(bradley_terry.terms, POINTS_PER_NAT),
    "thurstone": PairModel(thurstone.terms, thurstone.POINTS_PER_SD),
    "davidson": PairModel(davidson.terms, POINTS_PER_NAT, tie_of=math.exp),
    "rao_kupper": PairModel(rao_kupper.terms, POINTS_PER_NAT, tie_of=lambda x: 1 + math.exp(x)),
}


def prior_in_units(model: PairModel, prior_sd: float) -> float:
    """A standard deviation in nats as one in units of the model: the same Elo points."""
    return prior_sd * POINTS_PER_NAT / model.points_per_unit


def climb(
    cells: Cells,
    model: PairModel,
    group: IntArray,
    prior_sd: float | None,
    start: FloatArray | None = None,
) -> tuple[FloatArray, Curve]:
    """The most likely strengths, coefficients and tie parameter.

    Args:
        cells: the votes.
        model: of one vote.
        group: number of each policy's group; the strengths of each have mean 0.
        prior_sd: of each strength, in nats; None for none.
        start: parameters to begin at.

    Returns:
        Parameters, and the curve there as ``newton.maximize`` gives it.
    """
    m, has_tie = len(cells.names), model.tie_of is not None
    size = m + len(cells.covariates) + has_tie
    precision = np.zeros(size)
    if prior_sd is not None:
        precision += prior_in_units(model, prior_sd) ** -2
        precision[size - has_tie :] = prior_sd**-2
    level = np.zeros((size, size)) if m <= DENSE else None
    if level is not None:  # fixes the mean of each group, which the votes do not
        level[:m, :m] = group[:, None] == group[None, :]
    likelihood = objective(cells, model.terms, has_tie=has_tie)
    x, top = maximize(likelihood, np.zeros(size) if start is None else start, precision, level)
    # Conjugate gradients leave the mean of a group anywhere when there is no prior.
    x[:m] -= (np.bincount(group, x[:m]) / np.bincount(group))[group]
    return x, top


def bread_of(top: Curve, group: IntArray) -> FloatArray:
    """Inverse of the information at the maximum, [parameters, parameters]."""
    information = top.information
    if isinstance(information, Graph):
        information = information.toarray()
        information[: len(group), : len(group)] += group[:, None] == group[None, :]
    return inverse(information)
