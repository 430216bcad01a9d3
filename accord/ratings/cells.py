"""Votes as sufficient statistics: how often each cell was won, tied and lost.

A cell is two policies with the covariates of the vote between them. Whatever the strengths, two
votes of one cell with the same outcome are equally likely, so a fit needs only the counts: 50
policies have 2,500 cells, however many votes there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from accord.ratings.votes import FloatArray, IntArray, Votes

OUTCOMES = 3  # loss, tie and win of ``a``: twice the outcome is the row
FEW_VALUES = 64  # a covariate with more values than this makes nearly every vote a cell
LOOK = 10_000  # votes looked at to see whether it has
CLUSTERS = ("labeler", "prompt")


class Clustering(NamedTuple):
    """Which votes may be alike: sums of weights by cluster and by what was voted."""

    cluster: IntArray  #: from 0 without gaps, one entry a row
    place: IntArray  #: outcome · cells + cell of each row
    weight: FloatArray  #: of each row
    number: int  #: of clusters
    unknown: int = 0  #: votes of which the cluster is not known; each is one of its own
    leader: str = ""  #: the cluster with the most votes among the known ones
    leader_code: int = -1
    leader_share: float = 0.0  #: its share of all votes


@dataclass(frozen=True, eq=False)
class Cells:
    """Sufficient statistics of votes; every array of cells has K columns or entries."""

    names: tuple[str, ...]
    a: IntArray  #: [K]
    b: IntArray  #: [K]
    x: FloatArray  #: [K, covariates], each divided by its ``scale``
    counts: FloatArray  #: [3, K]: weights of losses, ties and wins of a
    squares: FloatArray  #: [3, K]: their squared weights
    covariates: tuple[str, ...]
    scale: FloatArray  #: [covariates], root mean square of each
    missing: IntArray  #: [covariates], votes that do not have it: taken as 0, no difference
    clusterings: dict[str, Clustering]  #: by name; "both" for two ways
    both_bad: FloatArray  #: [policies], weight of votes that found both bad


def cells_of(
    votes: Votes,
    *,
    covariates: Sequence[str] = (),
    cluster: Sequence[str] = CLUSTERS,
    both_bad_is_tie: bool = False,
) -> Cells:
    """Count votes by cell.

        n[o, k] = Σ weights of the votes of cell k with outcome o

    Args:
        votes: pairwise votes; those between two responses of one policy, those without weight
            and, unless they count as ties, those that found both bad are left out.
        covariates: names of the covariates to keep apart.
        cluster: any of ``"labeler"`` and ``"prompt"``, or ``"vote"``.
        both_bad_is_tie: count "both are bad" as a tie.

    Returns:
        The counts, and for each clustering what is needed to sum by cluster.

    Raises:
        ValueError: an unknown covariate or cluster.

    Source: sufficiency of the counts: Bradley and Terry 1952.

    >>> from accord.ratings.votes import from_pairs
    >>> cells_of(from_pairs(["x", "x", "y"], ["y", "y", "x"], [1, 0.5, 1])).counts[:, 1]
    array([1., 1., 1.])
    """
    demand_known(cluster)
    votes, both_bad = usable(votes, both_bad_is_tie=both_bad_is_tie)
    columns = [votes.covariate(name) for name in covariates]
    missing = np.array([np.isnan(column).sum() for column in columns], dtype=np.int64)
    code, a, b, x = numbered_cells(votes, [np.nan_to_num(column) for column in columns])
    place = np.rint(2 * votes.outcome).astype(np.int64) * len(a) + code
    shape = (OUTCOMES, len(a))
    return scaled(
        Cells(
            names=votes.names,
            a=a,
            b=b,
            x=x,
            counts=sums_at(place, votes.weight, shape),
            squares=sums_at(place, votes.weight**2, shape),
            covariates=tuple(covariates),
            scale=np.ones(len(columns)),
            missing=missing,
            clusterings=_clusterings(votes, place, tuple(dict.fromkeys(cluster))),
            both_bad=both_bad,
        )
    )


def sums_at(place: IntArray, amount: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Sums of amounts by place, in the given shape."""
    sums = np.bincount(place, amount, minlength=shape[0] * shape[1])
    return sums.astype(np.float64).reshape(shape)


def usable(votes: Votes, *, both_bad_is_tie: bool) -> tuple[Votes, FloatArray]:
    """The votes that say who is better, and the weight of each policy's that found both bad."""
    counted = (votes.a != votes.b) & (votes.weight > 0)
    ignored = votes.both_bad & counted
    both_bad = np.zeros(len(votes.names))
    if ignored.any() and not both_bad_is_tie:
        both_bad = by_policy(votes.a[ignored], votes.b[ignored], votes.weight[ignored], votes.names)
        counted &= ~ignored
    return votes.where(counted), both_bad


def scaled(cells: Cells) -> Cells:
    """Covariates divided by their root mean square, so that a prior means the same for all."""
    weight = cells.counts.sum(axis=0)
    mean_squares = weight @ cells.x**2 / max(float(weight.sum()), 1e-300)
    scale = np.sqrt(np.where(mean_squares > 0, mean_squares, 1.0))
    return replace(cells, x=cells.x / scale, scale=scale)


