"""The policy that reinforcement learning with a KL penalty is heading for, in closed form.

Dimension key:
    *B: any leading dimensions
    V: possible responses
"""

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

    >>> import torch
    >>> tilted_distribution(torch.tensor([.5, .5]), torch.tensor([1., 0.]), kl_coef=1.)
    tensor([0.7311, 0.2689])
    """
    if kl_coef <= 0:
        raise ValueError(f"kl_coef is `{kl_coef}`; give a positive number")
    return (ref_probs.log() + rewards / kl_coef).softmax(dim=-1)
