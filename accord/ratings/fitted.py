"""What a fit found: strengths with their covariance, and what is wrong with the votes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.special import expit, ndtr

from accord.ratings import rao_kupper
from accord.ratings.elo import POINTS_PER_NAT
from accord.ratings.problems import Problem
from accord.ratings.votes import FloatArray, IntArray

PRIOR_SD = 3.0  # nats, 521 points: a gap of 1000 points stays plausible


def _nothing() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Fit:
    """Strengths with their covariance; ``tables`` turns it into ratings and differences.

    Strengths have mean 0 in each group and are in units of the model: nats, or standard
    deviations of a difference in Thurstone's. ``points_per_unit`` turns them into Elo points. A
    policy alone in its group has strength 0 and the variance of the prior: nothing is known.
    """

    names: tuple[str, ...]
    strengths: FloatArray  #: [policies], at covariates of 0
    covariance: FloatArray  #: clustered; equals ``model_covariance`` without clusters
    model_covariance: FloatArray  #: as if every vote were independent
    groups: tuple[tuple[str, ...], ...]  #: policies that chains of votes connect
    votes: FloatArray  #: weighted votes that involve each policy
    degrees_of_freedom: float  #: of Student's t; infinite without clusters
    problems: tuple[Problem, ...]
    log_likelihood: float  #: of the votes, the prior left out
    tie: float | None = None  #: Davidson's ν, Rao and Kupper's κ; None when ties are half wins
    model: str = "bradley_terry"
    points_per_unit: float = POINTS_PER_NAT  #: Elo points
    covariates: tuple[str, ...] = ()
    coefficients: FloatArray = field(default_factory=_nothing)  #: per unit of each covariate
    coefficient_covariance: FloatArray = field(default_factory=_nothing)  #: [covariates, same]
    coefficient_model_covariance: FloatArray = field(default_factory=_nothing)
    both_bad: FloatArray = field(default_factory=_nothing)  #: weighted votes of each policy
    ties: Mapping[int, float] = field(default_factory=dict)  #: Plackett-Luce: δ_t by size t

    def win_probability(self, gap: FloatArray) -> FloatArray:
        """Probability of winning a decided vote at gaps of strength, of any shape.

        σ(gap); in Thurstone's model Φ(gap), in Rao and Kupper's see ``rao_kupper``.
        """
        if self.model == "thurstone":
            return np.asarray(ndtr(gap))
        if self.model == "rao_kupper" and self.tie is not None:
            return rao_kupper.win_probability(gap, self.tie)
        return np.asarray(expit(gap))


def demand_prior(prior_sd: float | None) -> None:
    """Raise ValueError for a prior that makes no sense."""
    if prior_sd is not None and not 0 < prior_sd < math.inf:
        raise ValueError("`prior_sd` must be positive and finite, or None for maximum likelihood")


def relative(covariance: FloatArray, group: IntArray, prior_sd: float | None) -> FloatArray:
    """Covariance of strengths minus the mean of their group.

        (I − J) V (I − J),   J averages within groups;  prior_sd² for a group of one

    Args:
        covariance: [policies, policies].
        group: number of each policy's group, from 0 without gaps.
        prior_sd: in units of the strengths; ``PRIOR_SD`` nats stand in for None.

    Returns:
        [policies, policies].

    >>> relative(np.eye(3), np.array([0, 0, 1]), 3.0)
    array([[ 0.5, -0.5,  0. ],
           [-0.5,  0.5,  0. ],
           [ 0. ,  0. ,  9. ]])
    """
    sizes = np.bincount(group)
    average = sparse.csr_array(
        (1 / sizes[group], (group, np.arange(len(group)))), shape=(len(sizes), len(group))
    )
    rows = average @ covariance  # [groups, policies]; the covariance is symmetric
    whole = average @ rows.T
    if len(sizes) == 1:  # the usual case, without copies of its size
        centered = covariance - (rows - whole / 2)
        centered -= (rows - whole / 2).T
    else:
        centered = covariance - rows[group] - rows[group].T + whole[group][:, group]
    single = np.flatnonzero(sizes[group] == 1)
    centered[single, single] = (PRIOR_SD if prior_sd is None else prior_sd) ** 2
    return np.asarray(centered)
