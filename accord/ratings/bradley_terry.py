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
from scipy.sparse.csgraph import NegativeCycleError, connected_components, floyd_warshall
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
    wins = _tally(votes, votes.outcome, 1 - votes.outcome)
    games = wins + wins.T

    def log_likelihood(theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        gap = theta[:, None] - theta[None, :]
        probability = expit(gap)
        value = float((wins * -np.logaddexp(0, -gap)).sum())
        gradient = (wins - games * probability).sum(axis=1)
        each = games * probability * (1 - probability)
        return value, gradient, np.diag(each.sum(axis=1)) - each

    theta, bread, value = _solve(log_likelihood, group, len(votes.names), prior_sd)
    residual = votes.weight * (votes.outcome - expit(theta[votes.a] - theta[votes.b]))
    scores = _score_matrix(votes, residual)
    covariance, degrees, more = _clustered(votes, scores, bread, cluster)
    return Fit(
        names=votes.names,
        strengths=theta,
        covariance=_centered(covariance, group),
        model_covariance=_centered(bread, group),
        groups=_named(votes.names, group),
        votes=games.sum(axis=1),
        degrees_of_freedom=degrees,
        problems=(*problems, *more),
        log_likelihood=value,
    )


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
        ValueError: as ``fit``; also without a prior when the votes leave ν unbounded, for
            example because none, or every one, is a tie.

    Source: Davidson 1970, with equal strengths tying with probability ν / (2 + ν).

    >>> from accord.ratings.votes import from_pairs
    >>> votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 0, .5, .5])
    >>> round(fit_davidson(votes, prior_sd=None).tie, 6)  # half of the votes are ties
    2.0
    """
    votes, group, problems = _prepared(votes, prior_sd)
    is_tie = votes.outcome == 0.5  # noqa: PLR2004 - a tie
    wins = _tally(votes, votes.outcome == 1, votes.outcome == 0)
    ties = _tally(votes, is_tie, is_tie)
    if prior_sd is None and not (is_tie.any() and _ties_are_bounded(wins, ties)):
        raise ValueError("the likelihood of ν has no maximum; give a `prior_sd`")
    games, number = wins + wins.T + ties, len(votes.names)

    def log_likelihood(parameters: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        win, tie, log_win, log_tie = _davidson_probabilities(parameters)
        value = float((wins * log_win).sum() + (ties * log_tie).sum() / 2)
        expected = (win - win.T) / 2
        gradient = ((wins - wins.T) / 2 - games * expected).sum(axis=1)
        each = games * ((win + win.T) / 4 - expected**2)
        mixed = -(games * expected * tie).sum(axis=1)
        information = np.zeros((number + 1, number + 1))
        information[:number, :number] = np.diag(each.sum(axis=1)) - each
        information[:number, number] = information[number, :number] = mixed
        information[number, number] = (games * tie * (1 - tie)).sum() / 2
        of_tie = (ties - games * tie).sum() / 2
        return value, np.append(gradient, of_tie), information

    theta, bread, value = _solve(log_likelihood, group, number + 1, prior_sd)
    win, tie, _, _ = _davidson_probabilities(theta)
    expected = ((win - win.T) / 2)[votes.a, votes.b]
    residual = votes.weight * (votes.outcome - 0.5 - expected)
    of_tie = votes.weight * (is_tie - tie[votes.a, votes.b])
    scores = _score_matrix(votes, residual, of_tie)
    covariance, degrees, more = _clustered(votes, scores, bread, cluster)
    return Fit(
        names=votes.names,
        strengths=theta[:number],
        covariance=_centered(covariance[:number, :number], group),
        model_covariance=_centered(bread[:number, :number], group),
        groups=_named(votes.names, group),
        votes=games.sum(axis=1),
        degrees_of_freedom=degrees,
        problems=(*problems, *more),
        log_likelihood=value,
        tie=math.exp(theta[number]),
    )


def _davidson_probabilities(
    parameters: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Probabilities of row beating column and of a tie, and their logarithms."""
    half_gap = (parameters[:-1, None] - parameters[None, :-1]) / 2
    total = np.logaddexp(np.logaddexp(half_gap, -half_gap), parameters[-1])
    log_win, log_tie = half_gap - total, parameters[-1] - total
    return np.exp(log_win), np.exp(log_tie), log_win, log_tie


def _ties_are_bounded(wins: FloatArray, ties: FloatArray) -> bool:
    """False when ν and the gaps can grow together without making any vote less likely.

    That is when levels u exist with u_i − u_j ≥ 1 for every win of i over j and |u_i − u_j| ≤ 1
    for every tie; differences can be so bounded unless the bounds form a negative cycle.
    """
    bounds = np.where(wins > 0, -1.0, np.where(ties > 0, 1.0, np.inf))
    try:
        floyd_warshall(bounds)
    except NegativeCycleError:
        return True
    return False


