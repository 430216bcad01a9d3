"""A policy in this process that writes responses piece by piece: for chats and for labelers."""

from collections.abc import Generator, Sequence
from pathlib import Path

from accord.config import InputError
from accord.data.chat import ASSISTANT, HUMAN, encode_prompt
from accord.models.load import context_length, load_policy
from accord.records import Message, Prompt, Sampling
from accord.runtime import artifacts
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.seeding import generator

MARKS = (HUMAN, ASSISTANT)


class LocalPolicy:
    """Writes responses with a model that is loaded once; several may be written at a time."""

    def __init__(self, name: str, source: Path | str, sampling: Sampling) -> None:
        """Load the model.

        Raises:
            InputError: there is no such model, or it is no policy.
        """
        self.name = name
        self.sampling = sampling
        self.digest = artifacts.digest(source) if isinstance(source, Path) else source
        self._model, self._tokenizer = load_policy(source)
        self._generator = HuggingFaceGenerator(self._model, self._tokenizer)

    def stream(self, messages: Sequence[Message], *, seed: int) -> Generator[str, None, bool]:
        """The response to a conversation that ends with the user, piece by piece.

        Returns:
            At its end, True; False when ``max_tokens`` cut it off.

        Raises:
            InputError: the last message and a response do not fit the model's context.
        """
        tokens = self._tokens(messages)
        random = generator(seed, "talk", len(messages))
        return (yield from own_turn(self._generator.stream(tokens, self.sampling, random=random)))

    def _tokens(self, messages: Sequence[Message]) -> list[int]:
        """The conversation, without its oldest turns where it is longer than the context."""
        limit = context_length(self._model)
        starts = [n for n, message in enumerate(messages) if message.role == "user"]
        for first in starts:
            prompt = Prompt(id="talk", messages=tuple(messages[first:]))
            tokens = encode_prompt(self._tokenizer, prompt)
            if limit is None or len(tokens) + self.sampling.max_tokens <= limit:
                return tokens
        raise InputError(
            f"the message and an answer of {self.sampling.max_tokens} tokens exceed the context of "
            f"{limit} tokens; lower `--max-tokens` or write less"
        )


def own_turn(pieces: Generator[str, None, bool]) -> Generator[str, None, bool]:
    r"""Pieces of a text up to where it goes on with somebody else's turn.

    A policy that never learned to stop does. What may be the beginning of such a mark is held
    back until the next piece.

    Returns:
        True where it ended before somebody else's turn; else what ``pieces`` returns.

    >>> "".join(own_turn(iter(["Yes.", "\n\nHu", "man: And you?"])))
    'Yes.'
    >>> list(own_turn(iter(["Yes.", "\n", "No."])))
    ['Yes.', '\nNo.']
    """
    held = ""
    while True:
        try:
            held += next(pieces)
        except StopIteration as end:
            finished = bool(end.value)
            break
        ends = [held.find(mark) for mark in MARKS if mark in held]
        if ends:
            held, finished = held[: min(ends)], True
            break
        kept = _open_mark(held)
        shown, held = held[: len(held) - kept], held[len(held) - kept :]
        if shown:
            yield shown
    if held:
        yield held
    return finished


def _open_mark(text: str) -> int:
    """How many of the last characters could be the beginning of a mark."""
    longest = max(map(len, MARKS)) - 1
    sizes = range(min(longest, len(text)), 0, -1)
    return next((n for n in sizes if any(mark.startswith(text[-n:]) for mark in MARKS)), 0)
