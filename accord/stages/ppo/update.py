"""A rollout to a few epochs of clipped steps.

The loss of a minibatch is the sum over its tokens divided by their number, whatever the
microbatches: they can change memory, not the result.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor

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
from accord.runtime.seeding import generator
from accord.runtime.train import microbatches, optimiser_step, scheduled
from accord.stages.ppo.rollout import Rollout
from accord.stages.ppo.settings import Config

Losses = Iterator[Tensor]


@dataclass
class Trace:
    """Metrics of the optimizer steps of one update, one entry a step."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Note one number of one step."""
        self.values.setdefault(name, []).append(value)


def take_clipped_steps(
    state: TrainState, rollout: Rollout, config: Config, *, update: int
) -> dict[str, float]:
    """Learn from one rollout: ``ppo_epochs`` passes in shuffled minibatches.

    Every minibatch is one step of the policy and one of the value model. Once the minibatch
    before a step shows more than ``max_update_kl`` between old and new policy, that step is the
    policy's last in this update; the value model goes on.

    Returns:
        Means over the steps; ``policy/ratio_max`` is of the first, where it should be 1.
    """
    trace, rates = Trace(), _learning_rates(config, update)
    policy_steps_go_on = True
    for epoch in range(config.ppo_epochs):
        order = shuffled(
            len(rollout.mask), rng=generator(config.seed, "minibatches", update, epoch)
        )
        for rows in microbatches(order, config.minibatch_size):
            if policy_steps_go_on:
                moved = _policy_step(state, rollout, rows, config, rates["policy"], trace)
                policy_steps_go_on = config.max_update_kl is None or moved <= config.max_update_kl
            _value_step(state, rollout, rows, config, rates["value"], trace)
    means = {name: fmean(values) for name, values in trace.values.items()}
    return means | {
        "policy/ratio_max": trace.values["policy/ratio_max"][0],
        "policy/steps": len(trace.values["policy/loss"]),
        "policy/learning_rate": rates["policy"],
        "value/learning_rate": rates["value"],
        "value/explained_variance": float(
            explained_variance(rollout.values, rollout.returns, rollout.mask)
        ),
    }


def _learning_rates(config: Config, update: int) -> dict[str, float]:
    """Linear decay over the updates, to 0 after the last one."""
    peaks = {"policy": config.learning_rate, "value": config.value_learning_rate}
    return {
        name: scheduled(peak, update - 1, steps=config.updates, schedule="linear")
        for name, peak in peaks.items()
    }


def _policy_step(
    state: TrainState,
    rollout: Rollout,
    rows: list[int],
    config: Config,
    learning_rate: float,
    trace: Trace,
) -> float:
    """One step of the policy; return KL(old ‖ new) as it was before the step, nats per token."""
    old, mask = rollout.episodes.logprobs[rows], rollout.mask[rows]
    found = torch.zeros_like(rollout.episodes.logprobs)
    done = optimiser_step(
        state.optimizers["policy"],
        _policy_losses(state, rollout, _by_length(rollout, rows), config, found),
        count=int(mask.sum()),
        learning_rate=learning_rate,
        max_grad_norm=config.max_grad_norm,
    )
    new = found[rows]
    moved = float(approx_kl(new, old, mask))
    clipped = clip_fraction(
        new, old, rollout.advantages[rows], mask, clip_range=config.clip_range
    )
    trace.add("policy/loss", done.loss)
    trace.add("policy/grad_norm", done.grad_norm)
    trace.add("policy/approx_kl", moved)
    trace.add("policy/clip_fraction", float(clipped))
    trace.add("policy/ratio_max", float((new - old).abs().max().exp()))
    return moved


def _policy_losses(
    state: TrainState, rollout: Rollout, rows: list[int], config: Config, found: Tensor
) -> Losses:
    """Summed loss of each microbatch; the log-probabilities are left in ``found``."""
    model = state.models["policy"]
    for part in microbatches(rows, config.microbatch_size):
        sequences = rollout.episodes.sequences.select(part)
        logprobs, entropy = policy.logprobs_and_entropy(
            model,
            sequences.tokens,
            sequences.prompt_lengths,
            sequences.response_lengths,
            temperature=config.temperature,
        )
        width = logprobs.shape[1]
        found[part, :width] = logprobs.detach()
        loss = clipped_policy_loss(
            logprobs,
            rollout.episodes.logprobs[part, :width],
            rollout.advantages[part, :width],
            rollout.mask[part, :width],
            clip_range=config.clip_range,
        )
        yield (loss - config.entropy_coef * entropy).sum()


def _value_step(
    state: TrainState,
    rollout: Rollout,
    rows: list[int],
    config: Config,
    learning_rate: float,
    trace: Trace,
) -> None:
    """One step of the value model."""
    done = optimiser_step(
        state.optimizers["value"],
        _value_losses(state, rollout, _by_length(rollout, rows), config),
        count=int(rollout.mask[rows].sum()),
        learning_rate=learning_rate,
        max_grad_norm=config.max_grad_norm,
    )
    trace.add("value/loss", done.loss)
    trace.add("value/grad_norm", done.grad_norm)


def _value_losses(
    state: TrainState, rollout: Rollout, rows: list[int], config: Config
) -> Losses:
    """Summed loss of each microbatch."""
    for part in microbatches(rows, config.microbatch_size):
        sequences = rollout.episodes.sequences.select(part)
        values = value_model.values(
            state.models["value"],
            sequences.tokens,
            sequences.prompt_lengths,
            sequences.response_lengths,
        )
        width = values.shape[1]
        yield clipped_value_loss(
            values,
            rollout.values[part, :width],
            rollout.returns[part, :width],
            rollout.mask[part, :width],
            value_clip_range=config.value_clip_range,
        ).sum()


def _by_length(rollout: Rollout, rows: list[int]) -> list[int]:
    """Rows of similar length together, so that microbatches hold little padding."""
    lengths = rollout.episodes.sequences.lengths().tolist()
    return sorted(rows, key=lambda row: lengths[row])
