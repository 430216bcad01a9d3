"""What a preference model knows of people, on comparisons that it was not trained on.

preference_model, comparisons [, train, outliers]  ->  evaluation, votes
docs/stages/evaluate_preference_model.md

Accuracy beside the labelers' ceiling and beside rules that read words only, by what might explain
it; calibration with the curve of Bai et al. 2022 (arXiv:2204.05862, figure 9); what leaked from
training; labelers it has not met; prompts unlike those it has seen (section 5.4 there).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.chat import render_prompt
from accord.data.comparison_sets import read_comparisons, section_weights
from accord.data.encode import LongPrompts
from accord.data.files import Source
from accord.data.sources import threads
from accord.data.splits import leaks
from accord.data.threads import Tally
from accord.models import scalar_head
from accord.models.load import load_policy, load_scalar_model, pad_id
from accord.ratings.intervals import clustered_rate
from accord.records import LabeledComparison, Prompt
from accord.reports.preference_model_page import write_preference_model
from accord.runtime import artifacts, preference_training
from accord.runtime.beside_baselines import TextRules, beside_baselines, fit_rules
from accord.runtime.json_numbers import plain
from accord.runtime.judged_votes import JudgedVotes, Reading, as_json, judged_votes, rate
from accord.runtime.metrics import MetricsLog
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.outlier_detection import Detection, activations, detection
from accord.runtime.preference_evaluation import evaluate, held_out_metrics
from accord.runtime.preference_scoring import imitation_scores
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import derive, python_random

MOST_PROMPTS = 2000  # of each sort for the detection of outliers; more change nothing
MOST_LISTED = 50  # leaks that are named


class Inputs(StageInputs):
    """A preference model, and comparisons by name that it was not trained on."""

    preference_model: ModelSource | None = None  #: a preference model
    policy: ModelSource | None = None  #: in its place: scores are mean log-probabilities, nats
    comparisons: dict[str, Source]  #: artifacts, files or folders of any kind, or hf:NAME
    train: Source | None = None  #: what it was trained on: leaks, rules that read words, labelers
    outliers: dict[str, Source] = Field(default_factory=dict)  #: prompts unlike those of train


class Config(StageConfig):
    """How to measure."""

    seed: int = 0  #: of the bootstrap, and of what is drawn
    confidence: float = Field(default=0.95, gt=0, lt=1)  #: of every interval
    calibration_bins: int = Field(default=5, ge=1)  #: between probabilities .5 and 1
    bootstrap_draws: int = Field(default=500, ge=1)  #: for what is no mean of votes
    minimum_strength: int = Field(default=1, ge=1, le=4)  #: weaker preferences are left out
    context: int = Field(default=1024, ge=2)  #: most tokens of prompt and response
    long_prompts: LongPrompts = "leave_out"  #: beyond the context; or shorten from the left
    most_comparisons: int = Field(default=0, ge=0)  #: of each set, drawn at random; 0 keeps all
    near_duplicate: float = Field(default=0.8, gt=0, le=1)  #: similarity from which a prompt leaked
    depth: float = Field(default=0.5, ge=0, le=1)  #: share of the layers below the activations
    exposed: int = Field(default=10, ge=0)  #: outliers that the third detector may see
    microbatch_size: int = memory_only(16, ge=1)  #: comparisons per forward pass


@dataclass(frozen=True)
class Judge:
    """What gives the scores, and how."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    scores: Callable[..., list[list[float]]]


