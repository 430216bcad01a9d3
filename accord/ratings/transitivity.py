"""Whether the votes can come from one scale at all: triads and cycles.

Every model with one strength a policy says that who beats b, which beats c, beats c. Votes that
say otherwise by chance are common: of three equal policies a quarter of all samples form a cycle.
So a cycle is reported only when each of its wins stands against noise, all of them together.
"""

import math
from collections.abc import Iterator
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.special import expit

from accord.ratings.votes import FloatArray, IntArray, Votes

# A sum of symmetric terms exceeds x times the root of their squares at most this often relative
# to a normal variable: Bentkus and Dzindzalieta 2015, theorem 1.1; the constant is the best one.
SYMMETRIC = 1 / (4 * float(stats.norm.sf(math.sqrt(2))))
MOST_POLICIES = 60  # whose triads are listed; 34,220 of them


class PairRates(NamedTuple):
    """Every two policies that met: how often the first won, and whether that may be chance."""

    a: IntArray
    b: IntArray
    n: FloatArray  #: weighted votes
    rate: FloatArray  #: share that a won, a tie half a win
    z: FloatArray  #: how far the rate is from ½, clustered
    p_value: FloatArray  #: of a rate of ½, two-sided


class Triad(NamedTuple):
    """Three policies that all met: what two sides say about the third."""

    a: str
    b: str
    c: str
    predicted: float  #: P(a beats c) from the rates of a–b and b–c, if there is one scale
    observed: float  #: share of the votes that a won against c, a tie half a win
    p_value: float  #: of predicted = observed, for this triad on its own
    is_cycle: bool  #: the observed rates form a cycle, by chance or not


class Cycle(NamedTuple):
    """Policies each of which beats the next, and the last the first, beyond chance."""

    names: tuple[str, ...]
    rates: tuple[float, ...]  #: of each of these wins
    p_value: float  #: of the weakest, corrected for all pairs
    code: str
    message: str


def pair_rates(votes: Votes) -> PairRates:
    """How often one policy beat another, for every two that met.

        T_g = Σ_{v∈g} w (x − ½),   z = Σ_g T_g / √(Σ_g T_g²),   p ≤ 2 · 3.18 · P(N(0,1) > |z|)

    g are labelers, and prompts; the smaller |z| counts. A clustering with a single cluster is
    left out. The bound on p holds for any number and any sizes of clusters, as long as what one
    labeler has in favor of either policy is symmetric around 0 when neither is better.

    Args:
        votes: pairwise votes; those that found both bad, those between two responses of one
            policy and those without weight are left out.

    Returns:
        One entry for each two policies, ``a < b``.

    Source: Bentkus and Dzindzalieta 2015, arXiv:1104.2950, theorem 1.1, for sums of symmetric
    terms given their sizes.

    >>> from accord.ratings.votes import from_pairs
    >>> met = pair_rates(from_pairs(["x"] * 16, ["y"] * 16, [1] * 14 + [0] * 2))
    >>> met.rate, met.z
    (array([0.875]), array([3.]))
    """
    code, low_won, weight, ways = _columns(votes)
    number = int(code.max(initial=-1)) + 1
    n = np.bincount(code, weight, minlength=number).astype(np.float64)
    excess = weight * (low_won - 0.5)
    total = np.bincount(code, excess, minlength=number)
    squares = np.max(
        [_squares(code, way, excess, number) for way in (np.arange(len(code)), *ways)], axis=0
    )
    z = np.divide(total, np.sqrt(squares), out=np.zeros(number), where=squares > 0)
    pairs = _numbered(_pair_codes(votes)[_counted(votes)])[0]
    a, b = np.divmod(pairs, len(votes.names))
    return PairRates(
        a=a,
        b=b,
        n=n,
        rate=0.5 + total / n,
        z=z,
        p_value=np.minimum(1.0, 2 * SYMMETRIC * stats.norm.sf(np.abs(z))),
    )


