"""How many more votes would separate two policies, and how sure that number is.

The answer rests on the estimated difference, which is itself uncertain, and on who gives the
votes on what: more votes of the same labelers do not make up for how much labelers differ, nor
do more on the same prompts. ``Clusters`` below are those of the fit.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri

from accord.ratings.contrasts import vote_information
from accord.ratings.fitted import Fit
from accord.ratings.intervals import critical_value

MOST_TIMES = 1000.0  # the votes so far; who needs more is not told apart in practice
STEPS = 20  # of a fixed point whose error each step makes many times smaller


@dataclass(frozen=True)
class VotesNeeded:
    """What it takes to separate two policies; infinite where votes cannot do it."""

    a: str
    b: str
    status: str  #: separated, possible, no_difference or disconnected
    more_votes: float  #: of new labelers on new prompts, spread over the pairs as until now
    low: float  #: so many have a chance of 10% to do, given how uncertain the difference is
    high: float  #: so many have a chance of 90%
    same_labelers: float  #: of the labelers so far on the prompts so far
    on_the_pair: float  #: of new labelers on new prompts, all on a against b
    chance: float  #: of ``more_votes`` to do
    message: str


class _Now(NamedTuple):
    """What the votes so far say about one difference."""

    gap: float  # absolute
    variance: float
    model: float  # variance if all votes were independent
    degrees_of_freedom: float
    so_far: float  # votes in the group
    each: float  # information of one vote between the two


def votes_to_separate(
    fit: Fit, a: str, b: str, *, confidence: float = 0.95, power: float = 0.8
) -> VotesNeeded:
    """How many more votes until the interval of a − b leaves out 0.

        needed se          |δ| / (t_{df, (1+confidence)/2} + z_power)
        new clusters       v(N) = v · N₀/N
        same clusters      v(N) = v_between + v_model · N₀/N,   v_between = v − v_model
        on the pair only   1/v(n) = 1/v + n · w / (v / v_model)
        N₀ the votes so far, δ the difference, v its variance, w the information of one vote

    Args:
        fit: of any model.
        a: name of a policy.
        b: name of another.
        confidence: of the interval that shall leave out 0.
        power: probability that it does if the difference is as estimated.

    Returns:
        Numbers of votes beyond those so far, 0 once separated. They hold for a pair named
        before looking: the closest of many pairs needs more than it says here.

    Raises:
        ValueError: an unknown name, the same name twice, or a probability outside 0..1.

    Source: sample size of a two-sided test, Lachin 1981, with design effects as in Kish 1965,
    section 8.2; ``chance`` as in Spiegelhalter, Abrams and Myles 2004, section 6.5.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> pairs = from_pairs(["x"] * 100, ["y"] * 100, [1] * 60 + [0] * 40)
    >>> close = fit(pairs, prior_sd=None, cluster=())
    >>> votes_to_separate(close, "x", "y").status  # 60 of 100: 1.99 standard errors
    'separated'
    >>> votes_to_separate(close, "x", "y", confidence=0.99).more_votes  # 295.9 in all
    196.0
    """
    if not 0 < power < 1:
        raise ValueError("`power` must lie strictly between 0 and 1")
    critical_value(confidence)  # refuses a confidence outside 0..1
    now = _now(fit, a, b)
    if now is None:
        message = f"no votes connect `{a}` and `{b}`: first compare them at all"
        return _never(a, b, "disconnected", message)
    half = critical_value(confidence, now.degrees_of_freedom) * math.sqrt(now.variance)
    if now.gap > half:
        return VotesNeeded(a, b, "separated", 0, 0, 0, 0, 0, 1, f"`{a}` and `{b}` are separated")
    needed = _more_votes(now, now.gap, confidence, power)
    low, high = (_votes_for(now, chance, confidence) for chance in (0.1, 0.9))
    if math.isinf(needed):
        message = (
            f"`{a}` and `{b}` are so close that {MOST_TIMES:g} times the votes so far would not "
            "separate them if they differ as much as it now seems: take them as equal"
        )
        return replace(_never(a, b, "no_difference", message), low=low, high=high)
    target = _target(now.gap, critical_value(confidence, now.degrees_of_freedom), power)
    same = _same_labelers(now, target)
    chance = _chance(now, needed, confidence)
    return VotesNeeded(
        a=a,
        b=b,
        status="possible",
        more_votes=needed,
        low=low,
        high=high,
        same_labelers=same,
        on_the_pair=_whole((1 / target - 1 / now.variance) * _design_effect(now) / now.each),
        chance=chance,
        message=_message(now, (a, b), (needed, low, high, same), chance),
    )


def chance_to_separate(
    fit: Fit, a: str, b: str, more_votes: float, *, confidence: float = 0.95
) -> float:
    """Probability that so many more votes will separate two policies.

        v₁ = v · N₀ / (N₀ + more),   δ̂₁ ~ N(δ̂, v − v₁),   P(|δ̂₁| > t √v₁)

    Args:
        fit: of any model.
        a: name of a policy.
        b: name of another.
        more_votes: of new labelers, spread over the pairs as until now; at least 0.
        confidence: of the interval that shall leave out 0.

    Returns:
        A probability; it grows to 1 unless the policies are disconnected, when it is 0: that a
        difference is exactly 0 has no probability here.

    Raises:
        ValueError: as ``votes_to_separate``, or a negative number of votes.

    Source: predictive power under a flat prior, Spiegelhalter, Abrams and Myles 2004, section
    6.5.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> pairs = from_pairs(["x"] * 100, ["y"] * 100, [1, 0] * 50)
    >>> even = fit(pairs, prior_sd=None, cluster=())
    >>> round(chance_to_separate(even, "x", "y", 100), 3)  # P(|z| > 1.96)
    0.05
    """
    if not more_votes >= 0:
        raise ValueError("`more_votes` must not be negative")
    critical_value(confidence)
    now = _now(fit, a, b)
    return 0.0 if now is None else _chance(now, more_votes, confidence)


def _now(fit: Fit, a: str, b: str) -> _Now | None:
    """None when no votes connect the two."""
    for name in (a, b):
        if name not in fit.names:
            raise ValueError(f"`{name}` is not rated; rated are {', '.join(fit.names)}")
    if a == b:
        raise ValueError(f"`{a}` is compared with itself: name two policies")
    group = next(names for names in fit.groups if a in names)
    if b not in group:
        return None
    i, j = fit.names.index(a), fit.names.index(b)
    gap = float(fit.strengths[i] - fit.strengths[j])
    clustered, model = (
        float(c[i, i] + c[j, j] - 2 * c[i, j]) for c in (fit.covariance, fit.model_covariance)
    )
    return _Now(
        gap=abs(gap),
        variance=max(clustered, model),  # as in ``contrasts.difference_variances``
        model=model,
        degrees_of_freedom=fit.degrees_of_freedom,
        so_far=sum(float(fit.votes[fit.names.index(name)]) for name in group) / 2,
        each=float(vote_information(fit, np.array([gap]))[0]),
    )


def _target(gap: float, critical: float, power: float) -> float:
    """Variance at which the interval leaves out 0 with that probability."""
    return (gap / (critical + float(ndtri(power)))) ** 2


def _more_votes(now: _Now, gap: float, confidence: float, power: float) -> float:
    """Of new labelers, spread as until now."""
    times = 1.0
    for _ in range(STEPS):  # more labelers also mean more degrees of freedom
        degrees = (now.degrees_of_freedom + 1) * times - 1
        target = _target(gap, critical_value(confidence, degrees), power)
        if target * MOST_TIMES < now.variance:
            return math.inf
        times = max(1.0, now.variance / target)
    return _whole((times - 1) * now.so_far)


def _same_labelers(now: _Now, target: float) -> float:
    between = max(now.variance - now.model, 0.0)
    if target <= between:
        return math.inf
    return _whole((now.model / (target - between) - 1) * now.so_far)


def _chance(now: _Now, more_votes: float, confidence: float) -> float:
    share = now.so_far / (now.so_far + more_votes)
    degrees = (now.degrees_of_freedom + 1) / share - 1
    edge = critical_value(confidence, degrees) * math.sqrt(now.variance * share)
    sd = math.sqrt(now.variance * (1 - share))
    if sd == 0:
        return float(now.gap > edge)
    return float(ndtr((now.gap - edge) / sd) + ndtr((-now.gap - edge) / sd))


def _votes_for(now: _Now, chance: float, confidence: float) -> float:
    """The number of votes that has that chance."""

    def excess(log_times: float) -> float:
        return _chance(now, math.exp(log_times) * now.so_far, confidence) - chance

    least, most = math.log(1e-9), math.log(MOST_TIMES)
    if excess(most) < 0:
        return math.inf
    times = math.exp(optimize.brentq(excess, least, most, xtol=1e-11))
    return _whole(times * now.so_far)


def _design_effect(now: _Now) -> float:
    return now.variance / now.model


def _whole(votes: float) -> float:
    return float(math.ceil(max(votes, 0.0) - 1e-9))


def _never(a: str, b: str, status: str, message: str) -> VotesNeeded:
    none = math.inf
    return VotesNeeded(a, b, status, none, none, none, none, none, 0.0, message)


def _message(
    now: _Now, names: tuple[str, str], votes: tuple[float, float, float, float], chance: float
) -> str:
    needed, low, high, same = votes
    clustered = math.isfinite(now.degrees_of_freedom)
    of_whom = " by new labelers on new prompts" if clustered else ""
    text = (
        f"about {needed:,.0f} more votes{of_whom} would separate `{names[0]}` and `{names[1]}` if "
        f"they differ as much as it now seems, which has a chance of {100 * chance:.0f}%; "
        f"{low:,.0f} have a chance of 10%, {high:,.0f} of 90%"
    )
    if math.isinf(same):
        text += "; no number by the same labelers on the same prompts would: these differ"
    return text
