"""Evidence that a labeler votes without looking.

Two accounts of one labeler's votes are compared. *Looking*: discrimination and habits as spread
among those who look. *Not looking*: discrimination 0. Habits are either ordinary or strong (always
left, always tie, always the longer), strong ones five times as often among those who do not look;
so a strong habit alone is worth at most log 5 = 1.6 nats, and convicts nobody.

    evidence = log p(votes | looking) − log p(votes | not looking)

Both are averages over the habits' priors, by Laplace's approximation, so a flexible account earns
nothing by being flexible. What the *others* said about a unit is what looking has to go by: a
labeler's own vote is taken out of the unit's posterior before it is used to predict that vote.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from accord.ratings.labeler_model import (
    Evaluated,
    Information,
    Nodes,
    Point,
    Terms,
    log_expm1,
    parts,
    sigmoid,
    sums,
)
from accord.ratings.votes import FloatArray

SHARE = (1.0, 9.0)  # what is believed of the share, as labelers seen: 1 of 10 does not look
OFTEN = 30  # votes, a tie counting twice: labelers with fewer have a share of their own
SPREAD = (0.3, 20.0)  # and of the spread of those who look, and how many labelers that is worth
HABIT_SD = 2.0  # of strong habits
STRONG = (0.1, 0.5)  # share with strong habits among those who look, and those who do not
NEWTON_STEPS = 30
EM_STEPS = 50


class Pool(NamedTuple):
    """Mean and spread of each trait over labelers."""

    mean: FloatArray
    sd: FloatArray


class Carelessness(NamedTuple):
    """Who does not look at what they compare."""

    evidence: FloatArray  #: for looking, in nats, one entry a labeler
    probability: FloatArray  #: of not looking
    share: float  #: mean π, of labelers who do not look


class _Votes(NamedTuple):
    """Each labeler's log-likelihood near the fit: v + gᵀ(y − x) − ½ (y − x)ᵀ J (y − x)."""

    traits: FloatArray  #: x
    value: FloatArray  #: v
    slope: FloatArray  #: g
    bend: FloatArray  #: J


class _Account(NamedTuple):
    log_p: FloatArray  #: log marginal likelihood of each labeler's votes
    mean: FloatArray  #: of the traits
    variance: FloatArray


def carelessness(
    terms: Terms, point: Point, nodes: Nodes, here: Evaluated, known: Information, pool: Pool
) -> Carelessness:
    """How likely it is that each labeler does not look, and how many do not.

        P(careless) = π / (π + (1 − π) e^evidence)
        π, and the mean and spread of those who look, by EM over labelers; π is one number for
        labelers with ``OFTEN`` votes or more, and another for those with fewer

    Args:
        terms: the votes.
        point: the fitted parameters.
        nodes: where the units are.
        here: the likelihood at that point.
        known: the information at that point.
        pool: what the fit took for the labelers' distribution, the careless among them.

    Returns:
        Evidence, probabilities and share. Those who look are more alike than all labelers are,
        which is why their spread is estimated again, without the careless.

    Source: Kass and Raftery 1995 for comparing accounts of data by their marginal likelihoods.
    """
    near = _near(terms, point, nodes, here, known, pool)
    clicks = _near_zero(terms, pool)
    number = np.bincount(terms.labeler, minlength=terms.labelers)
    voted = 1.0 * (number > 0)
    # Thousands who voted twice would otherwise settle what is believed of the regulars.
    alike = np.stack([number >= OFTEN, (number > 0) & (number < OFTEN)]).astype(np.float64)
    # From a wide start the careless would stay among those who look and keep their spread wide.
    ordinary = Pool(pool.mean, np.minimum(pool.sd, SPREAD[0]))
    share = np.full(terms.labelers, SHARE[0] / sum(SHARE))
    for _ in range(EM_STEPS):
        strong = Pool(ordinary.mean, np.r_[ordinary.sd[0], np.maximum(pool.sd[1:], HABIT_SD)])
        usual, unusual = (_account(near, x) for x in (ordinary, strong))
        log_p = _either(usual.log_p, unusual.log_p, STRONG[0])
        habit, strong_habit = (_account(clicks, _habits_of(x)) for x in (ordinary, strong))
        not_looking = _either(habit.log_p, strong_habit.log_p, STRONG[1])
        careless = expit(np.log(share / (1 - share)) - log_p + not_looking)
        shares = (alike @ careless + SHARE[0]) / (alike.sum(axis=1) + sum(SHARE))
        share = np.where(number >= OFTEN, *shares)
        of_usual = np.log(1 - STRONG[0]) + usual.log_p - log_p
        ordinary = _pool_of(usual, voted * (1 - careless) * np.exp(of_usual), pool)
    return Carelessness(log_p - not_looking, careless, float(voted @ share / voted.sum()))


def _habits_of(pool: Pool) -> Pool:
    return Pool(pool.mean[1:], pool.sd[1:])


def _either(ordinary: FloatArray, strong: FloatArray, share: float) -> FloatArray:
    """Log of a mixture, a share of which has strong habits."""
    return np.asarray(np.logaddexp(np.log(1 - share) + ordinary, np.log(share) + strong))


