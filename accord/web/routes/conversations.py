"""The API of conversations: begin, write, watch two candidates appear, choose, finish.

A conversation has the id of its task, which ``/projects/{project}/next`` gives.
"""

import json
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Depends, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from accord.web import talk, work
from accord.web.bodies import (
    BeginBody,
    ChooseBody,
    ConversationNext,
    ConversationShown,
    FinishBody,
    MessageBody,
)
from accord.web.deps import BEARER, COOKIE, Labeler, Server, State, Viewer, guarded
from accord.web.errors import described

router = APIRouter(
    prefix="/api/v1/conversations",
    tags=["conversations"],
    dependencies=[Depends(guarded), Depends(BEARER), Depends(COOKIE)],
    responses=described(400, 401, 403, 404, 409, 413, 422),
)

TICK_SECONDS = 0.1  # between two looks at a turn; the same for both candidates
Conversation = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_:.-]{1,250}$", description="Id of the conversation's task.")
]


@router.get("/{conversation}")
def read(conversation: Conversation, viewer: Labeler, server: Server) -> ConversationShown:
    """A conversation as it stands."""
    return _read(conversation, viewer, server)


@router.post("/{conversation}/begin")
def begin(
    conversation: Conversation, body: BeginBody, viewer: Labeler, server: Server
) -> ConversationShown:
    """Say what you set out to do; in red-team mode the attack, which is needed."""
    with server.writing() as session:
        at, task = work.desk_of_task(session, server, viewer, conversation)
        talk.begin(at, task, body.goal)
        return talk.shown(at, task)


@router.post("/{conversation}/message")
def send(
    conversation: Conversation, body: MessageBody, viewer: Labeler, server: Server
) -> ConversationShown:
    """Send a message; sending it again before a choice changes nothing."""
    talk.send(server, viewer, conversation, body.text)
    return _read(conversation, viewer, server)


@router.get(
    "/{conversation}/stream",
    response_class=StreamingResponse,
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}},
)
def watch(
    request: Request, conversation: Conversation, viewer: Labeler, server: Server
) -> StreamingResponse:
    """Watch both candidates appear, at one pace that tells nothing about who writes them.

    Events: `text` with a list of `place` and `text` so far, then `done` with the conversation, or
    `problem` with a sentence in `detail`.
    """
    _read(conversation, viewer, server)
    events = _events(request, server, viewer, conversation)
    headers = {"X-Accel-Buffering": "no"}  # a proxy in front must not hold the events back
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.post("/{conversation}/choose")
def choose(
    conversation: Conversation, body: ChooseBody, viewer: Labeler, server: Server
) -> ConversationShown:
    """Choose between the candidates; the conversation goes on with the better one."""
    with server.writing() as session:
        at, task = work.desk_of_task(session, server, viewer, conversation)
        talk.choose(at, task, body)
        return talk.shown(at, task)


@router.post("/{conversation}/undo")
def undo(conversation: Conversation, viewer: Labeler, server: Server) -> ConversationShown:
    """Take the last choice back, as long as nothing was said after it."""
    with server.writing() as session:
        at, task = work.desk_of_task(session, server, viewer, conversation)
        talk.undo(at, task)
        return talk.shown(at, task)


@router.post("/{conversation}/finish")
def finish(
    conversation: Conversation, body: FinishBody, viewer: Labeler, server: Server
) -> ConversationNext:
    """End a conversation; gives the next one."""
    with server.writing() as session:
        at, task = work.desk_of_task(session, server, viewer, conversation)
        return talk.finish(at, task, body)


def _read(conversation: str, viewer: Viewer, server: State) -> ConversationShown:
    with server.reading() as session:
        at, task = work.desk_of_task(session, server, viewer, conversation, is_writing=False)
        return talk.shown(at, task)


async def _events(
    request: Request, server: State, viewer: Viewer, conversation: str
) -> AsyncIterator[str]:
    sent: list[str] = []
    while (turn := server.turns.of(conversation)) is not None and not turn.is_over():
        if await request.is_disconnected():
            return
        texts = turn.visible(server.turns.monotonic())
        if texts != sent:
            sent = texts
            yield _event("text", _places(texts))
        await anyio.sleep(TICK_SECONDS)
    if turn is not None and turn.problem:
        yield _event("problem", {"detail": turn.problem})
        return
    whole = await run_in_threadpool(_read, conversation, viewer, server)
    yield _event("done", whole.model_dump(mode="json"))


def _places(texts: list[str]) -> list[dict[str, object]]:
    return [{"place": place, "text": text} for place, text in enumerate(texts)]


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
