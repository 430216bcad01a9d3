"""Public data files as threads: which kind of row is which.

    chosen, rejected                     HH-RLHF: two dialogues that differ in the last answer
    prompt, chosen, rejected             TL;DR, HHH alignment, preference sets of chat models
    instruction, input, chosen, rejected
    input, target_scores                 BIG-bench: answers with a score each, HHH alignment
    instruction, input, output           demonstrations; also instruction, instances
    prompt, response (or completion)     demonstrations, Accord's own among them
    messages                             a chat; Accord's own prompts among them
    title, body, answers                 Stack Exchange; also question, answers with pm_score
    title, body, comments                posts of a forum; title, revisions: the history of a page
    message_tree_id, prompt              OpenAssistant trees; also message_id, replies
    comparison, preferences              Accord's own labeled comparisons
    prompt / question / turns / instruction, or a line that is just text: prompts
    text                                 documents

The first row of a file decides; every further row is held to it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from accord.config import InputError
from accord.data.chat import parse_dialogue
from accord.data.files import Row, Source, rows
from accord.data.threads import Answer, Tally, Thread, prompt_of
from accord.data.trees import tree_threads
from accord.data.voted_answers import edit_history, forum_thread, voted_thread
from accord.records import Demonstration, LabeledComparison, Message, Prompt

Form = Callable[[Row, Tally], Iterator[Thread]]

ROLES = {
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}
_TURN = re.compile(r"(^|\n\n)(Human|Assistant):")


def threads(source: Source, tally: Tally) -> Iterator[Thread]:
    """Every thread of a source.

    Args:
        source: a file, a directory, or ``hf:NAME``.
        tally: counts the rows, and those left out with the reason.

    Raises:
        InputError: nothing is there, or a row is not what it should be; names file and line.
    """
    form, before = None, None
    for row in rows(source):
        if form is None or row.source != before:
            form, before = _form(row), row.source
        tally["rows"] += 1
        yield from form(row, tally)


def documents(source: Source, tally: Tally, *, characters: int) -> Iterator[dict[str, Any]]:
    """Texts to pretrain on: ``{"text"}``, or ``{"messages"}`` for the best answers of a thread.

    Args:
        source: a file, a directory, or ``hf:NAME``.
        tally: counts the rows.
        characters: about the length of the pieces that long texts are cut into.
    """
    form, before = None, None
    for row in rows(source):
        if "text" in row.values and not _known(row):
            tally["rows"] += 1
            yield from ({"text": piece} for piece in pieces(row.text("text"), characters))
            continue
        if form is None or row.source != before:
            form, before = _form(row), row.source
        tally["rows"] += 1
        for thread in form(row, tally):
            for messages in thread.conversations():
                yield {"messages": [message.model_dump() for message in messages]}


def pieces(text: str, characters: int) -> Iterator[str]:
    """A text cut between paragraphs, each piece as long as fits into ``characters``.

    >>> list(pieces("one\\n\\ntwo\\n\\nthree", 9))
    ['one\\n\\ntwo', 'three']
    """
    piece = ""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if piece and len(piece) + 2 + len(paragraph) > characters:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}" if piece else paragraph
    if piece:
        yield piece


# Kinds of rows


def _own_comparison(row: Row, tally: Tally) -> Iterator[Thread]:
    labeled = _validated(LabeledComparison, row)
    responses = labeled.comparison.responses
    totals = [sum(p.ranks[i] for p in labeled.preferences) for i in range(len(responses))]
    order = sorted(set(totals))
    answers = tuple(
        Answer(response.text, order.index(total) + 1, response.policy)
        for response, total in zip(responses, totals, strict=True)
    )
    yield Thread(labeled.comparison.prompt, answers, labeled=labeled)


def _dialogues(row: Row, tally: Tally) -> Iterator[Thread]:
    """HH-RLHF: the whole conversation twice, with one or the other last answer."""
    chosen, rejected = _conversation(row, "chosen"), _conversation(row, "rejected")
    if chosen[:-1] != rejected[:-1]:
        tally.leave_out("prompts_differ")
    elif chosen[-1].role != "assistant":
        tally.leave_out("no_response")
    else:
        yield from _pair(row, chosen[:-1], (chosen[-1].content, rejected[-1].content), tally)


def _prompt_and_pair(row: Row, tally: Tally) -> Iterator[Thread]:
    if isinstance(row.values["chosen"], list):  # chat sets repeat the prompt in each conversation
        yield from _dialogues(row, tally)
        return
    texts = (row.text("chosen"), row.text("rejected"))
    yield from _pair(row, _asked(row, "prompt"), texts, tally)


def _instruction_and_pair(row: Row, tally: Tally) -> Iterator[Thread]:
    texts = (row.text("chosen"), row.text("rejected"))
    yield from _pair(row, _instruction(row, row.values.get("input")), texts, tally)


def _pair(
    row: Row, messages: list[Message], texts: tuple[str, str], tally: Tally
) -> Iterator[Thread]:
    chosen, rejected = texts
    if not chosen or not rejected:
        tally.leave_out("empty")
    elif chosen == rejected:
        tally.leave_out("same_texts")
    else:
        answers = (Answer(chosen, 1), Answer(rejected, 2))
        yield from _thread(row, messages, answers, tally)


def _scored_targets(row: Row, tally: Tally) -> Iterator[Thread]:
    """BIG-bench: the answers with the most points first; equal points are a tie."""
    targets = row.values["target_scores"]
    is_scored = isinstance(targets, dict) and all(
        isinstance(points, (int, float)) and not isinstance(points, bool)
        for points in targets.values()
    )
    if not is_scored or len(targets) < 2:  # noqa: PLR2004 - one answer is not ranked
        raise row.error("`target_scores` does not give points to two answers or more")
    order = sorted(set(targets.values()), reverse=True)
    best_first = sorted(targets.items(), key=lambda target: -target[1])
    ranked = [(text.strip(), order.index(points) + 1) for text, points in best_first]
    answers = tuple(Answer(text, rank) for text, rank in ranked if text)
    tally.leave_out("empty", len(targets) - len(answers))
    yield from _thread(row, _asked(row, "input"), answers, tally)


def _demonstration(row: Row, tally: Tally) -> Iterator[Thread]:
    if isinstance(row.values["prompt"], dict):
        own = _validated(Demonstration, row)
        yield Thread(own.prompt, (Answer(own.response),))
        return
    key = "response" if "response" in row.values else "completion"
    yield from _answered(row, _asked(row, "prompt"), row.text(key), tally)


def _instruction_and_output(row: Row, tally: Tally) -> Iterator[Thread]:
    messages = _instruction(row, row.values.get("input"))
    yield from _answered(row, messages, row.text("output"), tally)


def _instances(row: Row, tally: Tally) -> Iterator[Thread]:
    for instance in row.items("instances"):
        inner = Row(instance, row.place, row.source)
        messages = _instruction(row, instance.get("input"))
        yield from _answered(row, messages, inner.text("output"), tally)


def _chat(row: Row, tally: Tally) -> Iterator[Thread]:
    if "id" in row.values and row.values.get("schema") == 1:
        yield Thread(_validated(Prompt, row))
        return
    messages = _conversation(row, "messages")
    if messages[-1].role == "assistant":
        yield from _answered(row, messages[:-1], messages[-1].content, tally)
    else:
        yield from _thread(row, messages, (), tally)


def _prompt_only(key: str) -> Form:
    def read(row: Row, tally: Tally) -> Iterator[Thread]:
        yield from _thread(row, _asked(row, key), (), tally)

    return read


def _turns(row: Row, tally: Tally) -> Iterator[Thread]:
    """MT-bench: the second turn needs an answer to the first, so only the first is a prompt."""
    turns = row.values["turns"]
    if not isinstance(turns, list) or not turns or not isinstance(turns[0], str):
        raise row.error("`turns` is not a list of texts")
    yield from _thread(row, [Message(role="user", content=turns[0].strip())], (), tally)


def _bare_instruction(row: Row, tally: Tally) -> Iterator[Thread]:
    yield from _thread(row, _instruction(row, row.values.get("input")), (), tally)


FORMS: tuple[tuple[set[str], Form], ...] = (  # the first whose keys a row has
    ({"comparison", "preferences"}, _own_comparison),
    ({"message_tree_id", "prompt"}, tree_threads),
    ({"message_id", "replies"}, tree_threads),
    ({"instruction", "chosen", "rejected"}, _instruction_and_pair),
    ({"prompt", "chosen", "rejected"}, _prompt_and_pair),
    ({"input", "target_scores"}, _scored_targets),
    ({"chosen", "rejected"}, _dialogues),
    ({"answers", "title"}, voted_thread),
    ({"answers", "question"}, voted_thread),
    ({"comments", "title"}, forum_thread),
    ({"revisions", "title"}, edit_history),
    ({"instruction", "instances"}, _instances),
    ({"instruction", "output"}, _instruction_and_output),
    ({"prompt", "response"}, _demonstration),
    ({"prompt", "completion"}, _demonstration),
    ({"messages"}, _chat),
    ({"prompt"}, _prompt_only("prompt")),
    ({"turns"}, _turns),
    ({"question"}, _prompt_only("question")),
    ({"instruction"}, _bare_instruction),
)


def _known(row: Row) -> bool:
    return any(keys <= row.values.keys() for keys, _ in FORMS)


def _form(row: Row) -> Form:
    for keys, form in FORMS:
        if keys <= row.values.keys():
            return form
    names = ", ".join(f"`{key}`" for key in list(row.values)[:8])
    raise InputError(
        f"{row.place}: no kind of row has the keys {names}; docs/stages/import_data.md lists "
        "the kinds, and plain text belongs under `documents`"
    )


# Parts of rows


def _thread(
    row: Row, messages: list[Message], answers: tuple[Answer, ...], tally: Tally
) -> Iterator[Thread]:
    if not messages or messages[-1].role != "user" or not messages[-1].content:
        tally.leave_out("no_question")
        return
    kind = row.values.get("subset") or row.values.get("kind") or row.values.get("category")
    named = kind if isinstance(kind, str) else row.source
    yield Thread(prompt_of(messages, kind=named), answers, labeler=row.source)


def _answered(row: Row, messages: list[Message], text: str, tally: Tally) -> Iterator[Thread]:
    if text:
        yield from _thread(row, messages, (Answer(text),), tally)
    else:
        tally.leave_out("empty")


def _instruction(row: Row, more: Any) -> list[Message]:
    text = row.text("instruction")
    if isinstance(more, str) and more.strip():
        text = f"{text}\n\n{more.strip()}"
    return [Message(role="user", content=text)]


def _asked(row: Row, key: str) -> list[Message]:
    """A prompt that is text, a conversation as text, or a list of messages."""
    if isinstance(row.values[key], list):
        return _conversation(row, key)
    text = row.text(key)
    if not _TURN.search(text):
        return [Message(role="user", content=text)]
    messages = _parsed(row, text if _TURN.match(text) else f"Human: {text}")
    return messages[:-1] if not messages[-1].content else messages  # "...\n\nAssistant:"


def _conversation(row: Row, key: str) -> list[Message]:
    if key in row.values and not isinstance(row.values[key], list):
        return _parsed(row, row.text(key))
    messages: list[Message] = []
    system = ""
    for item in row.items(key):
        role, content = item.get("role", item.get("from")), item.get("content", item.get("value"))
        if not isinstance(content, str):
            raise row.error(f"a message of `{key}` has no text")
        if role == "system":
            system = f"{content.strip()}\n\n"
            continue
        if role not in ROLES:
            raise row.error(f"a message of `{key}` has the unknown role `{role}`")
        messages.append(
            Message.model_validate({"role": ROLES[role], "content": system + content.strip()})
        )
        system = ""
    if not messages:
        raise row.error(f"`{key}` holds no messages")
    return messages


def _parsed(row: Row, text: str) -> list[Message]:
    try:
        return parse_dialogue(text)
    except InputError as error:
        raise row.error(str(error)) from error


def _validated(kind: Any, row: Row) -> Any:
    try:
        return kind.model_validate(row.values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the row"
        raise row.error(f"{where}: {first['msg']}") from error
