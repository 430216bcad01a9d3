"""Kill ``accord ppo`` with ``kill -9`` at random moments; every run must end as an undisturbed one.

    python benchmarks/ppo_kills.py                    30 kills, minutes
    python benchmarks/ppo_kills.py --kills 10 --layout shared_trunk

The run has everything on that a checkpoint must hold: an adaptive coefficient of the tax and of the
penalty, averaged weights, PPO-ptx, several preference models. Compared are the digests of the
policy, of the metrics, and of the responses and episodes. Exit status 1 if one differs.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from accord.data.tokenizers import train_tokenizer
from accord.models.load import load_scalar_model, save_model
from accord.models.scalar_head import initialise, normalise
from accord.records import Message, Prompt, write_records
from accord.runtime.artifacts import digest

ROOT = Path(__file__).parent.parent
WORDS = "red green blue cat dog sun moon tea".split()
COMPARED = ("output", "metrics.jsonl", "rollouts.jsonl", "episodes.jsonl", "checks.json")
SETTINGS = """
updates = 24
rollout_batch_size = 32
minibatch_size = 16
microbatch_size = 4
max_tokens = 16
learning_rate = 1e-3
kl_control = { target = 0.3, horizon = 500.0 }
loss = { surrogate = "penalty", penalty_target = 1e-3, max_update_kl = 0.5 }
optimizer = { ema_decay = 0.9, critic_warmup = 2 }
pretraining = { coef = 1.0 }
score = { combine = "worst" }
"""
LAYOUTS = {
    "separate": "",
    "shared_trunk": 'models = { layout = "shared_trunk", lora_rank = 4 }',
    "hydra": 'models = { layout = "hydra", frozen_layers = 1 }',
}


@dataclass(frozen=True)
class Outcome:
    """What the kills showed."""

    kills: int
    runs: int
    differing: Sequence[str]


def write_inputs(folder: Path, layout: str = "separate") -> None:
    """A tiny policy, two preference models, prompts, documents and settings."""
    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, 280)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    random_weights = torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    save_model(LlamaForCausalLM(config), tokenizer, folder / "policy")
    for name in ("pm", "pm-2"):
        model, _ = load_scalar_model(folder / "policy", random=random_weights)
        initialise(model, random=random_weights)
        normalise(model, gain=3.0, bias=0.5)
        save_model(model, tokenizer, folder / name)
    texts = [" ".join(WORDS[: 1 + n % len(WORDS)]) for n in range(12)]
    prompts = [
        Prompt(id=f"p{n}", messages=(Message(role="user", content=text),))
        for n, text in enumerate(texts)
    ]
    write_records(folder / "prompts-train.jsonl", prompts)
    lines = "".join(json.dumps({"text": text + " " + text}) + "\n" for text in texts)
    (folder / "pretraining.jsonl").write_text(lines, encoding="utf-8")
    (folder / "settings.toml").write_text(SETTINGS + LAYOUTS[layout], encoding="utf-8")


def start(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    """The command that a user gives."""
    inputs = {
        "policy": folder / "policy",
        "preference_model": folder / "pm",
        "more_preference_models": folder / "pm-2",
        "prompts": folder / "prompts-train.jsonl",
        "documents": folder / "pretraining.jsonl",
    }
    command = [sys.executable, "-m", "accord.cli", "ppo", "--out", str(out)]
    command += ["--config", str(folder / "settings.toml")]
    for name, path in inputs.items():
        command += ["--inputs", f"{name}={path}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)


def wait_for_stage(process: subprocess.Popen[bytes], out: Path, since: float) -> float:
    """Wait until the stage works, which importing torch delays; when that was."""
    begun = out / "environment.json"
    while process.poll() is None:
        if begun.is_file() and begun.stat().st_mtime > since:
            break
        time.sleep(0.005)
    return time.monotonic()


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end, which must be a good one."""
    _, errors = process.communicate()
    if process.returncode:
        sys.exit(f"a run ended with {process.returncode}:\n{errors.decode()[-2000:]}")


def results(out: Path) -> dict[str, str]:
    """The digests of all that must not depend on a kill."""
    return {name: digest(out / name) for name in COMPARED if (out / name).exists()}


def disturb(folder: Path, *, kills: int, seed: int) -> Outcome:
    """Kill until enough kills hit a living run; compare every run that came to its end."""
    rng, began = random.Random(seed), time.time()
    straight = start(folder, folder / "straight")
    at = wait_for_stage(straight, folder / "straight", began)
    finish(straight)
    seconds = time.monotonic() - at
    runs, hits, differing = [folder / "killed-0"], 0, list[str]()
    while hits < kills:
        since = time.time()
        process = start(folder, runs[-1])
        deadline = wait_for_stage(process, runs[-1], since) + rng.uniform(0, seconds / 2)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        if process.poll() is None:
            process.kill()
            process.communicate()
            hits += 1
            saved = sorted(p.name for p in (runs[-1] / "checkpoints").glob("[0-9]*"))
            print(f"kill {hits}: checkpoints {saved}", flush=True)
            continue
        finish(process)
        differing += compared(runs[-1], folder / "straight")
        runs.append(folder / f"killed-{len(runs)}")
    finish(start(folder, runs[-1]))
    differing += compared(runs[-1], folder / "straight")
    return Outcome(hits, len(runs), differing)


def compared(run: Path, straight: Path) -> list[str]:
    """What differs between a run that was killed and one that was not; said at once."""
    found, expected = results(run), results(straight)
    differing = [
        f"{run.name}/{name}"
        for name in sorted(expected.keys() | found.keys())
        if found.get(name) != expected.get(name)
    ]
    print(f"{run.name} differs in: {', '.join(differing) or 'nothing'}", flush=True)
    return differing


def main() -> int:
    """Compare a straight run with disturbed ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layout", choices=LAYOUTS, default="separate")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accord-ppo-kills-") as name:
        folder = Path(name)
        write_inputs(folder, options.layout)
        found = disturb(folder, kills=options.kills, seed=options.seed)
    listed = ", ".join(found.differing) or "none"
    print(f"{found.kills} kills in {found.runs} runs, differing: {listed}")
    return 1 if found.differing else 0


if __name__ == "__main__":
    sys.exit(main())
