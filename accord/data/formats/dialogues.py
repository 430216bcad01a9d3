"""Two conversations that go apart: the prompt they share, and the two ways on as responses.

    a: user 1, assistant 1, user 2, assistant A      prompt: user 1, assistant 1, user 2
    b: user 1, assistant 1, user 2, assistant B      responses: A and B

Conversations that differ earlier (two chatbots that each saw their own answers) share less. The
response is then the rest of the conversation in the layout of ``accord.data.chat``, in which a
preference model reads it anyway.
"""

import re
from collections.abc import Sequence

from accord.data.chat import ASSISTANT, render
from accord.records import Message

_TURN = re.compile(r"\n\n(Human|Assistant):")


def split(text: str) -> list[Message]:
    r"""The messages of a conversation as text, with their spaces: the inverse of ``chat.render``.

    Raises:
        ValueError: the text does not begin with a turn.

    >>> [m.content for m in split("\n\nHuman: Hi\n\nAssistant:  Hello ")]
    ['Hi', ' Hello ']
    """
    pieces = _TURN.split("\n\n" + text.lstrip())
    if pieces[0].strip() or len(pieces) == 1:
        raise ValueError("does not begin with `Human:` or `Assistant:`")
    return [
        Message(role="user" if role == "Human" else "assistant", content=content.removeprefix(" "))
        for role, content in zip(pieces[1::2], pieces[2::2], strict=True)
    ]


def parted(
    one: Sequence[Message], other: Sequence[Message]
) -> tuple[list[Message], str, str] | None:
    """The prompt that two conversations share, and how each goes on; None if they share none.

    The prompt ends with the user, and in both the assistant answers.
    """
    same = 0
    for mine, yours in zip(one[:-1], other[:-1], strict=False):
        if mine != yours:
            break
        same += 1
    while same and not (
        one[same - 1].role == "user"
        and one[same].role == "assistant"
        and other[same].role == "assistant"
    ):
        same -= 1
    if not same:
        return None
    return list(one[:same]), rest(one[same:]), rest(other[same:])


def rest(messages: Sequence[Message]) -> str:
    r"""What follows a prompt, as the text of a response: one turn as it is, more as a dialogue.

    >>> rest([Message(role="assistant", content="Hello"), Message(role="user", content="Bye"),
    ...       Message(role="assistant", content="Bye!")])
    'Hello\n\nHuman: Bye\n\nAssistant: Bye!'
    """
    return messages[0].content + render(messages[1:])


def whole(prompt: Sequence[Message], text: str) -> list[Message]:
    """The conversation of a prompt and a response: what ``parted`` took apart."""
    return [*prompt, *split(f"{ASSISTANT} {text}")]


def as_dicts(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as most files have them."""
    return [{"role": message.role, "content": message.content} for message in messages]
