"""Items of a JSON list, one after another, so that a list larger than memory can be read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

CHUNK = 1 << 20  # characters read at a time; an item that is longer is read in doubling steps
CUT = 16  # a mistake this near to the end of what was read may be an item that goes on
SPACE = " \t\r\n"


@dataclass
class _Window:
    """What was read and not yet used."""

    file: IO[str]
    text: str = ""
    at: int = 0  #: where the unused text begins
    line: int = 1  #: of that place
    ended: bool = False  #: the file holds no more
    decoder: json.JSONDecoder = field(default_factory=json.JSONDecoder)

    def read(self, characters: int = CHUNK) -> None:
        """Read on, and forget what was used."""
        more = self.file.read(characters)
        self.ended = not more
        self.text, self.at = self.text[self.at :] + more, 0

    def next(self) -> str:
        """The next character that is no space, not used yet; empty at the end of the file."""
        while True:
            while self.at < len(self.text):
                character = self.text[self.at]
                if character not in SPACE:
                    return character
                self.advance(self.at + 1)
            if self.ended:
                return ""
            self.read()

    def advance(self, to: int) -> None:
        """Use the text up to a place."""
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def value(self) -> Any:
        """Use the JSON value that begins here."""
        characters = CHUNK
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self.text) - CUT
                if self.ended or not is_cut:
                    line = self.line + self.text.count("\n", self.at, error.pos)
                    raise ValueError(f"line {line}: {error.msg}") from error
            else:
                if end < len(self.text) or self.ended:  # else a number may go on
                    self.advance(end)
                    return value
            self.read(characters)
            characters *= 2


def json_items(file: IO[str]) -> Iterator[tuple[int, Any]]:
    """Line and value of every item of a JSON list.

    Args:
        file: text that holds one JSON list and nothing else.

    Raises:
        ValueError: it does not; names the line.

    >>> import io
    >>> list(json_items(io.StringIO('[{"a": 1},\\n 2]')))
    [(1, {'a': 1}), (2, 2)]
    """
    window = _Window(file)
    if window.next() != "[":
        raise ValueError("it does not begin with `[`")
    window.advance(window.at + 1)
    is_first = True
    while (character := window.next()) != "]" or not is_first:
        if character in ("", "]"):
            raise ValueError(f"line {window.line}: an item is missing at the end")
        line = window.line
        yield line, window.value()
        is_first = False
        character = window.next()
        if character == "]":
            break
        if character != ",":
            raise ValueError(f"line {window.line}: no `,` or `]` after an item")
        window.advance(window.at + 1)
    window.advance(window.at + 1)
    if window.next():
        raise ValueError(f"line {window.line}: there is more after the list")
