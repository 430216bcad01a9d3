"""Next-token training on prompts with responses: pretraining and supervised fine-tuning.

    loss = − Σ_rows Σ_t log π(y_t | x, y_<t) / number of response tokens in the batch

A document of pretraining is a prompt of one token with the rest as its response. Hidden states
become logits at response tokens only, so padding and prompts cost no unembedding.
"""

import copy
import functools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from accord.data.collate import Sequences
from accord.models import policy
from accord.models.adapters import Precision
from accord.runtime import train
from accord.runtime.checkpoints import TrainState
from accord.runtime.metrics import MetricsLog
from accord.runtime.parallel import in_order, parts
from accord.runtime.processor import autocast, device
from accord.runtime.seeding import seeded_globals
from accord.runtime.steps import steps_left

Keep = Literal["last", "loss", "score"]  #: which weights are the result
Batch = Callable[[Sequence[int]], Sequences]  #: row numbers to a batch
Judge = Callable[[], float]  #: mean score of the policy's responses, score units
Loss = Callable[[PreTrainedModel, Sequences, Precision], Tensor]  #: sum over response tokens, nats

EVALUATIONS = 4  # of the held-out loss, evenly over the run


@dataclass(frozen=True)
class Plan:
    """How to train; units and sources are in the stages' configs."""

    seed: int
    learning_rate: float
    schedule: train.Schedule
    warmup: float
    final_learning_rate: float
    betas: tuple[float, float]
    weight_decay: float
    max_grad_norm: float
    microbatch_size: int
    log_every: int
    checkpoint_every: int
    dropout: float = 0.0
    precision: Precision = "float32"
    keep: Keep = "last"


def fit(
    model: PreTrainedModel,
    batch: Batch,
    batches: Sequence[list[int]],
    plan: Plan,
    *,
    held_out: Sequence[Sequences],
    out: Path,
    judge: Judge | None = None,
    loss: Loss | None = None,
) -> None:
    """Train a policy, going on where an interrupted run stopped.

    Args:
        model: changed in place.
        batch: makes a batch of some rows of the training set.
        batches: the rows of every step, in the order of the steps.
        plan: how.
        held_out: what ``held_out/loss`` is measured on.
        out: checkpoints and metrics go below.
        judge: gives the mean score of what the policy says now, for ``held_out/score``.
        loss: summed over the response tokens of some rows; ``response_loss`` if not given.
    """
    optimizer = train.adam(
        model.parameters(),
        learning_rate=plan.learning_rate,
        betas=plan.betas,
        weight_decay=plan.weight_decay,
    )
    state = TrainState({"policy": model}, {"adam": optimizer}, scalars=dict.fromkeys(COUNTED, 0.0))
    if plan.keep != "last":
        state.models["best"] = copy.deepcopy(model).requires_grad_(False)
        state.scalars["best"] = math.inf
    log = MetricsLog(out)
    loss = loss or response_loss
    total = len(batches)
    evaluated = {round(total * (i + 1) / EVALUATIONS) for i in range(EVALUATIONS)}
    began, trained = time.monotonic(), 0
    model.train(plan.dropout > 0)
    for step in steps_left(
        state, out, total=total, checkpoint_every=plan.checkpoint_every, description="training"
    ):
        pieces = [batch(rows) for rows in parts(batches[step], plan.microbatch_size)]
        tokens = sum(int(piece.response_lengths.sum()) for piece in pieces)
        rate = _learning_rate(plan, step, total)
        result = train.optimiser_step(
            optimizer,
            _losses(model, pieces, plan, step, loss),
            count=tokens,
            learning_rate=rate,
            max_grad_norm=plan.max_grad_norm,
        )
        trained += tokens
        _count(state, result, tokens)
        metrics: dict[str, float] = {}
        if (step + 1) % plan.log_every == 0 or step + 1 == total:
            metrics = _means(state) | {"train/learning_rate": rate}
        if step + 1 in evaluated:
            metrics |= {"held_out/loss": mean_loss(model, held_out, plan.precision, loss)}
            if judge is not None:
                metrics |= {"held_out/score": judge()}
            _keep_best(state, plan, metrics)
        if metrics:
            log.log(step + 1, metrics)
            log.log_time(step + 1, _speed(time.monotonic() - began, trained))
    if plan.keep != "last":
        _copy_weights(state.models["best"], model)
    model.train(False)


