"""Policies as the report shows them: their order, their names for people, their colours."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from accord.reports.read import Run

ROUNDS = re.compile(r"(?:ppo|round|rlhf)(?:[_-]?(\d+))?$")
TRAINING = {"pretrain": 0, "sft": 1, "ppo": 2}  # stage -> place in the order of a run
TONES = 7  # colours in style.css; further policies start again


@dataclass(frozen=True)
class Policy:
    """One policy of the run."""

    name: str  #: as the artifacts call it
    label: str  #: as people read it
    tone: str  #: CSS class of its colour
    place: int  #: 0 base, 1 supervised, 2 and up: rounds of feedback

    @property
    def is_round(self) -> bool:
        """True for a policy that feedback has trained."""
        return self.place >= TRAINING["ppo"]


class Policies:
    """All policies of a run, by name, in the order in which the run made them."""

    def __init__(self, run: Run, names: Iterable[str]) -> None:
        stages = {stage.name: stage.stage for stage in run.stages}
        unique = list(dict.fromkeys(names))
        places = {name: _place(name, stages.get(name, "")) for name in unique}
        ordered = sorted(unique, key=lambda name: (places[name], unique.index(name)))
        one_round = sum(place >= TRAINING["ppo"] for place in places.values()) == 1
        self._policies: dict[str, Policy] = {}
        for name in ordered:
            label = _label(name, places[name], one_round=one_round)
            self._policies[name] = Policy(name, label, self._free_tone(places[name]), places[name])

    def _free_tone(self, place: int) -> str:
        """Base, SFT and the rounds keep their colours whichever of them a run has."""
        taken = {policy.tone for policy in self._policies.values()}
        tones = [f"tone-{(place + i) % TONES}" for i in range(TONES)]
        return next((tone for tone in tones if tone not in taken), tones[0])

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies.values())

    def __getitem__(self, name: str) -> Policy:
        """The policy of this name; one that no artifact announced gets its bare name."""
        if name in self._policies:
            return self._policies[name]
        place = _place(name, "")
        return Policy(name, _label(name, place, one_round=False), f"tone-{place % TONES}", place)

    def rounds(self) -> list[Policy]:
        """The policies that feedback has trained, in order."""
        return [policy for policy in self if policy.is_round]

    def order(self, name: str) -> int:
        """Position in the run, for sorting; unknown names come last."""
        names = list(self._policies)
        return names.index(name) if name in names else len(names)


def _place(name: str, stage: str) -> int:
    match = ROUNDS.match(name)
    if match and stage in ("", "ppo"):
        return TRAINING["ppo"] - 1 + int(match[1] or 1)
    if stage in TRAINING:
        return TRAINING[stage]
    return 0 if name.startswith(("base", "pretrain", "builtin")) else 1


def _label(name: str, place: int, *, one_round: bool) -> str:
    if ROUNDS.match(name):
        bare = re.search(r"\d", name) is None
        return "RLHF" if one_round and bare else f"Round {place - TRAINING['ppo'] + 1}"
    return {"base": "Base", "sft": "SFT", "pretrain": "Base"}.get(name, name)
