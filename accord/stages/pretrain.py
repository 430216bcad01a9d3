"""Pretraining: documents to a language model with its tokenizer.

documents [, model]  ->  policy            docs/stages/pretrain.md

Without a model, a byte-level BPE tokenizer is learnt from the documents and a Llama (Touvron et
al. 2023, arXiv:2302.13971) is trained from random weights. With a model, its tokenizer is kept
and its training goes on.

Every document is a sequence of its own that starts at position 0 and ends with the end of
sequence: attention never crosses from one document into another. Batches hold documents of
similar length and about ``batch_tokens`` tokens, so that hardly any padding is computed.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.chat import Tokenizer
from accord.data.collate import Sequences, build, filled
from accord.data.encode import Documents, encode_documents, read_documents
from accord.data.splits import split_of
from accord.data.tokenizers import train_tokenizer
from accord.models.adapters import Precision
from accord.models.load import context_length, load_policy, pad_id, save_model
from accord.runtime import artifacts
from accord.runtime.input_files import input_file
from accord.runtime.metrics import read_metrics
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import generator, seeded_globals
from accord.runtime.supervised import Plan, fit
from accord.runtime.train import count_parameters

ARCHITECTURE = ("vocabulary_size", "hidden_size", "layers", "heads")
MOST_HELD_OUT = 1024  # documents; more would cost time and hardly narrow the estimate


class Inputs(StageInputs):
    """What pretraining reads."""

    documents: Path  #: JSON Lines of {"text"} or {"messages"}, or a folder with pretraining.jsonl
    model: ModelSource | None = None  #: continue this one instead of starting from nothing


class Config(StageConfig):
    """How a language model is trained; docs/stages/pretrain.md has the sources."""

    seed: int = 0
    vocabulary_size: int = Field(512, ge=260)  #: tokens; without ``model`` only
    hidden_size: int = Field(128, ge=8)  #: width; without ``model`` only
    layers: int = Field(6, ge=1)  #: blocks of attention and MLP; without ``model`` only
    heads: int = Field(4, ge=1)  #: attention heads; without ``model`` only
    context: int = Field(256, ge=8)  #: most tokens of a sequence; longer documents are cut
    batch_tokens: int = Field(512, ge=8)  #: tokens per optimizer step, about
    microbatch_size: int = memory_only(64, ge=1)  #: documents per forward pass; memory only
    epochs: float = Field(1.0, gt=0)  #: passes over the documents
    learning_rate: float = Field(2.5e-3, gt=0)  #: at its peak, after the warm-up
    warmup: float = Field(0.02, ge=0, lt=1)  #: share of the steps over which the rate rises
    final_learning_rate: float = Field(0.1, ge=0, le=1)  #: at the end of the cosine, of the peak
    weight_decay: float = Field(0.1, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    held_out_fraction: float = Field(0.01, ge=0, lt=1)  #: of the documents, never trained on
    precision: Precision = "float32"  #: of matrix products; weights are float32 either way
    log_every: int = Field(20, ge=1)  #: steps per line of metrics
    checkpoint_every: int = memory_only(500, ge=1)  #: steps


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Train or continue a language model; ``output/`` is a folder that transformers loads."""
    prepare_processor()
    texts = list(read_documents(input_file(inputs.documents, "pretraining.jsonl")))
    train, held_out = _split(texts, config)
    model, tokenizer = _start(config, inputs, train)
    context = min(config.context, context_length(model) or config.context)
    documents = encode_documents(tokenizer, train, context=context)
    if not len(documents):
        raise InputError(f"`{inputs.documents}` holds no text to train on; give other documents")
    place(model)
    padding = pad_id(tokenizer)
    fit(
        model,
        lambda rows: _batch(documents, rows, padding),
        _batches(documents, config),
        _plan(config),
        held_out=_held_out(tokenizer, held_out, config, context=context, padding=padding),
        out=out,
    )
    save_model(model, tokenizer, out / "output")
    _headline(out, model, documents)


def _split(texts: list[str], config: Config) -> tuple[list[str], list[str]]:
    """Training and held-out documents; a document that occurs twice is on one side only."""
    sides: dict[str, list[str]] = {"train": [], "test": []}
    for text in texts:
        side = split_of(text, fraction=config.held_out_fraction, seed=config.seed)
        sides[side].append(text)
    return sides["train"], sides["test"][:MOST_HELD_OUT]


def _start(
    config: Config, inputs: Inputs, train: list[str]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model to train and its tokenizer."""
    if inputs.model is not None:
        for name in ARCHITECTURE:
            if getattr(config, name) != Config.model_fields[name].default:
                raise InputError(f"`{name}` has no effect on the `model` that is given; remove it")
        return load_policy(locate(inputs.model))
    if config.hidden_size % (2 * config.heads):
        raise InputError(
            f"`hidden_size` = `{config.hidden_size}` is not an even multiple of `heads` = "
            f"`{config.heads}`; change one of them"
        )
    tokenizer: PreTrainedTokenizerBase = train_tokenizer(train, config.vocabulary_size)
    architecture = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=_intermediate_size(config.hidden_size),
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded_globals(config.seed, "initial weights"):
        model = LlamaForCausalLM(architecture)
    return model, tokenizer


def _intermediate_size(hidden_size: int) -> int:
    """8/3 of the width, rounded up to a multiple of 8, as Llama has it."""
    return -(-hidden_size // 3) * 8


def _batches(documents: Documents, config: Config) -> list[list[int]]:
    """The documents of every step."""
    lengths = documents.lengths().tolist()
    batches: list[list[int]] = []
    epoch = 0
    while epoch < config.epochs:
        rng = generator(config.seed, "order", epoch)
        one = filled(lengths, config.batch_tokens, rng=rng)
        batches += one[: max(1, round(len(one) * min(1.0, config.epochs - epoch)))]
        epoch += 1
    return batches


def _batch(documents: Documents, rows: Sequence[int], padding: int) -> Sequences:
    """Each document as a prompt of one token and the rest as its response."""
    pieces = [documents[row].tolist() for row in rows]
    return build([p[:1] for p in pieces], [p[1:] for p in pieces], padding)


def _held_out(
    tokenizer: Tokenizer, texts: list[str], config: Config, *, context: int, padding: int
) -> list[Sequences]:
    documents = encode_documents(tokenizer, texts, context=context)
    lengths = documents.lengths().tolist()
    order = sorted(range(len(documents)), key=lambda row: lengths[row])
    size = config.microbatch_size
    return [_batch(documents, order[i : i + size], padding) for i in range(0, len(order), size)]


def _plan(config: Config) -> Plan:
    return Plan(
        seed=config.seed,
        learning_rate=config.learning_rate,
        schedule="cosine",
        warmup=config.warmup,
        final_learning_rate=config.final_learning_rate,
        betas=(0.9, 0.95),  # Touvron et al. 2023, section 2.3
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        microbatch_size=config.microbatch_size,
        log_every=config.log_every,
        checkpoint_every=config.checkpoint_every,
        precision=config.precision,
    )


def _headline(out: Path, model: PreTrainedModel, documents: Documents) -> None:
    held_out = [line["held_out/loss"] for line in read_metrics(out) if "held_out/loss" in line]
    artifacts.write_headline(
        out,
        {
            "held_out_loss": held_out[-1] if held_out else None,
            "documents": len(documents),
            "document_tokens": int(documents.starts[-1]),
            "parameters": count_parameters(model),
        },
    )
