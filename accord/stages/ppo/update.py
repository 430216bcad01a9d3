"""A rollout to a few epochs of clipped steps.

The loss of a minibatch is the sum over its tokens divided by their number, whatever the
microbatches: they can change memory, not the result.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel

from accord.data.collate import shuffled
from accord.functional.ppo import (
    approx_kl,
    clip_fraction,
    clipped_policy_loss,
    clipped_value_loss,
    explained_variance,
)
from accord.models import policy, value_model
from accord.runtime.checkpoints import TrainState
from accord.runtime.parallel import parts
from accord.runtime.seeding import generator
from accord.runtime.train import microbatches, optimiser_step, scheduled
from accord.stages.ppo.rollout import Rollout
from accord.stages.ppo.settings import Config
from accord.stages.ppo.tools import Tools

WARMUP = 0.1  # share of the updates over which the policy's learning rate rises

Trace = defaultdict[str, list[float]]  #: metrics of the optimizer steps, one entry a step


@dataclass(frozen=True)
class Learner:
    """One of the two models that learn, for the length of one update."""

    model: PreTrainedModel
    optimizer: Optimizer
    learning_rate: float


def take_clipped_steps(
    state: TrainState, rollout: Rollout, config: Config, tools: Tools, *, update: int
) -> dict[str, float]:
    """Learn from one rollout: ``ppo_epochs`` passes in shuffled minibatches.

    Once a minibatch shows more than ``max_update_kl`` between old and new policy, its step is
    the policy's last in this update; the value model goes on.

    Returns:
        Means over the steps; ``policy/ratio_max`` is of the first, where it should be 1.
    """
    actor = Learner(tools.policy, state.optimizers["policy"], _rate(config, update, "policy"))
    critic = Learner(tools.value_model, state.optimizers["value"], _rate(config, update, "value"))
    trace: Trace = defaultdict(list)
    moved = 0.0
    for epoch in range(config.ppo_epochs):
        random = generator(config.seed, "minibatches", update, epoch)
        for rows in microbatches(shuffled(len(rollout), rng=random), config.minibatch_size):
            if config.max_update_kl is None or moved <= config.max_update_kl:
                moved = _policy_step(actor, rollout, rows, config, trace)
            _value_step(critic, rollout, rows, config, trace)
    explained = explained_variance(rollout.values, rollout.returns, rollout.mask)
    return {name: fmean(steps) for name, steps in trace.items()} | {
        "policy/ratio_max": trace["policy/ratio_max"][0],
        "policy/steps": len(trace["policy/loss"]),
        "policy/learning_rate": actor.learning_rate,
        "value/learning_rate": critic.learning_rate,
        "value/explained_variance": float(explained),
    }


def _rate(config: Config, update: int, model: str) -> float:
    """Learning rate of an update: linear decay, to 0 after the last one.

    The policy's rises first, for the value model has everything to learn at the beginning.
    """
    policy_learns = model == "policy"
    return scheduled(
        config.learning_rate if policy_learns else config.value_learning_rate,
        update - 1,
        steps=config.updates,
        schedule="linear",
        warmup=round(WARMUP * config.updates) if policy_learns else 0,
    )


def _policy_step(
    actor: Learner, rollout: Rollout, rows: list[int], config: Config, trace: Trace
) -> float:
    """One step of the policy; return KL(old ‖ new) as it was before the step, nats per token."""
    old, mask = rollout.episodes.logprobs[rows], rollout.mask[rows]
    found = torch.zeros_like(rollout.episodes.logprobs)
    done = optimiser_step(
        actor.optimizer,
        _policy_losses(actor.model, rollout, rollout.by_length(rows), config, found),
        count=int(mask.sum()),
        learning_rate=actor.learning_rate,
        max_grad_norm=config.max_grad_norm,
    )
    new, advantages = found[rows], rollout.advantages[rows]
    moved = float(approx_kl(new, old, mask))
    clipped = clip_fraction(new, old, advantages, mask, clip_range=config.clip_range)
    trace["policy/loss"].append(done.loss)
    trace["policy/grad_norm"].append(done.grad_norm)
    trace["policy/approx_kl"].append(moved)
    trace["policy/clip_fraction"].append(float(clipped))
    trace["policy/ratio_max"].append(float((new - old).abs().max().exp()))
    return moved


def _policy_losses(
    model: PreTrainedModel, rollout: Rollout, rows: list[int], config: Config, found: Tensor
) -> Iterator[Callable[[], Tensor]]:
    """Summed loss of each microbatch; the log-probabilities are left in ``found``."""

    def loss_of(part: list[int]) -> Tensor:
        sequences = rollout.episodes.sequences.select(part)
        logprobs, entropy = policy.logprobs_and_entropy(
            model,
            sequences.tokens,
            sequences.prompt_lengths,
            sequences.response_lengths,
            temperature=config.temperature,
        )
        width = logprobs.shape[1]
        # Workers may compute microbatches side by side: their rows never meet.
        found[part, :width] = logprobs.detach()
        loss = clipped_policy_loss(
            logprobs,
            rollout.episodes.logprobs[part, :width],
            rollout.advantages[part, :width],
            rollout.mask[part, :width],
            clip_range=config.clip_range,
        )
        return (loss - config.entropy_coef * entropy).sum()

    for part in parts(rows, config.microbatch_size):
        yield partial(loss_of, part)


def _value_step(
    critic: Learner, rollout: Rollout, rows: list[int], config: Config, trace: Trace
) -> None:
    """One step of the value model."""
    done = optimiser_step(
        critic.optimizer,
        _value_losses(critic.model, rollout, rollout.by_length(rows), config),
        count=int(rollout.mask[rows].sum()),
        learning_rate=critic.learning_rate,
        max_grad_norm=config.max_grad_norm,
    )
    trace["value/loss"].append(done.loss)
    trace["value/grad_norm"].append(done.grad_norm)


def _value_losses(
    model: PreTrainedModel, rollout: Rollout, rows: list[int], config: Config
) -> Iterator[Callable[[], Tensor]]:
    """Summed loss of each microbatch."""

    def loss_of(part: list[int]) -> Tensor:
        sequences = rollout.episodes.sequences.select(part)
        lengths = sequences.prompt_lengths, sequences.response_lengths
        values = value_model.values(model, sequences.tokens, *lengths)
        width = values.shape[1]
        return clipped_value_loss(
            values,
            rollout.values[part, :width],
            rollout.returns[part, :width],
            rollout.mask[part, :width],
            value_clip_range=config.value_clip_range,
        ).sum()

    for part in parts(rows, config.microbatch_size):
        yield partial(loss_of, part)
