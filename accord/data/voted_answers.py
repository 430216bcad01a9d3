"""What the public says about preferences: votes on answers and comments, and edits taken back.

    score = −1                          when there are more votes against than for
    score = round(log₂(1 + votes)) + (1 if the asker accepted the answer)   otherwise

Answers to one question, and comments below one post, are ranked by score; equal scores say nothing.
In the history of a page, a revision that was reverted is worse than the one that stood before it.

Source: Askell et al. 2021, arXiv:2112.00861, as quoted on the card of the data set
``HuggingFaceH4/stack-exchange-preferences``.
"""

import math
from collections.abc import Iterator
from typing import Any

from accord.data.files import Row
from accord.data.threads import Answer, Tally, Thread, prompt_of
from accord.records import Message


def score(votes: int, *, is_accepted: bool = False) -> int:
    """How good an answer is by its votes.

    >>> [score(votes) for votes in (-3, 0, 1, 2, 5, 10, 100)]
    [-1, 0, 1, 2, 3, 3, 7]
    >>> score(10, is_accepted=True)
    4
    """
    if votes < 0:
        return -1
    return round(math.log2(1 + votes)) + is_accepted


def voted_thread(row: Row, tally: Tally) -> Iterator[Thread]:
    """The thread of one question, its answers ranked by score."""
    asked = row.text("question") if "question" in row.values else row.text("title")
    if "question" not in row.values and "body" in row.values:
        asked = f"{asked}\n\n{row.text('body')}"
    found = [(_score(row, answer), _text(row, answer)) for answer in row.items("answers")]
    yield from _ranked(row, asked, found, tally)


def _text(row: Row, answer: dict[str, Any]) -> str:
    text = answer.get("text")
    if not isinstance(text, str):
        raise row.error("the `text` of an answer is missing")
    return text.strip()


def _score(row: Row, answer: dict[str, Any]) -> int:
    for key in ("pm_score", "score"):
        value = answer.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            accepted = bool(answer.get("accepted") or answer.get("is_accepted"))
            return value if key == "pm_score" else score(value, is_accepted=accepted)
    raise row.error("an answer has no whole number under `score`")


def forum_thread(row: Row, tally: Tally) -> Iterator[Thread]:
    """The thread of one post of a forum, its comments ranked by their votes."""
    asked = row.text("title")
    if isinstance(row.values.get("body"), str) and row.text("body"):
        asked = f"{asked}\n\n{row.text('body')}"
    comments = row.items("comments")
    found = [(_score(row, comment), _text(row, comment)) for comment in comments]
    yield from _ranked(row, asked, found, tally)


def edit_history(row: Row, tally: Tally) -> Iterator[Thread]:
    """One thread for every revision of a page that was taken back.

    The revision that stood before it is the better answer, the reverted one the worse. A first
    revision has none before it.
    """
    standing = ""
    for revision in row.items("revisions"):
        text, is_reverted = _text(row, revision), revision.get("reverted", False)
        if not isinstance(is_reverted, bool):
            raise row.error("`reverted` of a revision is neither true nor false")
        if not is_reverted:
            standing = text
        elif not text or not standing:
            tally.leave_out("empty")
        elif text == standing:
            tally.leave_out("same_texts")
        else:
            prompt = prompt_of([Message(role="user", content=row.text("title"))], kind=row.source)
            answers = (Answer(standing, rank=1), Answer(text, rank=2))
            yield Thread(prompt, answers, labeler=row.source)


def _ranked(row: Row, asked: str, found: list[tuple[int, str]], tally: Tally) -> Iterator[Thread]:
    answers = [(points, text) for points, text in found if text]
    tally.leave_out("empty", len(found) - len(answers))
    scores = sorted({points for points, _ in answers}, reverse=True)
    ranked = tuple(Answer(text, rank=scores.index(points) + 1) for points, text in answers)
    prompt = prompt_of([Message(role="user", content=asked)], kind=row.source)
    yield Thread(prompt, ranked, labeler=row.source)