def _prepared(votes: Votes, prior_sd: float | None) -> tuple[Votes, IntArray, tuple[Problem, ...]]:
    """The votes that count, the group of each policy, and what is wrong with them."""
    if prior_sd is not None and not 0 < prior_sd < math.inf:
        raise ValueError("`prior_sd` must be positive and finite, or None for maximum likelihood")
    votes = votes.where((votes.a != votes.b) & (votes.weight > 0))
    wins = _tally(votes, votes.outcome, 1 - votes.outcome)
    number, group = connected_components(wins, directed=False)
    pieces, piece = connected_components(wins, directed=True, connection="strong")
    if prior_sd is None and pieces > number:
        raise ValueError(
            "some policies always beat others, so the likelihood has no maximum; give a `prior_sd`"
        )
    problems = []
    if number > 1:
        problems.append(Problem("disconnected", _disconnected(_named(votes.names, group))))
    played = wins.sum(axis=0) + wins.sum(axis=1) > 0
    extremes = 0
    for code, verb, total in (
        ("unbeaten", "lost", wins.sum(axis=0)),
        ("winless", "won", wins.sum(axis=1)),
    ):
        for i in np.flatnonzero(played & (total == 0)):
            extremes += 1
            problems.append(
                Problem(
                    code,
                    f"`{votes.names[i]}` never {verb} or tied: how far it is from the others "
                    "rests on the prior",
                )
            )
    if pieces > number + extremes:
        sets = " | ".join(", ".join(part) for part in _named(votes.names, piece))
        problems.append(
            Problem(
                "separated",
                f"between some of the sets {sets} one always beat the other: how far they are "
                "apart rests on the prior",
            )
        )
    return votes, group.astype(np.int64), tuple(problems)


def _disconnected(groups: tuple[tuple[str, ...], ...]) -> str:
    listed = " | ".join(", ".join(group) for group in groups)
    return f"no votes connect {listed}: ratings of different groups cannot be compared"


def _tally(votes: Votes, of_a: NDArray[Any], of_b: NDArray[Any]) -> FloatArray:
    """Weighted sums by pair: ``of_a`` counted at [a, b] and ``of_b`` at [b, a]."""
    number = len(votes.names)
    cells = np.concatenate([votes.a * number + votes.b, votes.b * number + votes.a])
    amounts = np.concatenate([votes.weight * of_a, votes.weight * of_b])
    sums = np.bincount(cells, amounts, minlength=number**2).astype(np.float64)
    return sums.reshape(number, number)


def _solve(
    log_likelihood: Objective, group: IntArray, size: int, prior_sd: float | None
) -> tuple[FloatArray, FloatArray, float]:
    """Newton's method with step halving: parameters, inverse information, log-likelihood."""
    precision = 0.0 if prior_sd is None else prior_sd**-2
    level = np.zeros((size, size))  # fixes the mean of each group, which the votes do not
    level[: len(group), : len(group)] = group[:, None] == group[None, :]

    def penalised(x: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        value, gradient, information = log_likelihood(x)
        information = information + precision * np.eye(size) + level
        return value - precision * float(x @ x) / 2, gradient - precision * x, information

    x = np.zeros(size)
    value, gradient, information = penalised(x)
    for _ in range(MAX_ITERATIONS):
        step = np.linalg.solve(information, gradient)
        decrement = float(step @ gradient)
        while penalised(x + step)[0] < value - 1e-12 * (1 + abs(value)):
            step = step / 2
        x = x + step
        value, gradient, information = penalised(x)
        if decrement < 1e-12:  # noqa: PLR2004 - in log-likelihood; the next would be its square
            bread: FloatArray = np.linalg.inv(information).astype(np.float64)
            return x, bread, log_likelihood(x)[0]
    raise ValueError("the fit did not converge; give a smaller `prior_sd`")


def _score_matrix(votes: Votes, residual: FloatArray, of_tie: FloatArray | None = None) -> Any:
    """Gradient of each vote's log-likelihood: [votes, policies], and ν's as a last column."""
    rows, number = np.arange(len(votes)), len(votes.names)
    entries, columns = [residual, -residual], [votes.a, votes.b]
    if of_tie is not None:
        entries, columns = [*entries, of_tie], [*columns, np.full(len(votes), number)]
    where = (np.tile(rows, len(entries)), np.concatenate(columns))
    shape = (len(votes), number + (of_tie is not None))
    return sparse.csr_array((np.concatenate(entries), where), shape=shape)


def _clustered(
    votes: Votes, scores: Any, bread: FloatArray, cluster: Sequence[str]
) -> tuple[FloatArray, float, tuple[Problem, ...]]:
    """Covariance, degrees of freedom, and what is wrong with the clusters."""
    known = {"labeler": votes.labeler, "prompt": votes.prompt}
    codes, sizes, problems = [], [], []
    for name in dict.fromkeys(cluster):
        if name not in known:
            raise ValueError(f"unknown cluster `{name}`; known: `labeler`, `prompt`")
        size = len(np.unique(known[name]))
        if size == 1:
            problems.append(
                Problem(
                    f"one_{name}",
                    f"all votes share one {name}: how much {name}s differ is not in the intervals",
                )
            )
        if size > 1:
            codes.append(known[name])
            sizes.append(size)
        if 1 < size < FEW_CLUSTERS:
            problems.append(
                Problem(
                    "few_clusters",
                    f"only {size} {name}s: intervals use Student's t with {size - 1} degrees of "
                    "freedom and may still be too narrow",
                )
            )
    if not codes:
        return bread, math.inf, tuple(problems)
    return sandwich(scores, bread, codes), min(sizes) - 1.0, tuple(problems)


def _centered(covariance: FloatArray, group: IntArray) -> FloatArray:
    """Covariance of the strengths minus the mean of their group."""
    same = (group[:, None] == group[None, :]).astype(np.float64)
    projection = np.eye(len(group)) - same / same.sum(axis=1, keepdims=True)
    return np.asarray(projection @ covariance @ projection)


def _named(names: tuple[str, ...], group: IntArray) -> tuple[tuple[str, ...], ...]:
    """Names by group, in the order of each group's first name."""
    members: dict[int, list[str]] = {}
    for name, code in zip(names, group, strict=True):
        members.setdefault(int(code), []).append(name)
    return tuple(tuple(part) for part in members.values())
