"""A rollout to a few epochs of steps that stay near the policy that sampled it.

The loss of a minibatch is the sum over its tokens divided by their number, whatever the
microbatches: they can change memory, not the result.
"""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean

import torch
from torch.optim import Optimizer
from transformers import PreTrainedModel

from accord.data.collate import Sequences, shuffled
from accord.functional.kl import next_penalty_coef
from accord.functional.ppo import approx_kl, clip_fraction, explained_variance
from accord.models.adapters import Precision
from accord.runtime.checkpoints import TrainState
from accord.runtime.seeding import generator
from accord.runtime.train import microbatches, optimiser_step, scheduled
from accord.stages.ppo.guards import check_first_ratio
from accord.stages.ppo.losses import (
    Surrogate,
    document_losses,
    policy_losses,
    surrogate,
    value_losses,
)
from accord.stages.ppo.pretraining import Texts
from accord.stages.ppo.rewards import Rollout
from accord.stages.ppo.rollout import logprobs_of
from accord.stages.ppo.settings import Config
from accord.stages.ppo.tools import Tools

Trace = defaultdict[str, list[float]]  #: metrics of the optimizer steps, one entry a step


@dataclass(frozen=True)
class Learner:
    """One of the two models that learn, for the length of one update."""

    model: PreTrainedModel
    optimizer: Optimizer
    learning_rate: float


@dataclass(frozen=True)
class Minibatch:
    """What one step learns from."""

    update: int
    rows: list[int]  #: of the rollout
    documents: Sequences | None  #: of PPO-ptx


def take_steps(
    state: TrainState,
    rollout: Rollout,
    config: Config,
    tools: Tools,
    *,
    update: int,
    texts: Texts | None = None,
) -> dict[str, float]:
    """Learn from one rollout: ``ppo_epochs`` passes in shuffled minibatches.

    Once a minibatch shows more than ``max_update_kl`` between old and new policy, its step is not
    taken and the policy rests until the next update; the value model goes on. It learns alone
    in the first ``critic_warmup`` updates.

    Returns:
        Means over the steps; ``policy/ratio_max`` is of the first, where it should be 1.
    """
    actor = Learner(tools.policy, state.optimizers["policy"], rate(config, update, "policy"))
    critic = Learner(tools.value_model, state.optimizers["value"], rate(config, update, "value"))
    loss = surrogate(config, penalty_coef=state.scalars["penalty_coef"])
    trace: Trace = defaultdict(list)
    policy_learns = update > config.optimizer.critic_warmup
    for epoch in range(config.ppo_epochs):
        random = generator(config.seed, "minibatches", update, epoch)
        order = shuffled(len(rollout), rng=random)
        for number, rows in enumerate(microbatches(order, config.minibatch_size)):
            if policy_learns:
                documents = documents_of(texts, config, len(rows), (update, epoch, number))
                batch = Minibatch(update, rows, documents)
                policy_learns = _policy_step(
                    actor, rollout, batch, loss, config, trace, precision=tools.precision
                )
            _value_step(critic, rollout, rows, config, trace)
    explained = explained_variance(rollout.values, rollout.returns, rollout.mask)
    metrics = {name: fmean(steps) for name, steps in trace.items() if steps} | {
        "policy/steps": len(trace["policy/loss"]),
        "policy/learning_rate": actor.learning_rate,
        "value/learning_rate": critic.learning_rate,
        "value/explained_variance": float(explained),
    }
    if trace["policy/ratio_max"]:
        metrics["policy/ratio_max"] = trace["policy/ratio_max"][0]
    if config.loss.penalty_target is not None:
        metrics |= adapt_penalty(state, rollout, config, tools)
    return metrics


def rate(config: Config, update: int, model: str) -> float:
    """Learning rate of an update; a falling one is 0 after the last.

    The policy's rises first, for the value model has everything to learn at the beginning.
    """
    policy_learns = model == "policy"
    return scheduled(
        config.learning_rate if policy_learns else config.value_learning_rate,
        update - 1,
        steps=config.updates,
        schedule=config.optimizer.schedule,
        warmup=round(config.optimizer.warmup * config.updates) if policy_learns else 0,
    )


