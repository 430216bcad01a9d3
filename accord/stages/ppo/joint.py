"""Steps of a policy and a value head that read one trunk: one pass, one loss, one optimizer.

    loss = policy loss + value_coef · value loss,     both means over the tokens of the minibatch

Source: Ziegler et al. 2019, arXiv:1909.08593, released code, ``vf_coef``; Schulman et al. 2017,
arXiv:1707.06347, eq. 9, which also subtracts the entropy bonus.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from statistics import fmean

import torch
from torch import Tensor

from accord.data.collate import shuffled
from accord.functional.ppo import clipped_value_loss, explained_variance
from accord.models import scalar_head
from accord.runtime.averaging import AveragedWeights
from accord.runtime.checkpoints import TrainState
from accord.runtime.parallel import parts_by_length
from accord.runtime.seeding import generator
from accord.runtime.train import adam, microbatches, optimiser_step
from accord.stages.ppo.guards import check_first_ratio
from accord.stages.ppo.losses import Losses, Surrogate, document_losses, surrogate
from accord.stages.ppo.pretraining import Texts
from accord.stages.ppo.reading import joint_reading
from accord.stages.ppo.rewards import Rollout
from accord.stages.ppo.settings import Config
from accord.stages.ppo.tools import Tools
from accord.stages.ppo.update import (
    Learner,
    Minibatch,
    Trace,
    adapt_penalty,
    documents_of,
    measure,
    rate,
)


def joint_state(tools: Tools, config: Config) -> TrainState:
    """What changes from update to update: the policy's trained weights and the value head."""
    head = scalar_head.head(tools.value_model)
    optimizer = adam(
        [p for p in tools.policy.parameters() if p.requires_grad],
        learning_rate=config.learning_rate,
        betas=(config.optimizer.beta1, config.optimizer.beta2),
        eps=config.optimizer.eps,
    )
    of_head = {"params": list(head.parameters()), "weight_decay": 0.0, "rate_scale": _scale(config)}
    optimizer.add_param_group(of_head)
    state = TrainState(
        {"policy": tools.policy, "value": head},
        {"policy": optimizer},
        scalars={"kl_coef": config.kl_coef, "penalty_coef": config.loss.penalty_coef},
    )
    if config.optimizer.ema_decay is not None:
        state.models["average"] = AveragedWeights(tools.policy)
    return state


def take_joint_steps(
    state: TrainState,
    rollout: Rollout,
    config: Config,
    tools: Tools,
    *,
    update: int,
    texts: Texts | None = None,
) -> dict[str, float]:
    """Learn from one rollout: ``ppo_epochs`` passes in shuffled minibatches.

    Once a minibatch shows more than ``max_update_kl`` between old and new policy, the update ends:
    the value head cannot go on alone, since the trunk is the policy's. In the first
    ``critic_warmup`` updates the head alone learns.

    Returns:
        As ``update.take_steps``.
    """
    learner = Learner(tools.policy, state.optimizers["policy"], rate(config, update, "policy"))
    loss = surrogate(config, penalty_coef=state.scalars["penalty_coef"])
    trace: Trace = defaultdict(list)
    for place, rows in _minibatches(len(rollout), config, update):
        batch = Minibatch(update, rows, documents_of(texts, config, len(rows), place))
        if not _step(learner, rollout, batch, config, tools, loss=loss, trace=trace):
            break
    explained = explained_variance(rollout.values, rollout.returns, rollout.mask)
    metrics = {name: fmean(steps) for name, steps in trace.items() if steps} | {
        "policy/steps": len(trace["policy/loss"]),
        "policy/learning_rate": learner.learning_rate,
        "value/learning_rate": learner.learning_rate * _scale(config),
        "value/explained_variance": float(explained),
    }
    if trace["policy/ratio_max"]:
        metrics["policy/ratio_max"] = trace["policy/ratio_max"][0]
    if config.loss.penalty_target is not None:
        metrics |= adapt_penalty(state, rollout, config, tools)
    return metrics


def _scale(config: Config) -> float:
    """Learning rate of the value head as a share of the policy's."""
    return config.value_learning_rate / config.learning_rate


