"""Votes from files: our own export, or any JSON Lines, CSV or Parquet file of pairwise votes.

    a  b  winner   and, if known,   labeler  prompt  side  criterion  len_a  len_b  weight  strength

``winner`` is ``a``, ``b``, ``tie`` or ``both_bad``. Two votes on one prompt and the same two
models are votes on the same two responses, whichever of them a row calls ``a``; where rows name
the ``turn`` of a conversation too, votes on two turns are on different ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from accord.config import InputError
from accord.data.vote_columns import UNKNOWN, Vocabulary, VoteBatch, coded
from accord.data.vote_rows import LINES, OPTIONAL, batches, ending, json_lines, parquet_rows
from accord.ratings.votes import (
    WINNERS,
    BoolArray,
    Coded,
    FloatArray,
    IntArray,
    Ranking,
    Votes,
    from_columns,
    from_rankings,
)
from accord.records import LabeledComparison

EXPORTED = ("comparisons-train.jsonl", "comparisons-test.jsonl")  # what `collect` writes
IMPORTED = "comparisons.jsonl"  # what `accord import` writes
LARGE = 5_000_000  # votes; kept in memory they and their names take about a gigabyte
BYTES, PACKED = 150, 15  # of one vote in a text file, and after gzip


@dataclass(frozen=True, eq=False)
class VoteTable:
    """The votes of a file, with what belongs to each vote but not to a rating."""

    votes: Votes
    criteria: tuple[str, ...]  #: sorted; ``criterion`` indexes them
    criterion: IntArray  #: -1 where the row names none
    strength: FloatArray  #: how much better the winner is, NaN when not known
    rankings: tuple[Ranking, ...] = ()  #: of an export: what the pairs were made of

    def __len__(self) -> int:
        return len(self.votes)

    def where(self, mask: BoolArray) -> "VoteTable":
        """The votes at which the mask is True; the rankings they came from are left out."""
        return VoteTable(
            self.votes.where(mask), self.criteria, self.criterion[mask], self.strength[mask]
        )

    def by_criterion(self) -> dict[str, "VoteTable"]:
        """The votes on each criterion; those without one under an empty name."""
        numbers = np.unique(self.criterion)
        names = {number: self.criteria[number] if number >= 0 else "" for number in numbers}
        return {names[number]: self.where(self.criterion == number) for number in numbers}


def read_votes(path: Path, more: Sequence[str] = ()) -> VoteTable:
    """All votes of a file, or of a folder that holds the files of ``collect``.

    Args:
        path: the file or folder.
        more: further columns to read as covariates: numbers, each the difference a - b.

    Raises:
        InputError: nothing is there, a column is missing, or a row cannot be used; names the line.
    """
    files = vote_files(path)
    exported = [file for file in files if is_export(file)]
    if exported and len(exported) < len(files):
        raise InputError(f"`{path}` mixes an export with other votes; give one of them")
    if exported:
        return _of_export([one for file in exported for one in labeled_comparisons(file)])
    names = Vocabulary()
    columns = (*OPTIONAL, *more)
    parts = [coded(batch, names, more) for file in files for batch in batches(file, columns)]
    return _of_parts(parts, names, more)


def vote_pieces(
    path: Path, columns: Sequence[str], more: Sequence[str] = ()
) -> Iterator[VoteTable]:
    """The votes of one file in pieces, each with names of its own, for files larger than memory.

    Args:
        path: a file of votes that is no export.
        columns: which of the columns that a file may have to read.
        more: as for ``read_votes``.

    Raises:
        InputError: as ``read_votes``.
    """
    is_weighted = None
    for batch in batches(path, (*columns, *more)):
        names = Vocabulary(is_weighted=is_weighted)
        yield _of_parts([coded(batch, names, more)], names, more)
        is_weighted = names.is_weighted


def is_large(path: Path) -> bool:
    """True for a file whose votes are better counted piece by piece than kept."""
    if not path.is_file():
        return False
    if ending(path) == ".parquet":
        return parquet_rows(path) > LARGE
    return path.stat().st_size > (PACKED if path.suffix == ".gz" else BYTES) * LARGE


def vote_files(path: Path) -> list[Path]:
    """The file itself, or the comparisons in a folder.

    Raises:
        InputError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    found = [path / name for name in (*EXPORTED, IMPORTED) if (path / name).is_file()]
    found = [file for file in found if file.stat().st_size]
    if not found:
        raise InputError(
            f"`{path}` holds neither `{EXPORTED[0]}` nor `{EXPORTED[1]}` nor `{IMPORTED}` with "
            "comparisons in it; give a collect artifact, an import or a file of votes"
        )
    return found


