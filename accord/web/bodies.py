"""What labelers' requests and answers hold, as JSON: the description of the API is made from it.

Responses are known by place and text only. Nothing here may tell which policy wrote one.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

TaskKind = Literal["comparison", "ranking", "demonstration", "conversation", "rating"]
Mode = Literal["helpful", "honest", "harmless", "red_team"]
Reason = Literal["", "done", "closed", "paused", "waiting", "failed", "daily_cap", "consent"]
TalkState = Literal["begin", "write", "stream", "choose", "end", "finished"]
LONGEST_TEXT = 100_000  # characters of one text in a request
MOST_PLACES = 9
LONGEST_SECONDS = 86_400.0


def plain(text: str) -> str:
    """The text, if every database can keep it."""
    if "\0" in text:
        raise ValueError("holds a character that is no text (U+0000)")
    return text


Plain = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), AfterValidator(plain)]
Short = Annotated[str, StringConstraints(max_length=2000), AfterValidator(plain)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]
Named = Annotated[
    str, StringConstraints(min_length=1, max_length=80), AfterValidator(plain)
]  # an axis or a flag
Rank = Annotated[int, Field(ge=1, le=MOST_PLACES)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]


class Body(BaseModel):
    """A request: fields that are not known are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Shown(BaseModel):
    """An answer of the server."""

    model_config = ConfigDict(frozen=True)


# -- what is shown -------------------------------------------------------------------------------


class ProjectCard(Shown):
    """A project as its labeler sees it."""

    id: str
    title: str
    task: TaskKind
    mode: Mode
    priority: Literal["training", "evaluation"]
    state: Literal["open", "closed", "screening", "waiting", "failed"]
    answered: int = Field(description="Items that you answered.")
    today: int = Field(description="Of them, since midnight (UTC).")


class ProjectCards(Shown):
    """The projects that you may work on."""

    projects: list[ProjectCard]


class MessageShown(Shown):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str
    html: str = Field(description="The text as Markdown, made safe.")


class ResponseShown(Shown):
    """One response: its place on the screen and its text, and nothing else, on purpose."""

    place: int
    label: str = Field(description="`A` for the first place.")
    text: str
    html: str = Field(description="The text as Markdown, made safe.")


class Choice(Shown):
    """Something that can be marked, or rated from 1 to 7."""

    name: str = Field(description="As it is sent back.")
    title: str
    hint: str
    low: str = Field(description="What 1 means.")
    high: str = Field(description="What 7 means.")


class AnswerForm(Shown):
    """What an answer to this task may hold."""

    strength_steps: int = Field(description="Steps of preference a side; 0 without strength.")
    ties: bool
    flags: list[Choice] = Field(description="Yes/no marks of each response.")
    axes: list[Choice] = Field(description="Ratings of each response, 1 to 7.")
    needs_ratings: bool = Field(description="Every response on every axis.")
    writes: bool = Field(description="A text is wanted; with a response, its edited text.")


class GuidelineShown(Shown):
    """The instructions that apply."""

    digest: str = Field(description="Version; it is kept with each answer.")
    text: str = Field(description="Markdown.")
    html: str


class Care(Shown):
    """How to treat content that may hurt who reads it."""

    content_classes: list[str]
    blur: bool = Field(description="Blur texts until they are asked for.")


class TaskShown(Shown):
    """Something to answer."""

    id: str
    project: str
    task: TaskKind
    mode: Mode
    question: str
    instruction: str = Field(description="What to do, where the conversation does not say it.")
    messages: list[MessageShown]
    responses: list[ResponseShown]
    form: AnswerForm
    guideline: str = Field(description="Version of the guidelines; empty without.")
    care: Care
    draft: dict[str, Any] | None = Field(description="What was saved of an unfinished answer.")
    lease_ends_at: datetime = Field(description="Kept for you until then; later answers count too.")


class Feedback(Shown):
    """How your answers fit with known ones and with themselves, in steps."""

    checked: int = Field(description="Answers to items whose answer is known, in tens.")
    agreement: float | None = Field(description="Share of them as known, in steps of 0.05.")
    repeated: int = Field(description="Pairs that you judged a second time, in tens.")
    consistency: float | None = Field(description="Share of them as the first time, in steps.")


class Explained(Shown):
    """An item of your entry test, once it is over, and what was written about it."""

    prompt: str
    right: float | None = Field(description="Share of what is known that you answered so.")
    explanation: str


