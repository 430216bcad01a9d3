"""Tokenise records: demonstrations, comparisons, documents.

What does not fit into ``context`` tokens is left out whole, and the caller is told how much; a
response without its beginning or end would teach something else than was written. A prompt may
lose its beginning instead, where the caller says so: of a long dialogue the last turns matter most.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from accord.config import InputError
from accord.data.chat import (
    Tokenizer,
    encode_prompts,
    encode_responses,
    encode_texts,
    render,
)
from accord.records import Comparison, Demonstration, Message, Prompt

_MESSAGES = TypeAdapter(list[Message])
CHUNK = 4096  # documents tokenised at a time
SHORTEST_PROMPT = 16  # tokens; of a prompt that keeps fewer, too little is left to judge by

LongPrompts = Literal["leave_out", "shorten"]


@dataclass(frozen=True)
class Example:
    """One prompt with one response, the end of sequence included."""

    prompt: list[int]
    response: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.response)


@dataclass(frozen=True)
class EncodedComparison:
    """One prompt with its K responses, in the order of ``comparison.responses``."""

    prompt: list[int]
    responses: list[list[int]]
    cut: int = 0  #: tokens that the prompt lost at its beginning

    def __len__(self) -> int:
        """Tokens of the longest of its conversations."""
        return len(self.prompt) + max(len(response) for response in self.responses)


@dataclass(frozen=True)
class Documents:
    """Many token sequences in one flat array.

    Attributes:
        tokens: all sequences, one after another.
        starts: where each begins; one more entry than there are sequences.
    """

    tokens: np.ndarray[Any, np.dtype[np.int32]]
    starts: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        return self.tokens[self.starts[index] : self.starts[index + 1]]

    def lengths(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Tokens of each sequence."""
        return np.diff(self.starts)

    def select(self, indexes: Sequence[int]) -> "Documents":
        """Some of the sequences, in the given order."""
        return _documents([self[index] for index in indexes])


def encode_demonstrations(
    tokenizer: Tokenizer, demonstrations: Sequence[Demonstration], *, context: int
) -> list[Example | None]:
    """Tokens of demonstrations; None for one that is longer than ``context`` tokens."""
    prompts = encode_prompts(tokenizer, [d.prompt for d in demonstrations])
    responses = encode_responses(tokenizer, [d.response for d in demonstrations])
    examples = [Example(p, r) for p, r in zip(prompts, responses, strict=True)]
    return [example if len(example) <= context else None for example in examples]


def encode_comparisons(
    tokenizer: Tokenizer,
    comparisons: Sequence[Comparison],
    *,
    context: int,
    long_prompts: LongPrompts = "leave_out",
) -> list[EncodedComparison | None]:
    """Tokens of comparisons.

    Args:
        tokenizer: the model's.
        comparisons: whose conversations are tokenised.
        context: the most tokens of a conversation.
        long_prompts: ``shorten`` cuts the beginning of a prompt, for all its responses alike, so
            that the longest conversation fits; a start token stays.

    Returns:
        None where a conversation does not fit: with ``shorten``, where its response leaves fewer
        than 16 tokens to the prompt.
    """
    prompts = encode_prompts(tokenizer, [c.prompt for c in comparisons])
    texts = [response.text for c in comparisons for response in c.responses]
    flat = iter(encode_responses(tokenizer, texts))
    encoded = [
        EncodedComparison(prompt, list(itertools.islice(flat, len(comparison.responses))))
        for prompt, comparison in zip(prompts, comparisons, strict=True)
    ]
    if long_prompts == "shorten":
        start = getattr(tokenizer, "bos_token_id", None)
        encoded = [_shortened(comparison, context, start) for comparison in encoded]
    return [comparison if len(comparison) <= context else None for comparison in encoded]


def _shortened(comparison: EncodedComparison, context: int, start: int | None) -> EncodedComparison:
    """The comparison with as much of its prompt's end as fits; itself where too little would."""
    prompt = comparison.prompt
    excess = len(comparison) - context
    if excess <= 0 or len(prompt) - excess < SHORTEST_PROMPT:
        return comparison
    kept = prompt[:1] if prompt[0] == start else []
    kept = kept + prompt[excess + len(kept) :]
    return EncodedComparison(kept, comparison.responses, cut=excess)


def fitting_prompts(
    tokenizer: Tokenizer, prompts: Sequence[Prompt], *, longest: int
) -> list[tuple[Prompt, list[int]]]:
    """The prompts of at most ``longest`` tokens, with their tokens."""
    encoded = encode_prompts(tokenizer, prompts)
    return [(p, ids) for p, ids in zip(prompts, encoded, strict=True) if len(ids) <= longest]


def encode_documents(tokenizer: Tokenizer, texts: Sequence[str], *, context: int) -> Documents:
    """Tokens of documents, each with its end of sequence.

    A document longer than ``context`` tokens is cut into pieces of that length; only the last
    piece has the end of sequence. Single tokens are dropped: they predict nothing.
    """
    pieces = []
    for start in range(0, len(texts), CHUNK):
        for ids in encode_texts(tokenizer, texts[start : start + CHUNK]):
            for begin in range(0, len(ids), context):
                piece = ids[begin : begin + context]
                if len(piece) > 1:
                    pieces.append(np.asarray(piece, dtype=np.int32))
    return _documents(pieces)


def _documents(pieces: Sequence[np.ndarray[Any, np.dtype[np.int32]]]) -> Documents:
    starts = np.zeros(len(pieces) + 1, dtype=np.int64)
    np.cumsum([len(piece) for piece in pieces], out=starts[1:])
    return Documents(np.concatenate([np.zeros(0, np.int32), *pieces]), starts)


def read_documents(path: Path) -> Iterator[str]:
    """The texts of a JSON Lines file of ``{"text": ...}`` or ``{"messages": [...]}``.

    Raises:
        InputError: the file is missing or empty, or a line is neither of the two.
    """
    if not path.is_file():
        raise InputError(f"no file `{path}`; expected documents, one JSON object a line")
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _document_text(line, path, number)
    if not number:
        raise InputError(f"`{path}` holds no documents")


def _document_text(line: bytes, path: Path, number: int) -> str:
    try:
        value = json.loads(line)
        if isinstance(value, dict) and isinstance(value.get("text"), str):
            return str(value["text"])
        if isinstance(value, dict) and "messages" in value:
            return render(_MESSAGES.validate_python(value["messages"]))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("messages", *first["loc"]))
        raise InputError(f"`{path}` line {number}: {where}: {first['msg']}") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise InputError(f"`{path}` line {number}: {error}; correct or remove it") from error
    raise InputError(
        f'`{path}` line {number}: a document is {{"text": "..."}} or {{"messages": [...]}}'
    )
