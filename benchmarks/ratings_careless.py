"""Are careless labelers found? Planted ones, with 100 votes each, among labelers who look.

    python benchmarks/ratings_careless.py            # the tables of ratings_careless.md
    python benchmarks/ratings_careless.py --seeds 3  # quicker

Compares ``accord.ratings.reliability`` with agreement with the majority, and with a judge who
knows the true quality of every response, which nobody does: no method can be expected to do much
better than that.
"""

import argparse
import gzip
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from accord.ratings.agreement import accuracy_ceiling, labeler_summary
from accord.ratings.reliability import fit_reliability
from accord.ratings.votes import Votes, from_columns, log_ratio

BESIDE = Path(__file__).parents[2] / "shared" / "data"
DATA = Path(os.environ.get("ACCORD_TEST_DATA", BESIDE))
KINDS = ("random", "first", "tie", "longer", "mixed")
SLIP = 0.1  # how often even a habit is not followed


@dataclass(frozen=True)
class Design:
    """What labelers are shown, and who they are."""

    name: str
    policies: int = 8
    policy_sd: float = 0.6  # nats; 0.6 is 104 Elo points
    unit_sd: float = 1.0  # of single responses beyond their policies
    judged: int = 3  # labelers who judge the same two responses
    labelers: int = 30
    careless: int = 9
    votes: int = 100  # of each labeler
    tie: float = 0.3  # nats, the typical threshold


DESIGNS = (
    Design("policies, 3 judge each pair"),
    Design("policies, each pair judged once", unit_sd=0.5, judged=1),
    Design("response pairs only, 5 judge each", policies=1, unit_sd=1.6, judged=5),
    Design("few careless (3 of 30)", careless=3),
    Design("many careless (14 of 30)", careless=14),
    Design("8 labelers, 2 careless", labelers=8, careless=2),
    Design("hard task: hardly any agreement", policy_sd=0.3, unit_sd=0.7),
)


@dataclass(frozen=True, eq=False)
class Planted:
    """Votes, and what nobody would know."""

    votes: Votes
    careless: np.ndarray
    discrimination: np.ndarray
    quality: np.ndarray  # of each vote's first response beyond the second


def plant(design: Design, kind: str, seed: int) -> Planted:
    """Votes of labelers who look, each in their own way, and of some who do not.

    random: clicks; first: the response shown first; tie: always "equal"; longer: the longer
    response; mixed: some of each. One in ten of their votes is a random click whatever the habit.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    people = design.labelers
    units = people * design.votes // design.judged
    unit = np.repeat(np.arange(units), design.judged)
    # Everybody votes before anybody votes again, so nobody sees the same two responses twice.
    rounds = [rng.permutation(people) for _ in range(design.votes + 1)]
    labeler = np.concatenate(rounds)[: len(unit)]
    strengths = rng.normal(0, design.policy_sd, design.policies)
    a = rng.integers(design.policies, size=units)
    b = (a + rng.integers(1, max(design.policies, 2), size=units)) % design.policies
    gap = strengths[a] - strengths[b] + rng.normal(0, design.unit_sd, units)
    length = rng.normal(0, 0.5, units)[unit]
    side = rng.choice([-1.0, 1.0], len(unit))

    k = np.clip(rng.normal(1, 0.25, people), 0.3, None)
    bias, taste = rng.normal(0.1, 0.2, people), rng.normal(0.3, 0.3, people)
    threshold = (design.tie * np.exp(rng.normal(0, 0.4, people)))[labeler]
    eta = k[labeler] * gap[unit] + bias[labeler] * side + taste[labeler] * length
    better = 1 / (1 + np.exp(threshold - eta))
    worse = 1 / (1 + np.exp(threshold + eta))
    draw = rng.random(len(unit))
    outcome = np.where(draw < better, 1.0, np.where(draw < better + worse, 0.0, 0.5))

    is_careless = np.zeros(people, dtype=bool)
    is_careless[rng.choice(people, design.careless, replace=False)] = True
    habit = rng.choice(KINDS[:-1], people) if kind == "mixed" else np.full(people, kind)
    click = rng.choice([0.0, 1.0, 0.5], len(unit), p=[0.45, 0.45, 0.1])
    habitual = np.select(
        [habit[labeler] == "first", habit[labeler] == "tie", habit[labeler] == "longer"],
        [(side > 0) * 1.0, np.full(len(unit), 0.5), (length > 0) * 1.0],
        click,
    )
    habitual = np.where(rng.random(len(unit)) < SLIP, click, habitual)
    names = [f"policy {i}" for i in range(design.policies)]
    votes = from_columns(
        [names[i] for i in a[unit]],
        [names[i] for i in b[unit]],
        np.where(is_careless[labeler], habitual, outcome),
        labeler=[f"labeler {i:03d}" for i in labeler],
        prompt=[f"prompt {i:06d}" for i in unit],
        a_first=(side + 1) / 2,
        covariates={"length": length},
    )
    turned = np.where(a > b, -1, 1)[unit]
    return Planted(votes, is_careless, k, gap[unit] * turned)


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive scores above a negative, a tie counting half."""
    gap = score[positive][:, None] - score[~positive][None, :]
    return float((gap > 0).mean() + (gap == 0).mean() / 2)


def scores(planted: Planted) -> dict[str, np.ndarray]:
    """How careless each labeler looks: to the model, to the majority, to who knows the truth."""
    votes, q = planted.votes, planted.quality
    model = np.array([row.careless for row in fit_reliability(votes).labelers])
    majority = [1 - (row.agreement or 0.0) for row in labeler_summary(votes)]
    follows = np.bincount(votes.labeler, (votes.outcome - 0.5) * q)
    return {
        "model": model,
        "majority": np.array(majority),
        "truth": -follows / np.sqrt(np.bincount(votes.labeler, q**2)),
    }


