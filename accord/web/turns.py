"""Turns of conversations while they happen: two candidates are written, and shown at one pace.

Both are written at once, each in a thread. Nothing of them is seen until both are whole: shown as
it comes, the longer one would tell its policy's speed where it goes on alone. Then both appear
together, by one cursor, ``PACE`` characters a second. So what a labeler sees, and when, depends on
the two texts and on the time that both took together, and would be the same with the policies
exchanged. When both are whole they become a comparison of the ledger. What is under way lives in
this process; after a restart the labeler sends the message again.
"""

import logging
import secrets
import threading
import time
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from accord.config import InputError
from accord.records import Message, Response, Sampling

PACE = 400.0  # characters a second; quicker than reading
SECONDS_AT_MOST = 180.0  # for both candidates
AT_ONCE = 16  # candidates being written
LARGEST_SEED = 2**31 - 1
PAIR = 2
LOG = logging.getLogger("accord.web")
NOBODY = (
    "no assistant is being served for this project; the server is started with "
    "`accord serve --policy NAME=...`"
)
FAILED = "The assistants could not answer; send the message again"


class Generator(Protocol):
    """What writes responses: a policy on this machine, or an endpoint."""

    @property
    def name(self) -> str:
        """As the ledger and the projects call it."""

    @property
    def digest(self) -> str:
        """What tells its version: of its weights, or of where it is reached."""

    @property
    def sampling(self) -> Sampling:
        """How its responses are drawn."""

    def stream(self, messages: Sequence[Message], *, seed: int) -> abc.Generator[str, None, bool]:
        """The response to a conversation, piece by piece; blocks.

        Returns:
            At its end, True; False when a limit cut it off.
        """


@dataclass
class Turn:
    """One turn under way."""

    message: str
    labeler: str
    order: tuple[int, ...]  #: index of the candidate at each place, as the ledger will have it
    began: float
    texts: list[str] = field(default_factory=lambda: [""] * PAIR)
    whole: list[bool] = field(default_factory=lambda: [False] * PAIR)
    finished: list[bool] = field(default_factory=lambda: [True] * PAIR)  #: not cut off
    cursor: float = 0.0  #: characters that may be seen of each
    looked_at: float = 0.0
    is_kept: bool = False  #: the comparison is in the ledger
    problem: str = ""

    def visible(self, now: float) -> list[str]:
        """What may be seen of each candidate, by place."""
        if self.is_kept:  # only then is the order that of the ledger; sides never swap
            limit = float(max(map(len, self.texts)))
            self.cursor = min(self.cursor + PACE * (now - self.looked_at), limit)
        self.looked_at = now
        return [self.texts[index][: int(self.cursor)] for index in self.order]

    def is_over(self) -> bool:
        """True when all of it was seen and kept, or it failed."""
        return bool(self.problem) or (self.is_kept and self.cursor >= max(map(len, self.texts)))


class Turns:
    """The turns under way, by conversation."""

    def __init__(
        self,
        generators: Mapping[str, Generator],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.generators = dict(generators)
        self.monotonic = monotonic
        self._turns: dict[str, Turn] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="candidate")

    def pair(self, names: Sequence[str]) -> tuple[Generator, Generator]:
        """Two of these generators at random, or of all; twice the same one if there is one.

        Raises:
            InputError: none is being served.
        """
        known = self.known(names)
        if not known:
            raise InputError(NOBODY)
        if len(known) == 1:
            known = known * PAIR
        first, second = secrets.SystemRandom().sample(known, PAIR)
        return self.generators[first], self.generators[second]

    def known(self, names: Sequence[str]) -> list[str]:
        """Those of these generators that are being served; all of them for no names."""
        return [name for name in self.generators if not names or name in names]

    def of(self, conversation_id: str) -> Turn | None:
        """The turn under way in a conversation; None when there is none."""
        with self._lock:
            return self._turns.get(conversation_id)

    def end(self, conversation_id: str) -> None:
        """Forget a turn; one that is not in the ledger yet will not be kept."""
        with self._lock:
            turn = self._turns.pop(conversation_id, None)
        if turn is not None and not turn.is_kept:
            turn.problem = turn.problem or FAILED

    def begin(
        self,
        conversation_id: str,
        turn: Turn,
        drafts: Sequence["Candidate"],
        keep: Callable[[Sequence[Response]], tuple[int, ...]],
    ) -> bool:
        """Let both candidates be written, then kept.

        Args:
            conversation_id: at most one turn of it is under way.
            turn: what is seen of it.
            drafts: what writes the candidates.
            keep: puts both into the ledger; returns the order on the screen.

        Returns:
            False if a turn is under way already, which goes on.
        """
        with self._lock:
            known = self._turns.get(conversation_id)
            if known is not None and not known.problem:
                return False
            self._turns[conversation_id] = turn
        turn.looked_at = self.monotonic()
        left = [PAIR]

        def write(number: int) -> None:
            try:
                self._write(turn, number, drafts[number])
            except Exception:
                LOG.exception("`%s` did not answer", drafts[number].generator.name)
                turn.problem = FAILED
            with self._lock:
                left[0] -= 1
                is_last = left[0] == 0
            if is_last and not turn.problem:
                self._keep(turn, drafts, keep)

        for number in range(PAIR):
            self._pool.submit(write, number)
        return True

    def close(self) -> None:
        """Take no more work."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _write(self, turn: Turn, number: int, candidate: "Candidate") -> None:
        def pieces() -> abc.Generator[str, None, None]:
            turn.finished[number] = yield from candidate.pieces()

        for piece in pieces():
            if turn.problem:
                return
            if self.monotonic() - turn.began > SECONDS_AT_MOST:
                raise TimeoutError(f"`{candidate.generator.name}` took too long")
            turn.texts[number] += piece.replace("\0", "")
        turn.whole[number] = True

    def _keep(
        self,
        turn: Turn,
        drafts: Sequence["Candidate"],
        keep: Callable[[Sequence[Response]], tuple[int, ...]],
    ) -> None:
        made = [
            one.response(text, finished=finished)
            for one, text, finished in zip(drafts, turn.texts, turn.finished, strict=True)
        ]
        try:
            turn.order = keep(made)
        except Exception:
            LOG.exception("a turn could not be kept")
            turn.problem = FAILED
        else:
            turn.is_kept = True


@dataclass(frozen=True)
class Candidate:
    """One response that is to be written."""

    generator: Generator
    messages: tuple[Message, ...]
    seed: int

    def pieces(self) -> abc.Generator[str, None, bool]:
        """Its text, as it is written; returns whether it came to its end."""
        return self.generator.stream(self.messages, seed=self.seed)

    def response(self, text: str, *, finished: bool = True) -> Response:
        """The record; the store gives it its ids."""
        return Response(
            id="candidate",
            prompt_id="prompt",
            text=text,
            policy=self.generator.name,
            policy_digest=self.generator.digest,
            sampling=self.generator.sampling,
            seed=self.seed,
            finished=finished,
        )


def new_seed() -> int:
    """A seed that nobody can guess."""
    return secrets.randbelow(LARGEST_SEED)
