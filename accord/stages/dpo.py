"""Direct preference optimisation: a policy learns from comparisons without a preference model.

policy, comparisons  ->  policy            docs/stages/dpo.md
Follows Rafailov et al. 2023 (arXiv:2305.18290).
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.collate import build, shuffled
from accord.data.encode import encode_comparisons
from accord.data.preferences import pair_votes
from accord.functional.direct_preference import direct_preference_loss, implicit_scores
from accord.models import policy as policies
from accord.models.load import context_length, load_policy, pad_id, save_model
from accord.records import LabeledComparison, read_records
from accord.runtime import artifacts
from accord.runtime.checkpoints import TrainState
from accord.runtime.metrics import MetricsLog, read_metrics
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.parallel import in_order, parts_by_length
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import generator
from accord.runtime.steps import steps_left
from accord.runtime.train import adam, optimiser_step, scheduled


class Inputs(StageInputs):
    """A policy to start from and what people, or a preference model, preferred."""

    policy: ModelSource  #: language model to improve
    comparisons: Path  #: folder with comparisons-train.jsonl, as of collect or best_of_n
    reference: ModelSource | None = None  #: policy to stay close to; if not given, `policy`


class Config(StageConfig):
    """How a policy learns from comparisons; docs/stages/dpo.md has the sources."""

    seed: int = 0  #: order of the pairs
    epochs: int = Field(1, ge=1)  #: passes over the pairs
    batch_size: int = Field(32, ge=1)  #: pairs per optimizer step
    microbatch_size: int = memory_only(16, ge=1)  #: pairs at once, of the longest; memory only
    context: int = Field(1024, ge=2)  #: most tokens of prompt and response
    beta: float = Field(0.1, gt=0)  #: score units per nat; a small one lets the policy go far
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)  #: probability that a label is wrong
    minimum_strength: int = Field(1, ge=1, le=4)  #: weaker preferences are left out
    learning_rate: float = Field(2e-4, gt=0)  #: at its peak, after the warm-up
    warmup: float = Field(0.1, ge=0, lt=1)  #: share of the steps over which the rate rises
    max_grad_norm: float = Field(1.0, gt=0)  #: gradients are scaled down to this norm
    checkpoint_every: int = memory_only(50, ge=1)  #: optimizer steps


@dataclass(frozen=True)
class Pair:
    """One vote: a prompt with the response that was preferred and the other one."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True)
