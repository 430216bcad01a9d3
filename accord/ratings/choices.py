"""Plackett and Luce's model of rankings, with ties of any size, as a chain of choices.

A ranking is a chain of choices: the best set out of all responses, the best out of the rest, and
so on. With worth α_i = e^θ_i the set C is chosen out of the set A with probability

    f(C) / Σ_{S ⊆ A, |S| ∈ sizes} f(S),    f(S) = δ_{|S|} (Π_{i∈S} α_i)^{1/|S|},   δ_1 = 1

Unlike the pairs of a ranking, its choices are independent of each other under the model. For two
responses it is Davidson's model, with δ_2 for his ν.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import optimize, sparse

from accord.ratings.newton import Curve, Objective
from accord.ratings.votes import FloatArray, IntArray, Ranking

MOST_SETS = 5_000  # sets among which one choice is made
CHUNK = 2_000_000  # numbers held at once


class Sets(NamedTuple):
    """All sets that may be chosen out of m responses."""

    member: FloatArray  #: [sets, m], 1/|S| where the response is in the set
    size: FloatArray  #: [sets, tie sizes], 1 where the set has that size


@dataclass(frozen=True, eq=False)
class Choices:
    """Choices out of equally many responses; one entry a choice."""

    items: IntArray  #: [n, m], policies of the responses that were left
    chosen: FloatArray  #: [n, m], 1/|C| where the response was chosen
    tie: FloatArray  #: [n, tie sizes], 1 where the chosen set has that size
    ranking: IntArray  #: [n], which ranking the choice is of
    weight: FloatArray  #: [n]
    sets: Sets


def choices_of(
    rankings: Sequence[Ranking], names: Sequence[str]
) -> tuple[list[Choices], tuple[int, ...]]:
    """The choices that rankings consist of, by the number of responses left.

        1 > 2 = 3 > 4   →   {1} of 4, {2, 3} of 3;   the last response is no choice

    Args:
        rankings: each of at least two responses.
        names: of all policies, sorted.

    Returns:
        The choices, and the sizes of ties that occur: only these may be chosen.

    Raises:
        ValueError: a choice among more sets than can be summed.

    Source: Turner, van Etten, Firth and Kosmidis 2020, "Modelling rankings in R: the
    PlackettLuce package", eq. 3; sizes that never occur have δ = 0 as there.

    >>> choices, sizes = choices_of([Ranking(tuple("wxyz"), (1, 2, 2, 4))], tuple("wxyz"))
    >>> [one.items.tolist() for one in choices], sizes
    ([[[1, 2, 3]], [[0, 1, 2, 3]]], (2,))
    """
    code = {name: i for i, name in enumerate(names)}
    rows: dict[int, list[tuple[list[int], list[float], int, int]]] = {}
    for number, ranking in enumerate(rankings):
        left = sorted(zip([code[n] for n in ranking.names], ranking.ranks, strict=True))
        while len(left) > 1:
            best = min(rank for _, rank in left)
            size = sum(rank == best for _, rank in left)
            chosen = [(rank == best) / size for _, rank in left]
            rows.setdefault(len(left), []).append(([i for i, _ in left], chosen, size, number))
            left = [(i, rank) for i, rank in left if rank != best]
    sizes = tuple(sorted({row[2] for part in rows.values() for row in part} - {1}))
    weight = np.array([ranking.weight for ranking in rankings], dtype=np.float64)
    found = []
    for m in sorted(rows):
        items, chosen_sets, counts, source = zip(*rows[m], strict=True)
        of = np.array(source, dtype=np.int64)
        found.append(
            Choices(
                items=np.array(items, dtype=np.int64),
                chosen=np.array(chosen_sets, dtype=np.float64),
                tie=(np.array(counts)[:, None] == np.array(sizes)).astype(np.float64),
                ranking=of,
                weight=weight[of],
                sets=_sets(m, sizes),
            )
        )
    return found, sizes


def likelihood(choices: Sequence[Choices], policies: int, sizes: int) -> Objective:
    """Log-likelihood, gradient and information of strengths and of log δ.

        ℓ = Σ_choices w (z_C·φ − log Σ_S e^{z_S·φ}),   z_S: 1/|S| for each member, 1 for its size

    Args:
        choices: from ``choices_of``.
        policies: how many.
        sizes: how many sizes of ties.

    Returns:
        What ``newton.maximize`` climbs.

    Source: an exponential family in φ = (θ, log δ), so the gradient is Σ w (z_C − E z) and the
    information Σ w Var z.
    """
    total = policies + sizes
    observed = np.zeros(total)
    for one in choices:
        observed += _spread(one.items, one.chosen * one.weight[:, None], one, policies)
    merged = [_merged(one) for one in choices]

    def at(parameters: FloatArray) -> Curve:
        value, gradient = float(observed @ parameters), observed.copy()
        information = np.zeros((total, total))
        for one, items, weight in merged:
            for start in range(0, len(items), _rows(one.sets)):
                part = slice(start, start + _rows(one.sets))
                p, log_total = _probabilities(parameters, items[part], one.sets, policies)
                value -= float(weight[part] @ log_total)
                _add_moments(gradient, information, (items[part], weight[part], p), one.sets)
        return Curve(value, gradient, information)

    return at


def ranking_scores(
    choices: Sequence[Choices], parameters: FloatArray, policies: int, rankings: int
) -> sparse.csr_array:
    """Gradient of each ranking's log-likelihood, [rankings, parameters].

    Σ over its choices of w (z_C − E z)
    """
    shape = (rankings, len(parameters))
    scores = sparse.csr_array(shape)
    for one in choices:
        for start in range(0, len(one.items), _rows(one.sets)):
            part = slice(start, start + _rows(one.sets))
            items, weight = one.items[part], one.weight[part, None]
            p, _ = _probabilities(parameters, items, one.sets, policies)
            entries = np.hstack(
                [
                    weight * (one.chosen[part] - p @ one.sets.member),
                    weight * (one.tie[part] - p @ one.sets.size),
                ]
            )
            ties = np.broadcast_to(
                policies + np.arange(one.tie.shape[1]), (len(items), one.tie.shape[1])
            )
            columns = np.hstack([items, ties])
            rows = np.repeat(one.ranking[part], columns.shape[1])
            scores = scores + sparse.csr_array(
                (entries.ravel(), (rows, columns.ravel())), shape=shape
            )
    return scores


def has_maximum(choices: Sequence[Choices], policies: int, sizes: int) -> bool:
    """Whether no direction makes every choice at least as likely, and some more likely.

        no φ with  (z_C − z_S)·φ ≥ 0  for all choices and all S, and not always 0

    Args:
        choices: from ``choices_of``.
        policies: how many.
        sizes: how many sizes of ties.

    Returns:
        True when maximum likelihood exists up to the mean of each group.

    Source: Albert and Anderson 1984 (separation), by linear programming as in Konis 2007.
    """
    blocks = []
    for one in choices:
        _, first = np.unique(np.hstack([one.items, one.chosen, one.tie]), axis=0, return_index=True)
        for i in first[one.weight[first] > 0].tolist():
            gap = np.zeros((len(one.sets.member), policies + sizes))
            for place, item in enumerate(one.items[i].tolist()):
                gap[:, item] += one.chosen[i, place] - one.sets.member[:, place]
            gap[:, policies:] = one.tie[i] - one.sets.size
            blocks.append(sparse.csr_array(gap))
    if not blocks:
        return True
    gaps = sparse.vstack(blocks).tocsr()
    found = optimize.linprog(
        -np.asarray(gaps.sum(axis=0)).ravel(),
        A_ub=-gaps,
        b_ub=np.zeros(gaps.shape[0]),
        bounds=(-1, 1),
        method="highs",
    )
    return bool(-found.fun < 1e-9)  # noqa: PLR2004 - above the rounding of the solver


def _sets(m: int, sizes: tuple[int, ...]) -> Sets:
    rows, size = [], []
    for t in (1, *(s for s in sizes if s <= m)):
        for chosen in combinations(range(m), t):
            row = np.zeros(m)
            row[list(chosen)] = 1 / t
            rows.append(row)
            size.append([float(t == s) for s in sizes])
            if len(rows) > MOST_SETS:
                raise ValueError(
                    f"a ranking of {m} responses with ties of {t} has too many sets that might "
                    "be best; rate its pairs instead, for example with `davidson`"
                )
    return Sets(np.array(rows), np.array(size).reshape(len(rows), len(sizes)))


def _rows(sets: Sets) -> int:
    """How many choices are worked on at once."""
    numbers, m = sets.member.shape
    return int(max(1, CHUNK // (numbers + m**2)))


def _merged(one: Choices) -> tuple[Choices, IntArray, FloatArray]:
    """Choices out of the same responses weigh together: [u, m] and [u]."""
    items, code = np.unique(one.items, axis=0, return_inverse=True)
    weight = np.bincount(code.reshape(-1), one.weight, minlength=len(items))
    return one, items, weight.astype(np.float64)


def _spread(items: IntArray, local: FloatArray, one: Choices, policies: int) -> FloatArray:
    """Sums over choices of what belongs to each parameter."""
    strengths = np.bincount(items.ravel(), local.ravel(), minlength=policies)
    return np.concatenate([strengths, one.weight @ one.tie])


def _probabilities(
    parameters: FloatArray, items: IntArray, sets: Sets, policies: int
) -> tuple[FloatArray, FloatArray]:
    """Of every set at every choice, [n, sets], and the logarithm of their sum, [n]."""
    weight = parameters[items] @ sets.member.T + sets.size @ parameters[policies:]
    top = weight.max(axis=1, keepdims=True)
    p = np.exp(weight - top)
    total = p.sum(axis=1, keepdims=True)
    return p / total, (top + np.log(total))[:, 0]


def _add_moments(
    gradient: FloatArray,
    information: FloatArray,
    at: tuple[IntArray, FloatArray, FloatArray],
    sets: Sets,
) -> None:
    """Take Σ w E z from the gradient and add Σ w Var z to the information."""
    items, weight, p = at
    policies = len(gradient) - sets.size.shape[1]
    m = items.shape[1]
    mean, tie = p @ sets.member, p @ sets.size
    gradient[:policies] -= np.bincount(
        items.ravel(), (weight[:, None] * mean).ravel(), minlength=policies
    )
    gradient[policies:] -= weight @ tie
    pairs = (sets.member[:, :, None] * sets.member[:, None, :]).reshape(len(sets.member), -1)
    local = (p @ pairs).reshape(-1, m, m) - mean[:, :, None] * mean[:, None, :]
    where = items[:, :, None] * policies + items[:, None, :]
    information[:policies, :policies] += np.bincount(
        where.ravel(), (weight[:, None, None] * local).ravel(), minlength=policies**2
    ).reshape(policies, policies)
    for t in range(sets.size.shape[1]):
        mixed = p @ (sets.member * sets.size[:, t : t + 1]) - mean * tie[:, t : t + 1]
        column = np.bincount(items.ravel(), (weight[:, None] * mixed).ravel(), minlength=policies)
        information[:policies, policies + t] += column
        information[policies + t, :policies] += column
    information[policies:, policies:] += np.diag(weight @ tie) - tie.T @ (weight[:, None] * tie)
