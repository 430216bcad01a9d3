"""Training a preference model on comparisons: what both of its stages do.

    loss = mean over comparisons of [ mean over labelers and pairs of −log σ(s_better − s_worse) ]
           + lm_coef · mean over tokens of the best responses of −log p(token)

Each of the K responses of a comparison goes through the model once, and all its pairs are one
element of the batch: pairs of one prompt that were shuffled apart would be K − 1 epochs over every
response (Ouyang et al. 2022, arXiv:2203.02155, section 3.5).
"""

import functools
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from accord.data.collate import shuffled
from accord.data.preferences import best
from accord.models import ensemble, packed, scalar_head
from accord.models.adapters import Precision
from accord.models.preference_model import states_and_logprobs
from accord.runtime import checkpoints, train
from accord.runtime.metrics import MetricsLog
from accord.runtime.parallel import parts_by_length
from accord.runtime.preference_items import Item, Items, Wanted, prepare, take
from accord.runtime.preference_losses import (
    TIE_STEP,
    Loss,
    Targets,
    TieParameter,
    losses,
    targets_of,
)
from accord.runtime.preference_scoring import (
    last_states,
    padded,
    score_all,
    score_conversations,
    score_members,
)
from accord.runtime.processor import autocast
from accord.runtime.seeding import generator
from accord.runtime.steps import steps_left

__all__ = [
    "Heads",
    "Item",
    "Items",
    "Plan",
    "Wanted",
    "fit",
    "prepare",
    "score_all",
    "score_conversations",
    "score_members",
    "take",
]

