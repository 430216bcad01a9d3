"""One set of comparisons out of several: how much of each, how heavy, and nothing that leaked.

comparisons by name  ->  comparisons-train.jsonl, comparisons-test.jsonl, demonstrations.jsonl
docs/stages/mix_comparisons.md

For mixtures of helpful and harmless comparisons, for learning curves over ever more of the same
comparisons, and for the two preference models of a robustness study, which must not share prompts
(Bai et al. 2022, arXiv:2204.05862, sections 4.2 and 5.1).
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs, nearest
from accord.data.comparison_sets import has_sides, read_comparisons
from accord.data.files import Source
from accord.data.splits import leaks, split_of
from accord.data.threads import Tally, opening
from accord.records import Demonstration, LabeledComparison, write_records
from accord.runtime import artifacts
from accord.runtime.metrics import MetricsLog
from accord.runtime.seeding import derive

MOST_LISTED = 50  # leaks that are named
HALF = 0.5


class Inputs(StageInputs):
    """Comparisons by name."""

    comparisons: dict[str, Source]  #: artifacts, files or folders of any kind, or hf:NAME


class Config(StageConfig):
    """How to mix."""

    seed: int = 0  #: of the split, the halves, and the order in which comparisons are taken
    shares: dict[str, float] = Field(default_factory=dict)  #: of training, by set; none takes all
    weights: dict[str, float] = Field(default_factory=dict)  #: of a set in the loss; 1 if not named
    size: int = Field(default=0, ge=0)  #: training comparisons in all; 0 takes what there is
    most_test: int = Field(default=0, ge=0)  #: test comparisons of each set; 0 takes all
    half: Literal["all", "first", "second"] = "all"  #: of the training prompts, by their hash
    test_fraction: float = Field(default=0.15, gt=0, lt=1)  #: held out of a set without two sides
    near_duplicate: float = Field(default=0.8, gt=0, le=1)  #: similarity from which a prompt leaked


@dataclass
class Part:
    """One set on its way into the mixture."""

    train: list[LabeledComparison]
    test: list[LabeledComparison]
    read: int
    repeated: int = 0


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Read, split, leave out what leaked, take, weigh, write."""
    _check(config, inputs)
    parts = {name: _read(config, source) for name, source in inputs.comparisons.items()}
    leaked = _without_leaks(config, parts)
    _take(config, parts)
    train = _weighed(config, parts)
    if not train:
        raise InputError("no training comparisons are left; give more, or change `half`")
    test = [one for part in parts.values() for one in part.test]
    write_records(out / "output" / "comparisons-train.jsonl", train)
    write_records(out / "output" / "comparisons-test.jsonl", test)
    write_records(out / "output" / "demonstrations.jsonl", _demonstrations(train))
    _report(out, parts, leaked, len(train), len(test))


def _demonstrations(train: Sequence[LabeledComparison]) -> Iterator[Demonstration]:
    """The response that most votes call the best, of each training comparison that has one."""
    for one in train:
        firsts = Counter(
            vote.ranks.index(1)
            for vote in one.better_first().preferences
            if list(vote.ranks).count(1) == 1
        )
        if firsts:
            response = one.comparison.responses[firsts.most_common(1)[0][0]]
            yield Demonstration(prompt=one.comparison.prompt, response=response.text)


def _check(config: Config, inputs: Inputs) -> None:
    if not inputs.comparisons:
        raise InputError("no `comparisons` to mix; give --inputs comparisons.NAME=PATH")
    for field in ("shares", "weights"):
        given: dict[str, float] = getattr(config, field)
        for name, value in given.items():
            if name not in inputs.comparisons:
                known = nearest(name, list(inputs.comparisons))
                raise InputError(f"`{field}` names `{name}`, which is none of the sets{known}")
            if value < 0:
                raise InputError(f"`{field}.{name}` = {value} is below 0; give 0 or more")
    if config.shares and sum(config.shares.values()) <= 0:
        raise InputError("all `shares` are 0, which takes nothing; give one above 0")


