"""Who is right: the world's written-down truth, or a preference model where there is no world.

A duel is won by the higher value, utility or score; values closer than ``EQUAL`` are a tie.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from accord.config import InputError
from accord.records import Prompt
from accord.runtime.input_files import input_file
from accord.stages.evaluate.answers import Answer
from accord.worlds.facts import World, read_world
from accord.worlds.judge import Verdict, judge
from accord.worlds.phrasing import UnknownPrompt

EQUAL = 1e-9  # utilities are sums of multiples of 0.05


@dataclass(frozen=True)
class Judged:
    """An answer with all that is known about it."""

    answer: Answer
    kind: str  #: of its prompt
    verdict: Verdict | None  #: None without a world

    @property
    def key(self) -> tuple[str, int]:
        """Which answer of another policy it is compared with."""
        return self.answer.prompt_id, self.answer.number


class Truth:
    """The judge of one world; the same text is judged once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    def check(self, prompts: Iterable[Prompt]) -> None:
        """Refuse prompts that could not be judged, before anything is sampled for them."""
        for prompt in prompts:
            self.verdict(prompt, "")

    def verdict(self, prompt: Prompt, text: str) -> Verdict:
        """What is true of a response.

        Raises:
            InputError: the prompt is none of this world's.
        """
        key = (prompt.id, text)
        if key not in self._verdicts:
            try:
                self._verdicts[key] = judge(self._world, prompt, text)
            except UnknownPrompt as error:
                raise InputError(
                    f"the world cannot judge prompt `{prompt.id}`: {error}; give prompts of this "
                    "world, or leave `world` out"
                ) from error
        return self._verdicts[key]


def load_truth(path: Path | None) -> Truth | None:
    """The judge of a world artifact; None where there is no world.

    Raises:
        InputError: the file is missing or is no world.
    """
    if path is None:
        return None
    return Truth(read_world(input_file(path, "world.json")))


def judged(
    answers: Sequence[Answer], prompts: dict[str, Prompt], truth: Truth | None
) -> list[Judged]:
    """The answers with their verdicts."""
    found = []
    for answer in answers:
        prompt = prompts[answer.prompt_id]
        verdict = truth.verdict(prompt, answer.text) if truth else None
        found.append(Judged(answer, prompt.kind, verdict))
    return found


def outcome(mine: float, other: float) -> float:
    """1 for the higher value, 0 for the lower, 0.5 for equal ones.

    >>> outcome(5.65, 6.0), outcome(6.0, 6.0)
    (0.0, 0.5)
    """
    if abs(mine - other) < EQUAL:
        return 0.5
    return float(mine > other)