Evaluate = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Plan:
    """How to train; see the stages' configs for units and sources."""

    seed: int
    epochs: int
    batch_size: int
    microbatch_size: int
    learning_rate: float
    schedule: train.Schedule
    warmup: float
    final_learning_rate: float
    max_grad_norm: float
    checkpoint_every: int
    loss: Loss = field(default_factory=Loss)
    bootstrap: bool = False
    precision: Precision = "float32"

    def steps(self, items: int) -> int:
        """Optimizer steps in all."""
        return self.epochs * self.steps_per_epoch(items)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step."""
        return train.scheduled(
            self.learning_rate,
            step,
            steps=steps,
            schedule=self.schedule,
            warmup=round(self.warmup * steps),
            floor=self.final_learning_rate,
        )

    def steps_per_epoch(self, items: int) -> int:
        """Optimizer steps of one pass over the comparisons."""
        return -(-items // self.batch_size)


@dataclass(frozen=True)
class Heads:
    """The model that is trained, and what else is on its trunk or beside it.

    Attributes:
        scalar: the preference model.
        language: a language model on the same trunk, when its loss is wanted.
        members: the heads of an ensemble; the scalar head is then their mean.
        tie: how readily labelers say "equal", when that is learnt.
    """

    scalar: PreTrainedModel
    language: PreTrainedModel | None = None
    members: nn.Linear | None = None
    tie: TieParameter | None = None

    def trained(self) -> nn.Module:
        """Everything with a gradient, as one module."""
        others = {"language": self.language, "members": self.members, "tie": self.tie}
        present = {name: module for name, module in others.items() if module is not None}
        return nn.ModuleDict({"scalar": self.scalar, **present}) if present else self.scalar

    def settle(self) -> None:
        """Bring the scalar head to the mean of the members."""
        if self.members is not None:
            ensemble.settle(self.scalar, self.members)


@dataclass(frozen=True)
class Part:
    """Some comparisons of a batch, and how often each member of an ensemble drew each of them."""

    items: list[Item]
    counts: Tensor | None = None  #: [N H]


def fit(heads: Heads, items: Sequence[Item], plan: Plan, *, out: Path, evaluate: Evaluate) -> None:
    """Train, go on where an interrupted run stopped, and log.

    Args:
        heads: changed in place.
        items: training comparisons.
        plan: how.
        out: checkpoints and metrics go below.
        evaluate: gives held-out metrics, before the first step and after every epoch.
    """
    module = heads.trained()
    optimizer = _optimizer(heads, plan)
    state = checkpoints.TrainState({"preference_model": module}, {"adam": optimizer})
    log = MetricsLog(out)
    total, per_epoch = plan.steps(len(items)), plan.steps_per_epoch(len(items))
    drawn = _resamples(heads, plan, len(items))
    packed.can_pack(heads.scalar)  # found out before several threads ask
    for step in steps_left(
        state,
        out,
        total=total,
        checkpoint_every=plan.checkpoint_every,
        description="preference model",
    ):
        began = time.monotonic()
        if step == 0:
            heads.settle()
            log.truncate_to(-1)
            log.log(0, evaluate())
        batch = _batch(items, drawn, plan, step)
        values = _step(heads, batch, plan, optimizer, plan.rate(step, total))
        if (step + 1) % per_epoch == 0:
            heads.settle()
            values |= evaluate()
        log.log(step + 1, values)
        log.log_time(step + 1, {"time/seconds": time.monotonic() - began})
    heads.settle()


def _optimizer(heads: Heads, plan: Plan) -> torch.optim.Optimizer:
    """Adam; the tie parameter moves at a rate of its own, since it is no weight."""
    tie = [] if heads.tie is None else list(heads.tie.parameters())
    known = {id(parameter) for parameter in tie}
    weights = [p for p in heads.trained().parameters() if id(p) not in known]
    optimizer = train.adam(weights, learning_rate=plan.learning_rate)
    if tie:
        scale = TIE_STEP / plan.learning_rate
        optimizer.add_param_group({"params": tie, "weight_decay": 0.0, "rate_scale": scale})
    return optimizer


def _resamples(heads: Heads, plan: Plan, items: int) -> Tensor | None:
    """[items H] how often each member draws each comparison: a Poisson bootstrap."""
    if heads.members is None:
        return None
    ones = torch.ones(items, heads.members.out_features)
    return torch.poisson(ones, generator(plan.seed, "resample")) if plan.bootstrap else ones


def _batch(items: Sequence[Item], drawn: Tensor | None, plan: Plan, step: int) -> Part:
    """The comparisons of one step: every epoch has its own order, known from the seed alone."""
    epoch, place = divmod(step, plan.steps_per_epoch(len(items)))
    order = shuffled(len(items), rng=generator(plan.seed, "order", epoch))
    chosen = order[place * plan.batch_size : (place + 1) * plan.batch_size]
    return Part([items[i] for i in chosen], None if drawn is None else drawn[chosen])


def _step(
    heads: Heads,
    batch: Part,
    plan: Plan,
    optimizer: torch.optim.Optimizer,
    learning_rate: float,
) -> dict[str, float]:
    """One optimizer step, and what it found."""
    size = len(batch.items)
    learnt = sum(len(c[best(i.wins)]) - 1 for i in batch.items for c in [i.conversations])
    tokens = [item.tokens for item in batch.items]
    cut = parts_by_length(range(size), tokens, plan.microbatch_size)
    found: list[dict[str, float]] = [{} for _ in cut]

    def loss(number: int) -> Tensor:
        rows = cut[number]
        counts = None if batch.counts is None else batch.counts[rows]
        part = Part([batch.items[i] for i in rows], counts)
        value, found[number] = _loss(heads, part, plan, learnt / size)
        return value

    result = train.optimiser_step(
        optimizer,
        [functools.partial(loss, number) for number in range(len(cut))],
        count=size,
        learning_rate=learning_rate,
        max_grad_norm=plan.max_grad_norm,
    )
    means = {key: sum(part[key] for part in found) / size for key in found[0]}
    if heads.tie is not None:
        means["preference/tie"] = float(heads.tie.log_tie.detach().exp())
    return means | {
        "train/loss": result.loss,
        "train/grad_norm": result.grad_norm,
        "train/learning_rate": learning_rate,
    }


def _loss(
    heads: Heads, part: Part, plan: Plan, tokens_each: float
) -> tuple[Tensor, dict[str, float]]:
    """Sum of the losses of some comparisons.

    Args:
        heads: the model.
        part: comparisons.
        plan: which loss.
        tokens_each: learnt tokens per comparison, over the whole batch: the caller divides by
            comparisons, the next-token loss is a mean over tokens.
    """
    where = heads.scalar.device
    with autocast(plan.precision):
        score, logprobs = _forward(heads, part.items)
    counts = [len(item.responses) for item in part.items]
    table = nn.utils.rnn.pad_sequence(list(torch.split(score.float(), counts)), batch_first=True)
    targets = targets_of(part.items, table.shape[1]).to(where)
    each = [
        losses(table[:, :, member], targets, plan.loss, _log_tie(heads, plan, table))
        for member in range(table.shape[2])
    ]
    per_comparison = torch.stack(each, dim=1)  # [N H]
    if part.counts is not None:
        per_comparison = per_comparison * part.counts.to(per_comparison)
    loss = per_comparison.mean(dim=1).sum()
    sums = {
        "preference/loss": float(loss.detach()),
        "preference/accuracy": float(_share_right(table.detach().mean(dim=2), targets).sum()),
    }
    if logprobs is not None:
        language = -logprobs.sum() / tokens_each
        sums["language/loss"] = float(language.detach())
        loss = loss + plan.loss.lm_coef * language
    return loss, sums


def _log_tie(heads: Heads, plan: Plan, like: Tensor) -> Tensor:
    if heads.tie is not None:
        return heads.tie.log_tie
    return like.new_tensor(plan.loss.tie or 1.0).log()


def _forward(heads: Heads, items: Sequence[Item]) -> tuple[Tensor, Tensor | None]:
    """[responses H] scores in one pass over all responses of the comparisons."""
    model = heads.scalar
    if heads.language is None:
        return _read(heads, last_states(model, items)), None
    tokens, lengths = padded([c for item in items for c in item.conversations], model)
    starts = itertools.accumulate((len(item.responses) for item in items), initial=0)
    better = [start + best(item.wins) for start, item in zip(starts, items, strict=False)]
    rows = torch.tensor(better, device=tokens.device)
    states, logprobs = states_and_logprobs(model, heads.language, tokens, lengths, rows)
    return _read(heads, states), logprobs


def _read(heads: Heads, states: Tensor) -> Tensor:
    """[responses H] what every head makes of the states."""
    if heads.members is None:
        return scalar_head.outputs(heads.scalar, states)[:, None]
    found: Tensor = heads.members(states)
    return found + scalar_head.score_bias(heads.scalar)


def _share_right(table: Tensor, targets: Targets) -> Tensor:
    """[N] share of a comparison's wins that the scores agree with; equal scores count half."""
    margin = table[:, :, None] - table[:, None, :]
    won = targets.wins.to(table)
    right = (margin > 0).to(won) + 0.5 * (margin == 0).to(won)
    total = won.sum(dim=(1, 2))
    return (right * won).sum(dim=(1, 2)) / total.masked_fill(total == 0, 1)
