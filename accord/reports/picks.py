"""Which answers are shown side by side: chosen by a rule, never by beauty.

The rule does not look at the answers: prompts are put in the order of a hash of the run's seed
and their text. From that order come the first of every kind, and then the first few on which the
final policy did worse than the baseline, so that losses are always among what is shown.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accord.reports.facts import Facts
from accord.reports.read import Source
from accord.reports.schemas import Answer, SampledPrompt, Turn

MOST_KINDS = 12
LOSSES = 4
LONGEST = 1200  # characters shown of one text; the file has the rest


@dataclass(frozen=True)
class ShownAnswer:
    """One policy's answer."""

    policy: str
    label: str
    tone: str
    text: str
    cut: bool
    utility: float | None
    score: float | None
    note: str
    change: str  #: against the baseline by truth, or by score: better, worse, same or ""


@dataclass(frozen=True)
class Pick:
    """One prompt with the answers to it, side by side."""

    kind: str
    turns: tuple[Turn, ...]
    answers: tuple[ShownAnswer, ...]


@dataclass(frozen=True)
class SideBySide:
    """The section's content."""

    by_kind: tuple[Pick, ...]
    losses: tuple[Pick, ...]
    better: int
    worse: int
    same: int
    total: int
    measure: str  #: what "worse" is judged by
    source: Source


def side_by_side(facts: Facts) -> SideBySide | None:
    """Choose the prompts and lay their answers out; None without samples."""
    if facts.samples is None or not facts.samples.value:
        return None
    names = _shown_policies(facts)
    if len(names) == 0:
        return None
    final = names[-1]
    usable = [s for s in facts.samples.value if final in s.responses]
    ordered = sorted(usable, key=lambda sample: _draw(sample, facts.run.seed))
    firsts: dict[str, SampledPrompt] = {}
    for sample in ordered:
        firsts.setdefault(sample.kind, sample)
    changes = [_change(sample.responses, final, facts.baseline) for sample in ordered]
    lost = [s for s, change in zip(ordered, changes, strict=True) if change == "worse"]
    kinds = sorted(firsts)[:MOST_KINDS]
    shown = [id(firsts[kind]) for kind in kinds]
    fresh = [sample for sample in lost if id(sample) not in shown]
    measured = any(a.utility is not None for s in ordered for a in s.responses.values())
    return SideBySide(
        by_kind=tuple(_pick(firsts[kind], names, facts) for kind in kinds),
        losses=tuple(_pick(sample, names, facts) for sample in fresh[:LOSSES]),
        better=changes.count("better"),
        worse=changes.count("worse"),
        same=changes.count("same"),
        total=len(ordered),
        measure="the truth" if measured else "the preference model’s score",
        source=facts.samples.source,
    )


def _shown_policies(facts: Facts) -> list[str]:
    """The baseline and every round; the base model only when nothing else was sampled."""
    assert facts.samples is not None
    sampled = {name for sample in facts.samples.value for name in sample.responses}
    names = sorted(sampled, key=facts.policies.order)
    wanted = [n for n in names if n == facts.baseline or facts.policies[n].is_round]
    return wanted or names


def _draw(sample: SampledPrompt, seed: int | None) -> str:
    """A random but repeatable place in the order."""
    text = "\n".join(turn.content for turn in turns_of(sample.prompt))
    return hashlib.sha256(f"{seed}\0{sample.kind}\0{text}".encode(errors="replace")).hexdigest()


def turns_of(prompt: Any) -> tuple[Turn, ...]:
    """A prompt's conversation, whether it is stored as a record, as messages or as plain text."""
    if isinstance(prompt, Mapping):
        prompt = prompt.get("messages", prompt.get("text", ""))
    if isinstance(prompt, (list, tuple)):
        turns = [turn for turn in prompt if isinstance(turn, Mapping)]
        return tuple(
            Turn(role=str(turn.get("role", "user")), content=str(turn.get("content", "")))
            for turn in turns
        )
    return (Turn(role="user", content=str(prompt)),)


def _change(answers: Mapping[str, Answer], name: str, baseline: str) -> str:
    before, after = answers.get(baseline), answers.get(name)
    if before is None or after is None or name == baseline:
        return ""
    pairs = ((before.utility, after.utility), (before.score, after.score))
    for old, new in pairs:
        if old is not None and new is not None:
            return "better" if new > old else "worse" if new < old else "same"
    return ""


def _pick(sample: SampledPrompt, names: list[str], facts: Facts) -> Pick:
    answers = []
    for name in names:
        answer = sample.responses.get(name)
        if answer is None:
            continue
        policy = facts.policies[name]
        answers.append(
            ShownAnswer(
                policy=name,
                label=policy.label,
                tone=policy.tone,
                text=answer.text[:LONGEST],
                cut=len(answer.text) > LONGEST,
                utility=answer.utility,
                score=answer.score,
                note=answer.note[:LONGEST],
                change=_change(sample.responses, name, facts.baseline),
            )
        )
    return Pick(sample.kind, turns_of(sample.prompt), tuple(answers))
