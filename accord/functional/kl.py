"""Distances between policies, the reward they are taxed with, and what steers the tax.

Two distances are kept apart by name everywhere:

* ``objective/kl`` is KL(policy ‖ reference), nats per response: the price in the reward;
* ``policy/approx_kl`` is KL(old policy ‖ new policy), nats per token: the size of one update
  (``functional.ppo.approx_kl``).

The log ratio of one sample is an estimate of a KL, not a KL: it may be negative, its mean may
not. It is never clamped and never made absolute.

Dimension key:
    *dims: any shape
    B: responses in the batch
    T: response tokens, right-padded
    V: vocabulary
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def k1(logratio: Float[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
    """The plain estimate of KL(p ‖ q) from samples of p: unbiased, may be negative.

        k1 = log p − log q

    Args:
        logratio: log p(a) − log q(a) of tokens drawn from p, in nats.

    Returns:
        Estimates in nats. Its gradient is not that of the KL: use it detached, in a reward.

    Source: Schulman 2020, http://joschu.net/blog/kl-approx.html.

    >>> k1(torch.tensor([-1.]))
    tensor([-1.])
    """
    return logratio


def k2(logratio: Float[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
    """Half the squared log ratio: biased, never negative; its gradient is that of the KL.

        k2 = ½ (log p − log q)²

    Args:
        logratio: log p(a) − log q(a) of tokens drawn from p, in nats.

    Returns:
        Estimates in nats.

    Source: Schulman 2020, http://joschu.net/blog/kl-approx.html.

    >>> k2(torch.tensor([-2.]))
    tensor([2.])
    """
    return 0.5 * logratio**2


def k3(logratio: Float[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
    """The estimate to report: unbiased and never negative.

        k3 = q/p − 1 − log(q/p)

    Args:
        logratio: log p(a) − log q(a) of tokens drawn from p, in nats.

    Returns:
        Estimates in nats.

    Source: Schulman 2020, http://joschu.net/blog/kl-approx.html.

    >>> k3(torch.tensor([0.]))
    tensor([0.])
    """
    return torch.expm1(-logratio) + logratio


def exact_kl(p: Float[Tensor, "*dims V"], q: Float[Tensor, "*dims V"]) -> Float[Tensor, "*dims"]:
    """KL(p ‖ q) of whole distributions, given as logits.

        KL = Σ_v p_v (log p_v − log q_v)

    Args:
        p: logits of the distribution that the samples would come from.
        q: logits of the other one.

    Returns:
        Nats, at least 0 up to rounding; ∞ where q lacks a token that p has.

    >>> exact_kl(torch.tensor([.5, .5]).log(), torch.tensor([.9, .1]).log())
    tensor(0.5108)
    """
    logp, logq = p.log_softmax(dim=-1), q.log_softmax(dim=-1)
    probs = logp.exp()
    return (probs * (logp - logq).masked_fill(probs == 0, 0)).sum(dim=-1)


def token_rewards(
    scores: Float[Tensor, "B"],
    logprobs: Float[Tensor, "B T"],
    ref_logprobs: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    kl_coef: float,
) -> Float[Tensor, "B T"]:
    """What each token earns: the KL tax on all, the score on the last.

        r_t = − kl_coef · (log π(a_t) − log π_ref(a_t))  +  score · [t is the last token]

    Args:
        scores: preference-model scores of the responses, any penalty already subtracted.
        logprobs: log π of the sampled tokens under the policy that sampled them, nats.
        ref_logprobs: the same under the reference policy, at the same temperature.
        mask: True on response tokens, the end-of-sequence token included.
        kl_coef: score lost per nat, at least 0.

    Returns:
        Rewards in score units, detached: no gradient flows through a reward. 0 outside the
        mask; a response without tokens earns nothing.

    Source: Ziegler et al. 2019, arXiv:1909.08593, eq. 2; Bai et al. 2022, arXiv:2204.05862,
    section 4.1.

    >>> token_rewards(torch.tensor([2.]), torch.tensor([[0., -1.]]), torch.tensor([[0., -3.]]),
    ...               torch.tensor([[True, True]]), kl_coef=.5)
    tensor([[0., 1.]])
    """
    tax = kl_coef * k1(logprobs - ref_logprobs)
    tokens_left = mask.flip(1).cumsum(dim=1).flip(1)
    score = torch.where(tokens_left == 1, scores[:, None], 0.0)
    return (score - tax).masked_fill(~mask, 0).detach()


def missing_eos(
    scores: Float[Tensor, "B"], finished: Bool[Tensor, "B"], *, penalty: float
) -> Float[Tensor, "B"]:
    """Subtract a penalty from the score of every response that was cut off.

        score − penalty · [not finished]

    Args:
        scores: preference-model scores.
        finished: True where the response ended with the end-of-sequence token.
        penalty: score units, at least 0.

    Returns:
        Scores with the penalty subtracted.

    Differs from the source: Ziegler et al. 2019 replace the score by −1, which pays a response
    worse than −1 for being cut off; subtracting keeps the order of the scores.

    >>> missing_eos(torch.tensor([1., 1.]), torch.tensor([True, False]), penalty=2.5)
    tensor([ 1.0000, -1.5000])
    """
    return torch.where(finished, scores, scores - penalty)


def replaced_eos(
    scores: Float[Tensor, "B"], finished: Bool[Tensor, "B"], *, penalty: float
) -> Float[Tensor, "B"]:
    """Give every response that was cut off the same low score, whatever it was worth.

        score if finished, else − penalty

    Args:
        scores: preference-model scores.
        finished: True where the response ended with the end-of-sequence token.
        penalty: score units, at least 0.

    Returns:
        Scores, some of them replaced.

    Source: openai/lm-human-preferences, lm_human_preferences/train_policy.py,
    ``penalty_reward_value``, where the penalty is 1. A response worth less than −penalty is then
    paid for being cut off, which ``missing_eos`` avoids.

    >>> replaced_eos(torch.tensor([1., 4.]), torch.tensor([True, False]), penalty=1.)
    tensor([ 1., -1.])
    """
    return scores.masked_fill(~finished, -penalty)


def next_kl_coef(
    kl_coef: float, observed_kl: float, *, target_kl: float, horizon: float, episodes: int
) -> float:
    """Steer ``kl_coef`` so that the KL to the reference approaches a target.

        e = clip(observed / target − 1, −0.2, 0.2)
        kl_coef ← kl_coef · (1 + e · episodes / horizon)

    Args:
        kl_coef: the coefficient of this update.
        observed_kl: mean KL(policy ‖ reference) of this update, nats per response, not per
            token.
        target_kl: wanted KL in nats per response, positive.
        horizon: episodes over which a saturated error multiplies the coefficient by about
            e^±0.2, positive.
        episodes: responses of this update.

    Returns:
        The coefficient of the next update.

    Raises:
        ValueError: the target or the horizon is not positive.

    Source: Ziegler et al. 2019, arXiv:1909.08593, section 2.2; openai/lm-human-preferences,
    lm_human_preferences/train_policy.py, AdaptiveKLController.

    >>> next_kl_coef(.15, 9., target_kl=6., horizon=10_000., episodes=512)
    0.151536
    """
    if target_kl <= 0 or horizon <= 0:
        raise ValueError(
            f"target_kl is `{target_kl}` and horizon `{horizon}`; give positive numbers"
        )
    error = min(max(observed_kl / target_kl - 1, -0.2), 0.2)
    return kl_coef * (1 + error * episodes / horizon)


def next_penalty_coef(penalty_coef: float, observed_kl: float, *, target_kl: float) -> float:
    """Steer the coefficient of a KL(old ‖ new) penalty by doubling and halving.

        doubled if observed > 1.5 · target,   halved if observed < target / 1.5

    Args:
        penalty_coef: the coefficient of this update.
        observed_kl: mean KL(old policy ‖ new policy) of this update, nats per token.
        target_kl: wanted KL in the same unit, positive.

    Returns:
        The coefficient of the next update.

    Raises:
        ValueError: the target is not positive.

    Source: Schulman et al. 2017, arXiv:1707.06347, section 4.

    >>> next_penalty_coef(1., .02, target_kl=.01)
    2.0
    """
    if target_kl <= 0:
        raise ValueError(f"target_kl is `{target_kl}`; give a positive number")
    if observed_kl > target_kl * 1.5:
        return penalty_coef * 2
    if observed_kl < target_kl / 1.5:
        return penalty_coef / 2
    return penalty_coef


def best_of_n_kl(n: int) -> float:
    """How far the best of n samples lies from the policy that drew them.

        KL = log n − (n − 1) / n

    Args:
        n: samples drawn, at least 1.

    Returns:
        Nats per response. Exact when no two samples score the same, an upper bound otherwise.

    Raises:
        ValueError: n is below 1.

    Source: Stiennon et al. 2020, arXiv:2009.01325, appendix G.3; Bai et al. 2022 use log n,
    which is larger.

    >>> round(best_of_n_kl(4), 4)
    0.6363
    """
    if n < 1:
        raise ValueError(f"n is `{n}`; draw at least 1 sample")
    return math.log(n) - (n - 1) / n