def _minibatches(
    responses: int, config: Config, update: int
) -> Iterator[tuple[tuple[int, int, int], list[int]]]:
    """(update, epoch, number) and rows of every minibatch, in order."""
    for epoch in range(config.ppo_epochs):
        random = generator(config.seed, "minibatches", update, epoch)
        order = shuffled(responses, rng=random)
        for number, rows in enumerate(microbatches(order, config.minibatch_size)):
            yield (update, epoch, number), rows


def _step(
    learner: Learner,
    rollout: Rollout,
    batch: Minibatch,
    config: Config,
    tools: Tools,
    *,
    loss: Surrogate,
    trace: Trace,
) -> bool:
    """One step, if KL(old ‖ new) is within its bound before it; whether it was taken."""
    old, mask = rollout.episodes.logprobs[batch.rows], rollout.mask[batch.rows]
    found = torch.zeros_like(rollout.episodes.logprobs)
    count, surprises, value_sums = int(mask.sum()), list[float](), list[float]()
    policy_learns = batch.update > config.optimizer.critic_warmup

    def may_step() -> bool:
        new, moved = found[batch.rows], measure(rollout, batch, found, config, trace)
        if len(trace["policy/ratio_max"]) == 1:
            check_first_ratio(new, old, update=batch.update, precision=tools.precision)
        return config.loss.max_update_kl is None or moved <= config.loss.max_update_kl

    losses = joint_losses(
        tools,
        rollout,
        batch.rows,
        config,
        loss=loss if policy_learns else None,
        found=found,
        value_sums=value_sums,
    )
    if batch.documents is not None and policy_learns:
        losses = itertools.chain(
            losses,
            document_losses(tools.policy, batch.documents, config, count=count, found=surprises),
        )
    done = optimiser_step(
        learner.optimizer,
        losses,
        count=count,
        learning_rate=learner.learning_rate,
        max_grad_norm=config.max_grad_norm,
        may_step=may_step if policy_learns else None,
    )
    if not done.taken:
        return False
    value_loss = math.fsum(value_sums) / count
    if policy_learns:
        trace["policy/loss"].append(done.loss - config.loss.value_coef * value_loss)
        trace["policy/grad_norm"].append(done.grad_norm)
    trace["value/loss"].append(value_loss)
    trace["value/grad_norm"].append(done.grad_norm)
    if surprises and batch.documents is not None:
        tokens = int(batch.documents.response_lengths.sum())
        trace["pretraining/loss"].append(math.fsum(surprises) / tokens)
    return True


def joint_losses(
    tools: Tools,
    rollout: Rollout,
    rows: list[int],
    config: Config,
    *,
    loss: Surrogate | None,
    found: Tensor,
    value_sums: list[float],
) -> Losses:
    """Of policy and values together, SUMMED over the tokens of a microbatch.

    Args:
        tools: the models.
        rollout: what is learnt from.
        rows: of the rollout.
        config: hyperparameters.
        loss: of the policy; None where only the value head learns, not even the trunk.
        found: [B T] the log-probabilities are left there, nats.
        value_sums: the sums of the values' loss are left there.
    """

    def loss_of(part: list[int]) -> Tensor:
        sequences = rollout.episodes.sequences.select(part)
        lower = None if rollout.lower is None else rollout.lower[part]
        reading = joint_reading(
            tools, sequences, lower, temperature=config.temperature, value_only=loss is None
        )
        width = reading.logprobs.shape[1]
        # Workers may compute microbatches side by side: their rows never meet.
        found[part, :width] = reading.logprobs.detach()
        mask = rollout.mask[part, :width]
        of_values = clipped_value_loss(
            reading.values,
            rollout.values[part, :width],
            rollout.returns[part, :width],
            mask,
            value_clip_range=config.loss.value_clip_range,
        ).sum()
        value_sums.append(float(of_values.detach()))
        if loss is None:
            return config.loss.value_coef * of_values
        of_policy = loss(
            reading.logprobs,
            rollout.episodes.logprobs[part, :width],
            rollout.advantages[part, :width],
            mask,
        )
        bonus = config.loss.entropy_coef * reading.entropy
        return (of_policy - bonus).sum() + config.loss.value_coef * of_values

    for part in parts_by_length(rows, rollout.lengths, config.microbatch_size):
        yield partial(loss_of, part)
