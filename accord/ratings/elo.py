"""Elo ratings: the scale, one update, and the replay of a log of games.

Two numbers are easy to confuse, so neither is ever called ``k``: ``ELO_SCALE`` is the gap in
points that is worth odds of ten to one, ``elo_step`` is the most that one game can move a rating.

A replay depends on the order of its games, and ``order_spread`` measures how much. For a report
use ``fit.fit``, which does not; a replay is a live ticker.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, ndtr

ELO_SCALE = 400.0  # points that are worth odds of 10 to 1
POINTS_PER_NAT = ELO_SCALE / math.log(10)  # 173.72: one nat of score difference in points
LAST_GAMES = 100_000  # of a log whose orders are compared; what came before is forgotten
PERFORMANCE_SD = 200.0  # points; spread of one player's day in Elo's own normal model


class OrderSpread(NamedTuple):
    """How much a replay owes to the order of its games."""

    mean: dict[str, float]  #: rating of each player, the mean over the orders
    sd: dict[str, float]  #: points, between orders
    rankings_changed: float  #: share of orders whose ranking is not the most frequent one


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


def order_spread(
    games: Sequence[tuple[str, str, float]],
    *,
    elo_step: float = 16.0,
    orders: int = 200,
    seed: int = 0,
) -> OrderSpread:
    """How far the ratings of a replay differ when the same games come in another order.

        replay the games in ``orders`` random orders;  sd over the orders, player by player;
        share of the orders that do not end in the most frequent ranking

    Args:
        games: (first player, second player, outcome of the first: 1, 0.5 or 0).
        elo_step: the most that one game can move a rating, in points.
        orders: number of random orders, at least 2; all are replayed side by side. Of a longer
            log the last 100,000 games of each order are replayed.
        seed: of the orders.

    Returns:
        Mean and standard deviation of every player's rating, by name, and the share. Every
        replay starts from 0 points.

    Raises:
        ValueError: fewer than two orders.

    Source: Boubdir et al. 2023, arXiv:2311.17295 (Elo of language models under permutations).

    >>> spread = order_spread([("a", "b", 1.0), ("a", "b", 1.0)], elo_step=32)
    >>> round(spread.sd["a"], 6), spread.rankings_changed
    (0.0, 0.0)
    """
    if orders < 2:  # noqa: PLR2004 - one order has no spread
        raise ValueError("`orders` must be at least 2: one order has no spread")
    names = sorted({name for game in games for name in game[:2]})
    index = {name: i for i, name in enumerate(names)}
    between = [game for game in games if game[0] != game[1]]  # against oneself nothing moves
    ends = np.array([[index[x], index[y]] for x, y, _ in between], dtype=np.int64).reshape(-1, 2)
    outcome = np.array([game[2] for game in between], dtype=np.float64)
    rng = np.random.default_rng(seed)
    last = min(len(between), LAST_GAMES)
    order = np.empty((last, orders), dtype=np.int32)
    for number in range(orders):
        order[:, number] = rng.permutation(len(between))[:last]
    ratings = np.zeros(orders * len(names))
    row = np.arange(orders) * len(names)
    for game in order:  # one game of every order at a time
        first, second = ends[game].T
        i, j = first + row, second + row
        one, other = ratings[i], ratings[j]
        gain = elo_step * (outcome[game] - expit((one - other) / POINTS_PER_NAT))
        ratings[i], ratings[j] = one + gain, other - gain
    last_ratings = ratings.reshape(orders, len(names))
    # Ratings that differ by rounding only must not count as another ranking.
    rankings = np.argsort(-last_ratings.round(6), axis=1, kind="stable")
    counts = np.unique(rankings, axis=0, return_counts=True)[1]
    return OrderSpread(
        mean=dict(zip(names, last_ratings.mean(axis=0).tolist(), strict=True)),
        sd=dict(zip(names, last_ratings.std(axis=0, ddof=1).tolist(), strict=True)),
        rankings_changed=(orders - int(counts.max())) / orders,
    )
