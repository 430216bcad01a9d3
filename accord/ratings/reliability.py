"""Which labelers look at what they compare? A model of each labeler's habits.

``accord.ratings.bradley_terry`` takes every vote as equally good. Here each labeler has

    discrimination   how far votes follow the quality of the responses; 1 is typical, 0 is
                     clicking without looking, below 0 is choosing the worse
    side bias        how far the side of the screen decides, in nats of preference for the first
    length taste     how far the longer of two equally good responses is preferred, in nats for
                     a response e times as long
    tie threshold    how different two responses must be, in nats, to be called different

and each is shrunk towards the pool by as much as the votes leave it uncertain. Labelers with few
votes are therefore near the pool with a wide interval, not at an extreme.

Whether somebody is careless is asked directly: are their votes better predicted by somebody who
looks, or by somebody with habits and discrimination 0? Agreement with the majority, the usual
measure, punishes those whose taste or threshold differs and spares who always agrees by habit.

What is identified. Only differences of strengths mean anything, and their prior puts their mean
at 0. Multiplying all strengths by two and halving all discriminations changes nothing, so the
prior mean of discrimination is 1: strengths are in nats of the typical labeler. Reversing both
changes nothing either; the same prior says that labelers on the whole prefer the better. Whether
longer responses *are* better or only liked by all, no vote can say: what labelers share is taste
where policies are compared on many prompts, and quality where every response has a strength of its
own. What one labeler likes more than the others is taste in both.

Sources. Discrimination is the η of Crowd-BT (Chen, Bennett, Collins-Thompson and Horvitz 2013),
there the probability of voting as a perfect labeler would, here a slope, which can also say how
sharp somebody is. For labels instead of comparisons the idea is Dawid and Skene 1979; slopes and
thresholds are those of item response theory, whose way of integrating out the units this follows.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from accord.ratings.careless import Pool, carelessness
from accord.ratings.intervals import critical_value
from accord.ratings.labeler_model import (
    LENGTH_TASTE,
    SIDE_BIAS,
    TIE_THRESHOLD,
    Evaluated,
    Information,
    Nodes,
    Point,
    Terms,
    evaluate,
    gaps,
    information,
    place_nodes,
    terms_of,
)
from accord.ratings.votes import FloatArray, IntArray, Votes

PRIOR_SD = 3.0  # nats, of each strength; as in ``bradley_terry``
POOL_SD = 3.0  # of the pool's side bias, length taste and log threshold around 0
SPREAD = 0.5  # of labelers around the pool, before the votes have said how far they differ
SPREAD_COUNTS = 5.0  # as many labelers as that belief is worth
LOG_SD = (0.0, 1.5)  # prior mean and sd of log s
ROUNDS = 12  # of placing nodes and learning spreads, at most
SETTLED = 0.01  # relative change of every spread after which no further round is needed
LARGE = 200_000  # votes from which on a fit to half as many comes first
STEPS, LAST_STEPS = 15, 200  # of L-BFGS a round, and in the last


@dataclass(frozen=True)
class Trait:
    """One trait of one labeler."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelerReliability:
    """One labeler's habits, each with its interval, and whether they look at all."""

    labeler: str
    n: int  #: votes
    discrimination: Trait  #: 1 is typical, 0 is not looking
    side_bias: Trait | None  #: nats for the response shown first; None when no side is known
    length_taste: Trait | None  #: nats for e times the length; None when no length is known
    tie_threshold: Trait | None  #: nats; None when nobody ever called a tie
    evidence: float  #: nats by which looking predicts the votes better than not looking
    careless: float  #: probability that the labeler does not look, between 0 and 1


