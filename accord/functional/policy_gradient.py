"""Policy gradients without a value model: what is taken from the reward is a mean of rewards.

    ∇ E[R] = E[ (R − b) ∇ log π(y | x) ]        for every b that y itself has no part in

The three methods differ in b. Rewards and advantages are one number a response, for the whole
response is one action.

Dimension key:
    N: prompts
    K: responses to each prompt
    B: responses in the batch
    T: response tokens, right-padded
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def reinforce_loss(
    logprobs: Float[Tensor, "B T"], advantages: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B T"]:
    """Loss whose gradient is minus the policy gradient; its value means nothing.

        loss_t = − A_t log π(a_t)

    Args:
        logprobs: log π of the sampled tokens under the policy that learns, which has to be the
            one that sampled them, nats.
        advantages: A. No gradient flows from here.
        mask: True on the actions that count.

    Returns:
        Loss per token; 0 outside the mask.

    Source: Williams 1992, "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", theorem 1.

    >>> reinforce_loss(torch.tensor([[-2.]]), torch.tensor([[3.]]), torch.tensor([[True]]))
    tensor([[6.]])
    """
    return -(advantages.detach() * logprobs).masked_fill(~mask, 0)


def leave_one_out(rewards: Float[Tensor, "N K"]) -> Float[Tensor, "N K"]:
    """Advantages of RLOO: each reward less the mean of the other responses to the same prompt.

        A_i = R_i − 1/(K − 1) Σ_{j ≠ i} R_j  =  K/(K − 1) · (R_i − mean R)

    Args:
        rewards: of the responses to each prompt, the KL tax already subtracted.

    Returns:
        Advantages in score units, which sum to 0 for every prompt. Unbiased, for a response has
        no part in its own baseline.

    Raises:
        ValueError: there is only one response to a prompt.

    Source: Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!"; Ahmadian et al.
    2024, arXiv:2402.14740, section 3.

    >>> leave_one_out(torch.tensor([[1., 2., 6.]]))
    tensor([[-3.0000, -1.5000,  4.5000]])
    """
    number = _group(rewards)
    return (rewards - rewards.mean(dim=1, keepdim=True)) * (number / (number - 1))


def group_normalised(rewards: Float[Tensor, "N K"], *, eps: float = 1e-4) -> Float[Tensor, "N K"]:
    """Advantages of GRPO: rewards standardised among the responses to the same prompt.

        A_i = (R_i − mean R) / (std R + eps),    std over the K responses, divided by K

    The standard deviation is that of the group itself (divided by K, not by K − 1), so that A has
    variance 1 whatever K is. Dividing by it makes every prompt count alike, those where the
    responses hardly differ as much as those where they differ greatly; it is no policy gradient of
    the reward any more (Liu et al. 2025, arXiv:2503.20783). Without it, it is ``leave_one_out`` by
    a factor of (K − 1)/K.

    Args:
        rewards: of the responses to each prompt; in GRPO the KL is in the loss, not here.
        eps: added to the standard deviation, score units.

    Returns:
        Advantages without unit; 0 for a prompt whose responses all earn the same.

    Raises:
        ValueError: there is only one response to a prompt.

    Source: Shao et al. 2024, arXiv:2402.03300, section 4.1.2.

    >>> group_normalised(torch.tensor([[1., 3.]]), eps=0.)
    tensor([[-1.,  1.]])
    """
    _group(rewards)
    mean, std = rewards.mean(dim=1, keepdim=True), rewards.std(dim=1, keepdim=True, correction=0)
    return torch.where(std > 0, (rewards - mean) / (std + eps), 0)


def next_baseline(baseline: float, mean_reward: float, *, decay: float) -> float:
    """The moving average of rewards that REINFORCE subtracts.

        b ← decay · b + (1 − decay) · mean reward of the batch

    Args:
        baseline: b of this update.
        mean_reward: of its responses.
        decay: in [0, 1); 0 is the last batch's mean.

    Returns:
        b of the next update, whose responses had no part in it.

    Raises:
        ValueError: the decay is not in [0, 1).

    Source: Williams 1992, section 4, "reinforcement comparison".

    >>> next_baseline(1., 2., decay=.75)
    1.25
    """
    if not 0 <= decay < 1:
        raise ValueError(f"decay is `{decay}`; give a number from 0 to below 1")
    return decay * baseline + (1 - decay) * mean_reward


def _group(rewards: Tensor) -> int:
    """How many responses there are to each prompt."""
    number = rewards.shape[1]
    if number < 2:  # noqa: PLR2004
        raise ValueError(f"there is `{number}` response to a prompt; a group needs at least 2")
    return number
