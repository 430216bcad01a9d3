"""Intervals that hold at every look, for those who watch ratings while votes come in.

A 95% interval covers 95 times in 100 at a look planned beforehand. Whoever looks again and again
and stops when 0 lies outside is wrong far more often, with patience always. The intervals here
cover at all looks together: one may look, stop, and go on, for any reason.

watched                              function                     assumed
a pair's wins and losses             win_probability_by_counts    every next vote has the same
                                                                  chance, whatever came before
the same, labelers differ in taste   win_probability_by_labeler   labelers come at random; each
                                                                  counts once, when done
all differences of a fit             anytime_differences          normal, with enough clusters
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats
from scipy.special import betaln, logit, xlog1py, xlogy

from accord.ratings.contrasts import difference_variances, members
from accord.ratings.elo import POINTS_PER_NAT
from accord.ratings.fitted import Fit
from accord.ratings.intervals import critical_value
from accord.ratings.votes import FloatArray, Votes

GRID = 2000  # steps between candidate means of a betting sequence; its ends round outwards
LARGEST_BET = 0.75  # of the wealth that a bet may lose
LEAST = 1e-300  # a win probability of nothing, whose logarithm is finite
TYPICAL_DIFFERENCE = 100.0  # points; intervals are narrowest when differences are of this order


class Look(NamedTuple):
    """Interval of a win probability, and of the difference in points that it means."""

    low: float
    high: float
    points_low: float  #: 400 log₁₀ of the odds; infinite at probabilities of 0 and 1
    points_high: float


class AnytimeDifference(NamedTuple):
    """How far two policies of one group are apart, by an interval that holds at every look."""

    a: str
    b: str
    difference: float  #: points, positive when a is better
    low: float
    high: float


def evidence_against(p: ArrayLike, wins: ArrayLike, losses: ArrayLike) -> FloatArray:
    """What a bet against a win probability of p has made of 1: its e-value.

        e = B(w + ½, l + ½) / (B(½, ½) p^w (1 − p)^l)

    If p is true, e ever reaches 1/α with a probability of at most α.

    Args:
        p: the win probability bet against, within [0, 1].
        wins: so far; ties count as half a win and half a loss.
        losses: so far.

    Returns:
        The e-values, of the shape to which the arguments broadcast; 1 before the first vote.

    Source: Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021, arXiv:1810.08240; the
    mixture over Beta(½, ½) is Krichevsky and Trofimov 1981. By convexity it stays a bet in
    nobody's favor for votes between 0 and 1, such as ties.

    >>> evidence_against(0.5, [0, 1, 10], [0, 0, 0]).round(3)
    array([  1.   ,   1.   , 180.426])
    """
    w, lost = np.asarray(wins, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    by_p = xlogy(w, p) + xlog1py(lost, -np.asarray(p, dtype=np.float64))
    return np.asarray(np.exp(betaln(w + 0.5, lost + 0.5) - betaln(0.5, 0.5) - by_p))


def win_probability_by_counts(wins: float, losses: float, confidence: float = 0.95) -> Look:
    """Interval of a win probability that holds at every look at growing counts.

        { p : evidence_against(p, wins, losses) < 1 / (1 − confidence) }

    Args:
        wins: so far; ties count as half a win and half a loss.
        losses: so far.
        confidence: probability that the interval covers at all looks.

    Returns:
        The interval, within [0, 1]; all of it before the first vote.

    Raises:
        ValueError: counts that are negative or not finite, or a confidence outside 0..1.

    Source: Ville 1939 and as ``evidence_against``. It assumes that each vote, given all before,
    is won with the same probability: each labeler is drawn anew, from however large a pool. Of
    labelers who differ and give many votes in a row use ``win_probability_by_labeler``.

    >>> look = win_probability_by_counts(60, 40)
    >>> round(look.low, 3), round(look.high, 3)
    (0.434, 0.751)
    """
    if not (0 <= wins < math.inf and 0 <= losses < math.inf):
        raise ValueError("`wins` and `losses` must be finite and not negative")
    critical_value(confidence)  # refuses a confidence outside 0..1
    bound = math.log(1 / (1 - confidence))
    return _look(_lower(wins, losses, bound), 1 - _lower(losses, wins, bound))


def betting_sequence(values: ArrayLike, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Interval of a mean after each value, all of which hold together.

        K±_t(m) = Π_{i≤t} (1 ± λ±_i (x_i − m)),   { m : max(K⁺, K⁻) / 2 < 1 / (1 − confidence) }
        λ_i = √(2 log(2/α) / (σ̂²_{i−1} i log(1 + i))),   λ⁺ = min(λ, c/m),   λ⁻ = min(λ, c/(1 − m))

    Args:
        values: in [0, 1], in the order in which they came; given those before, the next has the
            same mean.
        confidence: probability that all intervals cover.

    Returns:
        Low and high ends, one entry a value, within [0, 1]; each interval lies in the one
        before. NaN once the values contradict the assumption, so that no mean is left.

    Raises:
        ValueError: values outside [0, 1], or a confidence outside 0..1.

    Source: Waudby-Smith and Ramdas 2024, arXiv:2010.09686, theorem 3 (the hedged capital
    process with predictable plug-in bets, eq. 26), c = ¾. Values that vary little make it narrow.

    >>> low, high = betting_sequence([0.6, 0.7] * 20)
    >>> round(float(low[-1]), 2), round(float(high[-1]), 2)
    (0.57, 0.69)
    """
    x = np.asarray(values, dtype=np.float64)
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("the values must lie between 0 and 1")
    critical_value(confidence)
    means = np.linspace(0, 1, GRID + 1)
    with np.errstate(divide="ignore"):
        most_up, most_down = LARGEST_BET / means, LARGEST_BET / (1 - means)
    up, down = np.zeros_like(means), np.zeros_like(means)  # logarithms of the capital
    bound = math.log(2 / (1 - confidence))
    total, squares = 0.5, 0.25
    low, high = np.empty(len(x)), np.empty(len(x))
    inside = np.ones(len(means), dtype=bool)
    for i, value in enumerate(x, start=1):
        bet = math.sqrt(2 * bound / (squares * math.log(1 + i)))  # squares = i σ̂²
        up += np.log1p(np.minimum(bet, most_up) * (value - means))
        down += np.log1p(-np.minimum(bet, most_down) * (value - means))
        total += value
        squares += (value - total / (i + 1)) ** 2
        inside &= np.maximum(up, down) < bound
        kept = np.flatnonzero(inside)
        low[i - 1] = means[max(kept[0] - 1, 0)] if len(kept) else math.nan
        high[i - 1] = means[min(kept[-1] + 1, GRID)] if len(kept) else math.nan
    return low, high