@dataclass(frozen=True, eq=False)
class Reliability:
    """All labelers, and the responses as they appear when labelers count by reliability."""

    labelers: tuple[LabelerReliability, ...]  #: in the order of ``votes.labelers``
    names: tuple[str, ...]
    strengths: FloatArray  #: of the policies, nats of a labeler with discrimination 1, mean 0
    unit_sd: float  #: how far single responses differ beyond their policies, nats; NaN unknown
    units: IntArray  #: the units of ``votes.unit`` that have votes
    better: FloatArray  #: mean of θ_a − θ_b + e_u of each of these, nats
    better_sd: FloatArray
    careless_share: float  #: estimated share of labelers who do not look
    spread: dict[str, float]  #: sd of each trait over the pool, the threshold's of its log
    pool: dict[str, float]  #: mean of each trait over the pool, the threshold's as exp mean log
    converged: bool


def fit_reliability(
    votes: Votes, *, length: FloatArray | None = None, confidence: float = 0.95
) -> Reliability:
    """Labelers' habits and the strengths they voted on, together.

        η = k_l (θ_a − θ_b + e_u) + b_l · side + g_l · length
        P(a) = σ(η − τ_l),   P(b) = σ(−η − τ_l),   P(tie) = 1 − P(a) − P(b)
        k ~ N(1, s_k²),  b ~ N(b̄, s_b²),  g ~ N(0, s_g²),  log τ ~ N(t̄, s_t²),
        θ ~ N(0, 3²),  e_u ~ N(0, s²), integrated out

    The maximum a posteriori by L-BFGS with analytic gradients; the spreads s_k to s_t are learned
    from how far labelers differ beyond their uncertainty (empirical Bayes). Where no two labelers
    judged the same responses e_u is left out: it could not be told from chance.

    Args:
        votes: pairwise votes. "Both are bad" says nothing about which is better and is left
            out. The votes of a ranking are taken one by one, as if independent: intervals of
            labelers who rank many responses at once are somewhat too narrow. A labeler that is
            not known is somebody else each time.
        length: log of the ratio of the lengths of the two responses, a to b, one a vote, NaN
            where not known. When left out, the covariate ``length`` of the votes, if any.
        confidence: of the intervals of each trait.

    Returns:
        The labelers, and what the responses look like when each labeler counts by reliability.
        Intervals take the strengths and the other labelers as known. ``careless`` is the
        probability that somebody does not look at what they compare; see the module ``careless``
        for how. Who always calls a tie has an interval of discrimination about as wide as the
        pool's, since ties say little about it, and yet is found careless.

    Raises:
        ValueError: no vote that counts, or a ``length`` that does not fit or is infinite.

    Source: Chen et al. 2013, "Pairwise Ranking Aggregation in a Crowdsourced Setting" (Crowd-BT)
    for discrimination; Rao and Kupper 1967 for the threshold; Bock and Aitkin 1981 for integrating
    out the units. See the head of this module for what is identified.

    >>> from accord.ratings.votes import from_pairs
    >>> said = [1, 0] * 30  # k always prefers x; l clicks left and right in turn
    >>> pair, who = ["x"] * 60, ["l"] * 60
    >>> votes = from_pairs(pair * 2, ["y"] * 120, said + [1] * 60, labeler=who + ["k"] * 60)
    >>> k, l = fit_reliability(votes).labelers
    >>> k.discrimination.low > l.discrimination.high, k.careless < 0.1 < l.careless
    (True, True)
    """
    if length is None:
        length = votes.covariates.get("length")
    if length is not None and np.shape(length) != votes.outcome.shape:
        raise ValueError("`length` must have one entry a vote")
    if length is not None and np.isinf(length).any():
        raise ValueError("`length` must be finite, or NaN where not known")
    counted = ~votes.both_bad & (votes.weight > 0)
    if not counted.any():
        raise ValueError("no votes with weight that say which is better: there is nothing to fit")
    kept = votes.where(counted)
    swayed = None if length is None else np.asarray(length, dtype=np.float64)[counted]
    terms = terms_of(kept, swayed)
    fitted = None
    if len(kept) > LARGE:  # most of the way on part of the units
        part = np.random.default_rng(0).random(int(kept.unit.max()) + 1) < LARGE / len(kept) / 2
        some = part[kept.unit]
        if some.any():
            fitted = _fit(terms_of(kept.where(some), None if swayed is None else swayed[some]))
    return _summary(kept, terms, _fit(terms, fitted), confidence)