class _Models:
    policy: PreTrainedModel
    reference: PreTrainedModel
    padding: int


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Learn; ``output/`` is a folder that transformers loads."""
    prepare_processor()
    policy, tokenizer = load_policy(locate(inputs.policy))
    reference, ref_tokenizer = load_policy(locate(inputs.reference or inputs.policy))
    if ref_tokenizer.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"`{inputs.reference}` and `{inputs.policy}` have different tokenizers; give models "
            "that grew from the same base"
        )
    limit = min(config.context, *(context_length(m) or config.context for m in (policy, reference)))
    train, too_long = _pairs(config, inputs, tokenizer, limit, "train")
    test, _ = _pairs(config, inputs, tokenizer, limit, "test")
    if not train:
        raise InputError(
            f"no comparison of `{inputs.comparisons}` is decided and fits {limit} tokens; give "
            "others, or raise `context`"
        )
    reference.requires_grad_(False)
    for model in (policy, reference):
        place(model)
    models = _Models(policy, reference, pad_id(tokenizer))
    _fit(config, models, train, test, out)
    save_model(policy, tokenizer, out / "output")
    lines = read_metrics(out)
    held_out = [line for line in lines if "held_out/accuracy" in line]
    artifacts.write_headline(
        out,
        {
            "trained_on": len(train),
            "too_long": too_long,
            "held_out": len(test),
            "held_out_accuracy": held_out[-1]["held_out/accuracy"] if held_out else None,
            "held_out_loss": held_out[-1]["held_out/loss"] if held_out else None,
        },
    )


def _pairs(
    config: Config, inputs: Inputs, tokenizer: PreTrainedTokenizerBase, limit: int, side: str
) -> tuple[list[Pair], int]:
    """Every decided pair of every vote, and how many comparisons were too long."""
    file = artifacts.payload(inputs.comparisons) / f"comparisons-{side}.jsonl"
    if side == "test" and not (file.is_file() and file.stat().st_size):
        return [], 0  # nothing is held out
    labeled = read_records(file, LabeledComparison)
    encoded = encode_comparisons(tokenizer, [one.comparison for one in labeled], context=limit)
    pairs = [
        Pair(tokens.prompt, tokens.responses[vote.better], tokens.responses[vote.worse])
        for one, tokens in zip(labeled, encoded, strict=True)
        if tokens is not None
        for vote in pair_votes(one, minimum_strength=config.minimum_strength)
    ]
    return pairs, sum(tokens is None for tokens in encoded)


def _fit(
    config: Config, models: _Models, train: Sequence[Pair], test: Sequence[Pair], out: Path
) -> None:
    optimizer = adam(models.policy.parameters(), learning_rate=config.learning_rate)
    state = TrainState({"policy": models.policy}, {"adam": optimizer})
    per_epoch = -(-len(train) // config.batch_size)
    total = per_epoch * config.epochs
    log = MetricsLog(out)
    for step in steps_left(
        state, out, total=total, checkpoint_every=config.checkpoint_every, description="dpo"
    ):
        epoch, place_in_epoch = divmod(step, per_epoch)
        order = shuffled(len(train), rng=generator(config.seed, "order", epoch))
        start = place_in_epoch * config.batch_size
        batch = [train[i] for i in order[start : start + config.batch_size]]
        rate = scheduled(
            config.learning_rate,
            step,
            steps=total,
            schedule="linear",
            warmup=round(config.warmup * total),
        )
        margins: dict[int, Tensor] = {}
        done = optimiser_step(
            optimizer,
            _losses(config, models, batch, margins),
            count=len(batch),
            learning_rate=rate,
            max_grad_norm=config.max_grad_norm,
        )
        found = torch.cat([margins[number] for number in sorted(margins)])
        values = {
            "train/loss": done.loss,
            "train/grad_norm": done.grad_norm,
            "train/learning_rate": rate,
            "preference/accuracy": float((found > 0).float().mean()),
            "preference/margin": float(found.mean()),
        }
        if test and (step + 1) % per_epoch == 0:
            values |= _held_out(config, models, test)
        log.log(step + 1, values)


def _losses(
    config: Config, models: _Models, batch: Sequence[Pair], margins: dict[int, Tensor]
) -> Iterator[Callable[[], Tensor]]:
    """Summed loss of each microbatch; the margins are left in ``margins``."""

    def loss_of(number: int, rows: list[int]) -> Tensor:
        margin = _margins(config, models, [batch[row] for row in rows])
        margins[number] = margin.detach()
        return direct_preference_loss(margin, label_smoothing=config.label_smoothing).sum()

    cut = parts_by_length(range(len(batch)), list(map(len, batch)), config.microbatch_size)
    for number, rows in enumerate(cut):
        yield functools.partial(loss_of, number, rows)


def _margins(config: Config, models: _Models, pairs: Sequence[Pair]) -> Tensor:
    """[N] score of the chosen response less that of the rejected one, in one forward pass."""
    asked = [pair.prompt for pair in pairs] * 2
    said = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    sequences = build(asked, said, models.padding).to(models.policy.device)
    tensors = sequences.tokens, sequences.prompt_lengths, sequences.response_lengths
    with torch.no_grad():
        ref_logprobs = policies.logprobs(models.reference, *tensors).sum(dim=1)
    logprobs = policies.logprobs(models.policy, *tensors).sum(dim=1)
    chosen, rejected = implicit_scores(logprobs, ref_logprobs, beta=config.beta).chunk(2)
    return chosen - rejected


def _held_out(config: Config, models: _Models, test: Sequence[Pair]) -> dict[str, float]:
    cut = parts_by_length(range(len(test)), list(map(len, test)), config.microbatch_size)
    with torch.no_grad():
        found = in_order(lambda rows: _margins(config, models, [test[i] for i in rows]), cut)
        margins = torch.cat(list(found))
    loss = direct_preference_loss(margins, label_smoothing=config.label_smoothing)
    return {
        "held_out/loss": float(loss.mean()),
        "held_out/accuracy": float((margins > 0).float().mean()),
        "held_out/margin": float(margins.mean()),
    }
