"""Supervised fine-tuning: a language model and demonstrations to the first policy.

model, demonstrations  ->  policy            docs/stages/sft.md

The loss is on the response and its end of sequence only, as in Ouyang et al. 2022
(arXiv:2203.02155), section 3.5.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.chat import render_prompt
from accord.data.collate import Sequences, bucketed, build, shuffled
from accord.data.encode import Example, encode_demonstrations
from accord.data.splits import split_of
from accord.models import adapters
from accord.models.adapters import Trained
from accord.models.load import (
    context_length,
    eos_id,
    load_policy,
    load_scalar_model,
    pad_id,
    save_model,
    set_dropout,
)
from accord.records import Demonstration, Sampling, read_records
from accord.runtime import artifacts
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.input_files import input_file
from accord.runtime.metrics import read_metrics
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import device, place, prepare_processor
from accord.runtime.scoring import PreferenceModelScorer
from accord.runtime.seeding import generator
from accord.runtime.supervised import Judge, Keep, Plan, fit
from accord.runtime.train import microbatches

MOST_JUDGED = 64  # held-out prompts that are answered, each time the score is measured


class Inputs(StageInputs):
    """What supervised fine-tuning reads."""

    model: ModelSource  #: the language model to start from
    demonstrations: Path  #: Demonstration records, or a folder with demonstrations.jsonl
    preference_model: Path | None = None  #: scores what the policy answers to held-out prompts


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
    packing: bool = False  #: random batches, no padding; off puts similar lengths into a batch
    keep: Keep = "last"  #: the last weights, or the best of four by held-out loss or by score
    trained: Trained = Trained()  #: which weights, and in which numbers


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
    adapters.prepare(model, config.trained, random=generator(config.seed, "adapter"))
    _check(config, inputs, held_out)
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
        judge=_judge(config, inputs, model, tokenizer, held_out),
    )
    adapters.merge(model)
    set_dropout(model.config, 0.0)  # it was for training; no reader of the artifact wants it
    save_model(model, tokenizer, out / "output")
    measured = [line for line in read_metrics(out) if "held_out/loss" in line]
    artifacts.write_headline(
        out,
        {
            "held_out_loss": _kept(measured, config.keep),
            "trained_on": len(train),
            "held_out": len(held_out),
            "too_long": sum(example is None for example in encoded),
        },
    )


def _kept(measured: Sequence[dict[str, Any]], keep: Keep) -> float | None:
    """The held-out loss of the weights that are the result."""
    if keep == "loss":
        return float(min(line["held_out/loss"] for line in measured))
    if keep == "score":
        return float(max(measured, key=lambda line: line["held_out/score"])["held_out/loss"])
    return measured[-1]["held_out/loss"] if measured else None


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


def _check(config: Config, inputs: Inputs, held_out: Sequence[Example]) -> None:
    """Refuse settings that these inputs cannot follow."""
    if config.keep != "last" and not held_out:
        raise InputError(
            f'`keep` = "{config.keep}" needs held-out demonstrations; raise `held_out_fraction`'
        )
    if config.keep == "score" and inputs.preference_model is None:
        raise InputError('`keep` = "score" needs the input `preference_model`; give one')


def _judge(
    config: Config,
    inputs: Inputs,
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    held_out: Sequence[Example],
) -> Judge | None:
    """The mean score of one response to each held-out prompt, drawn alike every time."""
    if inputs.preference_model is None or not held_out:
        return None
    model, of_scorer = load_scalar_model(locate(inputs.preference_model))
    if of_scorer.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"`{inputs.preference_model}` and `{inputs.model}` have different tokenizers; give "
            "models that grew from the same base"
        )
    place(model.requires_grad_(False))
    padding = pad_id(tokenizer)
    scorer = PreferenceModelScorer(model, eos_id(tokenizer), padding, config.microbatch_size)
    prompts = [example.prompt for example in held_out[:MOST_JUDGED]]
    sampling = Sampling(max_tokens=max(len(example.response) for example in held_out))

    def judge() -> float:
        policy.train(False)
        random = generator(config.seed, "judge")
        drawn = HuggingFaceGenerator(policy, tokenizer).sample(prompts, sampling, random=random)
        policy.train(config.dropout > 0)
        rows = build(prompts, drawn.responses, padding).to(device())
        finished = torch.tensor(drawn.finished, device=device())
        return float(scorer.score(rows, finished).mean())

    return judge


def _batches(train: Sequence[Example], config: Config) -> list[list[int]]:
    """The demonstrations of every step."""
    if config.packing:
        return [
            rows
            for epoch in range(config.epochs)
            for rows in microbatches(
                shuffled(len(train), rng=generator(config.seed, "order", epoch)), config.batch_size
            )
        ]
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
        precision=config.trained.precision,
        keep=config.keep,
    )