def cycles(votes: Votes, confidence: float = 0.95) -> tuple[Cycle, ...]:
    """Cycles of policies that contradict every ranking, beyond chance.

        wins shown by Holm's procedure over all pairs  →  strongly connected components

    With the given probability no win is shown in the wrong direction, and then any cycle of
    shown wins, of whatever length, is a cycle of true ones.

    Args:
        votes: pairwise votes, as for ``pair_rates``.
        confidence: probability that no cycle is reported when there is none.

    Returns:
        The shortest cycle of each component, its code ``intransitive``; empty when every shown
        win agrees with one ranking. Differences of intransitive policies are averages over
        opponents: who wins depends on who plays.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: Holm 1979; that a ranking exists exactly when no component has two policies is a
    topological sort, Cormen et al. 2009, section 22.4.

    >>> from accord.ratings.votes import from_pairs
    >>> beats = [("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")] * 12
    >>> cycle = cycles(from_pairs(*zip(*beats), [1] * 36))[0]
    >>> cycle.names, cycle.code
    (('paper', 'rock', 'scissors'), 'intransitive')
    """
    if not 0 < confidence < 1:
        raise ValueError("`confidence` must lie strictly between 0 and 1")
    met = pair_rates(votes)
    adjusted = holm(met.p_value)
    shown = adjusted <= 1 - confidence
    first_won = met.z > 0
    winner = np.where(first_won, met.a, met.b)[shown]
    loser = np.where(first_won, met.b, met.a)[shown]
    size = len(votes.names)
    graph = sparse.csr_array((np.ones(len(winner)), (winner, loser)), shape=(size, size))
    _, component = connected_components(graph, directed=True, connection="strong")
    rate = {(i, j): r for i, j, r in zip(met.a.tolist(), met.b.tolist(), met.rate, strict=True)}
    p = {(i, j): q for i, j, q in zip(met.a.tolist(), met.b.tolist(), adjusted, strict=True)}
    found = []
    for number in np.flatnonzero(np.bincount(component) > 1):
        path = _shortest(graph, np.flatnonzero(component == number))
        steps = list(zip(path, path[1:] + path[:1], strict=True))
        rates = [rate[s] if s in rate else 1 - rate[s[::-1]] for s in steps]
        worst = max(p[s] if s in p else p[s[::-1]] for s in steps)
        found.append(_cycle([votes.names[i] for i in path], rates, worst))
    return tuple(found)


def triads(votes: Votes, most: int = MOST_POLICIES) -> tuple[Triad, ...]:
    """What two sides of every triad say about the third, least likely first.

        predicted = σ(logit r_ab + logit r_bc),   logits with half a vote added on each side
        p from (logit r_ab + logit r_bc − logit r_ac) / se, clustered by labeler

    a, b and c are put in an order in which a beat b and b beat c. A small p-value says that one
    strength a policy does not describe the three; a cycle need not be, and with many triads some
    are small by chance.

    Args:
        votes: pairwise votes, as for ``pair_rates``.
        most: only triads of so many policies are listed, those with the most votes.

    Returns:
        One row for every three policies of which each two met.

    Source: the product rule of odds, Bradley and Terry 1952; Tversky 1969 for violations; se by
    the delta method, clustered as in Liang and Zeger 1986.

    >>> from accord.ratings.votes import from_pairs
    >>> beats = [("x", "y")] * 3 + [("y", "x")] + [("y", "z")] * 3 + [("z", "y")]
    >>> one = triads(from_pairs(*zip(*beats, *[("x", "z")] * 9, ("z", "x")), [1] * 18))[0]
    >>> one.a, one.b, one.c, round(one.predicted, 3), one.observed
    ('x', 'y', 'z', 0.845, 0.9)
    """
    met = pair_rates(votes)
    place = {(i, j): k for k, (i, j) in enumerate(zip(met.a.tolist(), met.b.tolist(), strict=True))}
    played = np.bincount(met.a, met.n, len(votes.names)) + np.bincount(
        met.b, met.n, len(votes.names)
    )
    busy = np.sort(np.argsort(-played, kind="stable")[:most]).tolist()
    sides = [
        (i, j, k)
        for i, j, k in combinations(busy, 3)
        if (i, j) in place and (j, k) in place and (i, k) in place
    ]
    if not sides:
        return ()
    index = np.array([[place[i, j], place[j, k], place[i, k]] for i, j, k in sides])
    smoothed = (met.rate * met.n + 0.5) / (met.n + 1)
    logit = np.log(smoothed / (1 - smoothed))
    gram, degrees = _gram(votes, met, smoothed)
    sign = np.array([1.0, 1.0, -1.0])
    excess = logit[index] @ sign
    blocks = gram[index[:, :, None], index[:, None, :]]
    variance = np.einsum("tij,i,j->t", blocks, sign, sign)
    alone = np.array(1 / (met.n * smoothed * (1 - smoothed)))[index].sum(axis=1)
    p_value = 2 * stats.t.sf(np.abs(excess) / np.sqrt(np.maximum(variance, alone)), degrees)
    rows = [
        _triad(votes.names, three, logit[where], met.rate[where], p)
        for three, where, p in zip(sides, index, p_value.tolist(), strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: row.p_value))


def _counted(votes: Votes) -> NDArray[np.bool_]:
    return np.asarray((votes.a != votes.b) & (votes.weight > 0) & ~votes.both_bad)


def _pair_codes(votes: Votes) -> IntArray:
    low, high = np.minimum(votes.a, votes.b), np.maximum(votes.a, votes.b)
    return np.asarray(low * len(votes.names) + high)


