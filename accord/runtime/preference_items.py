"""Comparisons as a preference model learns from them: tokens and answers, kept in a file.

Tokens, tables and answers of all comparisons lie in one unnamed file, of which a batch reads what
it needs; memory holds eight bytes a comparison, so that a set larger than memory can be trained on.
"""

import itertools
import math
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.encode import EncodedComparison, LongPrompts, encode_comparisons
from accord.data.preferences import Ties, wins
from accord.models.load import context_length
from accord.records import LabeledComparison

CHUNK = 1024  # comparisons tokenised at a time
Needs = Literal["wins", "answers", "ratings"]  #: what a loss cannot do without
Column = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Answer:
    """One labeler's ranking of one comparison, the better response first.

    Attributes:
        ranks: of each response; 1 is best, equal ranks are a tie.
        strength: 1 hardly better, 4 far better; 0 when not said.
        weight: what the labeler counts, 1 if nothing is known of them.
    """

    ranks: tuple[int, ...]
    strength: int = 0
    weight: float = 1.0


@dataclass(frozen=True)
class Item:
    """One comparison, ready for the model.

    Attributes:
        prompt: token ids.
        responses: token ids of each of the K responses, the end of sequence included.
        wins: ``wins[i][j]``, how many labelers put response i above response j.
        answers: of each labeler.
        ratings: what labelers gave each response on average; not a number where nobody did.
    """

    prompt: Sequence[int]
    responses: Sequence[Sequence[int]]
    wins: list[list[float]]
    answers: tuple[Answer, ...] = ()
    ratings: tuple[float, ...] = ()

    @property
    def conversations(self) -> list[list[int]]:
        """Prompt and response of each of the K responses."""
        return [[*self.prompt, *response] for response in self.responses]

    @property
    def tokens(self) -> int:
        """Tokens of the prompt and of all responses."""
        return len(self.prompt) + sum(len(response) for response in self.responses)

    @property
    def longest(self) -> int:
        """Tokens of the longest conversation."""
        return len(self.prompt) + max(len(response) for response in self.responses)


