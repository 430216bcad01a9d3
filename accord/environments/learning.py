"""REINFORCE and PPO with tables, by the same functions that train language models.

The policy is a table of logits, one row a state; the value model, for PPO, a table of values.

Dimension key: see ``accord.environments.environment``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from accord.environments.environment import Environment, Episodes, play
from accord.functional.advantages import discounted_returns, gae
from accord.functional.masking import masked_mean, whiten
from accord.functional.policy_gradient import reinforce_loss
from accord.functional.ppo import clipped_policy_loss, clipped_value_loss
from accord.runtime.seeding import generator
from accord.runtime.train import adam, optimiser_step

NO_CLIPPING = float("inf")  # of gradients: a table has none that explode
ADAM_EPS = 1e-5  # large enough that the rounding of a zero gradient is no step


@dataclass(frozen=True)
class Settings:
    """How to learn; ``gae_lambda`` and what follows it are for PPO only."""

    updates: int = 100
    episodes: int = 128  #: played in each update
    learning_rate: float = 0.05
    gamma: float = 1.0  #: discount per step
    explores: bool = True  #: draw actions from the policy, rather than take the likeliest
    seed: int = 0
    gae_lambda: float = 1.0
    epochs: int = 2  #: steps on each update's episodes
    clip_range: float = 0.2
    value_clip_range: float = 0.2


@dataclass(frozen=True)
class Learnt:
    """A policy and how it came about."""

    logits: Tensor  #: [S A]
    curve: list[float]  #: mean return of the episodes of each update, before it

    def mean_return(self, environment: Environment, *, episodes: int = 200, seed: int = 0) -> float:
        """What the policy earns when it always takes its likeliest action."""
        random = generator(seed, "mean return")
        played = play(environment, self.logits, episodes=episodes, explores=False, random=random)
        return float(played.returns().mean())


def reinforce(
    environment: Environment, settings: Settings, *, begin: Tensor | None = None
) -> Learnt:
    """Gradient ascent on the return, by the policy gradient.

        ∇ E[return] = E[ Σ_t (R_t − b) ∇ log π(a_t | s_t) ],   R_t: return from step t on

    Args:
        environment: where to learn.
        settings: how.
        begin: [S A] logits to start from; if not given, every action is equally likely.
    """
    logits, optimizer = _table(environment, settings, begin)
    curve = []
    for update in range(settings.updates):
        episodes = _played(environment, logits, settings, update)
        curve.append(float(episodes.returns().mean()))
        returns = discounted_returns(episodes.rewards, episodes.mask, gamma=settings.gamma)
        advantages = (returns - masked_mean(returns, episodes.mask)).masked_fill(~episodes.mask, 0)
        loss = reinforce_loss(_logprobs(logits, episodes), advantages, episodes.mask)
        _step(optimizer, loss.sum(), settings, count=settings.episodes)
    return Learnt(logits.detach(), curve)


def ppo(environment: Environment, settings: Settings, *, begin: Tensor | None = None) -> Learnt:
    """The same ascent in steps that stay near the policy that played.

    Args:
        environment: where to learn.
        settings: how.
        begin: [S A] logits to start from; if not given, every action is equally likely.
    """
    logits, optimizer = _table(environment, settings, begin)
    values = nn.Parameter(torch.zeros(environment.states))
    value_optimizer = adam([values], learning_rate=settings.learning_rate, eps=ADAM_EPS)
    curve = []
    for update in range(settings.updates):
        episodes = _played(environment, logits, settings, update)
        curve.append(float(episodes.returns().mean()))
        mask, old_values = episodes.mask, values.detach()[episodes.states]
        advantages, returns = gae(
            episodes.rewards,
            old_values,
            mask,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
        )
        advantages, count = whiten(advantages, mask), int(mask.sum())
        for _ in range(settings.epochs):
            policy_loss = clipped_policy_loss(
                _logprobs(logits, episodes),
                episodes.logprobs,
                advantages,
                mask,
                clip_range=settings.clip_range,
            )
            _step(optimizer, policy_loss.sum(), settings, count=count)
            value_loss = clipped_value_loss(
                values[episodes.states],
                old_values,
                returns,
                mask,
                value_clip_range=settings.value_clip_range,
            )
            _step(value_optimizer, value_loss.sum(), settings, count=count)
    return Learnt(logits.detach(), curve)


def _table(
    environment: Environment, settings: Settings, begin: Tensor | None
) -> tuple[nn.Parameter, Optimizer]:
    shape = environment.states, environment.actions
    logits = nn.Parameter(torch.zeros(shape) if begin is None else begin.clone())
    return logits, adam([logits], learning_rate=settings.learning_rate, eps=ADAM_EPS)


def _played(environment: Environment, logits: Tensor, settings: Settings, update: int) -> Episodes:
    return play(
        environment,
        logits,
        episodes=settings.episodes,
        explores=settings.explores,
        random=generator(settings.seed, "episodes", update),
    )


def _logprobs(logits: Tensor, episodes: Episodes) -> Tensor:
    """[B T] of the actions that were taken, under the policy as it is now; 0 outside the mask."""
    table = logits.log_softmax(dim=-1)
    return table[episodes.states, episodes.actions].masked_fill(~episodes.mask, 0)


def _step(optimizer: Optimizer, loss: Tensor, settings: Settings, *, count: int) -> None:
    optimiser_step(
        optimizer,
        [loss],
        count=count,
        learning_rate=settings.learning_rate,
        max_grad_norm=NO_CLIPPING,
    )
