"""Conversations of labelers, for the pages and the API alike; see ``turns.py`` for what is live."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Message, Response
from accord.store import conversations, dialogues, events
from accord.store.dialogues import Dialogue
from accord.store.leases import Task
from accord.store.tables import OPEN
from accord.web import work
from accord.web.bodies import ChooseBody, ConversationNext, ConversationShown, FinishBody, TalkState
from accord.web.deps import State, Viewer
from accord.web.errors import CONFLICT, Problem
from accord.web.shown import care_of, draft_of, form_of, messages_shown, responses_shown
from accord.web.turns import NOBODY, Candidate, Turn, new_seed
from accord.web.wording import question
from accord.web.work import Desk, Found


class _Undone(Exception):
    """Rolls a transaction back that was only to see what it would do."""


def shown(at: Desk, task: Task) -> ConversationShown:
    """A conversation as its labeler sees it."""
    spec = at.spec
    dialogue = _dialogue(at.session, task.id)
    turn = at.state.turns.of(task.id)
    offered = None if dialogue is None else dialogue.undecided()
    texts: list[str] = []
    if offered is not None:
        texts = [offered.comparison.responses[index].text for index in offered.shown_order]
        messages = offered.comparison.prompt.messages
    else:
        messages = _history(dialogue, task)
        if turn is not None and not turn.problem:
            messages = (*messages, Message(role="user", content=turn.message))
    return ConversationShown(
        id=task.id,
        project=spec.id,
        mode=spec.mode or "helpful",
        question=question(spec, len(texts)),
        instruction=task.item.instruction,
        goal="" if dialogue is None else dialogue.goal,
        messages=messages_shown(messages),
        candidates=responses_shown(texts),
        state=_state(dialogue, turn, spec.settings.max_turns),
        turns=_decided(dialogue),
        min_turns=spec.settings.min_turns,
        max_turns=spec.settings.max_turns,
        form=form_of(spec, ranked=True),
        guideline=task.guideline,
        care=care_of(spec),
        break_due=work.break_due(at),
        problem=_problem(at, turn),
        draft=draft_of(task),
    )


def next_conversation(at: Desk) -> ConversationNext:
    """The next conversation of a project: the one under way, or a new one."""
    return after(at, work.next_task(at))


def after(at: Desk, found: Found) -> ConversationNext:
    """The same, of what ``work.next_task`` found."""
    conversation = None if found.task is None else shown(at, found.task)
    return ConversationNext(conversation=conversation, reason=found.reason, progress=found.progress)


def begin(at: Desk, task: Task, goal: str) -> None:
    """Say what one sets out to do."""
    conversations.begin(at.session, task.id, goal, labeler=at.viewer.name, now=at.now)


def send(state: State, viewer: Viewer, task_id: str, text: str) -> None:
    """Send a message; two candidates begin to be written.

    The ledger is asked first what it would do with candidates for this message: it refuses what
    cannot be, and tells the dialogue so far and the order on the screen. Nothing of that is kept.

    Raises:
        Problem: 409, the last message is being answered.
        InputError: no assistant is served, or the message cannot be sent now.
    """
    known = state.turns.of(task_id)
    if known is not None and not known.problem and not known.is_kept:
        if known.message == text:
            return
        raise Problem(CONFLICT, "Your last message is being answered; wait for it", code="busy")
    offer = None
    try:
        with state.writing() as session:
            at, _ = work.desk_of_task(session, state, viewer, task_id)
            pair = state.turns.pair(at.spec.settings.generators)
            drafts = [Candidate(one, (), new_seed()) for one in pair]
            before = _dialogue(session, task_id)
            is_new = before is None or before.undecided() is None
            offer = conversations.offer(
                session,
                task_id,
                text,
                [one.response("") for one in drafts],
                labeler=viewer.name,
                now=at.now,
                seed=state.settings.seed,
            )
            raise _Undone
    except _Undone:
        pass
    if offer is None or not is_new:
        return  # the message was answered before; its candidates are there
    messages = offer.comparison.prompt.messages
    drafts = [replace(one, messages=messages) for one in drafts]

    def keep(made: Sequence[Response]) -> tuple[int, ...]:
        with state.writing() as session:
            kept = conversations.offer(
                session,
                task_id,
                text,
                made,
                labeler=viewer.name,
                now=state.clock(),
                seed=state.settings.seed,
            )
        return kept.shown_order

    now = state.turns.monotonic()
    turn = Turn(message=text, labeler=viewer.name, order=offer.shown_order, began=now)
    state.turns.begin(task_id, turn, drafts, keep)


def choose(at: Desk, task: Task, body: ChooseBody) -> None:
    """Keep the choice between the candidates.

    Raises:
        InputError: there is nothing to choose from, or the choice does not fit.
        AlreadyAnswered: another choice was made.
    """
    dialogue = _begun(at.session, task.id)
    turn = dialogue.undecided() or next(
        (one for one in dialogue.turns if one.answer_id == str(body.id)), None
    )
    order = turn.shown_order if turn is not None else tuple(range(len(body.ranks)))
    going_on = None
    if body.continue_with is not None:
        if body.continue_with >= len(order):
            raise InputError(f"`continue_with` is {body.continue_with}; there are {len(order)}")
        going_on = order[body.continue_with]
    conversations.choose(
        at.session,
        task.id,
        work.answer_of(body, order, task.guideline),
        continue_with=going_on,
        labeler=at.viewer.name,
        now=at.now,
    )
    at.state.turns.end(task.id)


def undo(at: Desk, task: Task) -> None:
    """Take the last choice back."""
    conversations.undo_choice(at.session, task.id, labeler=at.viewer.name, now=at.now)


def finish(at: Desk, task: Task, body: FinishBody) -> ConversationNext:
    """End a conversation and find the next one."""
    conversations.finish(
        at.session,
        task.id,
        rating=body.rating,
        comment=body.comment,
        seconds=body.active_seconds,
        labeler=at.viewer.name,
        now=at.now,
    )
    at.state.turns.end(task.id)
    return next_conversation(at)


def _problem(at: Desk, turn: Turn | None) -> str:
    if turn is not None:
        return turn.problem
    return "" if at.state.turns.known(at.spec.settings.generators) else NOBODY


def _dialogue(session: Session, conversation_id: str) -> Dialogue | None:
    if events.find(session, conversation_id, [OPEN]) is None:
        return None
    return dialogues.load(session, conversation_id)


def _begun(session: Session, conversation_id: str) -> Dialogue:
    found = _dialogue(session, conversation_id)
    if found is None:
        raise InputError("the conversation has not begun; say its goal first")
    return found


def _history(dialogue: Dialogue | None, task: Task) -> tuple[Message, ...]:
    said = () if dialogue is None else dialogue.messages()
    return said or (task.item.prompt.messages if task.item.prompt is not None else ())


def _decided(dialogue: Dialogue | None) -> int:
    turns = () if dialogue is None else dialogue.turns
    return sum(turn.answer_id is not None for turn in turns)


def _state(dialogue: Dialogue | None, turn: Turn | None, max_turns: int) -> TalkState:
    if dialogue is None:
        return "begin"
    if dialogue.finished:
        return "finished"
    if dialogue.undecided() is not None:
        return "choose"
    if turn is not None and not turn.problem:
        return "stream"  # kept a moment ago perhaps, but not yet in what this transaction sees
    return "end" if _decided(dialogue) >= max_turns else "write"
