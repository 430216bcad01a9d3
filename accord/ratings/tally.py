"""Votes counted piece by piece, so that a hundred million of them need no memory of their own.

What a fit and its clustered covariance need of votes is how often each cluster voted what in
each cell. That table stops growing when every labeler has voted everything once; prompts would
make it grow for ever, so they are put into groups, as are labelers beyond the first few thousand.
Whole clusters put together by chance are again clusters: sums of independent sums are independent,
and intervals stay valid.
"""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np

from accord.ratings.cells import (
    CLUSTERS,
    OUTCOMES,
    Cells,
    Clustering,
    clustering_of,
    demand_known,
    numbered_cells,
    scaled,
    sums_at,
    usable,
)
from accord.ratings.votes import FloatArray, IntArray, Votes

GROUPS = 4_096  # clusters kept apart
MOST_POLICIES = 65_536
MOST_VALUES = 4_096  # distinct rows of covariates
CELLS = MOST_VALUES * MOST_POLICIES**2 * 4  # keys of one cluster: covariates, a, b, outcome
PENDING = 4_000_000  # rows that wait before they are merged
MIX = np.uint64(0x9E3779B97F4A7C15)  # spreads pairs of numbers evenly: Knuth 1998, section 6.4


class Table:
    """Sums of weights by an integer key, in bounded memory."""

    def __init__(self) -> None:
        self.keys = np.zeros(0, dtype=np.int64)
        self.sums = np.zeros(0)
        self._waiting: list[tuple[IntArray, FloatArray]] = []
        self._rows = 0

    def add(self, keys: IntArray, weights: FloatArray) -> None:
        """Add rows, in any order and with repeated keys."""
        self._waiting.append((keys, weights))
        self._rows += len(keys)
        if self._rows >= max(PENDING, len(self.keys)):
            self.merge()

    def merge(self) -> None:
        """Sort what waits into the table."""
        keys = np.concatenate([self.keys, *(k for k, _ in self._waiting)])
        sums = np.concatenate([self.sums, *(w for _, w in self._waiting)])
        self._waiting, self._rows = [], 0
        order = np.argsort(keys)
        keys, sums = keys[order], sums[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        self.keys = keys[first]
        self.sums = np.add.reduceat(sums, first) if len(first) else sums


class Names(NamedTuple):
    """Names in the order in which they turned up."""

    codes: dict[str, int]

    def of(self, names: Sequence[str]) -> IntArray:
        """The code of each name; new ones are added."""
        known = self.codes
        return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


class Tally:
    """Adds up votes and gives the ``Cells`` that ``fit`` takes in place of votes.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> tally = Tally()
    >>> for outcome in (1, 1, 1, 0):
    ...     tally.add(from_pairs(["x"], ["y"], [outcome], labeler=["ann"]))
    >>> gap = fit(tally.cells(), prior_sd=None, cluster=["labeler"])
    >>> print((2 * gap.strengths[:1] * gap.points_per_unit).round(2))
    [190.85]
    """

    def __init__(
        self,
        *,
        cluster: Sequence[str] = ("labeler",),
        covariates: Sequence[str] = (),
        both_bad_is_tie: bool = False,
    ) -> None:
        demand_known(cluster)
        if "vote" in cluster:
            raise ValueError("votes that are counted in pieces cannot be clustered by `vote`")
        self.votes = 0  #: counted so far
        self._settings = (tuple(covariates), both_bad_is_tie)
        ways = [way for way in CLUSTERS if way in cluster]
        both = ["both"] if len(ways) == len(CLUSTERS) else []
        self._tables = {way: Table() for way in [*ways, *both] or ["none"]}
        self._policies, self._labelers = Names({}), Names({})
        self._values: dict[tuple[float, ...], int] = {}
        self._both_bad: dict[str, float] = {}
        self._missing = np.zeros(len(covariates), dtype=np.int64)
        self._unknown = 0  # votes without a labeler

    def add(self, votes: Votes) -> None:
        """Count some votes.

        Args:
            votes: any number; names, labelers and prompts may be others than before.

        Raises:
            ValueError: too many policies, or a covariate of too many values.
        """
        covariates, both_bad_is_tie = self._settings
        kept, both_bad = usable(votes, both_bad_is_tie=both_bad_is_tie)
        for name, amount in zip(votes.names, both_bad.tolist(), strict=True):
            self._both_bad[name] = self._both_bad.get(name, 0.0) + amount
        policy = self._policies.of(votes.names)
        if len(self._policies.codes) > MOST_POLICIES:
            raise ValueError(f"more than {MOST_POLICIES} policies cannot be counted in pieces")
        columns = [kept.covariate(name) for name in covariates]
        self._missing += np.array([np.isnan(c).sum() for c in columns], dtype=np.int64)
        code, a, b, x = numbered_cells(kept, [np.nan_to_num(column) for column in columns])
        cell = (self._values_of(x) * MOST_POLICIES + policy[a]) * MOST_POLICIES + policy[b]
        place = cell[code] * 4 + np.rint(2 * kept.outcome).astype(np.int64)
        for way, codes in self._clusters(kept).items():
            self._tables[way].add(codes * CELLS + place, kept.weight)
        self.votes += len(kept)

    def cells(self) -> Cells:
        """What was counted so far, for ``fit``."""
        covariates, _ = self._settings
        known = np.array(list(self._policies.codes))
        order = np.argsort(known)  # codes in the order of names
        place_of = np.argsort(order)
        for table in self._tables.values():
            table.merge()
        main = next(iter(self._tables.values()))
        kinds = np.unique(main.keys % CELLS >> 2)  # cells without cluster and outcome
        a, b = kinds // MOST_POLICIES % MOST_POLICIES, kinds % MOST_POLICIES
        x = np.array(list(self._values)).reshape(len(self._values), len(covariates))
        clusterings = {way: self._clustering(way, kinds) for way in self._tables}
        first = next(iter(clusterings.values()))
        shape = (OUTCOMES, len(kinds))
        clusterings.pop("none", None)
        return scaled(
            Cells(
                names=tuple(known[order].tolist()),
                a=place_of[a],
                b=place_of[b],
                x=x[kinds // MOST_POLICIES**2],
                counts=sums_at(first.place, first.weight, shape),
                squares=sums_at(first.place, first.weight**2, shape),
                covariates=covariates,
                scale=np.ones(len(covariates)),
                missing=self._missing,
                clusterings=clusterings,
                both_bad=np.array([self._both_bad[name] for name in known[order].tolist()]),
            )
        )

    def _clustering(self, way: str, kinds: IntArray) -> Clustering:
        table = self._tables[way]
        code, key = table.keys // CELLS, table.keys % CELLS
        place = (key & 3) * len(kinds) + np.searchsorted(kinds, key >> 2)
        labelers = tuple(self._labelers.codes)
        names = labelers if way == "labeler" and len(labelers) <= GROUPS else None
        found = clustering_of(code, place, table.sums, names)
        return found._replace(unknown=self._unknown if way == "labeler" else 0)

    def _values_of(self, x: FloatArray) -> IntArray:
        """The number of each row of covariates."""
        rows, code = np.unique(x, axis=0, return_inverse=True)
        if len(rows) <= MOST_VALUES:
            known = self._values
            numbers = [known.setdefault(tuple(row), len(known)) for row in rows.tolist()]
            if len(known) <= MOST_VALUES:
                return np.array(numbers, dtype=np.int64)[code.reshape(-1)]
        raise ValueError(
            f"the covariates take more than {MOST_VALUES} different values; round them, for "
            "example to steps of 0.1, to count votes in pieces"
        )

    def _clusters(self, votes: Votes) -> dict[str, IntArray]:
        """The group of clusters of each vote, by table; unknown ones have groups of their own."""
        if "none" in self._tables:
            return {"none": np.zeros(len(votes), dtype=np.int64)}
        serial = self.votes + np.arange(len(votes))
        labeler, prompt = serial + (1 << 40), serial + (1 << 40)
        known = votes.labeler < len(votes.labelers)
        labeler[known] = self._labelers.of(votes.labelers)[votes.labeler[known]]
        self._unknown += int((~known).sum())
        found = {"labeler": labeler % GROUPS + GROUPS * ~known}
        if "prompt" in self._tables:
            known = votes.prompt < len(votes.prompts)
            names = [crc32(name.encode("utf-8", "surrogatepass")) for name in votes.prompts]
            prompt[known] = np.array(names, dtype=np.int64)[votes.prompt[known]]
            found["prompt"] = prompt % GROUPS + GROUPS * ~known
        if "both" in self._tables:
            mixed = (labeler.astype(np.uint64) << np.uint64(32)) ^ prompt.astype(np.uint64)
            found["both"] = (mixed * MIX >> np.uint64(40)).astype(np.int64) % GROUPS
        return {way: codes for way, codes in found.items() if way in self._tables}