class Progress(Shown):
    """How far you are."""

    answered: int
    today: int
    break_due: bool = Field(description="A break would be good; nothing is locked.")
    undo: str | None = Field(description="The answer that can be taken back.")
    feedback: Feedback | None
    explained: list[Explained] = Field(default=[], description="Of the entry test, once over.")


class Next(Shown):
    """The next task, or why there is none."""

    task: TaskShown | None
    reason: Reason
    progress: Progress


class Answered(Next):
    """Your answer is kept, and here is the next task."""

    answer_id: str
    recorded: bool = Field(description="False if this very answer had been kept before.")


class ConversationShown(Shown):
    """A conversation as its labeler sees it."""

    id: str
    project: str
    mode: Mode
    question: str
    instruction: str
    goal: str
    messages: list[MessageShown] = Field(description="What was said, your last message included.")
    candidates: list[ResponseShown] = Field(description="To choose from; empty while they appear.")
    state: TalkState = Field(
        description="What is next: say the goal, write, wait, choose, or finish."
    )
    turns: int = Field(description="Choices made.")
    min_turns: int
    max_turns: int
    form: AnswerForm
    guideline: str
    care: Care
    break_due: bool = Field(description="A break would be good; nothing is locked.")
    problem: str = Field(description="Why the last message was not answered; empty if it was.")
    draft: dict[str, Any] | None = Field(description="What was saved of what is unfinished.")


class ConversationNext(Shown):
    """The next conversation, or why there is none."""

    conversation: ConversationShown | None
    reason: Reason
    progress: Progress


# -- what is sent --------------------------------------------------------------------------------


class AnswerBody(Body):
    """An answer. Lists are by place on the screen; what the task does not ask for is left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "6f0c3f0e-8f0f-4a0e-9c39-2f3f4d8f0a11",
                    "ranks": [1, 2],
                    "strength": 3,
                    "flags": [[], ["hallucination"]],
                    "active_seconds": 21.4,
                }
            ]
        }
    )

    id: UUID = Field(description="Made by the sender; the same id is the same answer.")
    ranks: list[Rank] | None = Field(
        default=None, min_length=2, max_length=MOST_PLACES, description="1 is best; equal is a tie."
    )
    tie: Literal["both_good", "both_bad"] | None = Field(
        default=None, description="What a tie of all means."
    )
    strength: int | None = Field(default=None, ge=1, le=4, description="1 hardly, 4 far better.")
    ratings: list[dict[Named, Annotated[int, Field(ge=1, le=7)]]] | None = Field(
        default=None, max_length=MOST_PLACES
    )
    flags: list[list[Named]] | None = Field(default=None, max_length=MOST_PLACES)
    text: Plain | None = Field(default=None, description="The response that you wrote.")
    comment: Short = ""
    active_seconds: Seconds | None = Field(default=None, description="Time with the page in front.")


class SkipBody(Body):
    """Why not."""

    reason: Short = ""


class ReportBody(Body):
    """What is wrong with an item, for the manager."""

    reason: Literal["broken", "personal_data", "illegal", "disturbing", "other"]
    comment: Short = ""


class DraftBody(Body):
    """An unfinished answer; what is in it is the page's affair."""

    draft: dict[str, Any]


class ConsentBody(Body):
    """Content classes that you agree to see; an empty list takes all agreements back."""

    content_classes: list[Named] = Field(max_length=50)


class BeginBody(Body):
    """What you set out to do; needed in red-team mode."""

    goal: Plain = ""


class MessageBody(Body):
    """Your turn."""

    text: Plain = Field(min_length=1)


class ChooseBody(Body):
    """Your choice between the candidates. Lists are by place on the screen."""

    id: UUID = Field(description="Made by the sender; the same id is the same choice.")
    ranks: list[Rank] = Field(min_length=2, max_length=MOST_PLACES)
    tie: Literal["both_good", "both_bad"] | None = None
    strength: int | None = Field(default=None, ge=1, le=4)
    ratings: list[dict[Named, Annotated[int, Field(ge=1, le=7)]]] | None = Field(
        default=None, max_length=MOST_PLACES
    )
    flags: list[list[Named]] | None = Field(default=None, max_length=MOST_PLACES)
    comment: Short = ""
    active_seconds: Seconds | None = None
    continue_with: int | None = Field(
        default=None, ge=0, lt=MOST_PLACES, description="Place that the conversation goes on with."
    )


class FinishBody(Body):
    """The end of a conversation."""

    rating: int | None = Field(
        default=None, ge=0, le=4, description="How far the goal was reached; for red-team mode."
    )
    comment: Short = ""
    active_seconds: Seconds | None = None
