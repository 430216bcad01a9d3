"""The conversation of ``accord chat``: messages in, answers out as they appear."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from accord.cli.local_policy import LocalPolicy
from accord.config import InputError
from accord.records import Message, Sampling

NEW, QUIT = "/new", "/quit"


@dataclass
class Speaker:
    """A policy with the conversation that it has had so far."""

    policy: LocalPolicy
    messages: list[Message] = field(default_factory=list)

    def answer(self, message: str, seed: int) -> Iterator[str]:
        """The answer so far, again and again, longer each time; the last one is remembered."""
        said = [*self.messages, Message(role="user", content=message)]
        text = ""
        for piece in self.policy.stream(said, seed=seed):
            text += piece
            yield _shown(text)
        self.messages = [*said, Message(role="assistant", content=_shown(text))]


def talk(sources: Sequence[tuple[str, Path | str]], sampling: Sampling, seed: int) -> None:
    """Read messages until they end, and answer each."""
    console = Console(highlight=False)
    speakers = [Speaker(LocalPolicy(name, source, sampling)) for name, source in sources]
    for message in _messages(console):
        if message == NEW:
            for speaker in speakers:
                speaker.messages.clear()
            continue
        answers = [speaker.answer(message, seed) for speaker in speakers]
        try:
            if sys.stdin.isatty() and console.is_terminal:
                _show(console, speakers, answers)
            else:
                _print(speakers, answers)
        except InputError as error:
            console.print(str(error), style="red", markup=False)


def _messages(console: Console) -> Iterator[str]:
    """Lines of the standard input, asked for on a terminal; until its end or ``/quit``."""
    interactive = sys.stdin.isatty()
    while True:
        try:
            line = console.input("[bold]you:[/] ") if interactive else sys.stdin.readline()
        except EOFError:
            return
        if (not interactive and not line) or line.strip() == QUIT:
            return
        if line.strip():
            yield line.strip()


def _shown(text: str) -> str:
    """What a person sees of an answer: no control characters, which could steer the terminal."""
    return "".join(c for c in text if c.isprintable() or c == "\n").strip()


def _show(console: Console, speakers: Sequence[Speaker], answers: Sequence[Iterator[str]]) -> None:
    """Answers side by side, growing token by token."""
    texts = [""] * len(speakers)
    width = console.width // len(speakers) - 1
    with Live(console=console, refresh_per_second=20) as live:
        for parts in zip_longest(*answers):
            texts = [part or text for part, text in zip(parts, texts, strict=True)]
            panels = [
                Panel(Text(text), title=speaker.policy.name, width=width)
                for speaker, text in zip(speakers, texts, strict=True)
            ]
            live.update(Columns(panels))


def _print(speakers: Sequence[Speaker], answers: Sequence[Iterator[str]]) -> None:
    for speaker, parts in zip(speakers, answers, strict=True):
        text = ""
        for part in parts:
            text = part
        print(f"{speaker.policy.name}: {text}" if len(speakers) > 1 else text, flush=True)
