"""What is wrong with votes, named, so that no reader of a rating has to guess.

``disconnected`` ``unplayed`` ``unbeaten`` ``winless`` ``separated`` ``all_ties``: what the votes
leave open about strengths. ``one_labeler`` ``one_prompt`` ``few_clusters`` ``unknown_labelers``
``dominant_labeler``: what they leave open about intervals. ``intransitive``: that no one scale
holds them. ``missing_covariate`` ``constant_covariate``: about covariates.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse, stats
from scipy.sparse.csgraph import NegativeCycleError, bellman_ford, connected_components

from accord.ratings.cells import Cells, Clustering
from accord.ratings.few_clusters import effective_number
from accord.ratings.transitivity import SYMMETRIC, cycles, holm
from accord.ratings.votes import BoolArray, FloatArray, IntArray, Votes

FEW_CLUSTERS = 10  # below this even Student's t is known to be optimistic
DOMINANT_SHARE = 0.25  # of all votes, from which on a labeler may decide the order alone
NAMED = 8  # so many names in a message, then a number
BEYOND_CHANCE = 0.05  # how often circles may be found where there are none


class Problem(NamedTuple):
    """Something about the votes that a reader of the ratings has to know."""

    code: str  #: one of those in the module's docstring
    message: str


class Graph(NamedTuple):
    """Who has beaten whom, reduced to what can be compared with what."""

    group: IntArray  #: [policies], connected by votes; from 0 without gaps
    piece: IntArray  #: [policies], within which everybody can reach everybody by wins
    wins: FloatArray  #: [policies], a tie half a win
    losses: FloatArray


def graph_of(wins: sparse.csr_array) -> Graph:
    """Groups and pieces of a matrix of wins.

    Args:
        wins: row over column, a tie half a win for each, [policies, policies].

    Returns:
        Strengths of one group can be compared; a maximum of the likelihood exists when no
        group has two pieces.

    Source: Ford 1957.

    >>> graph_of(sparse.csr_array(np.array([[0.0, 2.0], [0.0, 0.0]]))).piece.tolist()
    [1, 0]
    """
    _, group = connected_components(wins, directed=False)
    _, piece = connected_components(wins, directed=True, connection="strong")
    return Graph(
        group.astype(np.int64),
        piece.astype(np.int64),
        np.asarray(wins.sum(axis=1), dtype=np.float64),
        np.asarray(wins.sum(axis=0), dtype=np.float64),
    )


def members(names: Sequence[str], group: IntArray) -> tuple[tuple[str, ...], ...]:
    """Names by group, in the order of each group's first name.

    >>> members(("x", "y", "z"), np.array([1, 0, 1]))
    (('x', 'z'), ('y',))
    """
    found: dict[int, list[str]] = {}
    for name, code in zip(names, group.tolist(), strict=True):
        found.setdefault(code, []).append(name)
    return tuple(tuple(part) for part in found.values())


def of_graph(names: Sequence[str], graph: Graph) -> tuple[Problem, ...]:
    """What the graph of wins leaves open.

    Args:
        names: of the policies.
        graph: from ``graph_of``.

    Returns:
        Problems ``unplayed``, ``disconnected``, ``unbeaten``, ``winless`` and ``separated``,
        each at most once.
    """
    played = graph.wins + graph.losses > 0
    problems = []
    if not played.all():
        problems.append(
            Problem(
                "unplayed",
                f"{listed(_chosen(names, ~played))} met no other policy: nothing is known",
            )
        )
    groups = members([names[i] for i in np.flatnonzero(played).tolist()], graph.group[played])
    if len(groups) > 1:
        sets = " | ".join(listed(part) for part in groups[:NAMED])
        more = f" | and {len(groups) - NAMED} more groups" if len(groups) > NAMED else ""
        problems.append(
            Problem(
                "disconnected",
                f"no votes connect {sets}{more}: ratings of different groups cannot be compared",
            )
        )
    unbeaten, winless = played & (graph.losses == 0), played & (graph.wins == 0)
    for code, verb, extreme in (("unbeaten", "lost", unbeaten), ("winless", "won", winless)):
        if extreme.any():
            problems.append(
                Problem(
                    code,
                    f"{listed(_chosen(names, extreme))} never {verb} or tied: how far from the "
                    "others rests on the prior",
                )
            )
    between = graph.piece[played & ~unbeaten & ~winless]
    if len(set(between.tolist())) > len(set(graph.group[played & ~unbeaten & ~winless].tolist())):
        sets = " | ".join(listed(part) for part in members(names, graph.piece)[:NAMED])
        problems.append(
            Problem(
                "separated",
                f"between some of the sets {sets} one always beat the other: how far they are "
                "apart rests on the prior",
            )
        )
    return tuple(problems)


def of_clusters(name: str, clustering: Clustering) -> tuple[Problem, ...]:
    """What the labelers (or prompts) leave open about intervals.

    Args:
        name: ``"labeler"`` or ``"prompt"``.
        clustering: of the votes by it.

    Returns:
        Problems ``one_labeler`` or ``one_prompt``, ``few_clusters``, ``unknown_labelers``.
    """
    number, problems = clustering.number, []
    if name == "labeler" and clustering.unknown:
        problems.append(
            Problem(
                "unknown_labelers",
                f"{clustering.unknown} votes do not say who gave them: each is taken as a labeler "
                "of its own, so intervals are too narrow if labelers differ in taste",
            )
        )
    if number == 1 and not clustering.unknown:
        problems.append(
            Problem(
                f"one_{name}",
                f"all votes share one {name}: how much {name}s differ is not in the intervals",
            )
        )
    if number > 1:
        effective = effective_number(clustering.cluster, clustering.weight)
        alike = (
            f"only {number} {name}s"
            if number < FEW_CLUSTERS
            else (
                f"{number} {name}s with so different numbers of votes that they count like "
                f"{effective:.1f}"
            )
        )
        if effective < FEW_CLUSTERS - 1e-9:
            problems.append(
                Problem(
                    "few_clusters",
                    f"{alike}: intervals use Student's t with {max(effective - 1, 1):.3g} degrees "
                    "of freedom and may still be too narrow",
                )
            )
    return tuple(problems)


def of_leader(
    clustering: Clustering,
    names: Sequence[str],
    group: IntArray,
    strengths: FloatArray,
    without: Callable[[], FloatArray],
) -> tuple[Problem, ...]:
    """A labeler with so many votes that the order is another without them.

    Args:
        clustering: of the votes by labeler.
        names: of the policies.
        group: of each policy.
        strengths: of all votes.
        without: strengths of the votes of everybody else; asked for only if one labeler gave a
            quarter of all votes and twice an equal share.

    Returns:
        Problem ``dominant_labeler`` or nothing.
    """
    share = clustering.leader_share
    if share < max(DOMINANT_SHARE, 2 / max(clustering.number, 1)):
        return ()
    rest = without()
    for code in np.unique(group).tolist():
        inside = np.flatnonzero(group == code)
        before = inside[np.argsort(-strengths[inside], kind="stable")]
        after = inside[np.argsort(-rest[inside], kind="stable")]
        changed = np.flatnonzero(before != after)
        if len(changed):
            first, second = (names[int(order[changed[0]])] for order in (after, before))
            return (
                Problem(
                    "dominant_labeler",
                    f"`{clustering.leader}` gave {100 * share:.0f}% of the votes; without them "
                    f"`{first}` comes before `{second}`",
                ),
            )
    return ()


def of_votes(cells: Cells) -> tuple[Problem, ...]:
    """Votes that decide nothing; covariates that are missing or never differ.

    Args:
        cells: the votes.

    Returns:
        Problems ``all_ties``, ``missing_covariate`` and ``constant_covariate``.
    """
    problems = []
    loss, tie, win = cells.counts.sum(axis=1)
    if tie and not loss + win:
        problems.append(Problem("all_ties", "every vote is a tie: nothing was decided"))
    for i, name in enumerate(cells.covariates):
        if cells.missing[i]:
            problems.append(
                Problem(
                    "missing_covariate",
                    f"{cells.missing[i]} votes have no `{name}`: they are taken as without a "
                    "difference in it",
                )
            )
        if not (cells.x[:, i] * cells.counts.sum(axis=0)).any():
            problems.append(
                Problem("constant_covariate", f"`{name}` never differs: its effect is not known")
            )
    return tuple(problems)


def of_cycles(cells: Cells, votes: Votes | None) -> tuple[Problem, ...]:
    """Policies that beat each other in a circle, beyond chance.

    Args:
        cells: the votes.
        votes: the same as they came; None when only counts by labeler are left.

    Returns:
        Problems ``intransitive``, from ``transitivity.cycles``. That allows for votes being
        alike, so it never finds a win clearer than votes taken one by one do; where even
        these make no circle it need not look.
    """
    if not _may_be_circular(cells):
        return ()
    if votes is None:
        votes = _rows_as_votes(cells)
    return tuple(Problem(cycle.code, cycle.message) for cycle in cycles(votes, 1 - BEYOND_CHANCE))


def _may_be_circular(cells: Cells) -> bool:
    m = len(cells.names)
    low, high = np.minimum(cells.a, cells.b), np.maximum(cells.a, cells.b)
    pair, code = np.unique(low * m + high, return_inverse=True)
    margin = np.where(cells.a < cells.b, 1, -1) * (cells.counts[2] - cells.counts[0])
    won = np.bincount(code, margin, minlength=len(pair))
    squares = np.bincount(code, cells.squares[0] + cells.squares[2], minlength=len(pair))
    z = np.abs(won) / np.sqrt(np.maximum(squares, 1e-300))
    clear = holm(np.minimum(2 * SYMMETRIC * stats.norm.sf(z), 1.0)) <= BEYOND_CHANCE
    winner = np.where(won > 0, pair // m, pair % m)[clear]
    loser = np.where(won > 0, pair % m, pair // m)[clear]
    graph = sparse.csr_array((np.ones(len(winner)), (winner, loser)), shape=(m, m))
    return bool(connected_components(graph, directed=True, connection="strong")[0] < m)


def _rows_as_votes(cells: Cells) -> Votes:
    """Each count as one vote of its weight, which makes wins look less clear, never more."""
    rows = next(iter(cells.clusterings.values()), None)
    if rows is None:
        place = np.arange(cells.counts.size)
        rows = Clustering(place, place, cells.counts.ravel(), len(place))
    outcome, cell = np.divmod(rows.place, len(cells.a))
    serial = np.arange(len(cell))
    return Votes(
        names=cells.names,
        labelers=(),
        prompts=(),
        a=cells.a[cell],
        b=cells.b[cell],
        outcome=outcome / 2,
        labeler=rows.cluster,
        prompt=serial,
        unit=serial,
        a_first=np.full(len(cell), np.nan),
        weight=rows.weight,
    )


def ties_are_bounded(wins: sparse.csr_array, ties: sparse.csr_array) -> bool:
    """False when the tie parameter and the gaps can grow together for ever.

    That is when levels u exist with u_i − u_j ≥ 1 for every win of i over j and |u_i − u_j| ≤ 1
    for every tie; differences can be so bounded unless the bounds form a negative cycle.

    Args:
        wins: decided wins of row over column, [policies, policies].
        ties: of each two policies, [policies, policies].

    Returns:
        Whether the likelihood of a model with ties has a maximum in its tie parameter.

    Source: derived here; feasibility of difference constraints by negative cycles as in Cormen
    et al. 2009, section 24.4.

    >>> one, none = sparse.csr_array(np.array([[0.0, 1.0], [1.0, 0.0]])), sparse.csr_array((2, 2))
    >>> ties_are_bounded(one, one), ties_are_bounded(none, one)
    (True, False)
    """
    number = wins.shape[0]
    won, tied = wins.tocoo(), ties.tocoo()
    # Where a pair was both won and tied the tighter bound, −1, counts.
    bounds = {(i, j): 1.0 for i, j in zip(tied.row.tolist(), tied.col.tolist(), strict=True)}
    bounds |= {(i, j): -1.0 for i, j in zip(won.row.tolist(), won.col.tolist(), strict=True)}
    ends = np.array(list(bounds), dtype=np.int64).reshape(-1, 2)
    source = np.stack([np.full(number, number), np.arange(number)], axis=1)  # reaches them all
    rows, columns = np.concatenate([ends, source]).T
    # Distances of 0 would be no edges at all; 2 from the source changes no cycle.
    entries = np.concatenate([np.array(list(bounds.values())), np.full(number, 2.0)])
    shape = (number + 1, number + 1)
    try:
        bellman_ford(sparse.csr_array((entries, (rows, columns)), shape=shape), indices=number)
    except NegativeCycleError:
        return True
    return False


def listed(names: Iterable[str]) -> str:
    """Names for a message, the first few of them.

    >>> listed("abcdefghijk")
    'a, b, c, d, e, f, g, h and 3 more'
    """
    every = list(names)
    text = ", ".join(every[:NAMED])
    return f"{text} and {len(every) - NAMED} more" if len(every) > NAMED else text


def _chosen(names: Sequence[str], mask: BoolArray) -> list[str]:
    return [f"`{names[i]}`" for i in np.flatnonzero(mask).tolist()]
