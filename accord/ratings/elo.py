"""Elo ratings: the scale, one update, and the replay of a log of games.

Two numbers are easy to confuse, so neither is ever called ``k``: ``ELO_SCALE`` is the gap in
points that is worth odds of ten to one, ``elo_step`` is the most that one game can move a rating.

A replay depends on the order of its games. For a report use ``bradley_terry.fit``, which
does not; a replay is a live ticker.
"""

import math
from collections.abc import Iterable

from scipy.special import expit, ndtr

ELO_SCALE = 400.0  # points that are worth odds of 10 to 1
POINTS_PER_NAT = ELO_SCALE / math.log(10)  # 173.72: one nat of score difference in points
PERFORMANCE_SD = 200.0  # points; spread of one player's day in Elo's own normal model


def win_probability(rating: float, opponent: float) -> float:
    """Probability that the first player wins, in the logistic model.

        P = 1 / (1 + 10^((opponent − rating) / 400))

    Args:
        rating: of the first player, in points.
        opponent: rating of the second player, in points.

    Returns:
        A probability; 0.5 at equal ratings.

    Source: Elo 1978; the same curve as Bradley and Terry 1952 with strength 10^(rating/400).

    >>> round(win_probability(1400, 1000), 4)
    0.9091
    """
    return float(expit((rating - opponent) / POINTS_PER_NAT))


def normal_win_probability(rating: float, opponent: float) -> float:
    """Probability that the first player wins, in Elo's and Thurstone's normal model.

        P = Φ((rating − opponent) / (200 √2))

    Args:
        rating: of the first player, in points.
        opponent: rating of the second player, in points.

    Returns:
        A probability; close to ``win_probability`` except in the tails.

    Source: Thurstone 1927, case V; Elo 1978 (a performance has standard deviation 200).

    >>> round(normal_win_probability(1400, 1000), 4)
    0.9214
    """
    return float(ndtr((rating - opponent) / (PERFORMANCE_SD * math.sqrt(2))))


def rating_difference(win_probability: float) -> float:
    """Points between two players of whom the first wins with the given probability.

        difference = 400 · log₁₀(p / (1 − p)),  the inverse of ``win_probability``

    Args:
        win_probability: strictly between 0 and 1.

    Returns:
        Points; negative below one half.

    Raises:
        ValueError: the probability is 0, 1 or outside; the difference would be unbounded.

    Source: Elo 1978.

    >>> round(rating_difference(10 / 11), 6)
    400.0
    """
    if not 0 < win_probability < 1:
        raise ValueError("`win_probability` must lie strictly between 0 and 1")
    return ELO_SCALE * math.log10(win_probability / (1 - win_probability))


def update(
    rating: float, opponent: float, outcome: float, *, elo_step: float
) -> tuple[float, float]:
    """Both ratings after one game; what one gains the other loses.

        gain = elo_step · (outcome − win_probability(rating, opponent))

    Args:
        rating: of the first player before the game, in points.
        opponent: of the second player before the game, in points.
        outcome: 1 the first won, 0.5 a tie, 0 the second won.
        elo_step: the most that one game can move a rating, in points.

    Returns:
        The first player's and the second player's new rating; their sum is unchanged.

    Source: Elo 1978.

    >>> update(1000, 1000, 1, elo_step=32)
    (1016.0, 984.0)
    """
    gain = elo_step * (outcome - win_probability(rating, opponent))
    return rating + gain, opponent - gain


def replay(
    games: Iterable[tuple[str, str, float]], *, elo_step: float = 16.0, start: float = 0.0
) -> dict[str, float]:
    """Ratings after a log of games, one update a game, in the order given.

    Args:
        games: (first player, second player, outcome of the first: 1, 0.5 or 0).
        elo_step: the most that one game can move a rating, in points.
        start: rating of a player who has not played yet, in points.

    Returns:
        Every player's rating, by name; the mean is ``start``.

    Source: Elo 1978. Another order gives other ratings.

    >>> replay([("a", "b", 1.0), ("b", "c", 0.5)], elo_step=32, start=1000)["a"]
    1016.0
    """
    ratings: dict[str, float] = {}
    for first, second, outcome in games:
        ratings[first], ratings[second] = update(
            ratings.get(first, start), ratings.get(second, start), outcome, elo_step=elo_step
        )
    return dict(sorted(ratings.items()))