def documents_of(
    texts: Texts | None, config: Config, responses: int, place: tuple[int, int, int]
) -> Sequences | None:
    """What PPO-ptx reads beside a minibatch."""
    if texts is None:
        return None
    count = responses * config.pretraining.documents_per_response
    return texts.draw(count, random=generator(config.seed, "documents", *place))


def _policy_step(
    actor: Learner,
    rollout: Rollout,
    batch: Minibatch,
    loss: Surrogate,
    config: Config,
    trace: Trace,
    *,
    precision: Precision,
) -> bool:
    """One step of the policy, if KL(old ‖ new) is within its bound before it; whether it was."""
    old, mask = rollout.episodes.logprobs[batch.rows], rollout.mask[batch.rows]
    found = torch.zeros_like(rollout.episodes.logprobs)
    count, surprises = int(mask.sum()), list[float]()

    def may_step() -> bool:
        new, moved = found[batch.rows], measure(rollout, batch, found, config, trace)
        if len(trace["policy/ratio_max"]) == 1:
            check_first_ratio(new, old, update=batch.update, precision=precision)
        return config.loss.max_update_kl is None or moved <= config.loss.max_update_kl

    losses = policy_losses(actor.model, rollout, batch.rows, config, loss=loss, found=found)
    if batch.documents is not None:
        losses = itertools.chain(
            losses,
            document_losses(actor.model, batch.documents, config, count=count, found=surprises),
        )
    done = optimiser_step(
        actor.optimizer,
        losses,
        count=count,
        learning_rate=actor.learning_rate,
        max_grad_norm=config.max_grad_norm,
        may_step=may_step,
    )
    if not done.taken:
        return False
    trace["policy/loss"].append(done.loss)
    trace["policy/grad_norm"].append(done.grad_norm)
    if batch.documents is not None:
        # fsum does not depend on the order in which workers came to their ends
        tokens = int(batch.documents.response_lengths.sum())
        trace["pretraining/loss"].append(math.fsum(surprises) / tokens)
    return True


def measure(
    rollout: Rollout, batch: Minibatch, found: torch.Tensor, config: Config, trace: Trace
) -> float:
    """Note how far the policy is from the one that sampled; KL(old ‖ new), nats per token."""
    new, mask = found[batch.rows], rollout.mask[batch.rows]
    old, advantages = rollout.episodes.logprobs[batch.rows], rollout.advantages[batch.rows]
    moved = float(approx_kl(new, old, mask))
    clip_range = config.loss.clip_range
    trace["policy/approx_kl"].append(moved)
    trace["policy/clip_fraction"].append(
        float(clip_fraction(new, old, advantages, mask, clip_range=clip_range))
    )
    trace["policy/ratio_max"].append(float((new - old).abs().max().exp()))
    return moved


def adapt_penalty(
    state: TrainState, rollout: Rollout, config: Config, tools: Tools
) -> dict[str, float]:
    """Double or halve the coefficient of the KL penalty by how far this update went."""
    coef, target = state.scalars["penalty_coef"], config.loss.penalty_target
    episodes = rollout.episodes
    now = logprobs_of(tools.policy, episodes.sequences, tools, config.temperature)
    moved = float(approx_kl(now, episodes.logprobs, rollout.mask))
    if target is not None:
        state.scalars["penalty_coef"] = next_penalty_coef(coef, moved, target_kl=target)
    return {"policy/update_kl": moved, "policy/penalty_coef": coef}


def _value_step(
    critic: Learner, rollout: Rollout, rows: list[int], config: Config, trace: Trace
) -> None:
    """One step of the value model."""
    done = optimiser_step(
        critic.optimizer,
        value_losses(critic.model, rollout, rows, config),
        count=int(rollout.mask[rows].sum()),
        learning_rate=critic.learning_rate,
        max_grad_norm=config.max_grad_norm,
    )
    trace["value/loss"].append(done.loss)
    trace["value/grad_norm"].append(done.grad_norm)
