"""The frontier: what each method reaches, at which distance from where it started, at what cost.

evaluation, runs, draws, prompts [, world]  ->  frontier.json, a page
docs/stages/frontier.md

Policies of one method that differ in their seed are one method here, with an interval over seeds.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs
from accord.functional.overoptimisation import Form, fit_curve
from accord.models.load import load_tokenizer
from accord.ratings.intervals import clustered_mean
from accord.reports.frontier_page import write_frontier
from accord.runtime import artifacts
from accord.runtime.json_numbers import plain
from accord.runtime.model_source import locate
from accord.stages.frontier.cost import cost_of
from accord.stages.frontier.drawn import best_of_n_points


class Inputs(StageInputs):
    """An evaluation of the policies, and how they came about."""

    evaluation: Path  #: `evaluate` artifact; its baseline is where all methods start
    runs: dict[str, Path]  #: artifacts of its policies, by name: a method and its seed, `ppo_1`
    draws: dict[str, Path]  #: `best_of_n` artifacts of the baseline, by seed
    prompts: Path  #: those that were drawn for: a file, or a folder with `prompts-eval.jsonl`
    world: Path | None = None  #: whose truth is the better judge


class Config(StageConfig):
    """How the methods are summed up."""

    seed: int = 0  #: nothing is drawn here; it is written down
    confidence: float = Field(0.95, gt=0, lt=1)  #: of the intervals over seeds


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Sum up; ``output/frontier.json`` has the numbers, ``frontier.html`` draws them."""
    scores = artifacts.read_json(artifacts.payload(inputs.evaluation) / "scores.json")
    rows = {row["policy"]: row for row in scores["policies"] if row["temperature"]}
    start = _measured(rows[scores["baseline"]])
    methods: dict[str, list[str]] = {}
    for name in inputs.runs:
        if name not in rows:
            raise InputError(f"`{inputs.evaluation}` has no policy `{name}`; evaluate it there")
        methods.setdefault(method_of(name), []).append(name)
    best = best_of_n_points(inputs.draws, inputs.prompts, inputs.world)
    curves = {method: _curve(names, scores["curve"]) for method, names in methods.items()}
    curves = {"best_of_n": best, **curves}
    found = plain(
        {
            "seed": config.seed,
            "confidence": config.confidence,
            "start": start,
            "methods": [
                _summary(method, [rows[name] for name in names], config, inputs)
                for method, names in methods.items()
            ],
            "curves": [
                {"method": method, "points": _over_seeds(runs, config.confidence)}
                for method, runs in curves.items()
                if any(runs)
            ],
            "fits": [_fit(method, runs, start) for method, runs in curves.items() if any(runs)],
        }
    )
    artifacts.write_json(out / "output" / "frontier.json", found)
    write_frontier(out / "frontier.html", found)
    top = max(found["methods"], key=lambda m: m["score"]["mean"], default=None)
    artifacts.write_headline(
        out,
        {
            "methods": len(found["methods"]),
            "highest_score": top["method"] if top else None,
            "score": top["score"]["mean"] if top else None,
            "sqrt_kl": top["sqrt_kl"]["mean"] if top else None,
        },
    )


def method_of(name: str) -> str:
    """The method of a policy: its name without the number of its seed.

    >>> method_of("ppo_2")
    'ppo'
    """
    return re.sub(r"_\d+$", "", name)


def _measured(row: dict[str, Any]) -> dict[str, Any]:
    """√KL, score and truth of one policy, as evaluation writes it."""
    kl = (row["kl"] or {}).get("mean")
    truth = row["truth"] or {}
    return {
        "sqrt_kl": math.sqrt(max(kl, 0.0)) if kl is not None else None,
        "score": (row["score"] or {}).get("mean"),
        "truth": truth.get("utility", {}).get("mean"),
    }


def _summary(
    method: str, rows: Sequence[dict[str, Any]], config: Config, inputs: Inputs
) -> dict[str, Any]:
    """The policies at the end of one method, over its seeds."""
    points = [_measured(row) for row in rows]
    costs = []
    for row in rows:
        artifact = inputs.runs[row["policy"]]
        costs.append(cost_of(artifact, load_tokenizer(locate(artifact))))
    return {
        "method": method,
        "seeds": len(rows),
        "cost": sum(cost.total for cost in costs) / len(costs),
        "forward": sum(cost.forward for cost in costs) / len(costs),
        "backward": sum(cost.backward for cost in costs) / len(costs),
        **{key: _estimate([p[key] for p in points], config.confidence) for key in points[0]},
    }


def _curve(names: Sequence[str], points: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """What each seed's run went through while it learnt; empty where nothing was tried."""
    return [
        [
            {
                "sqrt_kl": math.sqrt(max(point["kl"], 0.0)),
                "score": point["score"],
                "truth": point["truth_utility"],
            }
            for point in points
            if point["run"] == name
        ]
        for name in names
    ]


def _over_seeds(runs: list[list[dict[str, Any]]], confidence: float) -> list[dict[str, Any]]:
    """The same moment of every seed's run together."""
    return [
        {key: _estimate([point[key] for point in moment], confidence) for key in moment[0]}
        for moment in zip(*(run for run in runs if run), strict=False)
    ]


def _fit(method: str, runs: list[list[dict[str, Any]]], start: dict[str, Any]) -> dict[str, Any]:
    """The judge's gain over √KL by the form of Gao et al.; the truth's, or the score's without."""
    judge = "truth" if start["truth"] is not None else "score"
    points = [point for run in runs for point in run if point[judge] is not None]
    form: Form = "best_of_n" if method == "best_of_n" else "reinforcement_learning"
    distance = torch.tensor([point["sqrt_kl"] for point in points], dtype=torch.float64)
    gain = torch.tensor([point[judge] for point in points], dtype=torch.float64)
    curve = fit_curve(form, distance, gain - (start[judge] or 0.0))
    peak = curve.peak() if curve else None
    return {
        "method": method,
        "judge": judge,
        "form": form,
        "a": curve.a if curve else None,
        "b": curve.b if curve else None,
        "peak_sqrt_kl": peak[0] if peak else None,
        "peak_gain": peak[1] if peak else None,
        "farthest": float(distance.max()) if len(distance) else None,
    }


def _estimate(values: Sequence[float | None], confidence: float) -> dict[str, Any] | None:
    """Mean with an interval over seeds; without one where there is a single seed."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    found = clustered_mean(known, list(range(len(known))), confidence)
    several = len(known) > 1
    return {
        "mean": found.mean,
        "low": found.low if several else None,
        "high": found.high if several else None,
        "n": len(known),
    }