@dataclass(frozen=True, eq=False)
class _Fitted:
    point: Point
    nodes: Nodes
    here: Evaluated
    known: Information
    mean: FloatArray  #: of each trait in the pool
    sd: FloatArray
    converged: bool


def _fit(terms: Terms, before: _Fitted | None = None) -> _Fitted:
    """The largest posterior, from the pool's middle or from a fit to part of the votes."""
    size = len(terms.traits)
    traits = np.zeros((terms.labelers, size))
    traits[:, 0] = 1.0
    if terms.thresholds:
        traits[:, -1] = math.log(SPREAD)
    point, sd = Point(traits, np.zeros(terms.names), 0.0), np.full(size, SPREAD)
    if before is not None and before.point.traits.shape == traits.shape:
        point, sd = before.point, before.sd
    steps, converged = STEPS, False
    for number in range(ROUNDS):
        nodes = place_nodes(terms, point)
        known = information(terms, point, nodes, evaluate(terms, point, nodes))
        if number or before is not None:
            previous, sd = sd, _spread(terms, point, known, sd)
            if number == ROUNDS - 1 or np.abs(sd / previous - 1).max() < SETTLED:
                steps = LAST_STEPS
        point, converged = _climb(terms, point, nodes, known, sd, steps)
        if steps == LAST_STEPS:
            break
    nodes = place_nodes(terms, point)
    here = evaluate(terms, point, nodes)
    known = information(terms, point, nodes, here)
    return _Fitted(point, nodes, here, known, _pool(terms, point.traits, sd), sd, converged)


def _pool(terms: Terms, traits: FloatArray, sd: FloatArray) -> FloatArray:
    """Mean of each trait over the pool.

    That of discrimination is 1 and that of length taste 0: votes do not say whether all like the
    longer response better or it is better. The others have the prior N(0, POOL_SD²).
    """
    mean = traits.sum(axis=0) / (len(traits) + (sd / POOL_SD) ** 2)
    mean[0] = 1.0
    if LENGTH_TASTE in terms.traits:
        mean[terms.traits.index(LENGTH_TASTE)] = 0.0
    return np.asarray(mean)


def _spread(terms: Terms, point: Point, known: Information, sd: FloatArray) -> FloatArray:
    """Spread of each trait over labelers: what they differ by, and what is not known of each."""
    apart = (point.traits - _pool(terms, point.traits, sd)) ** 2
    unknown = np.diagonal(_covariance(known, sd), axis1=1, axis2=2)
    total = (apart + unknown).sum(axis=0) + SPREAD_COUNTS * SPREAD**2
    return np.asarray(np.sqrt(total / (len(apart) + SPREAD_COUNTS)))


def _covariance(known: Information, sd: FloatArray) -> FloatArray:
    """Of each labeler's traits. No direction is known less well than the pool alone knows it."""
    prior = np.diag(sd**-2.0)
    scale = np.outer(sd, sd)
    values, vectors = np.linalg.eigh((known.observed + prior) * scale)
    inverse = (vectors / np.maximum(values, 1.0)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return np.asarray(inverse * scale)


def _climb(
    terms: Terms, point: Point, nodes: Nodes, known: Information, sd: FloatArray, steps: int
) -> tuple[Point, bool]:
    """L-BFGS in coordinates in which every labeler's block of the information is about one."""
    root = np.linalg.cholesky(known.complete + np.diag(sd**-2.0))  # block = root · rootᵀ
    back = np.swapaxes(np.linalg.inv(root), 1, 2)
    scale = (known.strengths + PRIOR_SD**-2.0) ** -0.5
    scale_sd = (1 + terms.units * 0.1) ** -0.5 if terms.has_units else 1.0
    shape, cut = point.traits.shape, point.traits.size

    def moved(x: FloatArray) -> Point:
        step = back @ x[:cut].reshape(shape)[:, :, None]
        return Point(
            point.traits + step[:, :, 0],
            point.strengths + scale * x[cut:-1],
            point.log_sd + scale_sd * float(x[-1]),
        )

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        there = moved(x)
        value, slope = log_posterior(terms, there, nodes, sd)
        of_traits = np.swapaxes(back, 1, 2) @ slope.traits[:, :, None]
        return -value, -np.concatenate(
            [of_traits.ravel(), scale * slope.strengths, [scale_sd * slope.log_sd]]
        )

    start = np.zeros(cut + terms.names + 1)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps, "ftol": 1e-9}
    )
    return moved(found.x), bool(found.success)


