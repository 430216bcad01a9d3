"""OpenAssistant trees: people write prompts and replies, and rank replies to one prompt.

Source: https://github.com/LAION-AI/Open-Assistant, ``oasst-data``; Köpf et al. 2023,
arXiv:2304.07327.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from accord.data.files import Row
from accord.data.threads import Answer, Tally, Thread, prompt_of
from accord.records import Message

ROLES = {"prompter": "user", "assistant": "assistant"}


def tree_threads(row: Row, tally: Tally) -> Iterator[Thread]:
    """One thread for every prompt in a tree that has replies.

    Replies that were deleted or that reviewers refused are left out, with what hangs on them.
    """
    root = row.values["prompt"] if "message_tree_id" in row.values else row.values
    if not isinstance(root, dict):
        raise row.error("`prompt` is not a message")
    yield from _below(row, root, [], tally)


def _below(
    row: Row, node: dict[str, Any], before: Sequence[Message], tally: Tally
) -> Iterator[Thread]:
    path = [*before, _message(row, node)]
    replies = node.get("replies") or []
    if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
        raise row.error("`replies` is not a list of messages")
    kept = [reply for reply in replies if _is_kept(row, reply, tally)]
    if path[-1].role == "user" and kept:
        answers = tuple(_answer(row, reply) for reply in kept)
        yield Thread(prompt_of(path, kind=row.source), answers, labeler=row.source)
    for reply in kept:
        yield from _below(row, reply, path, tally)


def _is_kept(row: Row, reply: dict[str, Any], tally: Tally) -> bool:
    if reply.get("deleted") or reply.get("review_result") is False:
        tally.leave_out("refused")
        return False
    if not _message(row, reply).content:
        tally.leave_out("empty")
        return False
    return True


def _message(row: Row, node: dict[str, Any]) -> Message:
    text, role = node.get("text"), node.get("role")
    if not isinstance(text, str):
        raise row.error("the `text` of a message is missing")
    if role not in ROLES:
        raise row.error(f"the `role` of a message is `{role}`, not `prompter` or `assistant`")
    return Message.model_validate({"role": ROLES[role], "content": text.strip()})


def _answer(row: Row, reply: dict[str, Any]) -> Answer:
    rank = reply.get("rank")
    if rank is not None and not isinstance(rank, int):
        raise row.error(f"the `rank` of a message is `{rank}`, not a whole number")
    is_synthetic = bool(reply.get("synthetic"))
    return Answer(
        text=_message(row, reply).content,
        rank=None if rank is None else rank + 1,
        policy=str(reply.get("model_name") or "model") if is_synthetic else "people",
        is_synthetic=is_synthetic,
    )
