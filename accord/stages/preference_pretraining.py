"""Pretrain a preference model on many public comparisons before the few that people made.

model, public comparisons  ->  preference model, pretrained
docs/stages/preference_pretraining.md
Follows Askell et al. 2021 (arXiv:2112.00861): a pairwise loss with the next-token loss on the
better response added, one epoch. Comparisons are used as they are ranked, or each as two of one
answer called good and bad (``form = "binary"``), of which people preferred the one they meant.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.binarised import binarised
from accord.data.chat import render_prompt
from accord.data.encode import LongPrompts
from accord.data.preferences import Ties
from accord.data.splits import split_of
from accord.models.load import load_both_heads, save_model
from accord.records import LabeledComparison, iterate_records
from accord.runtime import artifacts, preference_training
from accord.runtime.input_files import input_file
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.preference_evaluation import Reading, evaluate, held_out_metrics
from accord.runtime.preference_losses import Loss
from accord.runtime.preference_training import Heads, Items, Plan, Wanted
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import derive, generator
from accord.runtime.train import Schedule

FILE = "public-comparisons.jsonl"


class Inputs(StageInputs):
    """A language model and public comparisons."""

    model: ModelSource  #: a causal language model
    comparisons: Path  #: public-comparisons.jsonl, or the folder or artifact that holds it


class Config(StageConfig):
    """How to train and to measure."""

    seed: int = 0  #: order of the comparisons, the head, the split, the bootstrap
    epochs: int = Field(default=1, ge=1)  #: passes over the comparisons
    batch_size: int = Field(default=64, ge=1)  #: comparisons per optimizer step
    microbatch_size: int = memory_only(16, ge=1)  #: comparisons per forward pass
    learning_rate: float = Field(default=1e-4, gt=0)  #: peak, of Adam
    schedule: Schedule = "cosine"  #: constant, linear or cosine
    warmup: float = Field(default=0.0, ge=0, lt=1)  #: share of the steps that rises to the peak
    final_learning_rate: float = Field(default=0.1, ge=0, le=1)  #: share of the peak at the end
    max_grad_norm: float = Field(default=1.0, gt=0)  #: gradients are scaled down to this norm
    lm_coef: float = Field(default=1.0, ge=0)  #: weight of the next-token loss; 0 leaves it out
    context: int = Field(default=1024, ge=2)  #: most tokens of prompt and response
    long_prompts: LongPrompts = "leave_out"  #: beyond the context; or shorten from the left
    ties: Ties = "drop"  #: equal ranks: left out, or half a win each way
    minimum_strength: int = Field(default=1, ge=1, le=4)  #: weaker preferences are left out
    test_fraction: float = Field(default=0.05, gt=0, lt=1)  #: share of prompts held out
    form: Literal["ranked", "binary"] = "ranked"  #: as ranked, or each answer called good and bad
    confidence: float = Field(default=0.95, gt=0, lt=1)  #: of every interval
    calibration_bins: int = Field(default=5, ge=1)  #: between probabilities .5 and 1
    checkpoint_every: int = memory_only(100, ge=1)  #: optimizer steps


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Train both heads on one trunk, evaluate on held-out prompts, save the scalar model."""
    prepare_processor()
    heads, tokenizer = _load(config, inputs)
    model = heads.scalar
    train, test = _prepared(config, inputs, model, tokenizer, out)
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

    preference_training.fit(
        heads,
        train.items,
        _plan(config),
        out=out,
        evaluate=lambda: held_out_metrics(evaluated(replace(reading, draws=0))),
    )
    evaluation = evaluated(reading) | train.counts("train") | test.counts("test")
    save_model(model, tokenizer, out / "output")
    artifacts.write_json(out / "evaluation.json", evaluation)
    artifacts.write_headline(
        out,
        {
            "held_out_accuracy": evaluation["accuracy"],
            "held_out_log_loss": evaluation["log_loss"],
            "train_size": evaluation["train_size"],
        },
    )


def _load(config: Config, inputs: Inputs) -> tuple[Heads, PreTrainedTokenizerBase]:
    scalar, language, tokenizer = load_both_heads(
        locate(inputs.model), random=generator(config.seed, "head")
    )
    place(language)  # the trunk is one: what is placed for one head is placed for both
    place(scalar)
    return Heads(scalar, language if config.lm_coef else None), tokenizer


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
        loss=Loss(lm_coef=config.lm_coef),
    )


def _prepared(
    config: Config,
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
) -> tuple[Items, Items]:
    """Training and held-out comparisons; all comparisons of a prompt are on one side."""
    path = input_file(inputs.comparisons, FILE)
    train, test = (
        preference_training.take(
            tokenizer,
            _side(path, side, config),
            model,
            Wanted(
                context=config.context,
                ties=config.ties,
                minimum_strength=config.minimum_strength,
                keep_records=side == "test",
                long_prompts=config.long_prompts,
                directory=out,
            ),
        )
        for side in ("train", "test")
    )
    return train, test


def _side(path: Path, side: str, config: Config) -> Iterator[LabeledComparison]:
    """The comparisons of one side, read anew for each, so that they need not be held."""
    count = chosen = 0
    for labeled in iterate_records(path, LabeledComparison):
        count += 1
        text = render_prompt(labeled.comparison.prompt)
        if split_of(text, fraction=config.test_fraction, seed=config.seed) == side:
            chosen += 1
            yield from binarised(labeled) if config.form == "binary" else (labeled,)
    if not chosen:
        raise InputError(
            f"`test_fraction` = {config.test_fraction} leaves no {side} comparisons out of "
            f"{count}; change it or give more"
        )