class StoredItems(Sequence[Item]):
    """Comparisons in an unnamed file, each read when it is asked for."""

    def __init__(self, directory: Path | None = None) -> None:
        """An empty set; the file is in ``directory`` and gone with the process."""
        self._file = tempfile.TemporaryFile(dir=directory)
        weakref.finalize(self, self._file.close)
        self._starts = [0]
        self._words: Column | None = None

    def append(self, item: Item) -> None:
        """Add one at the end."""
        self._file.write(_packed(item).tobytes())
        self._starts.append(self._file.tell() // 4)
        self._words = None

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        if self._words is None:
            self._file.flush()
            self._words = np.memmap(self._file, dtype=np.int32, mode="r")
        return _unpacked(self._words[self._starts[place] : self._starts[place + 1]])


@dataclass(frozen=True)
class Items:
    """Comparisons that can be used, and how many could not."""

    items: Sequence[Item]
    records: list[LabeledComparison]  #: of the same comparisons, if they were to be kept
    too_long: int  #: a conversation exceeds the context
    undecided: int  #: no labeler put any response above another, or rated any, as the loss needs
    identical: int = 0  #: left out: all responses are the same text
    shortened: int = 0  #: used: their prompts lost their beginning
    empty: int = 0  #: used, though a response is empty

    def counts(self, side: str) -> dict[str, int]:
        """``{"train_size": comparisons, "train_too_long": ..., ...}`` for the evaluation."""
        return {
            f"{side}_size": len(self.items),
            f"{side}_too_long": self.too_long,
            f"{side}_undecided": self.undecided,
            f"{side}_identical": self.identical,
            f"{side}_shortened": self.shortened,
            f"{side}_empty": self.empty,
        }


@dataclass(frozen=True)
class Wanted:
    """Which comparisons are taken, and what of each.

    Attributes:
        context: the most tokens of a conversation; the model's own is a limit as well.
        ties: what equal ranks count.
        minimum_strength: weaker preferences are left out.
        keep_records: an evaluation needs the comparisons themselves, training does not.
        long_prompts: what becomes of conversations that exceed the context.
        needs: what the loss cannot do without: a comparison that lacks it counts as undecided.
        weights: what the votes of each labeler count; 1 for others.
        directory: where the file of the comparisons lies, a folder on a disk with room.
    """

    context: int
    ties: Ties
    minimum_strength: int
    keep_records: bool = True
    long_prompts: LongPrompts = "leave_out"
    needs: Needs = "wins"
    weights: Mapping[str, float] | None = None
    directory: Path | None = None


def prepare(
    tokenizer: PreTrainedTokenizerBase,
    comparisons: Iterable[LabeledComparison],
    *,
    model: PreTrainedModel,
    context: int,
    ties: Ties,
    minimum_strength: int,
    keep_records: bool = True,
    long_prompts: LongPrompts = "leave_out",
) -> Items:
    """``take`` with what an evaluation wants.

    Args:
        tokenizer: the model's.
        comparisons: with their preferences; read once, some at a time.
        model: its own context is a limit as well.
        context: as in ``Wanted``, like all that follow.
        ties: what equal ranks count.
        minimum_strength: weaker preferences are left out.
        keep_records: whether the comparisons themselves are kept.
        long_prompts: what becomes of conversations that exceed the context.

    Raises:
        InputError: no comparison is left.
    """
    wanted = Wanted(context, ties, minimum_strength, keep_records, long_prompts)
    return take(tokenizer, comparisons, model, wanted)


def take(
    tokenizer: PreTrainedTokenizerBase,
    comparisons: Iterable[LabeledComparison],
    model: PreTrainedModel,
    wanted: Wanted,
) -> Items:
    """Tokenise comparisons and count what labelers said about them.

    Args:
        tokenizer: the model's.
        comparisons: with their preferences; read once, some at a time.
        model: its own context is a limit as well.
        wanted: which comparisons, and what of each.

    Raises:
        InputError: no comparison is left.
    """
    limit = min(wanted.context, context_length(model) or wanted.context)
    stored = StoredItems(wanted.directory)
    records: list[LabeledComparison] = []
    left_out = dict.fromkeys(("too_long", "undecided", "identical"), 0)
    empty = shortened = 0
    for labeled, tokens in _encoded(tokenizer, comparisons, limit, wanted.long_prompts):
        texts = [response.text for response in labeled.comparison.responses]
        item = _item(labeled, tokens, wanted)
        if not _has(item, wanted.needs):
            left_out["undecided"] += 1
        elif len(set(texts)) == 1:
            left_out["identical"] += 1
        elif tokens is None:
            left_out["too_long"] += 1
        else:
            empty += not all(text.strip() for text in texts)
            shortened += tokens.cut > 0
            stored.append(item)
            records += [labeled] if wanted.keep_records else []
    if not stored:
        raise InputError(
            f"none of {sum(left_out.values())} comparisons is decided and fits `context` = {limit} "
            f"tokens{_why(left_out, wanted.needs)}; raise it or give other comparisons"
        )
    return Items(stored, records, shortened=shortened, empty=empty, **left_out)


def _encoded(
    tokenizer: PreTrainedTokenizerBase,
    comparisons: Iterable[LabeledComparison],
    limit: int,
    long_prompts: LongPrompts,
) -> Iterator[tuple[LabeledComparison, EncodedComparison | None]]:
    remaining = iter(comparisons)
    while chunk := list(itertools.islice(remaining, CHUNK)):
        encoded = encode_comparisons(
            tokenizer, [c.comparison for c in chunk], context=limit, long_prompts=long_prompts
        )
        yield from zip(chunk, encoded, strict=True)


def _item(labeled: LabeledComparison, tokens: EncodedComparison | None, wanted: Wanted) -> Item:
    weights = wanted.weights or {}
    kept = [
        p.better_first()
        for p in labeled.preferences
        if p.strength is None or p.strength >= wanted.minimum_strength
    ]
    return Item(
        prompt=[] if tokens is None else tokens.prompt,
        responses=[] if tokens is None else tokens.responses,
        wins=wins(
            labeled,
            ties=wanted.ties,
            minimum_strength=wanted.minimum_strength,
            weights=weights,
        ),
        answers=tuple(Answer(p.ranks, p.strength or 0, weights.get(p.labeler, 1.0)) for p in kept),
        ratings=_ratings(labeled, weights),
    )


def _ratings(labeled: LabeledComparison, weights: Mapping[str, float]) -> tuple[float, ...]:
    """Mean over axes, then over labelers by their weights."""
    number = len(labeled.comparison.responses)
    total, count = [0.0] * number, [0.0] * number
    for preference in labeled.preferences:
        weight = weights.get(preference.labeler, 1.0)
        for k, levels in enumerate(preference.ratings):
            if levels and weight > 0:
                total[k] += weight * sum(levels.values()) / len(levels)
                count[k] += weight
    return tuple(t / c if c else math.nan for t, c in zip(total, count, strict=True))


def _has(item: Item, needs: Needs) -> bool:
    if needs == "answers":
        return any(answer.weight > 0 for answer in item.answers)
    if needs == "ratings":
        return sum(not math.isnan(rating) for rating in item.ratings) > 0
    return any(map(any, item.wins))


def _why(left_out: Mapping[str, int], needs: Needs) -> str:
    """What is wrong with them, where it is not their length alone."""
    without = "rating" if needs == "ratings" else "decision"
    parts = [
        f"{left_out['undecided']} without a {without}" if left_out["undecided"] else "",
        f"{left_out['identical']} with identical responses" if left_out["identical"] else "",
    ]
    told = " and ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def _packed(item: Item) -> Column:
    """Whole numbers of 4 bytes: sizes, tokens, then numbers with a point as their bits."""
    sizes = [len(item.responses), len(item.answers), len(item.prompt), *map(len, item.responses)]
    tokens = [*item.prompt, *itertools.chain.from_iterable(item.responses)]
    ranks = [number for answer in item.answers for number in (*answer.ranks, answer.strength)]
    weights = [answer.weight for answer in item.answers]
    points = [*itertools.chain.from_iterable(item.wins), *weights, *item.ratings]
    return np.concatenate(
        [
            np.array([*sizes, *tokens, *ranks], dtype=np.int32),
            np.array(points, dtype=np.float32).view(np.int32),
        ]
    )


def _unpacked(words: Column) -> Item:
    number, answers = int(words[0]), int(words[1])
    lengths = words[2 : 3 + number].tolist()
    place = 3 + number

    def take(count: int) -> Column:
        nonlocal place
        place += count
        return words[place - count : place]

    tokens = [take(length).tolist() for length in lengths]
    ranks = take(answers * (number + 1)).reshape(answers, number + 1).tolist()
    table = take(number * number).view(np.float32).reshape(number, number).tolist()
    weights = take(answers).view(np.float32).tolist()
    return Item(
        prompt=tokens[0],
        responses=tokens[1:],
        wins=table,
        answers=tuple(
            Answer(tuple(row[:number]), row[number], weight)
            for row, weight in zip(ranks, weights, strict=True)
        ),
        ratings=tuple(take(number).view(np.float32).tolist()),
    )
