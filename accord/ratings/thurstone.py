"""Thurstone's model, Case V: each response's quality is normal, and the better draw wins.

    P(a is better than b) = Φ((μ_a − μ_b) / (σ√2)) = Φ(gap)

A unit of gap is one standard deviation of a difference of two draws. With Elo's own 200 points
for each draw that is 200√2 = 282.84 points, so ratings stand on the same scale as the logistic
ones: 200 points win 76.0% in both, 400 points 92.1% here and 90.9% there.
"""

import math

import numpy as np
from scipy.special import log_ndtr

from accord.ratings.elo import PERFORMANCE_SD
from accord.ratings.likelihood import Terms, half_wins
from accord.ratings.votes import FloatArray

POINTS_PER_SD = PERFORMANCE_SD * math.sqrt(2)  # of a difference of two draws


def terms(gap: FloatArray, tie: float = 0.0) -> Terms:
    """Log-probabilities of the outcomes and their derivatives.

        log Φ(g),   m = φ(g)/Φ(g),   −m (m + g)

    Args:
        gap: in standard deviations of a difference, [K].
        tie: not used; ties are half wins.

    Returns:
        [3, K] each.

    Source: Thurstone 1927, Case V; as a probit regression in Mosteller 1951.

    >>> float(np.exp(terms(np.array([100 / POINTS_PER_SD])).log_p[2, 0]).round(7))
    0.6381632
    """
    return half_wins(_win(gap), _win(-gap))


def _win(gap: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    log_p = log_ndtr(gap)
    # φ/Φ through logarithms: far in the tail both underflow, their ratio does not.
    mills = np.exp(-(gap**2) / 2 - math.log(2 * math.pi) / 2 - log_p)
    return log_p, mills, -mills * (mills + gap)