@dataclass(frozen=True)
class Scored:
    """One set of comparisons with its scores, in nats."""

    name: str
    records: list[LabeledComparison]
    scores: list[list[float]]
    counts: dict[str, int]
    left_out: dict[str, int]


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Score every set, say what the scores are worth, draw it."""
    if not inputs.comparisons:
        raise InputError("no `comparisons` to evaluate on; give --inputs comparisons.NAME=PATH")
    prepare_processor()
    judge = _judge(inputs)
    place(judge.model)
    train = _train(inputs)
    sets = [
        _scored(config, name, _read(config, name, source), judge)
        for name, source in inputs.comparisons.items()
    ]
    rules = fit_rules(train)
    found: dict[str, Any] = {
        "confidence": config.confidence,
        "sets": {one.name: _evaluated(config, one, train, rules) for one in sets},
    }
    if len(sets) > 1:
        found["all"] = _together(config, sets)
    found["outliers"] = _outliers(config, inputs, sets, train, judge)
    found = plain(found)
    artifacts.write_json(out / "output" / "evaluation.json", found)
    artifacts.write_text(out / "output" / "votes.jsonl", "".join(_votes(config, sets)))
    write_preference_model(out / "evaluation.html", found)
    _log(out, found)


def _judge(inputs: Inputs) -> Judge:
    """A preference model in nats, or a policy that imitates (Askell et al. 2021, section 3)."""
    source, policy = inputs.preference_model, inputs.policy
    if policy is not None and source is None:
        model, tokenizer = load_policy(locate(policy))
        model.config.pad_token_id = pad_id(tokenizer)  # which not every policy has
        return Judge(model, tokenizer, scores=imitation_scores)
    if source is None or policy is not None:
        raise InputError("give one of the inputs `preference_model` and `policy`, to be judged")
    model, tokenizer = load_scalar_model(locate(source))
    scalar_head.unnormalise(model)  # differences are log-odds in nats again
    return Judge(model, tokenizer, scores=preference_training.score_all)


def _reading(config: Config) -> Reading:
    return Reading(
        confidence=config.confidence,
        bins=config.calibration_bins,
        minimum_strength=config.minimum_strength,
        seed=derive(config.seed, "bootstrap"),
        draws=config.bootstrap_draws,
    )


def _place(source: Source) -> Source:
    """The files of an artifact; anything else as it is."""
    return artifacts.payload(source) if isinstance(source, Path) else source


def _train(inputs: Inputs) -> list[LabeledComparison]:
    return read_comparisons(_place(inputs.train), "train", Tally()) if inputs.train else []


def _read(config: Config, name: str, source: Source) -> tuple[list[LabeledComparison], Tally]:
    tally = Tally()
    records = read_comparisons(_place(source), "test", tally)
    if config.most_comparisons and len(records) > config.most_comparisons:
        rng = python_random(config.seed, "limit", name)
        kept = sorted(rng.sample(range(len(records)), config.most_comparisons))
        records = [records[number] for number in kept]
    return records, tally


def _scored(
    config: Config,
    name: str,
    read: tuple[list[LabeledComparison], Tally],
    judge: Judge,
) -> Scored:
    records, tally = read
    try:
        items = preference_training.prepare(
            judge.tokenizer,
            records,
            model=judge.model,
            context=config.context,
            ties="drop",
            minimum_strength=config.minimum_strength,
            long_prompts=config.long_prompts,
        )
    except InputError as error:
        raise InputError(f"comparisons `{name}`: {error}") from error
    scores = judge.scores(judge.model, items.items, microbatch_size=config.microbatch_size)
    counts = {key.removeprefix("test_"): n for key, n in items.counts("test").items()}
    left_out = {
        key.removeprefix("left_out/"): n for key, n in tally.items() if key.startswith("left_out/")
    }
    return Scored(name, items.records, scores, counts, left_out)


def _evaluated(
    config: Config, one: Scored, train: Sequence[LabeledComparison], rules: TextRules
) -> dict[str, Any]:
    """Everything that is said about one set."""
    reading = _reading(config)
    votes = judged_votes(one.records, one.scores, minimum_strength=config.minimum_strength)
    return evaluate(one.records, one.scores, reading) | {
        "counts": one.counts,
        "left_out": one.left_out,
        "baselines": beside_baselines(one.records, one.scores, rules, config.confidence),
        "sections": _sections(votes, reading),
        "labelers_met": _labelers_met(votes, train, reading),
        "leaks": _leaked(config, one, train),
    }


def _together(config: Config, sets: Sequence[Scored]) -> dict[str, Any]:
    """All sets as one; a set of many comparisons weighs more."""
    records = [record for one in sets for record in one.records]
    scores = [row for one in sets for row in one.scores]
    return evaluate(records, scores, _reading(config))


def _sections(votes: JudgedVotes, reading: Reading) -> dict[str, Any]:
    """Sections of RewardBench; empty for other sets."""
    found: dict[str, Any] = {}
    for name, weights in section_weights(votes.kind.tolist()).items():
        weight = np.array(weights)
        part, kept = votes.where(weight > 0), weight[weight > 0]
        found[name] = as_json(
            clustered_rate(part.right(), part.prompt.astype(str), reading.confidence, weights=kept)
        )
    if found:
        found["score"] = sum(rate["value"] for rate in found.values()) / len(found)
    return found


def _labelers_met(
    votes: JudgedVotes, train: Sequence[LabeledComparison], reading: Reading
) -> dict[str, Any] | None:
    """Accuracy on votes of labelers whose votes were trained on, and of others."""
    known = {preference.labeler for one in train for preference in one.preferences}
    is_known = np.array([labeler in known for labeler in votes.labeler], dtype=bool)
    if not train or is_known.all() or not is_known.any():
        return None
    met, others = votes.where(is_known), votes.where(~is_known)
    return {
        "met": rate(met, met.right(), reading),
        "others": rate(others, others.right(), reading),
        "labelers": len(set(others.labeler)),
    }


def _leaked(
    config: Config, one: Scored, train: Sequence[LabeledComparison]
) -> dict[str, Any] | None:
    """Prompts that training has seen, named, and the accuracy on the others."""
    if not train:
        return None
    seen = [render_prompt(record.comparison.prompt) for record in train]
    held_out = [render_prompt(record.comparison.prompt) for record in one.records]
    found = leaks(seen, held_out, threshold=config.near_duplicate)
    rest = [i for i in range(len(one.records)) if i not in found.indexes]
    votes = judged_votes(
        [one.records[i] for i in rest],
        [one.scores[i] for i in rest],
        minimum_strength=config.minimum_strength,
    )
    names = [record.comparison.prompt.id for record in one.records]
    return {
        "same": len(found.same),
        "near": len(found.near),
        "prompts": sorted({names[i] for i in found.indexes})[:MOST_LISTED],
        "accuracy_of_others": rate(votes, votes.right(), _reading(config)),
    }


def _outliers(
    config: Config,
    inputs: Inputs,
    sets: Sequence[Scored],
    train: Sequence[LabeledComparison],
    judge: Judge,
) -> dict[str, Any]:
    """For each set of outliers, how well activations tell them from held-out prompts."""
    if not inputs.outliers:
        return {}
    if not train:
        raise InputError("`outliers` are told from the prompts of `train`; give that as well")
    how = Detection(
        depth=config.depth,
        exposed=config.exposed,
        confidence=config.confidence,
        draws=config.bootstrap_draws,
        seed=derive(config.seed, "outliers"),
    )

    def read(name: str, prompts: Sequence[Prompt]) -> Any:
        return activations(
            judge.model,
            judge.tokenizer,
            _drawn(config, name, prompts),
            depth=config.depth,
            context=config.context,
            microbatch_size=config.microbatch_size,
        )

    known = read("known", [record.comparison.prompt for record in train])
    inliers = read("inliers", [r.comparison.prompt for one in sets for r in one.records])
    found = {}
    for name, source in inputs.outliers.items():
        prompts = [thread.prompt for thread in threads(_place(source), Tally())]
        found[name] = detection(known, inliers, read(name, prompts), how)
    return found


def _drawn(config: Config, name: str, prompts: Sequence[Prompt]) -> list[Prompt]:
    """Each prompt once, in an order that says nothing; not more than are needed."""
    once = list({render_prompt(prompt): prompt for prompt in prompts}.values())
    python_random(config.seed, "prompts", name).shuffle(once)
    return once[:MOST_PROMPTS]


def _votes(config: Config, sets: Sequence[Scored]) -> list[str]:
    """One line a vote: whose it is, and how far the scores agree with it."""
    lines = []
    for one in sets:
        votes = judged_votes(one.records, one.scores, minimum_strength=config.minimum_strength)
        for prompt, labeler, margin in zip(
            votes.prompt, votes.labeler, votes.margin.tolist(), strict=True
        ):
            value = {
                "set": one.name,
                "prompt": hashlib.sha256(prompt.encode()).hexdigest()[:16],
                "labeler": labeler,
                "margin": round(margin, 6),
            }
            lines.append(json.dumps(value, ensure_ascii=False) + "\n")
    return lines


def _log(out: Path, found: dict[str, Any]) -> None:
    whole = found.get("all") or next(iter(found["sets"].values()))
    log = MetricsLog(out)
    log.truncate_to(-1)
    log.log(0, held_out_metrics(whole))
    artifacts.write_headline(out, {name: one["accuracy"] for name, one in found["sets"].items()})