def _pool_of(account: _Account, weight: FloatArray, before: Pool) -> Pool:
    """Mean and spread of the traits of those who look and have ordinary habits."""
    sd, counts = SPREAD
    total = float(weight.sum()) + counts
    center = (weight @ account.mean + counts * before.mean) / total
    apart = weight @ ((account.mean - center) ** 2 + account.variance)
    return Pool(center, np.sqrt((apart + counts * sd**2) / total))


def _near(
    terms: Terms, point: Point, nodes: Nodes, here: Evaluated, known: Information, pool: Pool
) -> _Votes:
    """What each labeler's votes say about their traits, given what others said."""
    value = np.zeros(terms.labelers)
    for part in parts(terms, point, nodes, here):
        log_p = terms.weight[part.rows] * np.log(np.maximum(part.probability, 1e-300))
        own = np.add.reduceat(log_p, part.ballots, axis=1)
        # Of the posterior r ∝ others · own, Σ others · own / Σ others = 1 / Σ (r / own).
        least = own.min(axis=0)
        spread = (part.posterior[:, part.ballots] * np.exp(least - own)).sum(axis=0)
        who = terms.labeler[part.rows][part.ballots]
        value += sums(who, least - np.log(spread), terms.labelers)
    if terms.thresholds:
        value = value + terms.ties * log_expm1(2 * np.exp(point.traits[:, -1]))
    # At the fit the votes pull as hard as the prior holds.
    slope = (point.traits - pool.mean) / pool.sd**2
    return _Votes(point.traits, value, slope, _not_negative(known.observed))


def _near_zero(terms: Terms, pool: Pool) -> _Votes:
    """The same with discrimination 0: habits by Newton's method, one labeler beside another."""
    habits = np.tile(pool.mean[1:], (terms.labelers, 1))
    mean, sd = pool.mean[1:], pool.sd[1:]
    for _ in range(NEWTON_STEPS if habits.shape[1] else 0):
        _, slope, bend = _habits(terms, habits)
        pull = slope - (habits - mean) / sd**2
        step = np.linalg.solve(bend + np.diag(sd**-2.0), pull[:, :, None])[:, :, 0]
        habits = habits + step / np.maximum(1, np.abs(step).max(axis=1, keepdims=True))
        if np.abs(step).max() < 1e-6:  # noqa: PLR2004 - of a habit in nats
            break
    value, slope, bend = _habits(terms, habits)
    if terms.thresholds:
        bend[:, -1, -1] -= slope[:, -1]  # so far as if e^t were linear
    return _Votes(habits, value, slope, _not_negative(bend))


def _account(votes: _Votes, pool: Pool) -> _Account:
    """The account in which the traits are spread as in the pool."""
    precision = votes.bend + np.diag(pool.sd**-2.0)
    pull = votes.slope - (votes.traits - pool.mean) / pool.sd**2
    step = np.linalg.solve(precision, pull[:, :, None])[:, :, 0]
    mean = votes.traits + step
    along = (votes.bend @ step[:, :, None])[:, :, 0]
    z = (mean - pool.mean) / pool.sd
    # The powers of 2π of the prior are those that Laplace's method takes away.
    log_p = votes.value + ((votes.slope - along / 2) * step).sum(axis=1)
    log_p -= (z**2 / 2 + np.log(pool.sd)).sum(axis=1) + np.linalg.slogdet(precision)[1] / 2
    return _Account(log_p, mean, np.diagonal(np.linalg.inv(precision), axis1=1, axis2=2))


def _not_negative(bend: FloatArray) -> FloatArray:
    """The matrices without directions in which the likelihood would grow for ever."""
    roots, vectors = np.linalg.eigh(bend)
    return np.asarray((vectors * np.maximum(roots, 0)[:, None, :]) @ np.swapaxes(vectors, 1, 2))


def _habits(terms: Terms, habits: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log-likelihood of each labeler at discrimination 0, its slope, and its bend."""
    tau = np.exp(habits[:, -1]) if terms.thresholds else np.zeros(len(habits))
    x = -tau[terms.labeler]
    for trait, column in enumerate(terms.swayed):
        x += terms.sign * habits[terms.labeler, trait] * column
    p, each = sigmoid(x)
    w, number = terms.weight, terms.labelers
    along = [terms.sign * column for column in terms.swayed]
    if terms.thresholds:
        along.append(-tau[terms.labeler])
    log_p = sums(terms.labeler, w * each, number)
    slope = np.zeros((number, len(along)))
    bend = np.zeros((number, len(along), len(along)))
    for i, z in enumerate(along):
        slope[:, i] = sums(terms.labeler, w * (1 - p) * z, number)
        for j, y in enumerate(along):
            bend[:, i, j] = sums(terms.labeler, w * p * (1 - p) * z * y, number)
    if terms.thresholds:
        # A tie also has log(e^{2τ} − 1), which is concave in τ = e^t.
        shrink = -np.expm1(-2 * tau)
        log_p = log_p + terms.ties * log_expm1(2 * tau)
        slope[:, -1] += terms.ties * 2 * tau / shrink
        bend[:, -1, -1] += terms.ties * 4 * tau**2 * np.exp(-2 * tau) / shrink**2
    return log_p, slope, bend
