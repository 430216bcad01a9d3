"""From the store to the page: everything that a labeler sees is made here, and only from texts.

A response becomes its place and its text. Who wrote it, its id, its sampling and why the item is
asked stay in the store; tests look for them in every answer of the server.
"""

import json
from typing import Any

from accord.records import Message
from accord.store.leases import Task
from accord.store.specs import Labels, ProjectSpec
from accord.web.bodies import (
    AnswerForm,
    Care,
    Choice,
    MessageShown,
    ResponseShown,
    TaskShown,
)
from accord.web.markdown import render
from accord.web.wording import question

LABELS = "ABCDEFGHI"


def task_shown(task: Task, spec: ProjectSpec) -> TaskShown:
    """What a labeler sees of a task."""
    texts = texts_of(task)
    return TaskShown(
        id=task.id,
        project=spec.id,
        task=task.kind,
        mode=spec.mode or "helpful",
        question=question(spec, len(texts)),
        instruction=task.item.instruction,
        messages=messages_shown(task.item.prompt.messages if task.item.prompt else ()),
        responses=responses_shown(texts),
        form=form_of(spec, ranked=len(texts) > 1),
        guideline=task.guideline,
        care=care_of(spec),
        draft=draft_of(task),
        lease_ends_at=task.expires_at,
    )


def form_of(spec: ProjectSpec, *, ranked: bool) -> AnswerForm:
    """What an answer may hold; ``ranked`` when there is more than one response."""
    settings = spec.settings
    return AnswerForm(
        strength_steps=settings.strength_steps if ranked else 0,
        ties=settings.ties and ranked,
        flags=_choices(settings.flags),
        axes=_choices(settings.axes),
        needs_ratings=settings.require_ratings,
        writes=spec.task == "demonstration",
    )


def texts_of(task: Task) -> list[str]:
    """The texts of the responses, in the order of their places."""
    return [task.item.responses[index].text for index in task.shown_order]


def responses_shown(texts: list[str]) -> list[ResponseShown]:
    """Responses as a labeler knows them."""
    return [
        ResponseShown(place=place, label=LABELS[place], text=text, html=render(text))
        for place, text in enumerate(texts)
    ]


def messages_shown(messages: tuple[Message, ...]) -> list[MessageShown]:
    """A conversation as a labeler sees it."""
    return [
        MessageShown(role=one.role, text=one.content, html=render(one.content)) for one in messages
    ]


def care_of(spec: ProjectSpec) -> Care:
    """How to treat what may hurt who reads it."""
    care = spec.settings.care
    return Care(content_classes=list(care.content_classes), blur=care.blur)


def draft_of(task: Task) -> dict[str, Any] | None:
    """What was saved of an unfinished answer; None when it is nothing that a page made."""
    try:
        found = json.loads(task.draft) if task.draft else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _choices(labels: Labels) -> list[Choice]:
    return [
        Choice(
            name=one.name, title=one.title or one.name, hint=one.hint, low=one.low, high=one.high
        )
        for one in labels
    ]
