"""Context distillation: a prompt moves into the weights.

model, prompt, documents  ->  policy            docs/stages/context_distillation.md

The teacher is the model with a prompt before every text, the student is the same model without it;
the student learns what the teacher expects of each next token (Askell et al. 2021,
arXiv:2112.00861, section 2.3; the recipe: Bai et al. 2022, arXiv:2204.05862, appendix A.1).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.chat import HUMAN, encode_texts, render_prompt
from accord.data.collate import Sequences, bucketed, build
from accord.data.encode import read_documents
from accord.data.splits import split_of
from accord.functional.distillation import coarse_kl, top_categories
from accord.models.adapters import Precision
from accord.models.load import context_length, load_policy, pad_id, save_model
from accord.models.policy import unembed
from accord.models.prompted import prompted_logits
from accord.models.trunk import Places, hidden_states, response_places
from accord.records import Demonstration, read_records
from accord.runtime import artifacts
from accord.runtime.input_files import input_file
from accord.runtime.metrics import read_metrics
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import autocast, device, place, prepare_processor
from accord.runtime.seeding import generator
from accord.runtime.supervised import Plan, fit, mean_loss

SHORTEST = 8  # tokens of a text; a prompt that leaves less room is refused


class Inputs(StageInputs):
    """What context distillation reads."""

    model: ModelSource  #: the language model; teacher and student begin as it
    prompt: Path  #: text, or demonstrations of which the first are taken: what the teacher sees
    documents: Path  #: JSON Lines of {"text"} or {"messages"}, or a folder with pretraining.jsonl


class Config(StageConfig):
    """How a prompt is distilled; docs/stages/context_distillation.md has the sources."""

    seed: int = 0
    exemplars: int = Field(14, ge=1)  #: conversations of the prompt, where it is demonstrations
    categories: int = Field(50, ge=1)  #: most probable tokens kept apart; one more has the rest
    context: int = Field(512, ge=SHORTEST)  #: most tokens of a text, not of the prompt
    epochs: int = Field(1, ge=1)  #: passes over the documents
    batch_size: int = Field(32, ge=1)  #: texts per optimizer step
    microbatch_size: int = memory_only(8, ge=1)  #: texts per forward pass; memory only
    learning_rate: float = Field(5e-5, gt=0)  #: at its peak; a twentieth of pretraining's
    warmup: float = Field(0.0, ge=0, lt=1)  #: share of the steps over which the rate rises
    final_learning_rate: float = Field(0.0, ge=0, le=1)  #: at the end of the line, of the peak
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    held_out_fraction: float = Field(0.02, gt=0, lt=1)  #: of the texts, never trained on
    precision: Precision = "float32"  #: of matrix products; weights are float32 either way
    log_every: int = Field(5, ge=1)  #: steps per line of metrics
    checkpoint_every: int = memory_only(100, ge=1)  #: steps


@dataclass(frozen=True)
class Teacher:
    """The model as it was, with a prompt before every text.

    Attributes:
        model: does not learn.
        prompt: its token ids.
        start: 1 where the tokenizer begins every text with a start token, which does not stand
            between prompt and text; else 0.
        categories: tokens that are kept apart.
    """

    model: PreTrainedModel
    prompt: list[int]
    start: int
    categories: int

    def loss(self, student: PreTrainedModel, rows: Sequences, precision: Precision) -> Tensor:
        """Sum over the tokens of some texts of KL(teacher ‖ student), in nats."""
        rows = rows.to(device())
        tokens, lengths = rows.tokens, rows.lengths()
        places = response_places(rows.prompt_lengths, rows.response_lengths)
        behind = Places(places.rows, places.steps, places.columns - self.start)
        with autocast(precision):
            with torch.no_grad():
                expected = prompted_logits(
                    self.model, self.prompt, tokens[:, self.start :], lengths - self.start, behind
                )
            states = hidden_states(student, tokens, lengths)[places.rows, places.columns]
            logits = unembed(student, states)
        kept, logprobs = top_categories(expected.float(), self.categories)
        return coarse_kl(kept, logprobs, logits.float()).sum()


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Distil; ``output/`` is a folder that transformers loads."""
    prepare_processor()
    model, tokenizer = load_policy(locate(inputs.model))
    if config.categories >= len(tokenizer):
        raise InputError(
            f"`categories` = {config.categories} of {len(tokenizer)} tokens leave no rest; lower it"
        )
    teacher = _teacher(config, inputs, model, tokenizer)
    room = min(config.context, _room(model, teacher, inputs))
    taken = 1 + teacher.start
    train, held_out = (
        [ids[:room] for ids in encode_texts(tokenizer, texts) if len(ids) > taken]
        for texts in _texts(config, inputs)
    )
    if not train or not held_out:
        raise InputError(
            f"`{inputs.documents}` holds too few texts: {len(train)} to train on, {len(held_out)} "
            "held out; give more"
        )
    place(model)
    padding = pad_id(tokenizer)
    aside = [
        _batch(held_out, rows, padding, taken=taken)
        for rows in _in_order(held_out, config.microbatch_size)
    ]
    before = mean_loss(model, aside, config.precision, teacher.loss)
    fit(
        model,
        lambda rows: _batch(train, rows, padding, taken=taken),
        _batches(train, config),
        _plan(config),
        held_out=aside,
        out=out,
        loss=teacher.loss,
    )
    save_model(model, tokenizer, out / "output")
    measured = [line["held_out/loss"] for line in read_metrics(out) if "held_out/loss" in line]
    artifacts.write_headline(
        out,
        {
            "held_out_kl_before": before,
            "held_out_kl": measured[-1],
            "prompt_tokens": len(teacher.prompt),
            "texts": len(train),
            "held_out": len(held_out),
        },
    )