def response_loss(model: PreTrainedModel, rows: Sequences, precision: Precision) -> Tensor:
    """Sum over response tokens of −log π, in nats."""
    where = device()
    rows = rows.to(where)
    with autocast(precision):
        logprobs = policy.logprobs(model, rows.tokens, rows.prompt_lengths, rows.response_lengths)
    return -logprobs.sum()


@torch.no_grad()
def mean_loss(
    model: PreTrainedModel,
    held_out: Sequence[Sequences],
    precision: Precision,
    loss: Loss = response_loss,
) -> float:
    """Mean loss of a response token of the held-out rows, in nats; dropout is off.

    Not a number when nothing is held out.
    """
    training = model.training
    model.train(False)
    losses = in_order(lambda rows: float(loss(model, rows, precision)), held_out)
    total = sum(losses)
    tokens = sum(int(rows.response_lengths.sum()) for rows in held_out)
    model.train(training)
    return total / tokens if tokens else float("nan")


COUNTED = ("loss", "tokens", "grad_norm", "steps")


def _losses(
    model: PreTrainedModel, pieces: Sequence[Sequences], plan: Plan, step: int, loss: Loss
) -> Iterable[train.Loss]:
    if plan.dropout == 0:
        return [functools.partial(loss, model, p, plan.precision) for p in pieces]
    return [
        functools.partial(_with_dropout, model, piece, plan, (step, number), loss)
        for number, piece in enumerate(pieces)
    ]


def _with_dropout(
    model: PreTrainedModel, piece: Sequences, plan: Plan, place: tuple[int, int], loss: Loss
) -> Tensor:
    """Dropout draws from torch's global generator, which is set for the length of one pass."""
    with seeded_globals(plan.seed, "dropout", *place):
        return loss(model, piece, plan.precision)


def _learning_rate(plan: Plan, step: int, total: int) -> float:
    return train.scheduled(
        plan.learning_rate,
        step,
        steps=total,
        schedule=plan.schedule,
        warmup=round(plan.warmup * total),
        floor=plan.final_learning_rate,
    )


def _count(state: TrainState, result: train.StepResult, tokens: int) -> None:
    """Add one step to the sums since the last logged line, which checkpoints keep."""
    sums = state.scalars
    sums["loss"] += result.loss * tokens
    sums["tokens"] += tokens
    sums["grad_norm"] += result.grad_norm
    sums["steps"] += 1


def _means(state: TrainState) -> dict[str, float]:
    """Means over the steps since the last logged line; starts new sums."""
    sums = state.scalars
    means = {
        "train/loss": sums["loss"] / sums["tokens"],
        "train/grad_norm": sums["grad_norm"] / sums["steps"],
        "train/tokens": sums["tokens"],
    }
    state.scalars |= dict.fromkeys(COUNTED, 0.0)
    return means


def _keep_best(state: TrainState, plan: Plan, metrics: dict[str, float]) -> None:
    """Copy the weights where they are better than any before; checkpoints keep the copy."""
    if plan.keep == "last":
        return
    worse = metrics["held_out/loss"] if plan.keep == "loss" else -metrics["held_out/score"]
    if worse < state.scalars["best"]:
        state.scalars["best"] = worse
        _copy_weights(state.models["policy"], state.models["best"])


@torch.no_grad()
def _copy_weights(source: nn.Module, target: nn.Module) -> None:
    for mine, theirs in zip(target.parameters(), source.parameters(), strict=True):
        mine.copy_(theirs)


def _speed(seconds: float, tokens: int) -> dict[str, float]:
    return {
        "time/seconds": seconds,
        "time/tokens_per_second": tokens / seconds if seconds else 0.0,
    }
