"""Records: the frozen values that cross a process boundary, with their JSON Lines form.

    Prompt ──sample──> Response ──pair──> Comparison ──people──> Preference
                                              └──────collect──────┘
                                                LabeledComparison

A comparison exists before anyone answers it; a preference is one person's answer to it. An item
is anything that a labeler can be asked about: a comparison, one response, a bare prompt. An answer
is what a labeler's page sends; the store makes the other records from it.
Every record carries ``schema: 1``; a reader refuses fields that it does not know. A preference
writes the fields that came later only where they say something, so that its JSON, and every
digest of it, is what it was before they came.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)

from accord.config import InputError

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]  #: of an axis or a flag
Level = Annotated[int, Field(ge=1, le=7)]
Tie = Literal["", "both_good", "both_bad"]  #: why ranks are equal; empty when not said
Mode = Literal["", "helpful", "honest", "harmless", "red_team"]  #: what labelers looked for
Priority = Literal["", "training", "evaluation"]  #: helpful first, or honest and harmless first
Polarity = Literal["better_first", "harmful_first"]  #: what rank 1 means
Purpose = Literal["vote", "gold", "screening", "repeat"]  #: why it was asked


class Record(BaseModel):
    """What all records share: frozen, no unknown fields, a schema number."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")


_ADDED_LATER = (  # fields of a preference that its first version did not have
    "tie", "ratings", "flags", "order_seed", "guideline", "project",
    "mode", "priority", "polarity", "purpose", "gold", "probability",
)  # fmt: skip


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


class Item(Record):
    """Something to answer: a prompt with 0 to 9 responses, or only an instruction."""

    id: Identifier
    prompt: Prompt | None = None  #: None where the labeler begins, as in a conversation
    responses: tuple[Response, ...] = Field(default=(), max_length=9)
    instruction: str = ""  #: what the labeler is asked to do, where the prompt does not say it

    @model_validator(mode="after")
    def _there_is_something_to_answer(self) -> Self:
        if self.responses and (self.prompt is None or self.instruction):
            raise ValueError("an item with responses has a prompt and no instruction of its own")
        if self.prompt is None and not self.instruction:
            raise ValueError("an item has a prompt or an instruction")
        return self


class Answer(Record):
    """What a labeler says about one item. ``id`` is made by the page: the same id, the same answer.

    Entry ``i`` of ``ranks``, ``ratings`` and ``flags`` belongs to response ``i`` of the item, not
    to a place on the screen.
    """

    id: Identifier
    ranks: tuple[int, ...] = ()  #: 1 is first, equal ranks are a tie; empty where nothing is ranked
    tie: Tie = ""
    strength: int | None = Field(default=None, ge=1, le=4)  #: 1 hardly better, 4 far better
    ratings: tuple[dict[Name, Level], ...] = Field(default=(), max_length=9)
    flags: tuple[tuple[Name, ...], ...] = Field(default=(), max_length=9)
    text: str | None = None  #: the response that the labeler wrote or edited
    comment: str = ""
    seconds: float | None = Field(default=None, ge=0)  #: active time, idle time left out
    guideline: str = ""  #: digest of the guidelines that were beside it; the task's when empty

    @model_validator(mode="after")
    def _ranks_make_sense(self) -> Self:
        _check_ranks(self.ranks, self.tie)
        return self


