"""Two implementations of one job by turns, each in a process of its own, so that load hits both."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig

VOCABULARY = 4096
PAD, END = 0, 1


def lengths(seed: int, count: int, median: float, *, least: int, most: int) -> list[int]:
    """Log-normal lengths, as conversations have them: a few are many times as long as most."""
    drawn = np.random.default_rng(seed).lognormal(np.log(median), 0.8, count)
    return [int(n) for n in drawn.clip(least, most)]


def tokens(seed: int, count: int) -> list[int]:
    """Random token ids, neither padding nor the end of sequence."""
    drawn: list[int] = np.random.default_rng(seed).integers(2, VOCABULARY, count).tolist()
    return drawn


def llama(*, layers: int, hidden: int) -> LlamaConfig:
    """A Llama of the given size, on a vocabulary of 4,096."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64 or 1,
        max_position_embeddings=2048,
        pad_token_id=PAD,
        eos_token_id=END,
        bos_token_id=2,
    )


def measured(work: Callable[[], Any], rows: int) -> dict[str, float]:
    """Time and memory of some work on so many rows, in this process."""
    before, cpu = time.monotonic(), time.process_time()
    work()
    seconds, spent = time.monotonic() - before, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows_per_second": rows / seconds,
        "rows_per_cpu_second": rows / spent,
        "peak_mib": peak,
        "seconds": seconds,
    }


def compare(script: str, sides: Sequence[str], *, repeats: int, arguments: Sequence[str]) -> None:
    """Run every side by turns in fresh processes and print a Markdown table of medians.

    A side is run by ``python SCRIPT --side NAME ARGUMENTS``, whose last line is the JSON object of
    ``measured``.
    """
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for repeat in range(repeats):
        for side in sides if repeat % 2 == 0 else reversed(sides):
            done = subprocess.run(
                [sys.executable, script, "--side", side, *arguments],
                check=True,
                capture_output=True,
                text=True,
            )
            found[side].append(json.loads(done.stdout.strip().splitlines()[-1]))
            print(side, found[side][-1], f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print("| | rows/s, wall | rows/s, processor | peak MiB |\n| --- | ---: | ---: | ---: |")
    medians = {
        side: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for side, runs in found.items()
    }
    keys = ("rows_per_second", "rows_per_cpu_second", "peak_mib")
    for side, values in medians.items():
        print(f"| {side} | " + " | ".join(f"{values[key]:.1f}" for key in keys) + " |")
    first, second = (medians[side] for side in sides)
    print("| ratio | " + " | ".join(f"{first[key] / second[key]:.2f}" for key in keys) + " |")
    print(f"\ntorch {torch.__version__}, {torch.get_num_threads()} threads, {repeats} runs each")