def win_matrix(cells: Cells) -> sparse.csr_array:
    """Weighted wins of row over column, a tie half a win for each, [policies, policies]."""
    loss, tie, win = cells.counts
    number = len(cells.names)
    entries = np.concatenate([win + tie / 2, loss + tie / 2])
    rows, columns = np.concatenate([cells.a, cells.b]), np.concatenate([cells.b, cells.a])
    some = entries > 0
    return sparse.csr_array((entries[some], (rows[some], columns[some])), shape=(number, number))


def tie_matrix(cells: Cells) -> sparse.csr_array:
    """Weighted ties of each two policies, [policies, policies]."""
    some = cells.counts[1] > 0
    number = len(cells.names)
    ends = np.concatenate([cells.a[some], cells.b[some]])
    others = np.concatenate([cells.b[some], cells.a[some]])
    return sparse.csr_array((np.tile(cells.counts[1][some], 2), (ends, others)), (number, number))


def by_policy(a: IntArray, b: IntArray, amount: FloatArray, names: Sequence[str]) -> FloatArray:
    """Sums over the votes that involve each policy, [policies]."""
    size = len(names)
    sums = np.bincount(a, amount, minlength=size) + np.bincount(b, amount, minlength=size)
    return sums.astype(np.float64)


def numbered_cells(
    votes: Votes, columns: list[FloatArray]
) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """The cell of each vote, and the policies and covariates of each cell."""
    number = len(votes.names)
    pair = votes.a * number + votes.b
    if not columns and number**2 <= max(10_000, 4 * len(votes)):
        a, b = np.divmod(np.arange(number**2), number)
        return pair, a, b, np.zeros((number**2, 0))
    if any(len(np.unique(column[:LOOK])) > FEW_VALUES for column in columns):
        return np.arange(len(votes)), votes.a, votes.b, np.stack(columns, axis=1)
    key = pair
    for column in columns:
        values, code = np.unique(column, return_inverse=True)
        key = np.unique(key, return_inverse=True)[1] * len(values) + code
    _, first, code = np.unique(key, return_index=True, return_inverse=True)
    x = np.stack([column[first] for column in columns], axis=1) if columns else None
    a, b = votes.a[first], votes.b[first]
    return code.astype(np.int64), a, b, np.zeros((len(a), 0)) if x is None else x


def _clusterings(votes: Votes, place: IntArray, cluster: Sequence[str]) -> dict[str, Clustering]:
    known = {"labeler": votes.labelers, "prompt": votes.prompts, "vote": None}
    codes = {"labeler": votes.labeler, "prompt": votes.prompt, "vote": np.arange(len(votes))}
    found = {}
    for name in cluster:
        found[name] = clustering_of(codes[name], place, votes.weight, known[name])
    if len(found) == len(CLUSTERS):
        first, second = (found[name].cluster for name in CLUSTERS)
        both = first * max(found["prompt"].number, 1) + second
        found["both"] = clustering_of(both, place, votes.weight, None)
    return found


def demand_known(cluster: Sequence[str]) -> None:
    """Raise ValueError for a clustering that does not exist."""
    for name in cluster:
        if name not in (*CLUSTERS, "vote"):
            raise ValueError(f"unknown cluster `{name}`; known: `labeler`, `prompt`, `vote`")
    if "vote" in cluster and len(set(cluster)) > 1:
        raise ValueError("cluster by `vote` alone: a vote lies within its labeler and prompt")


def clustering_of(
    codes: IntArray, place: IntArray, weight: FloatArray, names: tuple[str, ...] | None
) -> Clustering:
    """Clusters numbered without gaps, and who leads them.

    Args:
        codes: index of ``names`` of each row; beyond them the row is a cluster of its own.
        place: what was voted in each row.
        weight: of each row.
        names: of the known clusters; None when nobody will ask for a leader.

    Returns:
        The clustering.
    """
    top = int(codes.max(initial=-1)) + 1
    if top <= 4 * len(codes) + 1000:  # counting is faster than sorting
        present = np.bincount(codes, minlength=top) > 0
        cluster = (np.cumsum(present) - 1)[codes]
        number = int(present.sum())
    else:
        values, cluster = np.unique(codes, return_inverse=True)
        number = len(values)
    clustering = Clustering(cluster.astype(np.int64), place, weight, number)
    if names is None:
        return clustering
    unknown = codes >= len(names)
    if unknown.all():
        return clustering._replace(unknown=len(codes))
    shares = np.bincount(codes[~unknown], weight[~unknown], minlength=len(names))
    leader, total = int(np.argmax(shares)), float(weight.sum())
    return clustering._replace(
        unknown=int(unknown.sum()),
        leader=names[leader],
        leader_code=int(cluster[np.argmax(codes == leader)]),
        leader_share=float(shares[leader]) / total,
    )
