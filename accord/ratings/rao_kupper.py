"""Rao and Kupper's model: a difference below a threshold is called a tie.

    P(a better) = σ(g − log κ),   P(b better) = σ(−g − log κ),   P(tie) = the rest,   κ ≥ 1

Behind it are draws whose difference is logistic around the gap g = θ_a − θ_b in nats; a vote is a
tie when the draws are within log κ of each other. Equal policies tie with probability
(κ − 1)/(κ + 1), so κ − 1 plays the part of Davidson's ν.
"""

import numpy as np
from scipy.special import expit

from accord.ratings.likelihood import Terms
from accord.ratings.votes import FloatArray


def terms(gap: FloatArray, log_nu: float) -> Terms:
    """Log-probabilities of the outcomes and their derivatives by gap and log(κ − 1).

        log P_win = −log(1 + e^(−g) + ν e^(−g)),   κ = 1 + ν
        log P_tie = log P_win + log P_loss + log ν + log(2 + ν)       (κ² − 1 = ν (2 + ν))

    Args:
        gap: in nats, [K].
        log_nu: logarithm of κ − 1.

    Returns:
        [3, K] each.

    Source: Rao and Kupper 1967, eq. 2.5; written in κ − 1, whose logarithm may be any number.

    >>> np.exp(terms(np.array([0.0]), 0.0).log_p).round(6).ravel()  # κ = 2
    array([0.333333, 0.333333, 0.333333])
    """
    gap = np.asarray(gap)
    threshold = np.logaddexp(0.0, log_nu)  # log κ
    share = float(expit(log_nu))  # ν / κ: how the threshold grows with log ν
    sides = []
    for sign in (-1.0, 1.0):  # loss, win
        beyond = sign * gap - threshold
        p, rest = expit(beyond), expit(-beyond)
        # By beyond: slope 1 − p, curvature −p (1 − p). By log ν: beyond' = −share.
        sides.append(
            (
                -np.logaddexp(0.0, -beyond),
                sign * rest,
                -p * rest,
                -share * rest,
                -sign * share * -p * rest,
                -(share**2) * p * rest - share * (1 - share) * rest,
            )
        )
    more = float(expit(log_nu - np.log(2.0)))  # of log(2 + ν) by log ν
    own = (log_nu + np.logaddexp(np.log(2.0), log_nu), 0.0, 0.0, 1 + more, 0.0, more * (1 - more))
    loss, win = sides
    return Terms(
        *(
            np.stack([of_loss, of_loss + of_win + of_tie, of_win])
            for of_loss, of_win, of_tie in zip(loss, win, own, strict=True)
        )
    )


def win_probability(gap: FloatArray, kappa: float) -> FloatArray:
    """Probability that a wins a decided vote.

        P(a better) / (P(a better) + P(b better))

    Args:
        gap: in nats, of any shape.
        kappa: the threshold κ ≥ 1; at 1 there are no ties.

    Returns:
        Probabilities of that shape; steeper in the gap than σ, since a threshold lets pass
        only what is clear.

    Source: Rao and Kupper 1967.

    >>> win_probability(np.array([np.log(3.0)]), 2.0).round(6)  # 3/5 against 1/7
    array([0.807692])
    """
    win, loss = expit(gap - np.log(kappa)), expit(-np.asarray(gap) - np.log(kappa))
    return np.asarray(win / (win + loss))
