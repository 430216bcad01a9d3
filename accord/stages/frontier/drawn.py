"""Best of every n from one set of draws: the score it picks by, and the truth of what it picks."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from accord.config import InputError
from accord.functional.best_of_n import best_of_n_mean
from accord.functional.kl import best_of_n_kl
from accord.records import Prompt, read_records
from accord.runtime import artifacts
from accord.runtime.input_files import input_file
from accord.worlds.facts import World, read_world
from accord.worlds.judge import judge


def best_of_n_points(
    draws: Mapping[str, Path], prompts: Path, world: Path | None
) -> list[list[dict[str, Any]]]:
    """For each artifact of draws one point for n = 2, 4, 8, ... up to all of them.

    Raises:
        InputError: an artifact has no draws, or they are for prompts that are not given.
    """
    file = input_file(prompts, "prompts-eval.jsonl", "prompts.jsonl")
    asked = {prompt.id: prompt for prompt in read_records(file, Prompt)}
    truth = read_world(input_file(world, "world.json")) if world else None
    return [_points(path, asked, truth) for path in draws.values()]


def _points(path: Path, asked: dict[str, Prompt], world: World | None) -> list[dict[str, Any]]:
    file = artifacts.payload(path) / "draws.jsonl"
    if not file.is_file():
        raise InputError(f"`{path}` has no draws.jsonl; give the artifact of a best_of_n stage")
    drawn = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if unknown := [one["prompt_id"] for one in drawn if one["prompt_id"] not in asked]:
        raise InputError(f"`{path}` drew for `{unknown[0]}`, which is none of the prompts given")
    scores = torch.tensor([one["scores"] for one in drawn], dtype=torch.float64)
    truths = None
    if world is not None:
        truths = torch.tensor(
            [
                [judge(world, asked[one["prompt_id"]], text).utility for text in one["texts"]]
                for one in drawn
            ],
            dtype=torch.float64,
        )
    powers = range(1, int(math.log2(scores.shape[1])) + 1)
    return [
        {
            "sqrt_kl": math.sqrt(best_of_n_kl(n)),
            "score": float(best_of_n_mean(scores, scores, n=n).mean()),
            "truth": None if truths is None else float(best_of_n_mean(truths, scores, n=n).mean()),
        }
        for n in (2**power for power in powers)
    ]
