"""Does preference pretraining save comparisons? Accuracy by their number, with it and without.

    model ─┬────────────────────────────┐
           ├─> pretraining, ranked ─────┼─> preference model on N comparisons ─> held-out votes
           └─> pretraining, binary ─────┘        for every N and seed

Source: Askell et al. 2021, arXiv:2112.00861, section 4; the ratios of learning rates are those of
Bai et al. 2022, arXiv:2204.05862, appendix A.2.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from accord.config import InputError
from accord.ratings.intervals import Estimate, clustered_mean
from accord.ratings.two_way import two_way_mean, two_way_rate

ARMS = {"none": "no pretraining", "ranked": "ranked", "binary": "binary"}
TARGET = "target"  # the set of comparisons that people made
FEWEST_SEEDS = 2  # with one, nothing is known about how seeds differ


@dataclass(frozen=True)
class Design:
    """What is compared.

    Attributes:
        sizes: numbers of training comparisons, rising.
        seeds: how many times each is trained, on other comparisons in another order.
        settings: of each kind of stage, over its defaults.
        confidence: of every interval.
    """

    sizes: tuple[int, ...] = (100, 500, 2000)
    seeds: int = 3
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    confidence: float = 0.95


@dataclass(frozen=True)
class Sources:
    """What it is compared on: paths, ``hf:NAME``, or ``builtin:base`` for the model."""

    target: str  #: comparisons that people made
    public: tuple[str, ...]  #: public votes to pretrain on
    model: str = ""  #: a language model; empty to pretrain one on ``documents``
    documents: tuple[str, ...] = ()  #: text to pretrain a language model on


def run_table(sources: Sources, design: Design, title: str) -> dict[str, Any]:
    """The study as a run file: its tables in order.

    Raises:
        InputError: the design cannot say anything, or there is nothing to start from.
    """
    _check(sources, design)
    data: dict[str, Any] = {
        "comparisons": [sources.target],
        "public_comparisons": list(sources.public),
        "documents": list(sources.documents),
    }
    tables: dict[str, Any] = {
        "run": {"title": title},
        "data": table("import_data", data, design),
    }
    model = sources.model
    if not model:
        model = "language_model"
        tables[model] = table("pretrain", {"documents": "data"}, design)
    starts = {"none": model}
    for arm in ("ranked", "binary"):
        starts[arm] = f"pretraining_{arm}"
        inputs = {"model": model, "comparisons": "data"}
        tables[starts[arm]] = table("preference_pretraining", inputs, design) | {"form": arm}
    for seed in range(design.seeds):
        for size in design.sizes:
            name = f"mix_{size}_{seed}"
            mixed = table("mix_comparisons", {"comparisons": {TARGET: "data"}}, design)
            tables[name] = mixed | {"size": size, "seed": seed}
            for arm, start in starts.items():
                tables |= _trained(arm, start, (size, seed), design)
    return tables


def _trained(
    arm: str, start: str, place: tuple[int, int], design: Design
) -> dict[str, dict[str, Any]]:
    size, seed = place
    mixed, trained = f"mix_{size}_{seed}", f"model_{arm}_{size}_{seed}"
    inputs = {"model": start, "comparisons": mixed}
    return {
        trained: table("preference_model", inputs, design) | {"seed": seed},
        f"votes_{arm}_{size}_{seed}": judged("preference_model", trained, mixed, design),
    }


def table(kind: str, inputs: dict[str, Any], design: Design) -> dict[str, Any]:
    """One table of a run file, with the design's settings for its kind of stage."""
    return {"stage": kind, "inputs": inputs} | dict(design.settings.get(kind, {}))


def judged(judge: str, trained: str, mixed: str, design: Design) -> dict[str, Any]:
    """The table that judges what was trained on the held-out votes of its mixture.

    Args:
        judge: the input that takes it, ``preference_model`` or ``policy``.
        trained: its table.
        mixed: the table of the mixture.
        design: with the settings of every kind of stage.
    """
    inputs = {judge: trained, "comparisons": {TARGET: mixed}}
    return {"bootstrap_draws": 1} | table("evaluate_preference_model", inputs, design)


def _check(sources: Sources, design: Design) -> None:
    check(sources, design)
    if not sources.public:
        raise InputError("nothing to pretrain on; give `--public` comparisons")


def check(sources: Sources, design: Design) -> None:
    """Refuse a design that cannot say anything.

    Raises:
        InputError: says why.
    """
    if design.seeds < FEWEST_SEEDS:
        raise InputError(
            f"{design.seeds} seeds say nothing about seeds; give {FEWEST_SEEDS} or more"
        )
    if not design.sizes or min(design.sizes) < 1:
        raise InputError("`sizes` are numbers of comparisons from 1 on; give some")
    if not sources.model and not sources.documents:
        raise InputError(
            "nothing to start from; give a `--model`, or `--documents` to pretrain one on"
        )


def summary(
    folders: Mapping[str, Path],
    design: Design,
    *,
    names: Sequence[str] = tuple(ARMS),
    baseline: str = "none",
) -> dict[str, Any]:
    """What a finished study says.

    Args:
        folders: of the stages of ``run_table``, by name.
        design: as it was run.
        names: of the arms.
        baseline: the arm over which gains are counted.

    Returns:
        ``{"confidence", "sizes", "seeds", "arms": {arm: [{"size", "accuracy", "gain",
        "gain_of_these_seeds"}]}}``. Accuracies and gains over the baseline have intervals that
        hold for other prompts and other seeds; the last for other prompts only.
    """
    arms: dict[str, list[dict[str, Any]]] = {arm: [] for arm in names}
    for size in design.sizes:
        right = {arm: _right(folders, arm, size, design.seeds) for arm in names}
        for arm, (values, prompts, seeds) in right.items():
            row = {
                "size": size,
                "accuracy": _json(two_way_rate(values, prompts, seeds, design.confidence)),
                "gain": None,
                "gain_of_these_seeds": None,
            }
            if arm != baseline:
                gain = values - right[baseline][0]
                row["gain"] = _json(two_way_mean(gain, prompts, seeds, design.confidence))
                row["gain_of_these_seeds"] = _json(clustered_mean(gain, prompts, design.confidence))
            arms[arm].append(row)
    return {
        "confidence": design.confidence,
        "sizes": list(design.sizes),
        "seeds": design.seeds,
        "arms": arms,
    }


def _right(
    folders: Mapping[str, Path], arm: str, size: int, seeds: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Whether each vote was predicted, its prompt and the seed; all arms list the same votes."""
    values, prompts, of_seed = [], [], []
    for seed in range(seeds):
        file = folders[f"votes_{arm}_{size}_{seed}"] / "output" / "votes.jsonl"
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                vote = json.loads(line)
                margin = vote["margin"]
                values.append(0.5 if margin == 0 else float(margin > 0))
                prompts.append(vote["prompt"])
                of_seed.append(seed)
    return np.array(values), np.array(prompts), np.array(of_seed)


def _json(estimate: Estimate) -> dict[str, Any]:
    ends = {
        name: round(value, 6) if np.isfinite(value) else None
        for name, value in (("low", estimate.low), ("high", estimate.high))
    }
    return {"value": round(estimate.mean, 6), **ends, "n": estimate.n}
