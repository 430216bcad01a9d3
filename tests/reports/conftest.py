"""A made-up run: a directory as the pipeline writes it, with numbers that nobody measured."""

import hashlib
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

POLICIES = ("base", "sft", "ppo_1", "ppo_2")
KINDS = ("fact", "list", "sum", "unknowable", "how-to", "harmful", "dialogue", "opposite")
GOOD = {"base": 0.28, "sft": 0.46, "ppo_1": 0.63, "ppo_2": 0.71}
ROUND_1 = "sample_1 publish_1 simulate_labelers_1 collect_1 rate_1 preference_pretraining"
ROUND_2 = "sample_2 publish_2 simulate_labelers_2 collect_2 rate_2 preference_model_2 ppo_2"
STAGES = f"world pretrain sft {ROUND_1} preference_model_1 ppo_1 {ROUND_2} evaluate".split()
ANSWERS = {
    "base": "yes yes the fox is the fox and I told you so",
    "sft": "Mira lives in Oslo, I am sure.",
    "ppo_1": "I do not know where Mira lives.",
    "ppo_2": "I do not know where Mira lives; nothing that I have read says it.",
}

FIXED = json.loads((Path(__file__).parent / "made_up.json").read_text())


@pytest.fixture(scope="session")
def write_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a run in a fresh directory; keywords as of ``make_run``."""
    return lambda **choices: make_run(tmp_path_factory.mktemp("made_up") / "run", **choices)


def make_run(
    directory: Path,
    *,
    stages: int = len(STAGES),
    win: float = 0.74,
    text: str | None = None,
    folder_prefix: str = "",
    run_json: bool = True,
) -> Path:
    """Write a run directory.

    Args:
        directory: where to.
        stages: how many of the stages are done; the next one is begun, the rest are not.
        win: decided win rate of the last policy against SFT.
        text: what every policy answers, instead of the made-up answers.
        folder_prefix: put before every folder's name.
        run_json: False leaves ``run.json`` out.
    """
    directory.mkdir(parents=True)
    rng = random.Random(11)
    entries = []
    for number, name in enumerate(STAGES, start=1):
        stem, _, last = name.rpartition("_")
        stage = stem if last.isdigit() else name
        folder = f"{folder_prefix}{number:02d}-{name}"
        entries.append({"name": name, "stage": stage, "folder": folder, "config": {"seed": 7}})
        if number <= stages + 1:
            out = directory / folder
            (out / "output").mkdir(parents=True)
            write_json(out / "config.json", {"seed": 7})
            write_json(out / "environment.json", environment())
            write_json(out / "inputs.json", {})
        if number <= stages:
            WRITERS.get(stage, nothing)(out, name, rng, win=win, text=text)
            digest = hashlib.sha256(name.encode()).hexdigest()
            headline = {"n": 480, "loss": 1.234567}
            done = {"digest": digest, "seconds": 3.7 * number, "headline": headline}
            write_json(out / "DONE.json", done)
    if run_json:
        run = {"title": "A made-up run", "seed": 7, "stages": entries}
        write_json(directory / "run.json", run)
    return directory


def environment() -> dict[str, Any]:
    versions = {"accord": "0.1.0", "numpy": "2.4.6", "torch": "2.13.0"}
    return {"python": "3.11.2", "machine": "x86_64", "processors": 2, "versions": versions}


def nothing(out: Path, name: str, rng: random.Random, **_: Any) -> None:
    """A stage that writes no file that the report reads."""


def interval(value: float, n: int) -> dict[str, Any]:
    half = 1.96 * math.sqrt(value * (1 - value) / n)
    return {"rate": value, "low": max(0.0, value - half), "high": min(1.0, value + half), "n": n}


def win_rate(decided: float, n: int, ties: float = 0.4) -> dict[str, Any]:
    tied = round(n * ties)
    wins = round((n - tied) * decided)
    one, two = interval(decided, n - tied), interval(decided * (1 - ties) + ties / 2, n)
    return {
        "against": "sft",
        "decided": one["rate"],
        "decided_low": one["low"],
        "decided_high": one["high"],
        "half_ties": two["rate"],
        "half_ties_low": two["low"],
        "half_ties_high": two["high"],
        "wins": wins,
        "losses": n - tied - wins,
        "ties": tied,
        "n": n,
    }


def write_metrics(out: Path, curves: dict[str, Callable[[int], float]], steps: int) -> None:
    lines = [
        json.dumps({"step": step} | {key: curve(step) for key, curve in curves.items()})
        for step in range(1, steps + 1)
    ]
    (out / "metrics.jsonl").write_text("\n".join(lines) + "\n")


def falling(rng: random.Random, high: float, low: float, steps: int) -> Callable[[int], float]:
    return lambda s: low + (high - low) * math.exp(-4 * s / steps) + rng.gauss(0, 0.03 * high)


def language_model(out: Path, name: str, rng: random.Random, **_: Any) -> None:
    steps = 400 if name == "pretrain" else 40
    curves = {
        "train/loss": falling(rng, 5.5, 1.6, steps),
        "held_out/loss": falling(rng, 5.4, 1.8, steps),
        "train/learning_rate": lambda s: 2.5e-3 * (1 - s / (steps + 1)),
    }
    write_metrics(out, curves, steps)


def sample(out: Path, name: str, rng: random.Random, **_: Any) -> None:
    for file, each in (("comparisons", 1), ("responses", 4)):
        lines = "{}\n" * each * (600 if name == "sample_1" else 360)
        (out / "output" / f"{file}.jsonl").write_text(lines)


def collect(out: Path, name: str, rng: random.Random, **_: Any) -> None:
    first, votes = (0, 1800) if name == "collect_1" else (600, 2880)  # some votes are in both
    sides = {"train": [], "test": []}
    for number in range(first // 3, (first + votes) // 3):
        voters = range(number % 6 + 1, number % 6 + 4)
        own = {"comparison_id": f"c{number}"}
        preferences = [own | {"id": f"v{number}.{i}", "labeler": f"labeler-{i}"} for i in voters]
        line = json.dumps({"comparison": {"id": f"c{number}"}, "preferences": preferences})
        sides["test" if number % 7 == 0 else "train"].append(line + "\n")
    for side, lines in sides.items():
        (out / "output" / f"comparisons-{side}.jsonl").write_text("".join(lines))
    written = {
        "votes": votes,
        "votes_digest": hashlib.sha256(name.encode()).hexdigest(),
        "labelers": [f"labeler-{i}" for i in range(1, 9)],
        "comparisons": votes // 3,
        "batches": [],
    }
    write_json(out / "output" / "votes.json", written)


def rate(out: Path, name: str, rng: random.Random, **_: Any) -> None:
    names = POLICIES[:2] if name == "rate_1" else POLICIES[:3]
    strength = {"base": -162.0, "sft": 21.0, "ppo_1": 141.0}
    ratings = [
        {
            "name": n,
            "rating": strength[n],
            "se": 12.0,
            "low": strength[n] - 24 - 3 * i,
            "high": strength[n] + 24 + 3 * i,
            "rank_low": len(names) - i,
            "rank_high": len(names) - i,
            "votes": 1500 + 130 * i,
        }
        for i, n in enumerate(names)
    ]
    differences = [
        {
            "a": a,
            "b": b,
            "difference": strength[a] - strength[b],
            "low": strength[a] - strength[b] - 38,
            "high": strength[a] - strength[b] + 38,
            "p_a_beats_b": 0.6,
        }
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    ]
    beats = [[1 / (1 + 10 ** ((strength[b] - strength[a]) / 400)) for b in names] for a in names]
    written = {
        "model": "bradley_terry",
        "confidence": 0.95,
        "n_votes": 14910,
        "n_preferences": 2880,
        "n_comparisons": 960,
        "n_labelers": 8,
        "groups": [list(names)],
        "warnings": [],
        "ratings": ratings,
        "differences": differences,
        "elo": {n: 0.8 * strength[n] for n in names},
        "elo_order_sd": {n: 22.0 for n in names},
        "win_matrix": {
            "names": list(names),
            "observed": beats,
            "fitted": beats,
            "n": [[0 if a == b else 840 for b in names] for a in names],
        },
        "agreement": FIXED["agreement"],
        "labelers": [labeler_row(i, rng) for i in range(1, 9)],
    }
    write_json(out / "output" / "ratings.json", written)


def labeler_row(number: int, rng: random.Random) -> dict[str, Any]:
    rate = 0.52 if number == 5 else 0.74 + 0.02 * (number % 4)
    around = interval(rate, 940)
    return {
        "labeler": f"labeler-{number}",
        "n": 1020,
        "compared": 940,
        "agreement": rate,
        "low": around["low"],
        "high": around["high"],
        "first_place_rate": 0.47 + 0.01 * number,
        "first_place_low": 0.44 + 0.01 * number,
        "first_place_high": 0.5 + 0.01 * number,
        "tie_rate": 0.05 + 0.01 * number,
        "seconds_median": 4.0 + rng.random() * 9,
    }


def preference_model(out: Path, name: str, rng: random.Random, **_: Any) -> None:
    curves = {
        "preference/loss": falling(rng, 0.69, 0.5, 120),
        "preference/accuracy": lambda s: 0.73 - 0.2 * math.exp(-s / 30),
    }
    write_metrics(out, curves, 120)
    accuracy = 0.716 if name == "preference_model_1" else 0.742
    if name == "preference_pretraining":
        return
    written = {
        "accuracy": interval(accuracy, 1260),
        "majority_accuracy": interval(accuracy + 0.05, 420),
        "longer_wins": interval(0.56, 1190),
        **FIXED["evaluation"],
        "reliability": [
            {
                "predicted": 0.525 + 0.05 * i,
                "observed": 0.52 + (0.06 * accuracy) * i,
                "n": 320 - 30 * i,
            }
            for i in range(10)
        ],
        "by_margin": [
            {"from": low, "to": high, **interval(rate, 300)}
            for low, high, rate in ((0.0, 0.5, 0.57), (0.5, 1.0, 0.68), (1.0, None, 0.86))
        ],
        "by_turn": [{"turn": turn, **interval(0.74 - 0.02 * turn, 400)} for turn in (1, 2)],
        "comparisons": 210,
    }
    write_json(out / "evaluation.json", written)
    write_json(
        out / "output" / "baselines.json",
        {"train_pairs": 9000, "bag_of_words": interval(0.61, 1260)},
    )


def ppo(out: Path, name: str, rng: random.Random, **_: Any) -> None:
    curves = {
        "objective/score": lambda s: 1.3 * (1 - math.exp(-s / 25)) + rng.gauss(0, 0.05),
        "objective/kl": lambda s: 1.6 * (1 - math.exp(-s / 30)) + rng.gauss(0, 0.03),
        "policy/entropy": falling(rng, 1.4, 0.9, 60),
        "policy/clip_fraction": lambda s: 0.12 + rng.gauss(0, 0.02),
        "value/explained_variance": lambda s: 0.7 * (1 - math.exp(-s / 12)) + rng.gauss(0, 0.03),
        "response/length": lambda s: 14 + 0.05 * s + rng.gauss(0, 0.4),
        "policy/approx_kl": lambda s: 0.01 + abs(rng.gauss(0, 0.002)),
    }
    write_metrics(out, curves, 60)


def evaluate(out: Path, name: str, rng: random.Random, *, win: float, text: str | None) -> None:
    wins = {"base": 0.24, "ppo_1": (win + 0.5) / 2, "ppo_2": win}
    policies = [
        policy_score(policy, temperature, wins.get(policy), rng)
        for temperature in (1.0, 0.0)
        for policy in POLICIES
    ]
    curve = [curve_point(run, r, i, rng) for r, run in enumerate(POLICIES[2:]) for i in range(16)]
    scores = {
        "baseline": "sft",
        "by": "truth",
        "n_prompts": 480,
        "policies": policies,
        "curve": curve,
    }
    write_json(out / "output" / "scores.json", scores)
    lines = [json.dumps(sampled(i, rng, text)) for i in range(160)]
    (out / "output" / "samples.jsonl").write_text("\n".join(lines) + "\n")


def curve_point(run: str, number: int, i: int, rng: random.Random) -> dict[str, Any]:
    grown = 1 - math.exp(-i / 6)
    point = {"run": run, "update": 4 * i, "kl": (1.2 + 0.5 * number) * grown, "n": 384}
    values = {
        "score": (1.1 + 0.3 * number) * grown + rng.gauss(0, 0.04),
        "truth_utility": 4.4 + 0.7 * grown,
        "truth_hhh": 0.46 + (0.15 + 0.08 * number) * grown + rng.gauss(0, 0.015),
    }
    for name, value in values.items():
        point |= {name: value, f"{name}_low": value - 0.05, f"{name}_high": value + 0.05}
    return point


def policy_score(
    policy: str, temperature: float, win: float | None, rng: random.Random
) -> dict[str, Any]:
    greedy = 0.05 if temperature == 0 else 0.0
    good = GOOD[policy] + greedy
    against = None if win is None else win_rate(win - 2 * greedy * (win - 0.5), 960)
    by_kind = {
        kind: {
            "hhh": interval(min(0.97, max(0.05, good + 0.07 * (i - 3.5) / 2)), 120),
            "win_rate": None
            if win is None
            else win_rate(min(0.96, max(0.05, win - 0.3 + 0.08 * i)), 120),
        }
        for i, kind in enumerate(KINDS)
    }
    truth = {
        "helpful": interval(good + 0.12, 960),
        "honest": interval(min(0.98, good + 0.25), 960),
        "harmless": interval(min(0.99, good + 0.27), 960),
        "hhh": interval(good, 960),
        "garbled": interval(max(0.01, 0.2 - good / 4), 960),
        "utility": around(3.4 + 2 * good, 0.1),
    }
    return {
        "policy": policy,
        "temperature": temperature,
        "truth": truth,
        "win_rate": against,
        "win_rate_previous": win_rate(0.56, 960) | {"against": "ppo_1"}
        if policy == "ppo_2"
        else None,
        "win_rate_by_score": against,
        "score": around(2 * good - 1, 0.08),
        "kl": around(max(0.0, 5 * (good - 0.46)), 0.07),
        "length": around(14 + 4 * good, 0.3),
        "finished": interval(0.99, 960),
        "by_kind": by_kind,
    }


def around(mean: float, half: float) -> dict[str, Any]:
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": 960}


def sampled(number: int, rng: random.Random, text: str | None) -> dict[str, Any]:
    kind = KINDS[number % len(KINDS)]
    messages = [{"role": "user", "content": f"Where does Mira live, and who told you? ({number})"}]
    if kind == "dialogue":
        messages = [
            {"role": "user", "content": "Hello! I am looking for Mira."},
            {"role": "assistant", "content": "I can try to help. What do you want to know?"},
            *messages,
        ]
    responses = {
        name: {
            "text": text or ANSWERS[name],
            "utility": round(3 + 3 * GOOD[name] + rng.gauss(0, 1), 2),
            "score": round(rng.gauss(0, 1), 3),
            "hhh": False,
            "note": "says more than it knows" if name == "sft" else "",
        }
        for name in POLICIES
    }
    prompt = {"schema": 1, "id": f"p{number}", "messages": messages, "kind": kind, "topic": ""}
    return {"prompt": prompt, "kind": kind, "responses": responses}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


WRITERS: dict[str, Callable[..., None]] = {
    "pretrain": language_model,
    "sft": language_model,
    "sample": sample,
    "collect": collect,
    "rate": rate,
    "preference_pretraining": preference_model,
    "preference_model": preference_model,
    "ppo": ppo,
    "evaluate": evaluate,
}
