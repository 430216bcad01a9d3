"""Threads: what every kind of data file comes down to.

A thread is a prompt with responses and, where people ranked them, their ranks. A demonstration is
its best response, a comparison its ranked responses, a document the conversation with the best
response. Ids are hashes of the content, so the same data give the same records everywhere.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from accord.records import (
    Comparison,
    Demonstration,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
)

MOST_RESPONSES = 9  # that a comparison may hold


@dataclass(frozen=True)
class Answer:
    """One response of a thread."""

    text: str
    rank: int | None = None  #: 1 is best, equal ranks are a tie; None when nobody ranked it
    policy: str = "unknown"  #: who or what wrote it
    is_synthetic: bool = False  #: a model wrote it where people were meant to


@dataclass(frozen=True)
class Thread:
    """A prompt and what was answered to it."""

    prompt: Prompt
    answers: tuple[Answer, ...] = ()
    labeler: str = "people"  #: who ranked; the name of the source where nothing more is known
    labeled: LabeledComparison | None = None  #: where the source holds Accord's own records

    @property
    def best(self) -> tuple[Answer, ...]:
        """The answers nobody ranked below another."""
        ranks = [answer.rank for answer in self.answers if answer.rank is not None]
        top = min(ranks, default=None)
        return tuple(answer for answer in self.answers if answer.rank in (None, top))

    def demonstrations(self, *, best_only: bool) -> Iterator[Demonstration]:
        """The best answers, or all of them, as answers to learn from."""
        for answer in self.best if best_only else self.answers:
            if not answer.is_synthetic:
                yield Demonstration(prompt=self.prompt, response=answer.text)

    def conversations(self) -> Iterator[list[Message]]:
        """The prompt with each of the best answers."""
        for answer in self.best:
            yield [*self.prompt.messages, Message(role="assistant", content=answer.text)]

    def comparison(self) -> LabeledComparison | None:
        """All ranked answers with one preference over them; None if there are fewer than two.

        The responses stand in the order of their ids, which says nothing about their ranks.
        """
        if self.labeled is not None:
            return self.labeled
        ranked = [answer for answer in self.answers if answer.rank is not None]
        kept = sorted(ranked, key=lambda answer: answer.rank or 0)[:MOST_RESPONSES]
        return _labeled(self.prompt, kept, self.labeler) if len(kept) > 1 else None

    def pairs(self) -> list[LabeledComparison]:
        """Every two answers of different ranks as a comparison of their own."""
        if self.labeled is not None:
            return [self.labeled]
        ranked = [answer for answer in self.answers if answer.rank is not None]
        return [
            _labeled(self.prompt, pair, self.labeler)
            for pair in combinations(ranked, 2)
            if pair[0].rank != pair[1].rank
        ]


class Tally(Counter[str]):
    """What was read, and what was left out for which reason."""

    def leave_out(self, reason: str, rows: int = 1) -> None:
        """Count rows that are left out."""
        if rows:
            self[f"left_out/{reason}"] += rows


def prompt_of(messages: Sequence[Message], *, kind: str = "") -> Prompt:
    """A prompt whose id is a hash of its messages."""
    text = "\0".join(f"{message.role}\0{message.content}" for message in messages)
    return Prompt(id=f"p-{hashed(text)}", messages=tuple(messages), kind=kind)


def opening(prompt: Prompt) -> str:
    """The first thing that the user says: conversations that begin alike stay on one side."""
    return next(message.content for message in prompt.messages if message.role == "user")


def merged(labeled: Iterable[LabeledComparison], tally: Tally) -> list[LabeledComparison]:
    """One record for each comparison, with all its different preferences; the order stays."""
    found: dict[str, LabeledComparison] = {}
    for one in labeled:
        before = found.setdefault(one.comparison.id, one)
        if before is one:
            continue
        known = {preference.id for preference in before.preferences}
        new = tuple(p for p in one.preferences if p.id not in known)
        if not new:
            tally.leave_out("duplicate")
            continue
        preferences = before.preferences + new
        found[one.comparison.id] = before.model_copy(update={"preferences": preferences})
    return list(found.values())


def _labeled(prompt: Prompt, answers: Sequence[Answer], labeler: str) -> LabeledComparison:
    made = []
    for place, answer in enumerate(answers):
        identifier = f"r-{hashed(prompt.id, answer.text, answer.policy, _earlier(answers, place))}"
        response = Response(
            id=identifier, prompt_id=prompt.id, text=answer.text, policy=answer.policy
        )
        made.append((response, answer.rank or 0))
    made.sort(key=lambda pair: pair[0].id)
    responses = tuple(response for response, _ in made)
    ranks = dense([rank for _, rank in made])
    comparison = Comparison(
        id=f"c-{hashed(*(response.id for response in responses))}",
        prompt=prompt,
        responses=responses,
    )
    preference = Preference(
        id=f"v-{hashed(comparison.id, labeler, *ranks)}",
        comparison_id=comparison.id,
        labeler=labeler,
        ranks=ranks,
    )
    return LabeledComparison(comparison=comparison, preferences=(preference,))


def _earlier(answers: Sequence[Answer], place: int) -> int:
    """How many answers before this one have the same text and policy."""
    this = (answers[place].text, answers[place].policy)
    return sum((answer.text, answer.policy) == this for answer in answers[:place])


def dense(ranks: Sequence[int]) -> tuple[int, ...]:
    """The same order with ranks 1, 2, 3 and no gaps.

    >>> dense([4, 0, 4])
    (2, 1, 2)
    """
    places = {rank: place for place, rank in enumerate(sorted(set(ranks)), start=1)}
    return tuple(places[rank] for rank in ranks)


def hashed(*parts: object) -> str:
    """Twenty hexadecimal digits that follow from the parts."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]
