"""Bradley and Terry's model of one vote.

    P(a is better than b) = σ(gap),   gap = θ_a − θ_b in nats; 1 nat is 173.72 Elo points

A tie counts as half a win for each. ``fit`` turns votes into strengths.
"""

import numpy as np
from scipy.special import expit

from accord.ratings.likelihood import Terms, half_wins
from accord.ratings.votes import FloatArray


def terms(gap: FloatArray, tie: float = 0.0) -> Terms:
    """Log-probabilities of the outcomes and their derivatives.

        log σ(g),   σ(−g),   −σ(g) σ(−g)

    Args:
        gap: in nats, [K].
        tie: not used; ties are half wins.

    Returns:
        [3, K] each.

    Source: Bradley and Terry 1952.

    >>> float(np.exp(terms(np.array([1.0])).log_p[2, 0]).round(7))
    0.7310586
    """
    return half_wins(_win(gap), _win(-gap))


def _win(gap: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    loss = expit(-gap)
    return -np.logaddexp(0.0, -gap), loss, -loss * (1 - loss)
