"""Fields of a row, checked: whatever is wrong is said with file, line and field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from accord.config import InputError, nearest
from accord.data.files import Row
from accord.records import Message

ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
LONGEST_NAME = 200  # characters of a labeler's name or of an id


@dataclass(frozen=True)
class Fields:
    """An object of a row, with the way to it."""

    values: dict[str, Any]
    row: Row
    path: str = ""  #: ``summaries.0.`` for the first object in the list `summaries`

    def has(self, key: str) -> bool:
        """True when the field is there and not null."""
        return self.values.get(key) is not None

    def wrong(self, key: str, what: str) -> InputError:
        """The sentence about a field."""
        return self.row.error(f"`{self.path}{key}` {what}")

    def text(self, key: str) -> str:
        """Text as it is, with the spaces around it."""
        value: str = _of(self, key, str, "text")
        return value

    def text_or(self, key: str, other: str = "") -> str:
        """Text, or something else where it is missing or null."""
        return self.text(key) if self.has(key) else other

    def name(self, key: str, other: str | None = None) -> str:
        """A short text or a whole number, as text: a worker, a model, an id."""
        if other is not None and not self.has(key):
            return other
        value = self.values.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        text = self.text(key)
        if not text.strip() or len(text) > LONGEST_NAME:
            raise self.wrong(key, f"is not a name of 1 to {LONGEST_NAME} characters")
        return text

    def whole(self, key: str, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``."""
        value = _of(self, key, int, "a whole number")
        if isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, f"is `{value}`, not a whole number from {least} to {most}")
        return int(value)

    def number(self, key: str) -> float:
        """A finite number of at least 0."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "is not a number")
        if not 0 <= value < float("inf"):
            raise self.wrong(key, f"is `{value}`, not a number of at least 0")
        return float(value)

    def choice(self, key: str, known: Sequence[str]) -> str:
        """One of some words."""
        text = self.text(key)
        if text not in known:
            raise self.wrong(key, f"is `{text[:40]}`{nearest(text, known)}")
        return text

    def fields(self, key: str) -> "Fields":
        """An object inside."""
        return Fields(_of(self, key, dict, "an object"), self.row, f"{self.path}{key}.")

    def each(self, key: str) -> Iterator["Fields"]:
        """The objects of a list."""
        for place, value in enumerate(_of(self, key, list, "a list")):
            if not isinstance(value, dict):
                raise self.wrong(f"{key}.{place}", "is not an object")
            yield Fields(value, self.row, f"{self.path}{key}.{place}.")

    def instant(self, key: str, *, per_second: int = 1) -> datetime | None:
        """A time as ISO 8601 text or as a number since 1970; None where there is none.

        A time without a zone is taken to be UTC.
        """
        if not self.has(key):
            return None
        value = self.values[key]
        try:
            if isinstance(value, str):
                found = datetime.fromisoformat(value)
                return found if found.tzinfo else found.replace(tzinfo=UTC)
            return datetime.fromtimestamp(self.number(key) / per_second, tz=UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise self.wrong(key, f"is `{str(value)[:40]}`, not a time") from error

    def messages(self, key: str) -> list[Message]:
        """A conversation as a list of messages with ``role`` and ``content``.

        What a system message says stands before the first turn after it, as records have no
        such role. A content may be a list of parts, of which each has to be text.
        """
        found: list[Message] = []
        before = ""
        for one in self.each(key):
            role, content = one.text("role"), _content(one)
            if role == "system":
                before += f"{content}\n\n"
                continue
            if role not in ROLES:
                raise one.wrong("role", f"is `{role[:40]}`, not user, assistant or system")
            found.append(Message.model_validate({"role": ROLES[role], "content": before + content}))
            before = ""
        if before or not found:
            raise self.wrong(key, "holds no turn of a user or an assistant")
        return found


def _content(fields: Fields) -> str:
    if not isinstance(fields.values.get("content"), list):
        return fields.text("content")
    parts = list(fields.each("content"))
    for part in parts:
        if part.text_or("type", "text") != "text":
            raise part.wrong("type", "is not `text`; images and sounds are not understood")
    return "".join(part.text("text") for part in parts)


def _of(fields: Fields, key: str, kind: type, what: str) -> Any:
    if key not in fields.values:
        raise fields.wrong(key, "is missing")
    value = fields.values[key]
    if not isinstance(value, kind):
        raise fields.wrong(key, f"is not {what}")
    return value
