"""Records: the frozen values that cross a process boundary, with their JSON Lines form.

    Prompt ──sample──> Response ──pair──> Comparison ──people──> Preference
                                              └──────collect──────┘
                                                LabeledComparison

A comparison exists before anyone answers it; a preference is one person's answer to it.
Every record carries ``schema: 1``; a reader refuses fields that it does not know.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from accord.config import InputError

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Record(BaseModel):
    """What all records share: frozen, no unknown fields, a schema number."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: str


class Prompt(Record):
    """The whole conversation up to the assistant's next turn."""

    id: Identifier
    messages: tuple[Message, ...]
    kind: str = ""  #: what sort of request it is, for reports by kind
    topic: str = ""  #: held out as a whole by splits, when given

    @model_validator(mode="after")
    def _ends_with_the_user(self) -> Self:
        if not self.messages or self.messages[-1].role != "user":
            raise ValueError("a prompt ends with a user message")
        return self


class Sampling(BaseModel):
    """How responses are drawn from a policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=1.0, ge=0)  #: 0 takes the likeliest token
    top_k: int = Field(default=0, ge=0)  #: 0 keeps every token
    top_p: float = Field(default=1.0, gt=0, le=1)  #: 1 keeps every token
    max_tokens: int = Field(default=64, ge=1)  #: response tokens, end of sequence included


class Response(Record):
    """One answer of one policy snapshot to one prompt."""

    id: Identifier
    prompt_id: Identifier
    text: str
    policy: str  #: the snapshot's name, "sft" or "ppo_1"
    policy_digest: str = ""  #: digest of the snapshot's weights
    sampling: Sampling | None = None
    seed: int | None = None
    finished: bool = True  #: False when the token limit cut it off


class Demonstration(Record):
    """A prompt with the response that a person would have liked to see."""

    prompt: Prompt
    response: str


class Comparison(Record):
    """One prompt and K >= 2 responses that people are asked to rank."""

    id: Identifier
    prompt: Prompt
    responses: tuple[Response, ...] = Field(min_length=2, max_length=9)


class Preference(Record):
    """One labeler's answer to one comparison.

    ``ranks[i]`` is the rank of ``comparison.responses[i]``: 1 is best, equal ranks are a tie.
    ``shown_order[j]`` is the index of the response that stood at place j on the screen.
    """

    id: Identifier
    comparison_id: Identifier
    labeler: Identifier
    ranks: tuple[int, ...] = Field(min_length=2)
    shown_order: tuple[int, ...] = ()
    strength: int | None = Field(default=None, ge=1, le=4)  #: 1 hardly better, 4 far better
    seconds: float | None = Field(default=None, ge=0)  #: time from showing to answering
    note: str = ""

    @model_validator(mode="after")
    def _ranks_and_order_fit(self) -> Self:
        if min(self.ranks) < 1:
            raise ValueError("ranks start at 1")
        if self.shown_order and sorted(self.shown_order) != list(range(len(self.ranks))):
            raise ValueError("shown_order is a permutation of the responses")
        return self


class LabeledComparison(Record):
    """A comparison with every preference that counts for it, as the store exports it."""

    comparison: Comparison
    preferences: tuple[Preference, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_rank_per_response(self) -> Self:
        for preference in self.preferences:
            if preference.comparison_id != self.comparison.id:
                raise ValueError(f"preference `{preference.id}` belongs to another comparison")
            if len(preference.ranks) != len(self.comparison.responses):
                raise ValueError(f"preference `{preference.id}` ranks another number of responses")
        return self


R = TypeVar("R", bound=Record)


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write one JSON object a line, atomically; return how many."""
    temporary = path.with_name(path.name + ".tmp")
    count = 0
    with temporary.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(record.model_dump_json(by_alias=True, exclude_defaults=False) + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return count


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Read a JSON Lines file of one kind of record.

    Raises:
        InputError: the file is missing or empty, or a line is not such a record; names the line.
    """
    return list(iterate_records(path, kind))


def iterate_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Read one record after another, so that a file larger than memory works."""
    if not path.is_file():
        raise InputError(
            f"no file `{path}`; expected {kind.__name__} records, one JSON object a line"
        )
    empty = True
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            empty = False
            yield _parse(line, kind, path, number)
    if empty:
        raise InputError(f"`{path}` holds no {kind.__name__} records")


def _parse(line: bytes, kind: type[R], path: Path, number: int) -> R:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        raise InputError(f"`{path}` line {number}: {where}: {first['msg']}") from error
