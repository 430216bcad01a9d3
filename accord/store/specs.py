"""What a manager sets up: a project and its settings, as records.

A project is kept whole at every change, so the ledger says under which settings an answer came.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from accord.records import Identifier, Mode, Name, Polarity, Priority, Record

TaskKind = Literal["comparison", "ranking", "demonstration", "conversation", "rating"]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Settings):
    """A flag or an axis: ``name`` is stored with answers, the rest is for the page."""

    name: Name
    title: str = ""  #: the name when empty
    hint: str = ""
    low: str = ""  #: what 1 on the axis means
    high: str = ""  #: what 7 on the axis means


def _label(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Labels = tuple[Annotated[Label, BeforeValidator(_label)], ...]


class Overlap(_Settings):
    """Items that more labelers are asked about, so that agreement can be measured."""

    share: float = Field(default=0.0, ge=0, le=1)  #: of all items
    votes: int = Field(default=3, ge=1)  #: labelers asked about each of them


class Adaptive(_Settings):
    """One more vote where people disagree."""

    max_votes: int = Field(default=5, ge=2)  #: of one item
    lead: int = Field(default=2, ge=1)  #: votes by which one answer leads when they agree enough


class Active(_Settings):
    """The item whose vote tells most about the models comes first, by draw."""

    #: of the draws, that are uniform: what they give checks and corrects the rest
    random_share: float = Field(default=0.1, gt=0, le=1)


class Screening(_Settings):
    """The entry test, on gold items; cut-offs of InstructGPT, arXiv:2203.02155, appendix B.1."""

    items: int = Field(default=0, ge=0)  #: answered before the first real item; 0 is no test
    ranking_share: float = Field(default=0.75, ge=0, le=1)  #: of known orders answered right
    flags_share: float = Field(default=0.75, ge=0, le=1)  #: of known flags answered right
    grade: float = Field(default=6.0, ge=1, le=7)  #: mean grade of written responses


class Care(_Settings):
    """Protection of people who read harmful texts."""

    content_classes: tuple[Name, ...] = ()  #: that a labeler must have agreed to see
    blur: bool = False  #: texts are shown at a click
    break_every_minutes: float | None = Field(default=None, gt=0)
    daily_cap: int | None = Field(default=None, ge=1)  #: answers of one labeler a day, in UTC


class ProjectSettings(_Settings):
    """How items are given out and what may be answered."""

    votes_wanted: int = Field(default=1, ge=1)  #: labelers asked about each item
    overlap: Overlap = Overlap()
    adaptive: Adaptive | None = None
    active: Active | None = None  #: None gives items out in the order of publishing
    gold_share: float = Field(default=0.0, ge=0, le=0.5)  #: of what a labeler gets, hidden re-tests
    repeat_share: float = Field(
        default=0.0, ge=0, le=0.5
    )  #: of what a labeler gets, own earlier items
    repeat_after: int = Field(default=20, ge=1)  #: items between an item and its silent repeat
    lease_seconds: float = Field(default=1800.0, gt=0)  #: then unanswered work goes to others
    hold_after_reports: int = Field(default=2, ge=1)  #: reports that take an item out of the queue
    flags: Labels = ()
    axes: Labels = ()
    require_ratings: bool = False  #: every response on every axis, before the ranking counts
    strength_steps: int = Field(default=4, ge=0, le=4)  #: 0 does not ask how strongly
    ties: bool = True
    screening: Screening = Screening()
    care: Care = Care()
    generators: tuple[Name, ...] = ()  #: which answer in conversations
    max_turns: int = Field(default=8, ge=1, le=100)  #: of a conversation
    min_turns: int = Field(default=1, ge=0)
    free_conversations: bool = True  #: when no item is left, labelers begin without one


class ProjectSpec(Record):
    """One labelling project, whole."""

    id: Slug
    title: str = Field(min_length=1, max_length=200)
    task: TaskKind
    mode: Mode = "helpful"
    priority: Priority = "training"
    guideline: str = ""  #: digest of the guidelines' text
    batches: tuple[Identifier, ...] = ()  #: published deliveries whose items it asks about
    settings: ProjectSettings = ProjectSettings()
    closed: bool = False  #: gives out nothing more; what is held may still be answered

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        for name in ("flags", "axes"):
            labels = [label.name for label in getattr(self.settings, name)]
            if len(labels) != len(set(labels)):
                raise ValueError(f"settings.{name}: each name once")
        if self.task == "rating" and not self.settings.axes and not self.settings.flags:
            raise ValueError("settings.axes: a rating task needs an axis or a flag to ask for")
        if self.settings.require_ratings and not self.settings.axes:
            raise ValueError("settings.require_ratings: name the axes to rate on")
        if self.settings.active is not None and self.task != "comparison":
            raise ValueError("settings.active: only a comparison task chooses pairs of models")
        adaptive = self.settings.adaptive
        if adaptive is not None and adaptive.max_votes < self.settings.votes_wanted:
            raise ValueError("settings.adaptive.max_votes: not fewer than votes_wanted")
        return self

    @property
    def polarity(self) -> Polarity:
        """What rank 1 means here: red-team mode asks for the more harmful response."""
        return "harmful_first" if self.mode == "red_team" else "better_first"

    @property
    def sizes(self) -> tuple[int, int]:
        """Fewest and most responses of an item of this task."""
        return SIZES[self.task]


SIZES: dict[TaskKind, tuple[int, int]] = {
    "comparison": (2, 2),
    "ranking": (2, 9),
    "demonstration": (0, 1),  # none to write one, one to edit it
    "conversation": (0, 0),
    "rating": (1, 1),
}
