"""Advantages and returns of token-level episodes.

One response is one episode: the state before token t is the prompt plus the response
so far, the action is token t, and the episode ends at the last valid token.

Dimension key:
    B: responses in the batch
    T: response tokens, right-padded
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def gae(
    rewards: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    gamma: float,
    gae_lambda: float,
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """Generalized advantage estimation.

        δ_t = r_t + γ V_{t+1} − V_t
        A_t = δ_t + γ λ A_{t+1},     V and A are 0 after the last valid token

    Args:
        rewards: reward for choosing token t, in preference-model score units. The
            KL penalty is already subtracted; the score sits on the last valid token.
        values: V(s_t), the value estimated before token t. No gradient flows from here.
        mask: True on response tokens, the end-of-sequence token included.
        gamma: discount per token, in [0, 1].
        gae_lambda: bias-variance trade-off, in [0, 1]. 0 is one-step TD, 1 is Monte Carlo.

    Returns:
        advantages: not whitened; 0 outside the mask.
        returns: regression targets of the value function, advantages + values; 0 outside.

    Source: Schulman et al. 2017, arXiv:1707.06347, eqs. 11-12.

    >>> one_reward_at_the_end = torch.tensor([[0., 0., 1.]])
    >>> advantages, _ = gae(one_reward_at_the_end, torch.full((1, 3), .5),
    ...                     torch.ones(1, 3, dtype=torch.bool), gamma=1., gae_lambda=.5)
    >>> advantages
    tensor([[0.1250, 0.2500, 0.5000]])
    """
    rewards, values = rewards.detach(), values.detach().masked_fill(~mask, 0)
    advantages = torch.zeros_like(rewards)
    advantage = next_value = rewards.new_zeros(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = (delta + gamma * gae_lambda * advantage).masked_fill(~mask[:, t], 0)
        advantages[:, t], next_value = advantage, values[:, t]
    return advantages, advantages + values


def discounted_returns(
    rewards: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], *, gamma: float
) -> Float[Tensor, "B T"]:
    """Discounted sum of the rewards from each token to the end of its response.

        R_t = r_t + γ R_{t+1}

    Args:
        rewards: reward for choosing token t, in score units.
        mask: True on response tokens, the end-of-sequence token included.
        gamma: discount per token, in [0, 1].

    Returns:
        Returns in score units; 0 outside the mask.

    >>> discounted_returns(torch.tensor([[0., 1.]]), torch.tensor([[True, True]]), gamma=.5)
    tensor([[0.5000, 1.0000]])
    """
    nothing = torch.zeros_like(rewards)
    returns, _ = gae(rewards, nothing, mask, gamma=gamma, gae_lambda=1.0)
    return returns