def _read(config: Config, source: Source) -> Part:
    place = artifacts.payload(source) if isinstance(source, Path) else source
    if has_sides(place):
        train, test = (read_comparisons(place, side, Tally()) for side in ("train", "test"))
    else:
        train, test = [], []
        for one in read_comparisons(place, "train", Tally()):
            text = opening(one.comparison.prompt)
            side = split_of(text, fraction=config.test_fraction, seed=config.seed)
            (test if side == "test" else train).append(one)
    read = len(train) + len(test)
    if config.half != "all":
        train = [one for one in train if _half(config, one) == config.half]
    test = _ordered(config, test)
    return Part(train, test[: config.most_test] if config.most_test else test, read)


def _half(config: Config, one: LabeledComparison) -> str:
    """Conversations that begin alike are in one half, whatever set they are in."""
    seed = derive(config.seed, "half")
    side = split_of(opening(one.comparison.prompt), fraction=HALF, seed=seed)
    return "first" if side == "train" else "second"


def _without_leaks(config: Config, parts: dict[str, Part]) -> dict[str, object]:
    """Leave out training comparisons whose prompt is held out, by any set; say which."""
    held_out = [opening(one.comparison.prompt) for part in parts.values() for one in part.test]
    same = near = 0
    names: set[str] = set()
    for part in parts.values():
        prompts = [opening(one.comparison.prompt) for one in part.train]
        found = leaks(held_out, prompts, threshold=config.near_duplicate)
        same, near = same + len(found.same), near + len(found.near)
        names |= {part.train[i].comparison.prompt.id for i in found.indexes}
        part.train = [one for i, one in enumerate(part.train) if i not in found.indexes]
    return {"same": same, "near": near, "prompts": sorted(names)[:MOST_LISTED]}


def _take(config: Config, parts: dict[str, Part]) -> None:
    """As many of each set as its share says; those of a smaller mixture are in any larger one."""
    if not config.shares:
        whole = _ordered(config, [one for part in parts.values() for one in part.train])
        if config.size > len(whole):
            raise InputError(f"`size` = {config.size}, but there are {len(whole)}; lower it")
        kept = {id(one) for one in whole[: config.size or len(whole)]}
        for part in parts.values():
            part.train = [one for one in part.train if id(one) in kept]
        return
    total = sum(config.shares.values())
    shares = {name: config.shares.get(name, 0.0) / total for name in parts}
    most = min(len(parts[name].train) / share for name, share in shares.items() if share > 0)
    size = config.size or int(most)
    for name, part in parts.items():
        number = round(shares[name] * size)
        if number > len(part.train):
            raise InputError(
                f"`{name}` has {len(part.train)} training comparisons, the mixture takes {number}; "
                f"lower `size` to {int(most)}, or its share"
            )
        part.train = _ordered(config, part.train)[:number]


def _weighed(config: Config, parts: dict[str, Part]) -> list[LabeledComparison]:
    """Every comparison as often as its set weighs, in an order that says nothing."""
    found: list[LabeledComparison] = []
    for name, part in parts.items():
        weight = config.weights.get(name, 1.0)
        for one in part.train:
            # The rest of a weight such as 2.5 is one copy more of every second comparison.
            times = int(weight) + (_place(config, "weight", one) < weight % 1)
            found += [one] * times
            part.repeated += times - 1
    return _ordered(config, found)


def _ordered(config: Config, found: list[LabeledComparison]) -> list[LabeledComparison]:
    return sorted(found, key=lambda one: (_place(config, "order", one), one.comparison.id))


def _place(config: Config, what: str, one: LabeledComparison) -> float:
    """A number in [0, 1) that follows from the seed and the comparison alone."""
    key = f"{config.seed}\0{what}\0{one.comparison.id}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2**64


def _report(
    out: Path, parts: dict[str, Part], leaked: dict[str, object], train: int, test: int
) -> None:
    sets = {
        name: {
            "read": part.read,
            "train": len(part.train),
            "repeated": part.repeated,
            "test": len(part.test),
        }
        for name, part in parts.items()
    }
    artifacts.write_json(out / "mixture.json", {"sets": sets, "leaks": leaked})
    log = MetricsLog(out)
    log.truncate_to(-1)
    log.log(
        0,
        {
            "mix/train": train,
            "mix/test": test,
            "mix/leaks_same": float(str(leaked["same"])),
            "mix/leaks_near": float(str(leaked["near"])),
        },
    )
    artifacts.write_headline(out, {"train": train, "test": test, "sets": len(parts)})
