"""Best of n: draw n responses, keep the one that scores highest, and learn nothing.

How far that leads from the policy that drew them has a formula where no two responses score the
same (``functional.kl.best_of_n_kl``); here is what holds always, and what can be learnt about
every n from one set of draws.

Dimension key:
    *B: any leading dimensions, usually prompts
    V: possible responses
    K: responses drawn to one prompt
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def best_of_n_probs(
    ref_probs: Float[Tensor, "*B V"], scores: Float[Tensor, "*B V"], *, n: int
) -> Float[Tensor, "*B V"]:
    """The distribution of the best of n draws; equal scores are told apart by chance.

        q(y) = π(y) · (F(y)ⁿ − G(y)ⁿ) / (F(y) − G(y))
        F(y) = P(score ≤ score of y),   G(y) = P(score < score of y),   under π

    Args:
        ref_probs: π, probabilities of the responses.
        scores: of each response.
        n: draws, at least 1.

    Returns:
        Probabilities. KL(q ‖ π) by ``functional.kl.exact_kl`` is log n − (n − 1)/n where every
        response is unlikely and no two score the same, and less where few responses hold much of
        the probability or many share a score.

    Raises:
        ValueError: n is below 1.

    Source: the distribution of a maximum; Beirami et al. 2024, arXiv:2401.01879, lemma 1.

    >>> best_of_n_probs(torch.tensor([.5, .5]), torch.tensor([1., 0.]), n=2)
    tensor([0.7500, 0.2500])
    """
    _check(n)
    below = scores[..., None, :] < scores[..., :, None]
    alike = scores[..., None, :] == scores[..., :, None]
    under = (ref_probs[..., None, :] * below).sum(dim=-1)
    equal = (ref_probs[..., None, :] * alike).sum(dim=-1)
    share = torch.where(equal > 0, ref_probs / equal, 0)
    return share * ((under + equal) ** n - under**n)


def best_of_n_mean(
    values: Float[Tensor, "*B K"], scores: Float[Tensor, "*B K"], *, n: int
) -> Float[Tensor, "*B"]:
    """What the best of n by score is worth, without bias, from K ≥ n draws.

        mean over all C(K, n) choices of n of the K draws of the value of the one that scores best
        = Σ_i C(i − 1, n − 1) / C(K, n) · value_(i),   i = rank by score from the worst

    With ``values`` equal to ``scores`` it estimates E max of n scores; with another judge's
    values, what that judge thinks of the response that the score picks.

    Args:
        values: of each draw, in any unit.
        scores: by which the best is picked. Draws of equal score share their weights.
        n: draws to pick from, between 1 and K.

    Returns:
        One mean for each row of draws, in the unit of ``values``.

    Raises:
        ValueError: n is not between 1 and K.

    Source: Nakano et al. 2021, arXiv:2112.09332, appendix I.

    >>> draws = torch.tensor([1., 2., 3., 4.])
    >>> best_of_n_mean(draws, draws, n=2)
    tensor(3.3333)
    """
    drawn = scores.shape[-1]
    if not 1 <= n <= drawn:
        raise ValueError(f"n is `{n}`; give at least 1 and at most the {drawn} draws")
    rank = torch.arange(drawn, dtype=torch.float64, device=scores.device)
    weights = (_log_choose(rank, n - 1) - _log_choose(torch.full_like(rank, drawn), n)).exp()
    order = scores.argsort(dim=-1, stable=True)
    by_draw = torch.empty_like(scores, dtype=torch.float64)
    by_draw.scatter_(-1, order, weights.expand(order.shape))
    alike = (scores[..., None, :] == scores[..., :, None]).double()
    shared = (alike * by_draw[..., None, :]).sum(dim=-1) / alike.sum(dim=-1)
    return (shared * values).sum(dim=-1).to(values.dtype)


def best_index(scores: Float[Tensor, "*B K"]) -> Int[Tensor, "*B"]:
    """Which of K draws scores highest; the first of several.

    >>> best_index(torch.tensor([0., 3., 3.]))
    tensor(1)
    """
    # Not ``argmax``, which may give any of several.
    top = scores == scores.amax(dim=-1, keepdim=True)
    return top.int().argmax(dim=-1)


def median_index(scores: Float[Tensor, "*B K"]) -> Int[Tensor, "*B"]:
    """Which of K draws has the median score; the lower of two in the middle.

    Source: Bai et al. 2022, arXiv:2204.05862, section 6.1: samples are shown that have the median
    score of 17, because the single draw is too often unlucky and the best too flattering.

    >>> median_index(torch.tensor([5., 1., 3.]))
    tensor(2)
    """
    middle = (scores.shape[-1] - 1) // 2
    return scores.argsort(dim=-1, stable=True)[..., middle]


def _log_choose(total: Tensor, chosen: int) -> Tensor:
    """log C(total, chosen), −∞ where fewer are there than are chosen."""
    left = total - chosen
    some = left.clamp(min=0)
    count = torch.lgamma(total + 1) - torch.lgamma(some + 1) - torch.lgamma(total * 0 + chosen + 1)
    return count.masked_fill(left < 0, -torch.inf)


def _check(n: int) -> None:
    if n < 1:
        raise ValueError(f"n is `{n}`; draw at least 1 sample")
