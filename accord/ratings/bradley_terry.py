"""Bradley-Terry strengths from all votes at once, with or without a model of ties.

    P(a is better than b) = σ(θ_a − θ_b),   θ in nats; 1 nat is 173.72 Elo points

Only differences mean anything, so the strengths of each connected group of policies have mean 0
and nothing is ever said about two policies that no chain of votes connects.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from accord.ratings.intervals import sandwich
from accord.ratings.votes import FloatArray, IntArray, Votes

PRIOR_SD = 3.0  # nats, 521 points: a gap of 1000 points stays plausible
FEW_CLUSTERS = 10  # below this even Student's t is known to be optimistic
MAX_ITERATIONS = 200

# Log-likelihood, gradient and information of the parameters.
Objective = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]


class Problem(NamedTuple):
    """Something about the votes that a reader of the ratings has to know."""

    code: str  #: disconnected, unbeaten, winless, separated, one_labeler, few_clusters
    message: str


@dataclass(frozen=True, eq=False)
class Fit:
    """Strengths with their covariance; ``tables`` turns it into ratings and differences."""

    names: tuple[str, ...]
    strengths: FloatArray  #: nats, mean 0 in each group
    covariance: FloatArray  #: clustered; equals ``model_covariance`` without clusters
    model_covariance: FloatArray  #: as if every vote were independent
    groups: tuple[tuple[str, ...], ...]  #: policies that chains of votes connect
    votes: FloatArray  #: weighted votes that involve each policy
    degrees_of_freedom: float  #: of Student's t; infinite without clusters
    problems: tuple[Problem, ...]
    log_likelihood: float  #: of the votes, the prior left out
    tie: float | None = None  #: Davidson's ν; None when ties are half wins


def fit(
    votes: Votes,
    *,
    prior_sd: float | None = PRIOR_SD,
    cluster: Sequence[str] = ("labeler", "prompt"),
) -> Fit:
    """Strengths that make the votes most likely; a tie counts as half a win for each.

        maximise  Σ_v w_v [o_v log σ(θ_a − θ_b) + (1 − o_v) log σ(θ_b − θ_a)]
                  − Σ_i θ_i² / (2 · prior_sd²)

    Args:
        votes: pairwise votes; those between two responses of one policy are left out.
        prior_sd: standard deviation of the normal prior of each strength, in nats. None is
            maximum likelihood.
        cluster: any of ``"labeler"`` and ``"prompt"``: within these votes may depend on each
            other. Empty for independent votes.

    Returns:
        The fit. Half wins shrink strengths where ties are common: they answer "what is the
        expected outcome"; ``fit_davidson`` answers "who wins a decided comparison".

    Raises:
        ValueError: a prior that is not positive, an unknown cluster, or ``prior_sd=None`` with
            votes under which the likelihood has no maximum.

    Source: Bradley and Terry 1952; existence of the maximum: Ford 1957.

    >>> from accord.ratings.votes import from_pairs
    >>> even = fit(from_pairs(["x", "x"], ["y", "y"], [1, 0]))
    >>> even.strengths + 0.0
    array([0., 0.])
    """
    votes, group, problems = _prepared(votes, prior_sd)
    wins = _tally(votes, votes.outcome)
    games = wins + wins.T
    a, b = votes.a, votes.b

    def log_likelihood(theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        gap = theta[:, None] - theta[None, :]
        probability = expit(gap)
        value = float((wins * -np.logaddexp(0, -gap)).sum())
        gradient = (wins - games * probability).sum(axis=1)
        each = games * probability * (1 - probability)
        return value, gradient, np.diag(each.sum(axis=1)) - each

    theta, bread, value = _solve(log_likelihood, group, len(votes.names), prior_sd)
    residual = votes.weight * (votes.outcome - expit(theta[a] - theta[b]))
    scores = _score_matrix(votes, residual, [])
    return _finished(votes, group, problems, (theta, bread, value), (scores, cluster))


def fit_davidson(
    votes: Votes,
    *,
    prior_sd: float | None = PRIOR_SD,
    cluster: Sequence[str] = ("labeler", "prompt"),
) -> Fit:
    """Strengths with a model of ties, so that common ties do not shrink the differences.

        P(a better) : P(tie) : P(b better) = e^(δ/2) : ν : e^(−δ/2),   δ = θ_a − θ_b
        log ν has the same normal prior as each strength

    Args:
        votes: pairwise votes; those between two responses of one policy are left out.
        prior_sd: standard deviation of the prior of each strength and of log ν, in nats. None
            is maximum likelihood.
        cluster: any of ``"labeler"`` and ``"prompt"``, or empty.

    Returns:
        The fit, with ν in ``tie``. σ(θ_a − θ_b) is the probability that a wins a decided
        comparison.

    Raises:
        ValueError: as ``fit``; also without a prior when no vote, or every vote, is a tie.

    Source: Davidson 1970, with equal strengths tying with probability ν / (2 + ν).

    >>> from accord.ratings.votes import from_pairs
    >>> votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 0, .5, .5])
    >>> round(fit_davidson(votes, prior_sd=None).tie, 6)  # half of the votes are ties
    2.0
    """
    votes, group, problems = _prepared(votes, prior_sd)
    is_tie = votes.outcome == 0.5  # noqa: PLR2004 - a tie
    if prior_sd is None and (is_tie.all() or not is_tie.any()):
        raise ValueError("with no ties, or only ties, ν has no maximum; give a `prior_sd`")
    wins = _tally(votes, votes.outcome * ~is_tie)
    # ``_tally`` gives each pair what the other did not get; drop the ties from that.
    ties = _tally(votes, is_tie * 1.0, mirrored=True)
    wins = wins - ties * _second_half(votes)
    return _davidson(votes, group, problems, prior_sd=prior_sd, cluster=cluster)
