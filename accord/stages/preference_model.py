"""Train a preference model (often called reward model) on what labelers said.

model, comparisons  ->  preference model          docs/stages/preference_model.md
Follows Ouyang et al. 2022 (arXiv:2203.02155): all pairs of a prompt are one element of the batch
and each response goes through the model once. Differs from it in: several labelers' answers to one
comparison are used as shares, the score is read at the end-of-sequence token as in Bai et al.
2022 (arXiv:2204.05862), and scores are normalised to mean 0 and standard deviation 1 as in
Ziegler et al. 2019 (arXiv:1909.08593), after training only.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.encode import LongPrompts, encode_comparisons
from accord.data.preferences import Ties
from accord.functional.preference import normalise
from accord.models import scalar_head
from accord.models.load import load_scalar_model, save_model
from accord.records import Comparison, LabeledComparison, iterate_records, read_records
from accord.runtime import artifacts, preference_training
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.preference_evaluation import Reading, evaluate, held_out_metrics
from accord.runtime.preference_training import Heads, Items, Plan
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import derive, generator
from accord.runtime.train import Schedule

SAME = 1e-6  # standard deviation, nats; equal texts differ by rounding


class Inputs(StageInputs):
    """A model to start from and what people preferred."""

    model: ModelSource  #: preference pretraining, a policy, or any causal language model
    comparisons: Path  #: folder with comparisons-train.jsonl and comparisons-test.jsonl
    reference: Path | None = None  #: sample artifact whose responses get mean 0 and std 1


class Config(StageConfig):
    """How to train and to measure."""

    seed: int = 0  #: order of the comparisons, a fresh head, the bootstrap
    epochs: int = Field(default=1, ge=1)  #: passes over the comparisons; more than 1 overfits
    batch_size: int = Field(default=64, ge=1)  #: comparisons per optimizer step
    microbatch_size: int = memory_only(16, ge=1)  #: comparisons per forward pass
    learning_rate: float = Field(default=5e-5, gt=0)  #: peak, of Adam
    schedule: Schedule = "cosine"  #: constant, linear or cosine
    warmup: float = Field(default=0.0, ge=0, lt=1)  #: share of the steps that rises to the peak
    final_learning_rate: float = Field(default=0.1, ge=0, le=1)  #: share of the peak at the end
    max_grad_norm: float = Field(default=1.0, gt=0)  #: gradients are scaled down to this norm
    context: int = Field(default=1024, ge=2)  #: most tokens of prompt and response
    long_prompts: LongPrompts = "leave_out"  #: beyond the context; or shorten from the left
    ties: Ties = "drop"  #: equal ranks: left out, or half a win each way
    minimum_strength: int = Field(default=1, ge=1, le=4)  #: weaker preferences are left out
    normalise: bool = True  #: bring scores to mean 0 and std 1; off keeps nats
    confidence: float = Field(default=0.95, gt=0, lt=1)  #: of every interval
    calibration_bins: int = Field(default=5, ge=1)  #: between probabilities .5 and 1
    checkpoint_every: int = memory_only(100, ge=1)  #: optimizer steps


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Train, evaluate on the held-out comparisons, normalise, save."""
    prepare_processor()
    model, tokenizer = load_scalar_model(
        locate(inputs.model), random=generator(config.seed, "head")
    )
    place(model)
    scalar_head.unnormalise(model)
    train = _prepared(config, inputs, model, tokenizer, "train")
    test = _prepared(config, inputs, model, tokenizer, "test")
    reading = Reading(
        confidence=config.confidence,
        bins=config.calibration_bins,
        minimum_strength=config.minimum_strength,
        seed=derive(config.seed, "bootstrap"),
    )

    def evaluated(reading: Reading) -> dict[str, Any]:
        found = preference_training.score_all(
            model, test.items, microbatch_size=config.microbatch_size
        )
        return evaluate(test.records, found, reading)

    plan = _plan(config)
    preference_training.fit(
        Heads(model),
        train.items,
        plan,
        out=out,
        evaluate=lambda: held_out_metrics(evaluated(replace(reading, draws=0))),
    )
    evaluation = evaluated(reading) | train.counts("train") | test.counts("test")
    evaluation["normalisation"] = _normalise(config, inputs, model, tokenizer, train)
    save_model(model, tokenizer, out / "output")
    artifacts.write_json(out / "evaluation.json", evaluation)
    artifacts.write_headline(
        out,
        {
            "held_out_accuracy": evaluation["accuracy"],
            "held_out_log_loss": evaluation["log_loss"],
            "ceiling": (evaluation["ceiling"] or {}).get("accuracy"),
            "train_size": evaluation["train_size"],
        },
    )


def _plan(config: Config) -> Plan:
    return Plan(
        seed=config.seed,
        epochs=config.epochs,
        batch_size=config.batch_size,
        microbatch_size=config.microbatch_size,
        learning_rate=config.learning_rate,
        schedule=config.schedule,
        warmup=config.warmup,
        final_learning_rate=config.final_learning_rate,
        max_grad_norm=config.max_grad_norm,
        checkpoint_every=config.checkpoint_every,
    )


def _prepared(
    config: Config,
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    split: str,
) -> Items:
    folder = artifacts.payload(inputs.comparisons)
    return preference_training.prepare(
        tokenizer,
        iterate_records(folder / f"comparisons-{split}.jsonl", LabeledComparison),
        model=model,
        context=config.context,
        ties=config.ties,
        minimum_strength=config.minimum_strength,
        keep_records=split == "test",
        long_prompts=config.long_prompts,
    )


def _normalise(
    config: Config,
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Items,
) -> dict[str, Any]:
    """Bring the scores of the reference responses to mean 0 and std 1; say from what."""
    if not config.normalise:
        return {"reference": "none", "gain": 1.0, "bias": 0.0}
    if inputs.reference is None:
        conversations: Sequence[Sequence[int]] = [
            conversation for item in train.items for conversation in item.conversations
        ]
    else:
        conversations = _reference(config, inputs.reference, tokenizer)
    scores = preference_training.score_conversations(
        model, conversations, microbatch_size=config.microbatch_size
    )
    values = torch.tensor(scores, dtype=torch.float64)
    mean, std = float(values.mean()), float(values.std(correction=0))
    if std < SAME:
        raise InputError("every reference response has the same score; give more of them")
    gain, bias = normalise(mean, std)
    scalar_head.normalise(model, gain=gain, bias=bias)
    reference = "training responses" if inputs.reference is None else "reference responses"
    return {
        "reference": reference,
        "responses": len(scores),
        "mean": mean,
        "std": std,
        "gain": gain,
        "bias": bias,
    }


def _reference(
    config: Config, path: Path, tokenizer: PreTrainedTokenizerBase
) -> Sequence[Sequence[int]]:
    comparisons = read_records(artifacts.payload(path) / "comparisons.jsonl", Comparison)
    encoded = encode_comparisons(
        tokenizer, comparisons, context=config.context, long_prompts=config.long_prompts
    )
    found = [[*c.prompt, *response] for c in encoded if c is not None for response in c.responses]
    if not found:
        raise InputError(
            f"no response of `{path}` fits `context` = {config.context} tokens; raise it"
        )
    return found
