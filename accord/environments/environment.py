"""What an environment is, and what an episode in it leaves behind.

    s_0 ──a_0──> r_1, s_1 ──a_1──> r_2, s_2 ── ... ──> end

An agent sees a state, chooses an action, earns a reward and sees the next state, until the episode
ends. Its return is the sum of its rewards. Many episodes are played side by side, one a row.

Dimension key:
    B: episodes
    T: steps of the longest
    S: states
    A: actions
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """What actions led to, one entry an episode."""

    states: Tensor  #: [B] s_{t+1}; means nothing where the episode ended
    rewards: Tensor  #: [B] r_{t+1}
    ended: Tensor  #: [B] True where nothing comes after


class Environment(Protocol):
    """Anything with numbered states and actions; what happens next depends on these two alone."""

    @property
    def states(self) -> int:
        """How many there are, numbered from 0."""

    @property
    def actions(self) -> int:
        """How many there are in every state, numbered from 0."""

    @property
    def longest(self) -> int:
        """Steps after which an episode ends at the latest."""

    def start(self, episodes: int) -> Tensor:
        """[B] the state in which each of some episodes begins."""

    def step(self, states: Tensor, actions: Tensor, *, random: torch.Generator) -> Outcome:
        """What each of some actions leads to."""


@dataclass(frozen=True)
class Episodes:
    """What was seen, done and earned.

    Attributes:
        states: [B T] the state before each step.
        actions: [B T] what was chosen there.
        rewards: [B T] what that earned; 0 outside the mask.
        logprobs: [B T] of the action under the policy that played, nats; 0 outside the mask.
        mask: [B T] True on the steps that were taken.
    """

    states: Tensor
    actions: Tensor
    rewards: Tensor
    logprobs: Tensor
    mask: Tensor

    def returns(self) -> Tensor:
        """[B] sum of the rewards of each episode."""
        return self.rewards.sum(dim=1)


def play(
    environment: Environment,
    logits: Tensor,
    *,
    episodes: int,
    explores: bool,
    random: torch.Generator,
) -> Episodes:
    """Play some episodes to their ends.

    Args:
        environment: where.
        logits: [S A] of the policy in every state.
        episodes: how many, side by side.
        explores: True draws actions from the policy; False always takes the likeliest, so that
            nothing else is ever tried.
        random: of the actions and of the environment.
    """
    table = logits.detach().log_softmax(dim=-1)
    states, alive = environment.start(episodes), torch.ones(episodes, dtype=torch.bool)
    steps: list[tuple[Tensor, ...]] = []
    while len(steps) < environment.longest and bool(alive.any()):
        probs = table[states].exp()
        drawn = torch.multinomial(probs, 1, generator=random).squeeze(1)
        actions = drawn if explores else probs.argmax(dim=-1)
        outcome = environment.step(states, actions, random=random)
        logprobs = table[states, actions].masked_fill(~alive, 0)
        steps.append((states, actions, outcome.rewards.masked_fill(~alive, 0), logprobs, alive))
        alive = alive & ~outcome.ended
        states = torch.where(alive, outcome.states, states)
    return Episodes(*(torch.stack(column, dim=1) for column in zip(*steps, strict=True)))