def _columns(votes: Votes) -> tuple[IntArray, FloatArray, FloatArray, list[IntArray]]:
    """Of each vote that counts: its pair, whether the lower index won, its weight, its clusters."""
    counted = _counted(votes)
    code = _numbered(_pair_codes(votes)[counted])[1]
    low_won = np.where(votes.a < votes.b, votes.outcome, 1 - votes.outcome)[counted]
    ways = [_numbered(column[counted])[1] for column in (votes.labeler, votes.prompt)]
    return code, low_won, votes.weight[counted], [way for way in ways if way.max(initial=0) > 0]


def _numbered(codes: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct codes, sorted, and the place of each among them."""
    top = int(codes.max(initial=-1)) + 1
    if top > 4 * len(codes) + 1000:
        distinct, place = np.unique(codes, return_inverse=True)
        return distinct.astype(np.int64), place.astype(np.int64)
    is_there = np.bincount(codes, minlength=top) > 0  # counting is faster than sorting
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[codes]


def _squares(code: IntArray, cluster: IntArray, excess: FloatArray, number: int) -> FloatArray:
    """Σ over clusters of the squared sum, pair by pair."""
    size = int(cluster.max(initial=0)) + 1
    both, back = _numbered(code * size + cluster)
    sums = np.bincount(back, excess, minlength=len(both))
    return np.bincount(both // size, sums**2, minlength=number).astype(np.float64)


def holm(p_value: FloatArray) -> FloatArray:
    """Adjusted p-values: below α are those that Holm's procedure rejects at α.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2)
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_value, kind="stable")
    steps = p_value[order] * np.arange(len(p_value), 0, -1)
    adjusted = np.empty_like(p_value)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def _shortest(graph: sparse.csr_array, members: IntArray) -> list[int]:
    """The shortest cycle through a strongly connected component, from its first policy on."""
    inside = graph[members][:, members]
    back = inside.T.tocsr()
    best: list[int] = []
    for start in range(len(members)):
        order, before = breadth_first_order(inside, start)
        into = set(back.indices[back.indptr[start] : back.indptr[start + 1]].tolist())
        path = [next(node for node in order.tolist() if node in into)]
        while path[-1] != start:
            path.append(int(before[path[-1]]))
        if not best or len(path) < len(best):
            best = path[::-1]
    first = best.index(min(best))
    return [int(members[node]) for node in best[first:] + best[:first]]


def _cycle(names: list[str], rates: list[float], p_value: float) -> Cycle:
    wins = ", ".join(
        f"`{name}` beats `{names[(i + 1) % len(names)]}` in {100 * rates[i]:.0f}%"
        for i, name in enumerate(names)
    )
    message = (
        f"{wins} of votes, beyond chance: no one scale can hold these policies, and their ratings "
        "depend on who met whom"
    )
    return Cycle(tuple(names), tuple(rates), float(p_value), "intransitive", message)


def _gram(votes: Votes, met: PairRates, smoothed: FloatArray) -> tuple[FloatArray, float]:
    """Covariance of the logits of all pairs, clustered by labeler, and degrees of freedom."""
    code, low_won, weight, _ = _columns(votes)
    labeler = _numbered(votes.labeler[_counted(votes)])[1]
    number = int(labeler.max()) + 1
    if number == 1:  # nothing is known about how labelers differ: votes are independent
        labeler, number = np.arange(len(code)), len(code)
    slope = 1 / (met.n * smoothed * (1 - smoothed))
    amount = weight * (low_won - met.rate[code]) * slope[code]
    table = sparse.csr_array((amount, (code, labeler)), shape=(len(met.n), number))
    few = number / max(number - 1, 1)
    return np.asarray((table @ table.T).toarray()) * few, float(max(number - 1, 1))


def _triad(
    names: tuple[str, ...],
    three: tuple[int, int, int],
    logit: FloatArray,
    rate: FloatArray,
    p_value: float,
) -> Triad:
    """In an order in which the first beat the second and the second the third."""
    won = {}
    for (x, y), log_odds, share in zip(((0, 1), (1, 2), (0, 2)), logit, rate, strict=True):
        won[x, y], won[y, x] = (float(log_odds), float(share)), (-float(log_odds), 1 - float(share))
    x, y, z = max(_orders(), key=lambda o: min(won[o[0], o[1]][0], won[o[1], o[2]][0]))
    return Triad(
        a=names[three[x]],
        b=names[three[y]],
        c=names[three[z]],
        predicted=float(expit(won[x, y][0] + won[y, z][0])),
        observed=won[x, z][1],
        p_value=p_value,
        is_cycle=won[x, y][0] > 0 and won[y, z][0] > 0 and won[x, z][0] < 0,
    )


def _orders() -> Iterator[tuple[int, ...]]:
    return permutations(range(3))
