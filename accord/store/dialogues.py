"""Reading conversations: the turns of one, as they stand in the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from accord.records import Comparison, Conversation, Message, Preference, Turn
from accord.store import events, tables
from accord.store.rows import preference_of
from accord.store.tables import CLOSE, OPEN, SHOW, VOTE

MOST_TURNS = 100

_EVENT, _LABELER = tables.events.c, tables.labelers.c
_BEGINNING = (
    select(tables.events, _LABELER.name.label("labeler"))
    .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
    .where(_EVENT.kind == OPEN, _EVENT.id == bindparam("of"))
)
_SHOWN = (
    select(tables.events, tables.comparisons.c.payload)
    .join(tables.comparisons, tables.comparisons.c.id == _EVENT.comparison_id)
    .where(_EVENT.kind == SHOW, _EVENT.id.in_(bindparam("turns", expanding=True)))
    .order_by(_EVENT.seq)
)
_CHOICES = (
    select(tables.events, _LABELER.name.label("labeler"))
    .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
    .where(
        _EVENT.kind == VOTE,
        _EVENT.comparison_id.in_(bindparam("turns", expanding=True)),
        events.standing(),
    )
)


@dataclass(frozen=True)
class DialogueTurn:
    """One turn: what was offered, and the choice if there is one."""

    number: int
    comparison: Comparison
    shown_order: tuple[int, ...]
    order_seed: int | None
    balance: str  #: the mark of its order, see ``balance``
    preference: Preference | None
    continued_with: int | None  #: index of the response that the conversation went on with

    @property
    def answer_id(self) -> str | None:
        """The id of the choice."""
        return None if self.preference is None else self.preference.id


@dataclass(frozen=True)
class Dialogue:
    """A conversation as it stands."""

    id: str
    labeler: str
    project_id: str
    goal: str
    turns: tuple[DialogueTurn, ...]
    finished: bool
    record: Conversation  #: the same as a record

    def undecided(self) -> DialogueTurn | None:
        """The last turn if it waits for a choice."""
        if self.turns and self.turns[-1].preference is None:
            return self.turns[-1]
        return None

    def messages(self) -> tuple[Message, ...]:
        """The dialogue up to the last choice."""
        decided = [turn for turn in self.turns if turn.continued_with is not None]
        if not decided:
            return ()
        last = decided[-1]
        assert last.continued_with is not None  # by the line above
        text = last.comparison.responses[last.continued_with].text
        return (*last.comparison.prompt.messages, Message(role="assistant", content=text))


def load(session: Session, conversation_id: str) -> Dialogue:
    """A conversation that began.

    Raises:
        LookupError: there is none.
    """
    begun = session.execute(_BEGINNING, {"of": conversation_id}).one_or_none()
    if begun is None:
        raise LookupError(conversation_id)
    return _dialogue(session, begun)


def of_project(session: Session, project_id: str) -> Iterator[Dialogue]:
    """Every conversation of a project that began, in the order of the ledger."""
    statement = (
        select(tables.events, _LABELER.name.label("labeler"))
        .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
        .where(_EVENT.kind == OPEN, _EVENT.project_id == project_id)
        .order_by(_EVENT.seq)
    )
    for begun in session.execute(statement).all():
        yield _dialogue(session, begun)


def _dialogue(session: Session, begun: Row[Any]) -> Dialogue:
    names = [f"{begun.id}:{turn}" for turn in range(MOST_TURNS)]
    shown = session.execute(_SHOWN, {"turns": names}).all()
    offered = [row.comparison_id for row in shown]
    rows = session.execute(_CHOICES, {"turns": offered}).all() if offered else []
    choices = {row.comparison_id: row for row in rows}
    turns = tuple(_turn(row, choices.get(row.comparison_id)) for row in shown)
    closed = events.find(session, begun.id, [CLOSE])
    body = begun.body
    record = Conversation(
        id=begun.id,
        labeler=begun.labeler,
        turns=tuple(
            Turn(
                comparison=turn.comparison,
                preference=turn.preference,
                continued_with=turn.continued_with,
            )
            for turn in turns
        ),
        goal=begun.note,
        rating=None if closed is None else closed.body.get("rating"),
        note="" if closed is None else closed.note,
        guideline=begun.guideline,
        project=begun.project_id,
        mode=body["mode"],
        priority=body["priority"],
        polarity=body["polarity"],
        finished=closed is not None,
    )
    return Dialogue(
        begun.id, begun.labeler, begun.project_id, begun.note, turns, closed is not None, record
    )


def _turn(shown: Row[Any], choice: Row[Any] | None) -> DialogueTurn:
    return DialogueTurn(
        number=shown.body["turn"],
        comparison=Comparison.model_validate_json(shown.payload),
        shown_order=tuple(shown.shown_order),
        order_seed=shown.body.get("order_seed"),
        balance=shown.body.get("balance", ""),
        preference=None if choice is None else preference_of(choice),
        continued_with=None if choice is None else choice.body["continued"],
    )
