"""Davidson's model: ties have a probability of their own, so they do not shrink the strengths.

    P(a better) : P(tie) : P(b better) = e^(g/2) : ν : e^(−g/2),   g = θ_a − θ_b

Equal policies tie with probability ν / (2 + ν). Given that there is no tie, a wins with
probability σ(g), as in Bradley and Terry's model.
"""

import numpy as np

from accord.ratings.likelihood import Terms
from accord.ratings.votes import FloatArray


def terms(gap: FloatArray, log_nu: float) -> Terms:
    """Log-probabilities of the outcomes and their derivatives by gap and log ν.

        ∂ log P_o / ∂g = z_o − E[z],   z = −½, 0, ½ for loss, tie, win
        ∂ log P_o / ∂ log ν = [o is a tie] − P_tie

    Args:
        gap: in nats, [K].
        log_nu: logarithm of ν.

    Returns:
        [3, K] each.

    Source: Davidson 1970, "On extending the Bradley-Terry model to accommodate ties".

    >>> np.exp(terms(np.array([0.0]), 0.0).log_p).round(6).ravel()
    array([0.333333, 0.333333, 0.333333])
    """
    half = np.asarray(gap) / 2
    # −log(1 + the other two, relative to this one): exact also where it is nearly certain.
    others = (
        (2 * half, half + log_nu),
        (half - log_nu, -half - log_nu),
        (-2 * half, log_nu - half),
    )
    log_p = np.stack([-np.logaddexp(0.0, np.logaddexp(*two)) for two in others])
    loss, tie, win = np.exp(log_p)
    mean = (win - loss) / 2
    ones = np.ones((3, 1))
    outcome = np.array([[-0.5], [0.0], [0.5]])
    return Terms(
        log_p=log_p,
        by_gap=outcome - mean,
        by_gap_gap=-ones * ((win + loss) / 4 - mean**2),
        by_tie=np.array([[0.0], [1.0], [0.0]]) - tie,
        by_gap_tie=ones * (mean * tie),
        by_tie_tie=-ones * (tie * (1 - tie)),
    )
