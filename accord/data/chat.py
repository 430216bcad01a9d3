"""The one conversation format: how messages become text, and text becomes tokens.

    user       "\\n\\nHuman: " + content
    assistant  "\\n\\nAssistant: " + content
    prompt     all turns so far + "\\n\\nAssistant:"
    response   " " + text + end of sequence

A prompt and its response are tokenised apart, so that the tokens which a policy sampled and the
tokens which a preference model scores are split at the same place.

Source: the layout of the HH-RLHF files, https://github.com/anthropics/hh-rlhf.
Differs from the source: every response ends with an end-of-sequence token, which a policy has to
learn, and at which a preference model reads its score ("end-of-context token" in Bai et al. 2022,
arXiv:2204.05862, section 2.2).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from accord.config import InputError
from accord.records import Message, Prompt

HUMAN = "\n\nHuman:"
ASSISTANT = "\n\nAssistant:"
_TURN = re.compile(r"\n\n(Human|Assistant):")


class Tokenizer(Protocol):
    """What is asked of a tokenizer; those of ``transformers`` have it."""

    @property
    def eos_token_id(self) -> Any:
        """The token that ends every response."""

    def __call__(self, text: Any, *, add_special_tokens: bool) -> Any:
        """``{"input_ids": [...]}`` of each text."""

    def decode(self, token_ids: Any, **options: Any) -> Any:
        """The text of some tokens."""


def render(messages: Iterable[Message]) -> str:
    r"""A whole conversation as text, without the end of sequence.

    >>> render([Message(role="user", content="Hi"), Message(role="assistant", content="Hello")])
    '\n\nHuman: Hi\n\nAssistant: Hello'
    """
    return "".join(
        f"{HUMAN if message.role == 'user' else ASSISTANT} {message.content}"
        for message in messages
    )


def render_prompt(prompt: Prompt) -> str:
    r"""A prompt as text, up to the place where the response begins.

    >>> render_prompt(Prompt(id="p", messages=[Message(role="user", content="Hi")]))
    '\n\nHuman: Hi\n\nAssistant:'
    """
    return render(prompt.messages) + ASSISTANT


def parse_dialogue(text: str) -> list[Message]:
    r"""The messages of a conversation in the format above; spaces around a turn are dropped.

    Raises:
        InputError: the text does not begin with a turn.

    >>> [m.role for m in parse_dialogue("\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye")]
    ['user', 'assistant', 'user']
    """
    pieces = _TURN.split("\n\n" + text.lstrip())
    if pieces[0].strip() or len(pieces) == 1:
        raise InputError(
            f"a conversation begins with `Human:` or `Assistant:`, not `{text.strip()[:40]}`"
        )
    return [
        Message(role="user" if role == "Human" else "assistant", content=content.strip())
        for role, content in zip(pieces[1::2], pieces[2::2], strict=True)
    ]


def encode_prompt(tokenizer: Tokenizer, prompt: Prompt) -> list[int]:
    """Tokens of a prompt; begins with the tokenizer's start token if it has that habit."""
    return encode_prompts(tokenizer, [prompt])[0]


def encode_prompts(tokenizer: Tokenizer, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Tokens of many prompts; one call is far faster than many."""
    return _ids(tokenizer, [render_prompt(prompt) for prompt in prompts], special=True)


def encode_responses(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Tokens of many responses, each with its end of sequence."""
    end = tokenizer.eos_token_id
    return [[*ids, end] for ids in _ids(tokenizer, [f" {text}" for text in texts], special=False)]


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Tokens of many plain documents, each with its end of sequence."""
    end = tokenizer.eos_token_id
    return [[*ids, end] for ids in _ids(tokenizer, list(texts), special=True)]


def decode_response(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The text of a response: up to its first end of sequence, without the leading space."""
    tokens = list(ids)
    if tokenizer.eos_token_id in tokens:
        tokens = tokens[: tokens.index(tokenizer.eos_token_id)]
    text: str = tokenizer.decode(
        tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return text.removeprefix(" ")


def _ids(tokenizer: Tokenizer, texts: list[str], *, special: bool) -> list[list[int]]:
    if not texts:
        return []
    encoded: list[list[int]] = tokenizer(texts, add_special_tokens=special)["input_ids"]
    if not special:
        return encoded
    # Some tokenizers also append the end of sequence, which is not wanted after a prompt and is
    # added by the callers that want it.
    end = tokenizer.eos_token_id
    return [ids[:-1] if ids and ids[-1] == end else ids for ids in encoded]
