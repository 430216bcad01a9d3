"""Losses that Askell et al. compare ranked preference modelling with, and context distillation.

Dimension key:
    *B: any leading dimensions, usually responses and their tokens
    V: vocabulary
    K: categories that are kept of the teacher's distribution
    N: responses, or pairs of them; *N: any shape
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

SMALLEST = 1e-12  # probability of what is left, below which its logarithm would be noise


def top_categories(
    logits: Float[Tensor, "*B V"], kept: int
) -> tuple[Int[Tensor, "*B K"], Float[Tensor, "*B K"]]:
    """The teacher's most probable tokens, which is all that has to be stored of it.

    Args:
        logits: of the prompted teacher.
        kept: K, at least 1 and less than the vocabulary.

    Returns:
        tokens: the K most probable, best first.
        logprobs: their log-probabilities, nats.

    Raises:
        ValueError: nothing would be kept, or nothing left.

    Source: Bai et al. 2022, arXiv:2204.05862, appendix A.1: the top 50 log-probabilities.

    >>> top_categories(torch.tensor([0., 2., 1.]), 2)[0].tolist()
    [1, 2]
    """
    if not 1 <= kept < logits.shape[-1]:
        raise ValueError(f"kept is `{kept}`; give 1 to {logits.shape[-1] - 1}")
    best = logits.float().log_softmax(dim=-1).topk(kept, dim=-1)
    return best.indices, best.values


def coarse_kl(
    tokens: Int[Tensor, "*B K"],
    teacher: Float[Tensor, "*B K"],
    logits: Float[Tensor, "*B V"],
) -> Float[Tensor, "*B"]:
    """KL divergence from student to prompted teacher over K tokens and one bucket for the rest.

        KL = Σ_{k ≤ K} p_k (log p_k − log q_k) + p_rest (log p_rest − log q_rest)

    Never above the KL over the whole vocabulary, and equal to it where the tails have one shape.

    Args:
        tokens: the teacher's K most probable tokens.
        teacher: their log-probabilities, nats.
        logits: of the student, which does not see the teacher's prompt.

    Returns:
        Nats, one a token.

    Source: Bai et al. 2022, arXiv:2204.05862, appendix A.1: 51 categories; Askell et al. 2021,
    arXiv:2112.00861, section 2.3.

    >>> same = torch.tensor([.6, .3, .1]).log()
    >>> bool(coarse_kl(*top_categories(same, 2), same).abs() < 1e-6)
    True
    """
    student = logits.to(teacher.dtype).log_softmax(dim=-1)
    kept = student.gather(-1, tokens)
    left = student.scatter(-1, tokens, -torch.inf).logsumexp(dim=-1)
    rest = (1 - teacher.exp().sum(dim=-1)).clamp(min=SMALLEST)
    inside = (teacher.exp() * (teacher - kept)).sum(dim=-1)
    return inside + rest * (rest.log() - left)


def binary_discrimination_loss(
    scores: Float[Tensor, "*N"], good: Float[Tensor, "*N"]
) -> Float[Tensor, "*N"]:
    """Negative log-likelihood of single responses being called good or bad.

        loss = − good · log σ(s) − (1 − good) · log σ(−s)

    Unlike ``bradley_terry_loss`` it compares no two responses, so that it cannot tell a good one
    from a better.

    Args:
        scores: log-odds of being good, nats.
        good: 1 for a good response, 0 for a bad one; a share is allowed.

    Source: Askell et al. 2021, arXiv:2112.00861, section 3.

    >>> binary_discrimination_loss(torch.tensor([0.]), torch.tensor([1.]))
    tensor([0.6931])
    """
    return -good * F.logsigmoid(scores) - (1 - good) * F.logsigmoid(-scores)


def imitation_score(
    logprobs: Float[Tensor, "N T"], lengths: Int[Tensor, "N"]
) -> Float[Tensor, "N"]:
    """What a policy that imitates good responses makes of a response: its mean log-probability.

        score = 1/|y| · Σ_t log π(y_t | x, y_<t)

    The higher of two scores is the one that imitation learning would choose; per token, since a
    sum would prefer whatever is short.

    Args:
        logprobs: of each response token, 0 after the end.
        lengths: tokens of each response, at least 1.

    Source: Askell et al. 2021, arXiv:2112.00861, section 3, imitation learning as a ranker.

    >>> imitation_score(torch.tensor([[-1., -3.], [-1., 0.]]), torch.tensor([2, 1]))
    tensor([-2., -1.])
    """
    return logprobs.sum(dim=1) / lengths