def win_probability_by_labeler(
    votes: Votes, a: str, b: str, *, votes_each: int, confidence: float = 0.95
) -> tuple[tuple[str, Look], ...]:
    """Interval of how often a is preferred to b, after each labeler who is done, at every look.

        x_g = mean of labeler g's first ``votes_each`` votes on the two;  ``betting_sequence``(x)

    Labelers may differ in taste as much as they like: one labeler is one observation, however
    many votes there are, and enters when the last of these votes is in.

    Args:
        votes: in the order in which they came.
        a: name of a policy.
        b: name of another.
        votes_each: how many votes on a and b a labeler gives before counting; fixed before
            looking. Later votes of the same labeler on the two are left out.
        confidence: probability that all intervals cover.

    Returns:
        For each labeler who is done, in the order in which they were, the name and the interval
        then, of the mean over all labelers who may come. Empty while nobody is done.

    Raises:
        ValueError: an unknown name, the same name twice, fewer than one vote each, or a
            confidence outside 0..1.

    Source: as ``betting_sequence``; a block as one observation keeps its mean the same given the
    past, which single votes of one labeler in a row do not.

    >>> from accord.ratings.votes import from_pairs
    >>> who = [name for name in "efghijkl" for _ in range(10)]
    >>> seen = from_pairs(["x"] * 80, ["y"] * 80, ([1] * 9 + [0]) * 8, labeler=who)
    >>> name, look = win_probability_by_labeler(seen, "x", "y", votes_each=10)[-1]
    >>> name, round(look.low, 2), round(look.high, 2)
    ('l', 0.51, 1.0)
    """
    for name in (a, b):
        if name not in votes.names:
            raise ValueError(f"`{name}` is not rated; rated are {', '.join(votes.names)}")
    if a == b:
        raise ValueError(f"`{a}` is compared with itself: name two policies")
    if votes_each < 1:
        raise ValueError("`votes_each` must be at least 1")
    i, j = votes.names.index(a), votes.names.index(b)
    there, back = (votes.a == i) & (votes.b == j), (votes.a == j) & (votes.b == i)
    chosen = (there | back) & (votes.weight > 0) & ~votes.both_bad
    won = np.where(there, votes.outcome, 1 - votes.outcome)[chosen]
    so_far: dict[int, list[float]] = {}
    done: list[tuple[str, float]] = []
    for labeler, outcome in zip(votes.labeler[chosen].tolist(), won.tolist(), strict=True):
        own = so_far.setdefault(labeler, [])
        own.append(outcome)
        if len(own) == votes_each:
            known = labeler < len(votes.labelers)
            done.append((votes.labelers[labeler] if known else "", sum(own) / votes_each))
    low, high = betting_sequence([mean for _, mean in done], confidence)
    looks = map(_look, low.tolist(), high.tolist())
    return tuple((name, look) for (name, _), look in zip(done, looks, strict=True))