def row(design: Design, kind: str, seeds: int) -> list[str]:
    """One line of the table."""
    found = {name: [] for name in ("model", "majority", "truth")}
    flagged, wrongly, agree = [], [], []
    for seed in range(seeds):
        planted = plant(design, kind, seed)
        bad, votes = planted.careless, planted.votes
        seen = scores(planted)
        for name, score in seen.items():
            found[name].append(auc(score, bad))
        flagged.append((seen["model"][bad] > 0.5).mean())
        wrongly.append((seen["model"][~bad] > 0.5).mean())
        if design.judged > 1:
            looking = votes.where(~bad[votes.labeler])
            agree.append(accuracy_ceiling(looking).agreement)
    return [
        design.name,
        kind,
        f"{np.mean(agree):.0%}" if agree else "",
        f"**{np.mean(found['model']):.3f}**",
        f"{np.min(found['model']):.3f}",
        f"{np.mean(found['majority']):.3f}" if agree else "",
        f"{np.mean(found['truth']):.3f}",
        f"{np.mean(flagged):.0%}",
        f"{np.mean(wrongly):.1%}",
    ]


def coverage(seeds: int) -> list[str]:
    """How often the interval of discrimination holds the true one, nobody being careless."""
    design = replace(DESIGNS[0], careless=0)
    inside, width = [], []
    for seed in range(seeds):
        planted = plant(design, "random", seed)
        k = planted.discrimination / planted.discrimination.mean()
        for one, true in zip(fit_reliability(planted.votes).labelers, k, strict=True):
            inside.append(one.discrimination.low <= true <= one.discrimination.high)
            width.append(one.discrimination.high - one.discrimination.low)
    return [str(len(inside)), f"{np.mean(inside):.3f}", f"{np.mean(width):.2f}"]


def speed() -> list[list[str]]:
    """Processor seconds of a fit, one thread of numpy."""
    rows = []
    for labelers, each in ((30, 100), (200, 100), (200, 5000)):
        design = Design("", labelers=labelers, careless=labelers // 5, votes=each)
        votes = plant(design, "mixed", 0).votes
        start = time.process_time()
        fit_reliability(votes)
        rows.append([str(labelers), str(each), f"{time.process_time() - start:.1f}"])
    return rows


def real_people(seeds: int) -> list[str] | None:
    """Clickers planted among real labelers: UKPConvArg1, or None where the data is missing."""
    votes = ukp_votes(DATA)
    if votes is None:
        return None
    often = np.bincount(votes.labeler)
    busy = np.flatnonzero(often >= 100)
    model, majority, flagged, wrongly = [], [], [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        bad = rng.choice(busy, len(busy) // 4, replace=False)
        clicks = rng.permutation(votes.outcome)  # the same share of ties
        planted = replace(
            votes, outcome=np.where(np.isin(votes.labeler, bad), clicks, votes.outcome)
        )
        is_bad = np.isin(busy, bad)
        careless = np.array([one.careless for one in fit_reliability(planted).labelers])[busy]
        summary = labeler_summary(planted)
        model.append(auc(careless, is_bad))
        majority.append(auc(np.array([-(summary[i].agreement or 0.0) for i in busy]), is_bad))
        flagged.append((careless[is_bad] > 0.5).mean())
        wrongly.append((careless[~is_bad] > 0.5).mean())
    return [
        f"{len(busy)}",
        f"{len(busy) // 4}",
        f"**{np.mean(model):.3f}**",
        f"{np.mean(majority):.3f}",
        f"{np.mean(flagged):.0%}",
        f"{np.mean(wrongly):.1%}",
    ]


def ukp_votes(data: Path) -> Votes | None:
    """UKPConvArg1: which of two arguments is more convincing? Each argument is a policy."""
    file, texts = data / "splits/ukpconvarg1-votes.jsonl.gz", data / "ukpconvarg1/arguments.jsonl"
    if not file.exists() or not texts.exists():
        return None
    with texts.open(encoding="utf-8") as lines:
        length = {row["id"]: len(row["text"]) for row in map(json.loads, lines)}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [(row, vote) for row in map(json.loads, lines) for vote in row["votes"]]
    answer = {"a1": "a", "a2": "b", "equal": "tie"}
    return from_columns(
        [row["a1"] for row, _ in rows],
        [row["a2"] for row, _ in rows],
        [answer[vote["value"]] for _, vote in rows],
        labeler=[vote["worker"] for _, vote in rows],
        prompt=[row["pair"] for row, _ in rows],
        a_first=np.ones(len(rows)),
        covariates={
            "length": log_ratio(
                [length[row["a1"]] for row, _ in rows], [length[row["a2"]] for row, _ in rows]
            )
        },
    )


def table(head: list[str], rows: Iterable[list[str]]) -> None:
    """Markdown to the screen."""
    for line in chain((head, ["---"] * len(head)), rows):
        print("| " + " | ".join(line) + " |", flush=True)
    print()


def main() -> None:
    """Everything in ratings_careless.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    head = ["design", "careless", "agreement", "AUC", "lowest", "majority", "truth known"]
    head += ["found", "wrongly"]
    table(head, (row(design, kind, seeds) for design in DESIGNS for kind in KINDS))
    table(["labelers", "covered", "width"], [coverage(seeds)])
    table(["labelers", "votes each", "seconds"], speed())
    found = real_people(max(seeds // 4, 1))
    if found is None:
        print(f"no UKPConvArg1 in {DATA}; set ACCORD_TEST_DATA to the folder of public data")
    else:
        table(["busy labelers", "planted", "AUC", "majority", "found", "wrongly"], [found])


if __name__ == "__main__":
    main()