def is_export(file: Path) -> bool:
    """True for a file of ``LabeledComparison`` records, by its first line."""
    if ending(file) not in LINES or not file.is_file():
        return False
    _, first = next(json_lines(file), (0, None))
    return isinstance(first, dict) and {"comparison", "preferences"} <= set(first)


def labeled_comparisons(file: Path) -> Iterator[LabeledComparison]:
    """The records of an export, packed with gzip or not.

    Raises:
        InputError: a line is not such a record; names the line.
    """
    for number, value in json_lines(file):
        try:
            yield LabeledComparison.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the line"
            raise InputError(f"`{file}` line {number}: {where}: {first['msg']}") from error


def rankings_of(labeled: Sequence[LabeledComparison]) -> list[Ranking]:
    """One ranking for each preference."""
    return [
        Ranking(
            names=tuple(response.policy for response in one.comparison.responses),
            ranks=preference.better_first().ranks,
            labeler=preference.labeler,
            prompt=one.comparison.prompt.id,
            comparison=one.comparison.id,
            shown_order=preference.shown_order,
            lengths=tuple(float(len(response.text)) for response in one.comparison.responses),
            both_bad=preference.tie == "both_bad",
        )
        for one in labeled
        for preference in one.preferences
    ]


def _of_export(labeled: Sequence[LabeledComparison]) -> VoteTable:
    rankings = rankings_of(labeled)
    strength = []
    for one in labeled:
        pairs = len(list(combinations(one.comparison.responses, 2)))
        for preference in one.preferences:
            # a strength is about two responses; of more it does not say which two
            known = preference.strength if pairs == 1 else None
            strength += [np.nan if known is None else float(known)] * pairs
    votes = from_rankings(rankings)
    return VoteTable(votes, (), np.full(len(votes), UNKNOWN), np.array(strength), tuple(rankings))


def _of_parts(parts: Sequence[VoteBatch], names: Vocabulary, more: Sequence[str]) -> VoteTable:
    def whole(field: str) -> Any:
        return np.concatenate([getattr(part, field) for part in parts])

    columns = {"length": whole("length")}
    columns |= {name: whole("more")[:, i] for i, name in enumerate(more)}
    covariates = {name: column for name, column in columns.items() if not np.isnan(column).all()}
    votes = from_columns(
        Coded(list(names.models), whole("a")),
        Coded(list(names.models), whole("b")),
        Coded(list(WINNERS), whole("winner")),
        labeler=Coded(list(names.labelers), whole("labeler")),
        prompt=Coded(list(names.prompts), whole("prompt")),
        weight=whole("weight"),
        a_first=whole("a_first"),
        covariates=covariates,
    )
    criteria = tuple(sorted(names.criteria))
    place = np.array([criteria.index(name) for name in names.criteria] + [UNKNOWN])
    criterion = place[whole("criterion")]  # the last entry, UNKNOWN, answers to -1
    units = np.unique(votes.unit * (len(criteria) + 1) + criterion, return_inverse=True)[1]
    units = np.unique(units * (len(names.turns) + 1) + whole("turn"), return_inverse=True)[1]
    return VoteTable(
        replace(votes, unit=units.astype(np.int64)), criteria, criterion, whole("strength")
    )