def anytime_differences(
    fit: Fit, confidence: float = 0.95, *, typical: float = TYPICAL_DIFFERENCE
) -> tuple[AnytimeDifference, ...]:
    """Every two policies of one group, with intervals that hold at every look.

        δ ± se √((1 + r se²) (log(1 + 1/(r se²)) + 2 log(1/α))),   r = 1 / typical²

    For few clusters the multiple of se is taken to Student's t of the same tail.

    Args:
        fit: of the votes so far, of any model and with any clusters; the same at every look.
        confidence: probability that one difference is covered at all looks.
        typical: size of the differences that one hopes to tell apart, in points; fixed before
            looking. It moves width between early and late looks and never costs coverage.

    Returns:
        One row a pair, in the order of ``fit.names``; about 1.6 times as wide as the intervals
        of ``tables.differences``, which hold at one planned look.

    Raises:
        ValueError: a confidence outside 0..1, or a typical size that is not positive.

    Source: the normal mixture of Robbins 1970 in information time; asymptotic as in Waudby-Smith,
    Arbour, Sinha, Kennedy and Ramdas 2024, arXiv:2103.06476, theorem 2.2: valid as the number of
    clusters at the first look grows. That estimates have independent increments in information:
    Scharfstein, Tsiatis and Robins 1997. Student's t is our addition for few clusters.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> clear = fit(from_pairs(["x"] * 100, ["y"] * 100, [1] * 80 + [0] * 20), cluster=())
    >>> row = anytime_differences(clear)[0]
    >>> round(row.difference), round(row.low), round(row.high)
    (240, 108, 372)
    """
    if not 0 < typical < math.inf:
        raise ValueError("`typical` must be positive and finite")
    critical_value(confidence)
    per_unit = fit.points_per_unit
    errors = np.sqrt(difference_variances(fit)) * per_unit
    rows = []
    for part in members(fit):
        for place, i in enumerate(part):
            for j in part[place + 1 :]:
                gap = float(fit.strengths[i] - fit.strengths[j]) * per_unit
                se = float(errors[i, j])
                half = se * _multiple(se / typical, confidence, fit.degrees_of_freedom)
                rows.append(
                    AnytimeDifference(fit.names[i], fit.names[j], gap, gap - half, gap + half)
                )
    return tuple(rows)


def _lower(wins: float, losses: float, bound: float) -> float:
    """Where below the mean the logarithm of ``evidence_against`` meets its bound; 0 if nowhere."""
    mixture = float(betaln(wins + 0.5, losses + 0.5) - betaln(0.5, 0.5))

    def excess(p: float) -> float:
        return mixture - float(xlogy(wins, p) + xlog1py(losses, -p)) - bound

    mean = min(wins / (wins + losses), 1 - 2**-53) if wins else 0.0
    if mean <= LEAST or excess(LEAST) <= 0:
        return 0.0
    return float(optimize.brentq(excess, LEAST, mean, xtol=1e-12))


def _multiple(relative_se: float, confidence: float, degrees_of_freedom: float) -> float:
    """Of the standard error; 0 where nothing is uncertain."""
    if relative_se == 0:
        return 0.0
    noise = relative_se**2
    z = math.sqrt((1 + noise) * (math.log1p(1 / noise) + 2 * math.log(1 / (1 - confidence))))
    if math.isinf(degrees_of_freedom):
        return z
    return float(-stats.t.ppf(stats.norm.sf(z), degrees_of_freedom))


def _look(low: float, high: float) -> Look:
    points_low, points_high = (float(logit(end)) * POINTS_PER_NAT for end in (low, high))
    return Look(low, high, points_low, points_high)
