"""Supervised fine-tuning: a language model and demonstrations to the first policy.

model, demonstrations  ->  policy            docs/stages/sft.md

The loss is on the response and its end of sequence only, as in Ouyang et al. 2022
(arXiv:2203.02155), section 3.5.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.chat import render_prompt
from accord.data.collate import Sequences, bucketed, build
from accord.data.encode import Example, encode_demonstrations
from accord.data.splits import split_of
from accord.models.load import (
    context_length,
    load_policy,
    pad_id,
    save_model,
    set_dropout,
)
from accord.records import Demonstration, read_records
from accord.runtime import artifacts
from accord.runtime.input_files import input_file
from accord.runtime.metrics import read_metrics
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import generator
from accord.runtime.supervised import Plan, fit


class Inputs(StageInputs):
    """What supervised fine-tuning reads."""

    model: ModelSource  #: the language model to start from
    demonstrations: Path  #: Demonstration records, or a folder with demonstrations.jsonl


class Config(StageConfig):
    """How a policy learns from demonstrations; docs/stages/sft.md has the sources."""

    seed: int = 0
    epochs: int = Field(3, ge=1)  #: passes over the demonstrations
    batch_size: int = Field(16, ge=1)  #: demonstrations per optimizer step
    microbatch_size: int = memory_only(8, ge=1)  #: demonstrations per forward pass; memory only
    context: int = Field(1024, ge=2)  #: most tokens of prompt and response
    learning_rate: float = Field(1e-5, gt=0)  #: at its peak, after the warm-up
    warmup: float = Field(0.05, ge=0, lt=1)  #: share of the steps over which the rate rises
    final_learning_rate: float = Field(0.1, ge=0, le=1)  #: at the end of the cosine, of the peak
    weight_decay: float = Field(0.0, ge=0)
    dropout: float = Field(0.0, ge=0, lt=1)  #: every dropout of the architecture, while training
    max_grad_norm: float = Field(1.0, gt=0)
    held_out_fraction: float = Field(0.1, ge=0, lt=1)  #: of the prompts, never trained on
    log_every: int = Field(5, ge=1)  #: steps per line of metrics
    checkpoint_every: int = memory_only(100, ge=1)  #: steps


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Fine-tune; ``output/`` is a folder that transformers loads."""
    prepare_processor()
    demonstrations = read_records(
        input_file(inputs.demonstrations, "demonstrations.jsonl"), Demonstration
    )
    model, tokenizer = load_policy(locate(inputs.model), dropout=config.dropout)
    limit = min(config.context, context_length(model) or config.context)
    encoded = encode_demonstrations(tokenizer, demonstrations, context=limit)
    train, held_out = _split(demonstrations, encoded, config)
    if not train:
        raise InputError(
            f"none of {len(demonstrations)} demonstrations can be trained on: the others are held "
            f"out or longer than `context` = {limit} tokens; give more, or raise it"
        )
    place(model)
    padding = pad_id(tokenizer)
    fit(
        model,
        lambda rows: _batch(train, rows, padding),
        _batches(train, config),
        _plan(config),
        held_out=[
            _batch(held_out, range(i, min(i + config.microbatch_size, len(held_out))), padding)
            for i in range(0, len(held_out), config.microbatch_size)
        ],
        out=out,
    )
    set_dropout(model.config, 0.0)  # it was for training; no reader of the artifact wants it
    save_model(model, tokenizer, out / "output")
    losses = [line["held_out/loss"] for line in read_metrics(out) if "held_out/loss" in line]
    artifacts.write_headline(
        out,
        {
            "held_out_loss": losses[-1] if losses else None,
            "trained_on": len(train),
            "held_out": len(held_out),
            "too_long": sum(example is None for example in encoded),
        },
    )


def _split(
    demonstrations: Sequence[Demonstration], encoded: Sequence[Example | None], config: Config
) -> tuple[list[Example], list[Example]]:
    """Training and held-out examples; all responses to one prompt are on one side."""
    sides: dict[str, list[Example]] = {"train": [], "test": []}
    for demonstration, example in zip(demonstrations, encoded, strict=True):
        if example is not None:
            text = render_prompt(demonstration.prompt)
            side = split_of(text, fraction=config.held_out_fraction, seed=config.seed)
            sides[side].append(example)
    return sides["train"], sorted(sides["test"], key=len)


def _batches(train: Sequence[Example], config: Config) -> list[list[int]]:
    """The demonstrations of every step."""
    lengths = [len(example) for example in train]
    return [
        batch
        for epoch in range(config.epochs)
        for batch in bucketed(
            lengths, config.batch_size, rng=generator(config.seed, "order", epoch)
        )
    ]


def _batch(examples: Sequence[Example], rows: Sequence[int], padding: int) -> Sequences:
    chosen = [examples[row] for row in rows]
    return build([e.prompt for e in chosen], [e.response for e in chosen], padding)


def _plan(config: Config) -> Plan:
    return Plan(
        seed=config.seed,
        learning_rate=config.learning_rate,
        schedule="cosine",
        warmup=config.warmup,
        final_learning_rate=config.final_learning_rate,
        betas=(0.9, 0.95),  # Ouyang et al. 2022, appendix C
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        microbatch_size=config.microbatch_size,
        log_every=config.log_every,
        checkpoint_every=config.checkpoint_every,
        dropout=config.dropout,
    )