def _teacher(
    config: Config, inputs: Inputs, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Teacher:
    ids = encode_texts(tokenizer, [_prompt(config, inputs)])[0][:-1]  # no end: the text goes on
    start = int(bool(ids) and ids[0] == tokenizer.bos_token_id)
    frozen = copy.deepcopy(model).requires_grad_(False)
    place(frozen)
    return Teacher(frozen, ids, start, config.categories)


def _prompt(config: Config, inputs: Inputs) -> str:
    """The text that stands before every other."""
    path = artifacts.payload(inputs.prompt)
    if path.is_dir() or ".jsonl" in path.suffixes:
        shown = read_records(input_file(path, "demonstrations.jsonl"), Demonstration)
        return "".join(
            f"{render_prompt(one.prompt)} {one.response}" for one in shown[: config.exemplars]
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the prompt `{path}`: {error}; give a text file") from error
    if not text.strip():
        raise InputError(f"the prompt `{path}` is empty; there is nothing to distil")
    return text


def _room(model: PreTrainedModel, teacher: Teacher, inputs: Inputs) -> int:
    """Tokens that the prompt leaves to a text."""
    limit = context_length(model)
    if limit is None:
        return 2**31
    room = limit - len(teacher.prompt)
    if room < SHORTEST:
        raise InputError(
            f"the prompt `{inputs.prompt}` takes {len(teacher.prompt)} of the model's {limit} "
            "tokens; shorten it, or lower `exemplars`"
        )
    return room


def _texts(config: Config, inputs: Inputs) -> tuple[list[str], list[str]]:
    """Texts to train on and held-out ones; each begins as a conversation goes on."""
    sides: dict[str, list[str]] = {"train": [], "test": []}
    for text in read_documents(input_file(inputs.documents, "pretraining.jsonl")):
        turn = text if text.startswith(HUMAN) else f"{HUMAN} {text.lstrip()}"
        sides[split_of(text, fraction=config.held_out_fraction, seed=config.seed)].append(turn)
    return sides["train"], sides["test"]


def _batches(texts: Sequence[list[int]], config: Config) -> list[list[int]]:
    """The texts of every step."""
    lengths = list(map(len, texts))
    return [
        rows
        for epoch in range(config.epochs)
        for rows in bucketed(lengths, config.batch_size, rng=generator(config.seed, "order", epoch))
    ]


def _in_order(texts: Sequence[list[int]], size: int) -> list[list[int]]:
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    return [order[i : i + size] for i in range(0, len(order), size)]


def _batch(
    texts: Sequence[list[int]], rows: Sequence[int], padding: int, *, taken: int
) -> Sequences:
    """Each text as a prompt of its first token, and the rest as its response."""
    pieces = [texts[row] for row in rows]
    return build([p[:taken] for p in pieces], [p[taken:] for p in pieces], padding)


def _plan(config: Config) -> Plan:
    return Plan(
        seed=config.seed,
        learning_rate=config.learning_rate,
        schedule="linear",
        warmup=config.warmup,
        final_learning_rate=config.final_learning_rate,
        betas=(0.9, 0.95),  # as pretraining
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        microbatch_size=config.microbatch_size,
        log_every=config.log_every,
        checkpoint_every=config.checkpoint_every,
        precision=config.precision,
    )
