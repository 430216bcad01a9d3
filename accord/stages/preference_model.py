"""Train a preference model (often called reward model) on what labelers said.

model, comparisons  ->  preference model          docs/stages/preference_model.md
Follows Ouyang et al. 2022 (arXiv:2203.02155): all pairs of a prompt are one element of the batch
and each response goes through the model once. Differs from it in: several labelers' answers to one
comparison are used as shares, the score is read at the end-of-sequence token as in Bai et al.
2022 (arXiv:2204.05862), and scores are normalised to mean 0 and standard deviation 1 as in
Ziegler et al. 2019 (arXiv:1909.08593), after training only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from transformers import PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.encode import LongPrompts, encode_comparisons
from accord.data.preferences import Ties
from accord.functional.preference import normalise
from accord.models import adapters, ensemble, scalar_head
from accord.models.adapters import Trained
from accord.models.ensemble import Members
from accord.models.load import load_both_heads, load_scalar_model, save_model
from accord.ratings.vote_weights import vote_weights
from accord.records import Comparison, LabeledComparison, iterate_records, read_records
from accord.runtime import artifacts, preference_training
from accord.runtime.input_files import input_file
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.preference_evaluation import Reading, evaluate, held_out_metrics
from accord.runtime.preference_losses import Loss, TieParameter, learns_ties, needs
from accord.runtime.preference_spread import evaluate_spread
from accord.runtime.preference_training import Heads, Items, Plan, Wanted
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import derive, generator
from accord.runtime.train import Schedule

SAME = 1e-6  # standard deviation, nats; equal texts differ by rounding


class Inputs(StageInputs):
    """A model to start from and what people preferred."""

    model: ModelSource  #: preference pretraining, a policy, or any causal language model
    comparisons: Path  #: folder with comparisons-train.jsonl and comparisons-test.jsonl
    reference: Path | None = None  #: sample artifact whose responses get mean 0 and std 1
    ratings: Path | None = None  #: rate artifact; a vote counts by how reliable its labeler is


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
    loss: Loss = Loss()  #: what is minimised
    trained: Trained = Trained()  #: which weights, and in which numbers
    ensemble: Members = Members()  #: several heads that learn apart


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Train, evaluate on the held-out comparisons, normalise, save."""
    prepare_processor()
    heads, tokenizer = _heads(config, inputs)
    model = heads.scalar
    weights = _weights(inputs)
    train = _prepared(config, inputs, heads, tokenizer, Side("train", out, weights))
    test = _prepared(config, inputs, heads, tokenizer, Side("test", out, weights))
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
    evaluation |= _beside(config, heads, test, reading) | _labelers(weights)
    adapters.merge(model)
    evaluation["normalisation"] = _normalise(config, inputs, heads, tokenizer, train)
    save_model(model, tokenizer, out / "output")
    if heads.members is not None:
        ensemble.save_heads(heads.members.weight, out / "output")
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


@dataclass(frozen=True)
class Side:
    """Which comparisons, where their tokens may lie, and what each labeler's votes count."""

    split: str
    directory: Path
    weights: dict[str, float]


def _heads(config: Config, inputs: Inputs) -> tuple[Heads, PreTrainedTokenizerBase]:
    """The model with everything that is trained beside it."""
    random = generator(config.seed, "head")
    language = None
    if config.loss.lm_coef:
        model, language, tokenizer = load_both_heads(locate(inputs.model), random=random)
        place(language)  # the trunk is one: what is placed for one head is placed for both
    else:
        model, tokenizer = load_scalar_model(locate(inputs.model), random=random)
    place(model)
    scalar_head.unnormalise(model)
    adapters.prepare(model, config.trained, random=generator(config.seed, "adapter"))
    members = None
    if config.ensemble.heads > 1:
        drawn = generator(config.seed, "members")
        members = ensemble.fresh_heads(model, config.ensemble, random=drawn)
    tie = TieParameter().to(model.device) if learns_ties(config.loss) else None
    return Heads(model, language, members, tie), tokenizer


def _weights(inputs: Inputs) -> dict[str, float]:
    """What a vote of each labeler counts; nothing where no ratings are given."""
    if inputs.ratings is None:
        return {}
    file = input_file(inputs.ratings, "ratings.json")
    weights = vote_weights(artifacts.read_json(file).get("labelers", []))
    if not weights:
        raise InputError(
            f"`{file}` says of no labeler how reliable they are; rate the comparisons again, "
            "or leave `ratings` out"
        )
    return weights


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
        loss=config.loss,
        bootstrap=config.ensemble.bootstrap,
        precision=config.trained.precision,
    )


def _prepared(
    config: Config,
    inputs: Inputs,
    heads: Heads,
    tokenizer: PreTrainedTokenizerBase,
    side: Side,
) -> Items:
    folder = artifacts.payload(inputs.comparisons)
    training = side.split == "train"
    return preference_training.take(
        tokenizer,
        iterate_records(folder / f"comparisons-{side.split}.jsonl", LabeledComparison),
        heads.scalar,
        Wanted(
            context=config.context,
            ties=config.ties,
            minimum_strength=config.minimum_strength,
            keep_records=not training,
            long_prompts=config.long_prompts,
            needs=needs(config.loss) if training else "wins",
            weights=side.weights if training else None,
            directory=side.directory,
        ),
    )


def _beside(config: Config, heads: Heads, test: Items, reading: Reading) -> dict[str, Any]:
    """What the evaluation says of ties and of an ensemble, where there are any."""
    found: dict[str, Any] = {}
    if heads.tie is not None:
        found["tie"] = float(heads.tie.log_tie.detach().exp())
    if heads.members is not None:
        scores = preference_training.score_members(
            heads.scalar, heads.members, test.items, microbatch_size=config.microbatch_size
        )
        found["ensemble"] = evaluate_spread(test.records, scores, reading)
    return found


def _labelers(weights: dict[str, float]) -> dict[str, Any]:
    return {"labeler_weights": weights} if weights else {}


def _normalise(
    config: Config,
    inputs: Inputs,
    heads: Heads,
    tokenizer: PreTrainedTokenizerBase,
    train: Items,
) -> dict[str, Any]:
    """Bring the scores of the reference responses to mean 0 and std 1; say from what."""
    if not config.normalise:
        return {"reference": "none", "gain": 1.0, "bias": 0.0}
    model, size = heads.scalar, config.microbatch_size
    if inputs.reference is None:
        found = preference_training.score_all(model, train.items, microbatch_size=size)
        scores = [score for row in found for score in row]
    else:
        conversations = _reference(config, inputs.reference, tokenizer)
        scores = preference_training.score_conversations(model, conversations, microbatch_size=size)
    values = torch.tensor(scores, dtype=torch.float64)
    mean, std = float(values.mean()), float(values.std(correction=0))
    if std < SAME:
        raise InputError("every reference response has the same score; give more of them")
    gain, bias = normalise(mean, std)
    scalar_head.normalise(model, gain=gain, bias=bias)
    if heads.members is not None:
        heads.members.weight.data.mul_(gain)
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
