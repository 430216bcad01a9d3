"""Losses of preference models, and how well the scores tell what people preferred.

All losses are negative log-likelihoods in nats, one per comparison, not reduced. A difference
of two scores is a log-odds; adding a constant to all scores of a comparison changes nothing.

Dimension key:
    N: comparisons in the batch
    K: candidates per comparison, padded where some have fewer
    bins: equal parts of the interval of probabilities from 0 to 1
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

COLDEST, HOTTEST = 0.01, 100.0  # temperatures that a fit may return
HALVINGS = 60  # of the logarithm of the temperature: down to a float64's last digits


def bradley_terry_loss(
    chosen: Float[Tensor, "N"],
    rejected: Float[Tensor, "N"],
    *,
    target: float | Float[Tensor, "N"] = 1.0,
) -> Float[Tensor, "N"]:
    """Negative log-likelihood that the chosen response beats the rejected one.

        P = σ(s_chosen − s_rejected)
        loss = − target · log P − (1 − target) · log(1 − P)

    Args:
        chosen: scores of the responses that were preferred.
        rejected: scores of the others.
        target: probability with which the chosen one should win, in [0, 1]: 1 for a plain
            choice, .5 for a tie, a share of labelers, or a clamped label.

    Returns:
        Loss in nats.

    Source: Bradley and Terry 1952; Stiennon et al. 2020, arXiv:2009.01325, section 3.4.

    >>> bradley_terry_loss(torch.tensor([0.]), torch.tensor([0.]))
    tensor([0.6931])
    """
    margin = chosen - rejected
    return -target * F.logsigmoid(margin) - (1 - target) * F.logsigmoid(-margin)


def ranking_pairs(ranks: Int[Tensor, "N K"], mask: Bool[Tensor, "N K"]) -> Bool[Tensor, "N K K"]:
    """Which candidate was ranked above which.

        pairs[n, i, j] = rank_i < rank_j, both candidates present

    Args:
        ranks: 1 is best; equal ranks are a tie.
        mask: True where there is a candidate.

    Returns:
        True at (i, j) where i was preferred to j; never on a tie.

    >>> ranking_pairs(torch.tensor([[1, 2]]), torch.tensor([[True, True]]))[0].tolist()
    [[False, True], [False, False]]
    """
    present = mask[:, :, None] & mask[:, None, :]
    return present & (ranks[:, :, None] < ranks[:, None, :])


def ranking_loss(
    scores: Float[Tensor, "N K"], ranks: Int[Tensor, "N K"], mask: Bool[Tensor, "N K"]
) -> Float[Tensor, "N"]:
    """Mean Bradley-Terry loss over all decided pairs of one ranking.

        loss = − 1/|pairs| · Σ over pairs of log σ(s_better − s_worse)

    All pairs of a prompt are one element of the batch: a prompt with nine candidates weighs as
    much as one with two, and each candidate is scored once.

    Args:
        scores: one score per candidate.
        ranks: 1 is best; ties are left out.
        mask: True where there is a candidate.

    Returns:
        Loss in nats; 0 for a comparison in which no pair is decided.

    Source: Ouyang et al. 2022, arXiv:2203.02155, eq. 1.

    >>> ranking_loss(torch.tensor([[1., 0., -1.]]), torch.tensor([[1, 2, 3]]),
    ...              torch.ones(1, 3, dtype=torch.bool))
    tensor([0.2512])
    """
    return soft_ranking_loss(scores, ranking_pairs(ranks, mask).to(scores.dtype))


def soft_ranking_loss(
    scores: Float[Tensor, "N K"], wins: Float[Tensor, "N K K"]
) -> Float[Tensor, "N"]:
    """Mean Bradley-Terry loss over the pairs of one comparison that several people answered.

        loss = − Σ_ij wins_ij · log σ(s_i − s_j) / Σ_ij wins_ij

    Args:
        scores: one score per candidate.
        wins: wins[n, i, j] is how many labelers put i above j, at least 0. A tie may be
            counted as half a win each way; rows of absent candidates are 0.

    Returns:
        Loss in nats; 0 for a comparison without a win.

    Source: Ouyang et al. 2022, arXiv:2203.02155, eq. 1, with the empirical distribution of
    the answers in the place of a single one.

    >>> soft_ranking_loss(torch.zeros(1, 2), torch.tensor([[[0., 2.], [1., 0.]]]))
    tensor([0.6931])
    """
    margins = scores[:, :, None] - scores[:, None, :]
    counted = wins > 0
    # An absent candidate's score may be anything; its margin must not reach the gradient.
    losses = -F.logsigmoid(margins.masked_fill(~counted, 0)) * wins
    total = wins.sum(dim=(1, 2))
    return losses.sum(dim=(1, 2)) / total.masked_fill(total == 0, 1)


def plackett_luce_loss(
    scores: Float[Tensor, "N K"], ranks: Int[Tensor, "N K"], mask: Bool[Tensor, "N K"]
) -> Float[Tensor, "N"]:
    """Negative log-likelihood of a whole ranking: the best of all, then of the rest, and so on.

        loss = Σ_i ( log Σ_{j not above i} exp s_j  −  s_i )

    Args:
        scores: one score per candidate.
        ranks: 1 is best; no ties.
        mask: True where there is a candidate.

    Returns:
        Loss in nats, summed over the places; 0 for a comparison without candidates.

    Raises:
        ValueError: two present candidates have the same rank.

    Source: Plackett 1975; Luce 1959.

    >>> plackett_luce_loss(torch.zeros(1, 2), torch.tensor([[2, 1]]), torch.ones(1, 2).bool())
    tensor([0.6931])
    """
    alone = torch.eye(ranks.shape[1], dtype=torch.bool, device=ranks.device)
    present = mask[:, :, None] & mask[:, None, :]
    if (present & ~alone & (ranks[:, :, None] == ranks[:, None, :])).any():
        raise ValueError("two candidates of a comparison share a rank; use `ranking_loss` for ties")
    # An absent candidate is its own only rival: log exp 0 − 0 adds nothing.
    scores = scores.masked_fill(~mask, 0)
    not_above = ranking_pairs(ranks, mask) | alone
    rivals = scores[:, None, :].masked_fill(~not_above, -torch.inf)
    return (rivals.logsumexp(dim=2) - scores).sum(dim=1)


def best_of_k_loss(scores: Float[Tensor, "N K"], best: Int[Tensor, "N"]) -> Float[Tensor, "N"]:
    """Negative log-likelihood of the one candidate that was picked out of K.

        loss = log Σ_k exp s_k − s_best

    Args:
        scores: one score per candidate.
        best: index of the candidate that was picked.

    Returns:
        Loss in nats.

    Source: Ziegler et al. 2019, arXiv:1909.08593, eq. 1.

    >>> best_of_k_loss(torch.zeros(1, 4), torch.tensor([2]))
    tensor([1.3863])
    """
    return scores.logsumexp(dim=1) - scores.gather(1, best[:, None]).squeeze(1)


def accuracy(chosen: Float[Tensor, "N"], rejected: Float[Tensor, "N"]) -> Float[Tensor, ""]:
    """Share of the comparisons in which the chosen response has the higher score.

    Args:
        chosen: scores of the responses that were preferred.
        rejected: scores of the others.

    Returns:
        A number in [0, 1]; equal scores count one half; 0 without comparisons.

    >>> accuracy(torch.tensor([1., 0., 0.]), torch.tensor([0., 1., 0.]))
    tensor(0.5000)
    """
    right = (chosen > rejected).to(chosen.dtype) + 0.5 * (chosen == rejected).to(chosen.dtype)
    return right.sum() / max(len(chosen), 1)


def normalise(mean: float, std: float) -> tuple[float, float]:
    """Gain and bias that bring scores to mean 0 and standard deviation 1.

        gain = 1 / std,     bias = − mean / std,     normalised = gain · score + bias

    Args:
        mean: mean of the scores of reference responses.
        std: their population standard deviation, positive.

    Returns:
        gain: score units of the result per score unit of the model.
        bias: score units of the result.

    Raises:
        ValueError: the standard deviation is not positive.

    Source: openai/lm-human-preferences, lm_human_preferences/train_reward.py, ``normalize``.

    >>> normalise(2., 4.)
    (0.25, -0.5)
    """
    if std <= 0:
        raise ValueError(f"the standard deviation of the scores is `{std}`; scores must differ")
    return 1 / std, -mean / std


def reliability(
    probabilities: Float[Tensor, "N"], outcomes: Float[Tensor, "N"], *, bins: int = 10
) -> tuple[Float[Tensor, "bins"], Float[Tensor, "bins"], Float[Tensor, "bins"]]:
    """What was promised and what came, bin by bin.

        a prediction p belongs to bin ⌊p · bins⌋, p = 1 to the last

    Args:
        probabilities: predicted probabilities of the event, in [0, 1].
        outcomes: 1 where it happened, 0 where not; a share is allowed.
        bins: number of equal bins, at least 1.

    Returns:
        predicted: mean predicted probability of each bin; 0 for an empty one.
        observed: mean outcome of each bin; 0 for an empty one.
        count: predictions in each bin.

    Raises:
        ValueError: there is no bin.

    Source: DeGroot and Fienberg 1983; Guo et al. 2017, arXiv:1706.04599, section 2.

    >>> reliability(torch.tensor([.1, .3, .9]), torch.tensor([0., 1., 1.]), bins=2)[0]
    tensor([0.2000, 0.9000])
    """
    if bins < 1:
        raise ValueError(f"bins is `{bins}`; give at least 1")
    place = (probabilities * bins).long().clamp(0, bins - 1)
    empty = torch.zeros(bins, dtype=probabilities.dtype, device=probabilities.device)
    count = empty.index_add(0, place, torch.ones_like(probabilities))
    divisor = count.clamp(min=1)
    predicted = empty.index_add(0, place, probabilities) / divisor
    observed = empty.index_add(0, place, outcomes) / divisor
    return predicted, observed, count


def expected_calibration_error(
    probabilities: Float[Tensor, "N"], outcomes: Float[Tensor, "N"], *, bins: int = 10
) -> Float[Tensor, ""]:
    """Mean distance between promise and outcome, weighted by the size of the bins.

        ECE = Σ_b n_b / N · | observed_b − predicted_b |

    Args:
        probabilities: predicted probabilities of the event, in [0, 1].
        outcomes: 1 where it happened, 0 where not.
        bins: number of equal bins, at least 1.

    Returns:
        A number in [0, 1]; 0 without predictions.

    Raises:
        ValueError: there is no bin.

    Source: Guo et al. 2017, arXiv:1706.04599, eq. 3.

    >>> expected_calibration_error(torch.tensor([.75, .75]), torch.tensor([1., 0.]))
    tensor(0.2500)
    """
    predicted, observed, count = reliability(probabilities, outcomes, bins=bins)
    return (count * (observed - predicted).abs()).sum() / max(len(probabilities), 1)


def brier(probabilities: Float[Tensor, "N"], outcomes: Float[Tensor, "N"]) -> Float[Tensor, ""]:
    """Mean squared error of probabilities: calibration and sharpness in one number.

        mean of (p − outcome)²

    Args:
        probabilities: predicted probabilities of the event, in [0, 1].
        outcomes: 1 where it happened, 0 where not.

    Returns:
        A number in [0, 1]; always .25 for a prediction of one half; 0 without predictions.

    Source: Brier 1950.

    >>> brier(torch.tensor([.5, 1.]), torch.tensor([1., 1.]))
    tensor(0.1250)
    """
    return ((probabilities - outcomes) ** 2).sum() / max(len(probabilities), 1)


def fit_temperature(margins: Float[Tensor, "N"], outcomes: Float[Tensor, "N"]) -> float:
    """The temperature that makes the probabilities σ(margin / T) as likely as possible.

        minimise  − mean of [ y log σ(m / T) + (1 − y) log σ(− m / T) ]
        by bisection: the slope of this loss in 1/T is the mean of (σ(m / T) − y) m, which
        falls as T rises

    Args:
        margins: score differences, nats.
        outcomes: 1 where the first response won, 0 where not.

    Returns:
        T between 0.01 and 100: above 1 the scores are over-confident, below 1 they are too
        timid. A bound is returned when the scores are always right, or no better than chance.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.

    >>> round(fit_temperature(torch.tensor([2., 2., 2., 2.]), torch.tensor([1., 1., 1., 0.])), 4)
    1.8205
    """
    m, y = margins.double(), outcomes.double()
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = ((torch.sigmoid(m / math.exp(middle)) - y) * m).sum()
        low, high = (middle, high) if slope > 0 else (low, middle)
    return math.exp(high)