class Preference(Record):
    """One labeler's answer to one comparison.

    ``ranks[i]`` is the rank of ``comparison.responses[i]``: 1 is first, equal ranks are a tie.
    ``shown_order[j]`` is the index of the response that stood at place j on the screen.
    """

    id: Identifier
    comparison_id: Identifier
    labeler: Identifier
    ranks: tuple[int, ...] = Field(min_length=2)
    shown_order: tuple[int, ...] = ()
    strength: int | None = Field(default=None, ge=1, le=4)  #: 1 hardly better, 4 far better
    seconds: float | None = Field(default=None, ge=0)  #: active time from showing to answering
    note: str = ""  #: the labeler's comment
    tie: Tie = ""
    ratings: tuple[dict[Name, Level], ...] = ()  #: of each response, by axis; or none
    flags: tuple[tuple[Name, ...], ...] = ()  #: of each response; or none
    order_seed: int | None = None  #: from which the shown order was drawn
    guideline: str = ""  #: digest of the guidelines that were beside it
    project: str = ""
    mode: Mode = ""
    priority: Priority = ""
    polarity: Polarity = "better_first"
    purpose: Purpose = "vote"
    gold: float | None = Field(default=None, ge=0, le=1)  #: share right, on an item known before
    #: of being asked, where items are drawn by what a vote tells: weigh by its inverse
    probability: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _ranks_and_order_fit(self) -> Self:
        _check_ranks(self.ranks, self.tie)
        if self.shown_order and sorted(self.shown_order) != list(range(len(self.ranks))):
            raise ValueError("shown_order is a permutation of the responses")
        for name, given in (("ratings", self.ratings), ("flags", self.flags)):
            if given and len(given) != len(self.ranks):
                raise ValueError(f"{name} are given for every response or for none")
        return self

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        record: dict[str, Any] = write(self)
        for name in _ADDED_LATER:
            if getattr(self, name) == type(self).model_fields[name].default:
                record.pop(name, None)
        return record

    def better_first(self) -> "Preference":
        """The same judgement with the better response first: what training may read.

        >>> asked_for_harm = Preference(id="v", comparison_id="c", labeler="ann", ranks=(1, 2),
        ...                             mode="red_team", polarity="harmful_first")
        >>> asked_for_harm.better_first().ranks
        (2, 1)
        """
        if self.polarity == "better_first":
            return self
        last = max(self.ranks)
        ranks = tuple(last + 1 - rank for rank in self.ranks)
        return self.model_copy(update={"ranks": ranks, "polarity": "better_first"})


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

    def better_first(self) -> "LabeledComparison":
        """The same with every preference's better response first: what training may read."""
        turned = tuple(preference.better_first() for preference in self.preferences)
        return self.model_copy(update={"preferences": turned})


class WrittenResponse(Record):
    """A response that a labeler wrote, or made of one that was given."""

    id: Identifier
    item_id: Identifier
    labeler: Identifier
    prompt: Prompt
    response: str
    edited: Response | None = None  #: what it was made of
    seconds: float | None = Field(default=None, ge=0)
    note: str = ""
    guideline: str = ""
    project: str = ""
    mode: Mode = ""
    priority: Priority = ""
    purpose: Purpose = "vote"
    grade: int | None = Field(default=None, ge=1, le=7)  #: given by a reviewer, 7 is best

    def demonstration(self) -> Demonstration:
        """Only what supervised training reads."""
        return Demonstration(prompt=self.prompt, response=self.response)


class SingleRating(Record):
    """One labeler's ratings of one response."""

    id: Identifier
    item_id: Identifier
    labeler: Identifier
    prompt: Prompt
    response: Response
    ratings: dict[Name, Level] = {}
    flags: tuple[Name, ...] = ()
    seconds: float | None = Field(default=None, ge=0)
    note: str = ""
    guideline: str = ""
    project: str = ""
    mode: Mode = ""
    priority: Priority = ""
    purpose: Purpose = "vote"
    gold: float | None = Field(default=None, ge=0, le=1)


class Turn(BaseModel):
    """One turn of a conversation: what the labeler wrote, the candidates, and the choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    comparison: Comparison  #: its prompt ends with what the labeler wrote
    preference: Preference | None = None  #: None when the conversation ended before the choice
    continued_with: int | None = None  #: index of the response that the conversation went on with


class Conversation(Record):
    """A dialogue between a labeler and the policies being served."""

    id: Identifier
    labeler: Identifier
    turns: tuple[Turn, ...]
    goal: str = ""  #: what the labeler set out to do, said before; in red-team mode the attack
    rating: int | None = Field(default=None, ge=0, le=4)  #: said after; 4 reached the goal fully
    note: str = ""
    guideline: str = ""
    project: str = ""
    mode: Mode = ""
    priority: Priority = ""
    polarity: Polarity = "better_first"
    finished: bool = False


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


def _check_ranks(ranks: tuple[int, ...], tie: str) -> None:
    if ranks and min(ranks) < 1:
        raise ValueError("ranks start at 1")
    if tie and len(set(ranks)) != 1:
        raise ValueError(f"`{tie}` says that all are equal, but the ranks differ")
