"""The policy that reinforcement learning with a KL penalty is heading for, in closed form.

Dimension key:
    *B: any leading dimensions
    V: possible responses
    K: responses drawn from the reference
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def tilted_distribution(
    ref_probs: Float[Tensor, "*B V"], rewards: Float[Tensor, "*B V"], *, kl_coef: float
) -> Float[Tensor, "*B V"]:
    """The maximiser of expected reward minus ``kl_coef`` times KL to the reference.

        π*(y) = π_ref(y) · exp(r(y) / kl_coef) / Σ_y' π_ref(y') · exp(r(y') / kl_coef)

    Args:
        ref_probs: probabilities of the responses under the reference policy.
        rewards: reward of each response, score units.
        kl_coef: score units per nat, positive.

    Returns:
        Probabilities, which sum to 1; 0 wherever the reference has 0.

    Raises:
        ValueError: ``kl_coef`` is not positive.

    Source: Ziegler et al. 2019, arXiv:1909.08593, section 2; Korbak et al. 2022,
    arXiv:2205.11275, eq. 6.

    >>> tilted_distribution(torch.tensor([.5, .5]), torch.tensor([1., 0.]), kl_coef=1.)
    tensor([0.7311, 0.2689])
    """
    _check(kl_coef)
    return (ref_probs.log() + rewards / kl_coef).softmax(dim=-1)


def objective(
    probs: Float[Tensor, "*B V"],
    ref_probs: Float[Tensor, "*B V"],
    rewards: Float[Tensor, "*B V"],
    *,
    kl_coef: float,
) -> Float[Tensor, "*B"]:
    """What reinforcement learning with a KL penalty maximises, for a policy that is known whole.

        J(π) = Σ_y π(y) r(y) − kl_coef · KL(π ‖ π_ref)

    Args:
        probs: π.
        ref_probs: π_ref.
        rewards: r of each response, score units.
        kl_coef: score units per nat.

    Returns:
        Score units; −∞ where π has what π_ref has not.

    Source: Ziegler et al. 2019, arXiv:1909.08593, eq. 2.

    >>> half = torch.tensor([.5, .5])
    >>> objective(half, half, torch.tensor([1., 0.]), kl_coef=1.)
    tensor(0.5000)
    """
    kl = torch.xlogy(probs, probs) - torch.xlogy(probs, ref_probs)
    return (probs * rewards).sum(dim=-1) - kl_coef * kl.sum(dim=-1)


def optimal_objective(
    ref_probs: Float[Tensor, "*B V"], rewards: Float[Tensor, "*B V"], *, kl_coef: float
) -> Float[Tensor, "*B"]:
    """The most that any policy can reach, which ``tilted_distribution`` does.

        J* = kl_coef · log Σ_y π_ref(y) exp(r(y) / kl_coef)

    Args:
        ref_probs: π_ref.
        rewards: r of each response, score units.
        kl_coef: score units per nat, positive.

    Returns:
        Score units.

    Raises:
        ValueError: ``kl_coef`` is not positive.

    Source: Ziegler et al. 2019, arXiv:1909.08593, section 2; Korbak et al. 2022,
    arXiv:2205.11275, eq. 6.

    >>> optimal_objective(torch.tensor([.5, .5]), torch.tensor([1., 0.]), kl_coef=1.)
    tensor(0.6201)
    """
    _check(kl_coef)
    return kl_coef * (ref_probs.log() + rewards / kl_coef).logsumexp(dim=-1)


def tilted_weights(scores: Float[Tensor, "*B K"], *, kl_coef: float) -> Float[Tensor, "*B K"]:
    """Weights that turn draws from the reference into draws from the best policy.

        w_i = exp(s_i / kl_coef) / Σ_j exp(s_j / kl_coef)

    Their means of a score or of a better judge's values are points of the frontier that no method
    passes. They are biased where few draws hold most of the weight: look at 1 / Σ w².

    Args:
        scores: of responses drawn from the reference policy.
        kl_coef: score units per nat, positive.

    Returns:
        Weights, which sum to 1.

    Raises:
        ValueError: ``kl_coef`` is not positive.

    Source: Ziegler et al. 2019, arXiv:1909.08593, section 3.1.1.

    >>> tilted_weights(torch.tensor([1., 0.]), kl_coef=1.)
    tensor([0.7311, 0.2689])
    """
    _check(kl_coef)
    return (scores / kl_coef).softmax(dim=-1)


def tilted_kl(weights: Float[Tensor, "*B K"]) -> Float[Tensor, "*B"]:
    """How far the best policy lies from the reference, from weighted draws.

        KL(π* ‖ π_ref) ≈ log K + Σ_i w_i log w_i

    Args:
        weights: of ``tilted_weights``.

    Returns:
        Nats, between 0 and log K: from K draws no larger distance can be seen.

    Source: Ziegler et al. 2019, arXiv:1909.08593, section 3.1.1.

    >>> tilted_kl(torch.tensor([.5, .5]))
    tensor(0.)
    """
    return math.log(weights.shape[-1]) + torch.xlogy(weights, weights).sum(dim=-1)


def _check(kl_coef: float) -> None:
    if kl_coef <= 0:
        raise ValueError(f"kl_coef is `{kl_coef}`; give a positive number")