def log_posterior(terms: Terms, point: Point, nodes: Nodes, sd: FloatArray) -> tuple[float, Point]:
    """Log of likelihood times priors, up to a constant, and its gradient."""
    here = evaluate(terms, point, nodes)
    mean = _pool(terms, point.traits, sd)
    apart = (point.traits - mean) / sd
    value = here.value - float((apart**2).sum()) / 2
    value -= float((mean[1:] ** 2).sum()) / (2 * POOL_SD**2)
    value -= float(point.strengths @ point.strengths) / (2 * PRIOR_SD**2)
    of_sd = 0.0
    if terms.has_units:
        z = (point.log_sd - LOG_SD[0]) / LOG_SD[1]
        value, of_sd = value - z**2 / 2, here.gradient.log_sd - z / LOG_SD[1]
    # The mean is where the prior is largest, so moving it changes nothing to first order.
    return value, Point(
        here.gradient.traits - apart / sd,
        here.gradient.strengths - point.strengths / PRIOR_SD**2,
        of_sd,
    )


def _summary(votes: Votes, terms: Terms, fitted: _Fitted, confidence: float) -> Reliability:
    point, sd = fitted.point, fitted.sd
    found = carelessness(
        terms, point, fitted.nodes, fitted.here, fitted.known, Pool(fitted.mean, sd)
    )
    half = critical_value(confidence) * np.sqrt(
        np.diagonal(_covariance(fitted.known, sd), axis1=1, axis2=2)
    )
    ends = np.stack([point.traits, point.traits - half, point.traits + half], axis=2)
    if terms.thresholds:
        ends[:, -1] = np.exp(ends[:, -1])
    n = np.bincount(votes.labeler, minlength=terms.labelers)

    def trait(labeler: int, name: str) -> Trait | None:
        if name not in terms.traits:
            return None
        return Trait(*ends[labeler, terms.traits.index(name)].tolist())

    rows = tuple(
        LabelerReliability(
            labeler=name,
            n=int(n[i]),
            discrimination=Trait(*ends[i, 0].tolist()),
            side_bias=trait(i, SIDE_BIAS),
            length_taste=trait(i, LENGTH_TASTE),
            tie_threshold=trait(i, TIE_THRESHOLD),
            evidence=float(found.evidence[i]),
            careless=float(found.probability[i]),
        )
        for i, name in enumerate(votes.labelers)
    )
    mean = dict(zip(terms.traits, fitted.mean.tolist(), strict=True))
    if terms.thresholds:
        mean[TIE_THRESHOLD] = math.exp(mean[TIE_THRESHOLD])
    r, e = fitted.here.posterior, fitted.nodes.value
    offset = (r * e).sum(axis=0)
    first = terms.starts
    return Reliability(
        labelers=rows,
        names=votes.names,
        strengths=point.strengths - point.strengths.mean(),
        unit_sd=math.exp(point.log_sd) if terms.has_units else math.nan,
        units=np.unique(votes.unit),
        better=gaps(terms, point)[first] + offset,
        better_sd=np.sqrt(np.maximum((r * e**2).sum(axis=0) - offset**2, 0)),
        careless_share=found.share,
        spread=dict(zip(terms.traits, sd.tolist(), strict=True)),
        pool=mean,
        converged=fitted.converged,
    )
