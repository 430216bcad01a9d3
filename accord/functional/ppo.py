"""Losses and diagnostics of proximal policy optimisation.

Losses are per token, to be minimised, and 0 outside the mask; the caller sums them and divides
once by the number of tokens of the whole minibatch, so that neither padding nor microbatches
can change the result.

Dimension key:
    B: responses in the batch
    T: response tokens, right-padded
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from accord.functional.kl import k3
from accord.functional.masking import masked_mean, masked_variance


def clipped_policy_loss(
    logprobs: Float[Tensor, "B T"],
    old_logprobs: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    clip_range: float,
) -> Float[Tensor, "B T"]:
    """Negated clipped surrogate objective of PPO.

        r_t = exp(log π(a_t) − log π_old(a_t))
        loss_t = − min( r_t A_t,  clip(r_t, 1 − ε, 1 + ε) A_t )

    Args:
        logprobs: log π of the sampled tokens under the policy that learns, nats.
        old_logprobs: the same under the policy that sampled. No gradient flows from here.
        advantages: A, whitened over the whole rollout. No gradient flows from here.
        mask: True on response tokens, the end-of-sequence token included.
        clip_range: ε > 0.

    Returns:
        Loss per token; 0 outside the mask. No gradient where clipping decides.

    Source: Schulman et al. 2017, arXiv:1707.06347, eq. 7.

    >>> clipped_policy_loss(torch.tensor([[1.5]]).log(), torch.zeros(1, 1), torch.ones(1, 1),
    ...                     torch.tensor([[True]]), clip_range=.2)
    tensor([[-1.2000]])
    """
    ratio = _ratio(logprobs, old_logprobs, mask)
    advantages = advantages.detach().masked_fill(~mask, 0)
    return torch.maximum(
        -advantages * ratio, -advantages * ratio.clamp(1 - clip_range, 1 + clip_range)
    )


def unclipped_policy_loss(
    logprobs: Float[Tensor, "B T"],
    old_logprobs: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
) -> Float[Tensor, "B T"]:
    """Negated plain surrogate objective, which nothing holds back; kept for contrast.

        loss_t = − r_t A_t

    Args:
        logprobs: log π of the sampled tokens under the policy that learns, nats.
        old_logprobs: the same under the policy that sampled. No gradient flows from here.
        advantages: A. No gradient flows from here.
        mask: True on response tokens, the end-of-sequence token included.

    Returns:
        Loss per token; 0 outside the mask.

    Source: Schulman et al. 2017, arXiv:1707.06347, eq. 6.

    >>> unclipped_policy_loss(torch.tensor([[1.5]]).log(), torch.zeros(1, 1), torch.ones(1, 1),
    ...                       torch.tensor([[True]]))
    tensor([[-1.5000]])
    """
    return -advantages.detach().masked_fill(~mask, 0) * _ratio(logprobs, old_logprobs, mask)


def penalised_policy_loss(
    logprobs: Float[Tensor, "B T"],
    old_logprobs: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    penalty_coef: float,
) -> Float[Tensor, "B T"]:
    """Negated surrogate objective of PPO with a KL penalty in the place of the clip.

        loss_t = − r_t A_t + β · (r_t − 1 − log r_t)

    The second term is k3 of KL(old ‖ new). Tokens are drawn from the *old* policy and the
    gradient is taken in the *new* one, so that its mean is the gradient of the KL itself; for a
    KL whose samples come from the policy that learns, k3 would not do (``functional.kl``).

    Args:
        logprobs: log π of the sampled tokens under the policy that learns, nats.
        old_logprobs: the same under the policy that sampled. No gradient flows from here.
        advantages: A, whitened over the whole rollout. No gradient flows from here.
        mask: True on response tokens, the end-of-sequence token included.
        penalty_coef: β, whitened advantage per nat, at least 0.

    Returns:
        Loss per token; 0 outside the mask.

    Source: Schulman et al. 2017, arXiv:1707.06347, eq. 8. Differs from the source: the KL is
    estimated from the sampled token and not summed over the vocabulary.

    >>> penalised_policy_loss(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1),
    ...                       torch.tensor([[True]]), penalty_coef=3.)
    tensor([[-1.]])
    """
    moved = (old_logprobs.detach() - logprobs).masked_fill(~mask, 0)
    plain = unclipped_policy_loss(logprobs, old_logprobs, advantages, mask)
    return plain + penalty_coef * k3(moved)


def clipped_value_loss(
    values: Float[Tensor, "B T"],
    old_values: Float[Tensor, "B T"],
    returns: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    value_clip_range: float,
) -> Float[Tensor, "B T"]:
    """Squared error of the values, which may not profit from moving far in one update.

        V_clip = V_old + clip(V − V_old, −ε, ε)
        loss_t = ½ max( (V − R)²,  (V_clip − R)² )

    Args:
        values: V of the value model that learns, score units.
        old_values: V when the rollout was made. No gradient flows from here.
        returns: R, the regression targets. No gradient flows from here.
        mask: True on response tokens, the end-of-sequence token included.
        value_clip_range: ε > 0, score units.

    Returns:
        Loss per token, squared score units; 0 outside the mask.

    Source: openai/lm-human-preferences, lm_human_preferences/train_policy.py, ``loss``.

    >>> clipped_value_loss(torch.tensor([[1.]]), torch.tensor([[.5]]), torch.tensor([[1.]]),
    ...                    torch.tensor([[True]]), value_clip_range=.2)
    tensor([[0.0450]])
    """
    values = values.masked_fill(~mask, 0)
    old = old_values.detach().masked_fill(~mask, 0)
    returns = returns.detach().masked_fill(~mask, 0)
    clipped = old + (values - old).clamp(-value_clip_range, value_clip_range)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)


def clip_fraction(
    logprobs: Float[Tensor, "B T"],
    old_logprobs: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    clip_range: float,
) -> Float[Tensor, ""]:
    """Share of the tokens on which clipping decides, and which therefore teach nothing.

        mean of [ − clip(r_t, 1 − ε, 1 + ε) A_t  >  − r_t A_t ]

    Args:
        logprobs: log π of the sampled tokens under the policy that learns, nats.
        old_logprobs: the same under the policy that sampled.
        advantages: A.
        mask: True on response tokens, the end-of-sequence token included.
        clip_range: ε > 0.

    Returns:
        A number in [0, 1]; 0 when the mask is empty.

    Source: openai/lm-human-preferences, lm_human_preferences/train_policy.py, ``pg_clipfrac``.

    >>> clip_fraction(torch.tensor([[1.5, .5]]).log(), torch.zeros(1, 2), torch.ones(1, 2),
    ...               torch.tensor([[True, True]]), clip_range=.2)
    tensor(0.5000)
    """
    plain = unclipped_policy_loss(logprobs, old_logprobs, advantages, mask)
    clipped = clipped_policy_loss(logprobs, old_logprobs, advantages, mask, clip_range=clip_range)
    return masked_mean((clipped > plain).to(logprobs.dtype), mask)


def approx_kl(
    logprobs: Float[Tensor, "B T"], old_logprobs: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """How far one update has moved the policy: KL(old ‖ new) by the k3 estimate.

        mean of  r_t − 1 − log r_t

    Args:
        logprobs: log π of the sampled tokens under the policy that learns, nats.
        old_logprobs: the same under the policy that sampled.
        mask: True on response tokens, the end-of-sequence token included.

    Returns:
        Nats per token, at least 0; 0 when the mask is empty.

    Source: Schulman 2020, http://joschu.net/blog/kl-approx.html.

    >>> approx_kl(torch.tensor([[-1.]]), torch.tensor([[-1.]]), torch.tensor([[True]]))
    tensor(0.)
    """
    return masked_mean(k3(old_logprobs - logprobs), mask)


def explained_variance(
    values: Float[Tensor, "B T"], returns: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """Share of the variance of the returns that the values account for.

        1 − Var(R − V) / Var(R)

    Args:
        values: V, score units.
        returns: R, score units.
        mask: True on response tokens, the end-of-sequence token included.

    Returns:
        1 for perfect values, 0 for a constant, below 0 for worse than a constant; 0 as well
        when the returns do not vary.

    Source: openai/baselines, baselines/common/math_util.py, ``explained_variance``.

    >>> mask = torch.tensor([[True, True]])
    >>> explained_variance(torch.zeros(1, 2), torch.tensor([[1., 3.]]), mask)
    tensor(0.)
    """
    spread = masked_variance(returns, mask)
    if spread == 0:
        return torch.zeros_like(spread)
    return 1 - masked_variance(returns - values, mask) / spread


def _ratio(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor) -> Tensor:
    """π / π_old on the mask and 1 outside, where an exponential might overflow."""
    return (logprobs - old_logprobs.detach()).masked_fill(~mask, 0).exp()
