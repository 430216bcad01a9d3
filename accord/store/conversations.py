"""Conversations: a labeler talks, candidates answer at every turn, the chosen one goes on.

A conversation is one task; its id is the task's. Every turn adds a comparison to the ledger, whose
prompt is the dialogue so far, and the choice is a vote on it, so turns are exported and trained on
like any other comparison. The goal is an event before the first turn, the rating one after the
last (Ganguli et al. 2022, arXiv:2209.07858: attack goal before, self-rating 0-4 after).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Answer, Comparison, Item, Message, Prompt, Response
from accord.store import (
    answers,
    balance,
    dialogues,
    drafts,
    events,
    fitting,
    items,
    leases,
    projects,
    standings,
    tables,
)
from accord.store.answers import Receipt
from accord.store.dialogues import Dialogue
from accord.store.labelers import locked
from accord.store.leases import AlreadyAnswered, NotYours
from accord.store.projects import Project
from accord.store.tables import CLOSE, EXPIRED, LEASED, OPEN, SHOW, VOTE, VOTED, WITHDRAW

LONGEST_MESSAGE = 50_000  # characters
HIGHEST_RATING = 4


@dataclass(frozen=True)
class Offer:
    """The candidates of one turn, before a labeler."""

    conversation_id: str
    turn: int  #: from 0
    comparison: Comparison
    shown_order: tuple[int, ...]


def begin(session: Session, task_id: str, goal: str, *, labeler: str, now: datetime) -> Dialogue:
    """Begin the conversation of a task; beginning again with the same goal changes nothing.

    Args:
        session: a writing transaction.
        task_id: of ``queue.next_task`` in a project of conversations.
        goal: what the labeler sets out to do; in red-team mode the attack, which must be said.
        labeler: whose task it is.
        now: the present time, with zone.

    Raises:
        NotYours: no such task is this labeler's.
        InputError: the task is no conversation, it began with another goal, or the goal is missing.
    """
    project, row = _task(session, task_id, labeler)
    spec = project.spec
    if spec.mode == "red_team" and not goal.strip():
        raise InputError("goal: is empty; say what you will try before the conversation begins")
    if len(goal) > LONGEST_MESSAGE:
        raise InputError(f"goal: {len(goal)} characters; keep it under {LONGEST_MESSAGE}")
    earlier = events.find(session, task_id, [OPEN])
    if earlier is None:
        values = _values(project, row) | {"note": goal}
        events.append(session, OPEN, task_id, now=now, values=values)
        _renew(session, project, row, now)
    elif earlier.note != goal:
        raise InputError("goal: the conversation began with another goal, which stays")
    return dialogues.load(session, task_id)


def offer(
    session: Session,
    conversation_id: str,
    message: str,
    candidates: Sequence[Response],
    *,
    labeler: str,
    now: datetime,
    seed: int,
) -> Offer:
    """Record what the labeler wrote and the responses that were generated for it.

    Sending the same message again, before a choice, gives the same offer with its first candidates.

    Args:
        session: a writing transaction.
        conversation_id: of a conversation that began.
        message: the labeler's turn.
        candidates: two or more; text, policy, digest, sampling and seed are kept, ids made anew.
        labeler: whose conversation it is.
        now: the present time, with zone.
        seed: decides the order on the screen.

    Raises:
        NotYours: no such conversation is this labeler's.
        InputError: it is over or has all its turns, the message is empty, or the last turn has no
            choice yet.
    """
    project, row = _task(session, conversation_id, labeler)
    dialogue = _open(session, conversation_id)
    earlier = dialogue.undecided()
    if earlier is not None:
        if earlier.comparison.prompt.messages[-1].content == message:
            return Offer(conversation_id, earlier.number, earlier.comparison, earlier.shown_order)
        raise InputError("message: choose one of the candidates first")
    if not message.strip():
        raise InputError("message: is empty; write something")
    if len(message) > LONGEST_MESSAGE:
        raise InputError(f"message: {len(message)} characters; keep it under {LONGEST_MESSAGE}")
    turn = len(dialogue.turns)
    if turn >= project.spec.settings.max_turns:
        raise InputError(f"message: the conversation has its {turn} turns; finish it")
    comparison = _comparison(row, dialogue, message, candidates, turn)
    items.insert_new(session, [comparison])
    items.join(session, [comparison.id], f"{project.id}/conversations")
    order, mark = balance.deal(
        session, comparison.responses, project_id=project.id, person=row.labeler_id, seed=seed
    )
    values = _values(project, row) | {"comparison_id": comparison.id, "shown_order": list(order)}
    values["body"] |= {"turn": turn, "order_seed": seed, "balance": mark}
    events.append(session, SHOW, comparison.id, now=now, values=values)
    _renew(session, project, row, now)
    return Offer(conversation_id, turn, comparison, order)


def choose(
    session: Session,
    conversation_id: str,
    answer: Answer,
    *,
    continue_with: int | None = None,
    labeler: str,
    now: datetime,
) -> Receipt:
    """Record the choice between the candidates of the last turn, once.

    Args:
        session: a writing transaction.
        conversation_id: of a conversation with an offer.
        answer: ranks, strength, flags; its id makes repeating safe.
        continue_with: index of the response that the conversation goes on with, one of those
            ranked first; the only one of them by default, of several the one shown first.
        labeler: whose conversation it is.
        now: the present time, with zone.

    Raises:
        NotYours: no such conversation is this labeler's.
        AlreadyAnswered: another choice was made.
        InputError: the answer does not fit, or there is nothing to choose from.
    """
    project, row = _task(session, conversation_id, labeler)
    earlier = events.find(session, answer.id)
    if earlier is not None:
        return answers.receipt_again(session, earlier, row, answer)
    dialogue = _open(session, conversation_id)
    turn = dialogue.undecided()
    if turn is None:
        last = dialogue.turns[-1].answer_id if dialogue.turns else None
        if last:
            raise AlreadyAnswered(last)
        raise InputError("there are no candidates to choose from; write a message first")
    item = Item.model_validate(turn.comparison.model_dump())
    fitting.check_labels(project.spec, item, answer)
    fitting.ranking(project.spec, item, answer)
    first = [i for i in turn.shown_order if answer.ranks[i] == min(answer.ranks)]
    chosen = first[0] if continue_with is None else continue_with
    if chosen not in first:
        raise InputError("continue_with: go on with a response that you ranked first")
    values = answers.event_values(project, row, answer) | {
        "comparison_id": turn.comparison.id,
        "shown_order": list(turn.shown_order),
    }
    said = {"turn": turn.number, "continued": chosen, "order_seed": turn.order_seed}
    values["body"] |= said
    seq = events.append(session, VOTE, answer.id, now=now, values=values)
    if row.draft is not None:
        drafts.drop(session, conversation_id)
    _renew(session, project, row, now)
    return Receipt(True, answer.id, seq)


def undo_choice(session: Session, conversation_id: str, *, labeler: str, now: datetime) -> Dialogue:
    """Take the last choice back, as long as nothing was said after it.

    Raises:
        NotYours: no such conversation is this labeler's.
        InputError: it is over, or there is no choice to take back.
    """
    project, row = _task(session, conversation_id, labeler)
    dialogue = _open(session, conversation_id)
    if dialogue.undecided() is not None:
        return dialogue  # taken back already
    if not dialogue.turns:
        raise InputError("there is no choice to take back")
    last = dialogue.turns[-1]
    values = _values(project, row) | {"comparison_id": last.comparison.id, "note": "undo"}
    values["body"] |= {"by": labeler}
    events.append(session, WITHDRAW, str(last.answer_id), now=now, values=values)
    return dialogues.load(session, conversation_id)


def finish(
    session: Session,
    conversation_id: str,
    *,
    rating: int | None = None,
    comment: str = "",
    seconds: float | None = None,
    labeler: str,
    now: datetime,
) -> bool:
    """End a conversation.

    Args:
        session: a writing transaction.
        conversation_id: of a conversation that began.
        rating: 0 to 4, how far the goal was reached; needed in red-team mode.
        comment: anything else to say.
        seconds: active time of the whole conversation.
        labeler: whose conversation it is.
        now: the present time, with zone.

    Returns:
        False if it was finished already.

    Raises:
        NotYours: no such conversation is this labeler's.
        InputError: the rating is missing or off the scale, or there are too few turns.
    """
    project, row = _task(session, conversation_id, labeler)
    if events.find(session, conversation_id, [CLOSE]) is not None:
        return False
    dialogue = _open(session, conversation_id)
    if rating is not None and not 0 <= rating <= HIGHEST_RATING:
        raise InputError(f"rating: `{rating}`; it goes from 0 to {HIGHEST_RATING}")
    if rating is None and project.spec.mode == "red_team":
        raise InputError(f"rating: is missing; say from 0 to {HIGHEST_RATING} how far you got")
    decided = [turn for turn in dialogue.turns if turn.answer_id is not None]
    fewest = project.spec.settings.min_turns
    if len(decided) < fewest:
        raise InputError(f"the conversation has {len(decided)} turns; it needs {fewest}")
    open_turn = dialogue.undecided()
    if open_turn is not None:
        balance.give_back(session, open_turn.balance, project_id=project.id, person=row.labeler_id)
    values = _values(project, row) | {"note": comment, "seconds": seconds}
    values["body"] |= {"rating": rating}
    events.append(session, CLOSE, conversation_id, now=now, values=values)
    leases.put(session, conversation_id, VOTED, answer_id=conversation_id)
    if row.draft is not None:
        drafts.drop(session, conversation_id)
    person = locked(session, labeler)
    standings.count_answer(session, project.spec, person, now=now)
    return True


def withdraw(
    session: Session, conversation_id: str, *, reason: str, by: str, now: datetime
) -> bool:
    """Take every choice of a conversation out of what counts; False if none was left.

    Raises:
        NotYours: there is no such conversation.
    """
    begun = events.find(session, conversation_id, [OPEN])
    if begun is None:
        raise NotYours(conversation_id)
    names = select(tables.labelers.c.name).where(tables.labelers.c.id == begun.labeler_id)
    locked(session, session.scalars(names).one())
    standing = [t for t in dialogues.load(session, conversation_id).turns if t.answer_id]
    for turn in standing:
        values = {
            "comparison_id": turn.comparison.id,
            "labeler_id": begun.labeler_id,
            "project_id": begun.project_id,
            "note": reason,
            "body": {"by": by, "task": conversation_id},
        }
        events.append(session, WITHDRAW, str(turn.answer_id), now=now, values=values)
    return bool(standing)


def _task(session: Session, task_id: str, labeler: str) -> tuple[Project, Row[Any]]:
    person = locked(session, labeler)
    row = leases.find(session, task_id, person)
    if row is None:
        raise NotYours(task_id)
    project = projects.get(session, row.project_id)
    if project.spec.task != "conversation":
        raise InputError(f"project `{project.id}` is a {project.spec.task} task, no conversation")
    return project, row


def _open(session: Session, conversation_id: str) -> Dialogue:
    """A conversation that began and is not over."""
    if events.find(session, conversation_id, [OPEN]) is None:
        raise InputError("the conversation has not begun; say its goal first")
    dialogue = dialogues.load(session, conversation_id)
    if dialogue.finished:
        raise InputError("the conversation is over; ask for the next task")
    return dialogue


def _comparison(
    row: Row[Any], dialogue: Dialogue, message: str, candidates: Sequence[Response], turn: int
) -> Comparison:
    if len(candidates) < 2:  # noqa: PLR2004  # nothing to choose from
        raise InputError(f"{len(candidates)} candidates; a turn needs two or more")
    identifier = f"{dialogue.id}:{turn}"
    if turn:
        history = dialogue.messages()
    else:
        prompt = items.parsed(row.payload).prompt
        history = () if prompt is None else prompt.messages
    if history and history[-1].role == "user":  # the item's prompt already asks something
        history = (
            *history[:-1],
            Message(role="user", content=f"{history[-1].content}\n\n{message}"),
        )
    else:
        history = (*history, Message(role="user", content=message))
    prompt_id = f"{identifier}:prompt"
    made = tuple(
        response.model_copy(update={"id": f"{identifier}:{k}", "prompt_id": prompt_id})
        for k, response in enumerate(candidates)
    )
    return Comparison(id=identifier, prompt=Prompt(id=prompt_id, messages=history), responses=made)


def _values(project: Project, row: Row[Any]) -> dict[str, Any]:
    spec = project.spec
    return {
        "comparison_id": row.comparison_id,
        "labeler_id": row.labeler_id,
        "project_id": project.id,
        "guideline": spec.guideline,
        "body": {
            "task": row.task_id,
            "version": project.version,
            "mode": spec.mode,
            "priority": spec.priority,
            "polarity": spec.polarity,
        },
    }


def _renew(session: Session, project: Project, row: Row[Any], now: datetime) -> None:
    """Somebody is at work: the lease begins anew."""
    if row.state == EXPIRED:
        answers.reopen(session, row, now=now)
    if row.state in (LEASED, EXPIRED):
        until = now + timedelta(seconds=project.spec.settings.lease_seconds)
        leases.put(session, row.task_id, LEASED, until=until)
