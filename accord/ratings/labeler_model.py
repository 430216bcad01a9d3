"""The likelihood behind ``reliability``: who votes how, given what is voted on.

    η = k_l (θ_a − θ_b + e_u) + b_l · side + g_l · length
    P(a) = σ(η − τ_l),   P(b) = σ(−η − τ_l),   P(tie) = 1 − P(a) − P(b)

Labeler l has discrimination k, side bias b, length taste g and tie threshold τ; e_u is how far the
two responses of unit u differ beyond their policies, normal with standard deviation s. Nobody
sees e_u, so it is integrated out: fitting it instead would let each labeler's own vote pull it
towards that vote, and make everybody, the careless too, look discriminating.

A tie is a product of two logistic terms and a constant (Rao and Kupper 1967),

    P(tie) = (e^{2τ} − 1) σ(η − τ) σ(−η − τ)

so a decided vote is one term, σ(±η − τ), and a tie is both. All that follows works on terms. The
integral is a sum over a few values of e_u placed where its posterior is (adaptive Gauss-Hermite
quadrature, Rabe-Hesketh, Skrondal and Pickles 2002).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit

from accord.ratings.votes import TIE, WIN, FloatArray, IntArray, Votes

NODES = 7
BLOCK = 8192  # terms at a time: what they need fits a processor's cache, which halves the time
MODE_STEPS = 8  # of Newton's method for where a unit's posterior is
DISCRIMINATION, SIDE_BIAS, LENGTH_TASTE, TIE_THRESHOLD = (
    "discrimination",
    "side_bias",
    "length_taste",
    "tie_threshold",
)


@dataclass(frozen=True, eq=False)
class Terms:
    """Votes as logistic terms; every array from ``sign`` on has one entry a term.

    Terms are sorted by unit, and within a unit by labeler.
    """

    traits: tuple[str, ...]  #: columns of the traits matrix that the votes can say anything about
    labelers: int
    names: int
    units: int
    starts: IntArray  #: first term of each unit
    sign: FloatArray  #: +1 for "a is above the threshold", −1 for b
    vote: IntArray  #: the vote's row in ``Votes``
    labeler: IntArray
    unit: IntArray
    a: IntArray
    b: IntArray
    weight: FloatArray
    tie: FloatArray  #: half the weight of a vote that is a tie, whose terms are two; else 0
    swayed: FloatArray  #: [side and length, as far as in ``traits``; terms]
    has_units: bool  #: whether some responses were judged by two labelers: else s says nothing

    @cached_property
    def ties(self) -> FloatArray:
        """Weighted ties of each labeler."""
        return sums(self.labeler, self.tie, self.labelers)

    @cached_property
    def blocks(self) -> tuple[tuple[slice, slice], ...]:
        """Slices of whole units and of their terms."""
        ends = np.append(self.starts, len(self.sign))
        cuts = np.unique(np.searchsorted(ends, np.arange(0, len(self.sign) + BLOCK, BLOCK)))
        cuts = np.minimum(cuts, self.units)
        return tuple(
            (slice(i, j), slice(int(ends[i]), int(ends[j]))) for i, j in pairwise(cuts.tolist())
        )

    @property
    def thresholds(self) -> bool:
        """Whether anybody ever called a tie."""
        return TIE_THRESHOLD in self.traits


class Point(NamedTuple):
    """Parameters of the model, or the gradient with respect to them."""

    traits: FloatArray  #: [labelers, traits]; the threshold as log τ
    strengths: FloatArray  #: θ, in nats of a labeler with discrimination 1
    log_sd: float  #: log s


class Nodes(NamedTuple):
    """Values of e_u at which the integral is summed, [nodes, units]."""

    value: FloatArray
    log_weight: FloatArray


class Evaluated(NamedTuple):
    """The marginal log-likelihood at a point, and what the units look like from there."""

    value: float
    gradient: Point
    posterior: FloatArray  #: probability of each node, [nodes, units]


def terms_of(votes: Votes, length: FloatArray | None) -> Terms:
    """Votes taken apart into terms; a vote without weight is left out.

    Args:
        votes: decided votes and ties.
        length: log of the ratio of the two lengths, a to b, one a vote; NaN is not known.
    """
    side = np.nan_to_num(2 * votes.a_first - 1)
    columns = [(SIDE_BIAS, side)]
    if length is not None:
        columns.append((LENGTH_TASTE, np.nan_to_num(length)))
    columns = [(name, column) for name, column in columns if column.any()]
    tied = votes.outcome == TIE
    names = [DISCRIMINATION, *(name for name, _ in columns)]
    if tied.any():
        names.append(TIE_THRESHOLD)
    rows = np.flatnonzero(votes.weight > 0)
    vote = np.concatenate([rows, rows[tied[rows]]])
    sign = np.where(votes.outcome[vote] == WIN, 1.0, -1.0)
    sign[: len(rows)][tied[rows]] = 1.0
    _, unit = np.unique(votes.unit[vote], return_inverse=True)
    order = np.lexsort((votes.labeler[vote], unit))
    vote, sign, unit = vote[order], sign[order], unit[order].astype(np.int64)
    labeler = votes.labeler[vote]
    number = max(len(votes.labelers), int(labeler.max()) + 1)
    pairs = np.unique(unit * number + labeler)
    return Terms(
        traits=tuple(names),
        labelers=number,
        names=len(votes.names),
        units=int(unit[-1]) + 1,
        starts=np.searchsorted(unit, np.arange(int(unit[-1]) + 1)),
        tie=np.where(tied[vote], votes.weight[vote] / 2, 0.0),
        sign=sign,
        vote=vote,
        labeler=labeler,
        unit=unit,
        a=votes.a[vote],
        b=votes.b[vote],
        weight=votes.weight[vote],
        swayed=np.array([column[vote] for _, column in columns]).reshape(len(columns), len(vote)),
        has_units=len(pairs) > int(unit[-1]) + 1,
    )


def linear(terms: Terms, point: Point) -> tuple[FloatArray, FloatArray]:
    """Each term's argument of σ where e_u is 0, and how it grows with e_u."""
    k = point.traits[terms.labeler, 0]
    start = k * gaps(terms, point)
    for trait, column in enumerate(terms.swayed, start=1):
        start += point.traits[terms.labeler, trait] * column
    start *= terms.sign
    return start - thresholds(terms, point)[terms.labeler], terms.sign * k


def gaps(terms: Terms, point: Point) -> FloatArray:
    """θ_a − θ_b of each term."""
    return point.strengths[terms.a] - point.strengths[terms.b]


def thresholds(terms: Terms, point: Point) -> FloatArray:
    """τ of each labeler; 0 when nobody ever called a tie."""
    if not terms.thresholds:
        return np.zeros(len(point.traits))
    return np.asarray(np.exp(point.traits[:, -1]))


def place_nodes(terms: Terms, point: Point) -> Nodes:
    """Nodes around the mode of each unit's posterior, as far apart as it is wide.

    ∫ f(e) de ≈ Σ_q w_q √(2π) σ_u e^{z_q²/2} f(μ_u + σ_u z_q),   w, z those of He_Q
    """
    if not terms.has_units:
        return Nodes(np.zeros((1, terms.units)), np.zeros((1, terms.units)))
    start, slope = linear(terms, point)
    precision = np.exp(-2 * point.log_sd)
    mode = np.zeros(terms.units)
    for _ in range(MODE_STEPS):  # concave, so Newton's method needs only be kept from leaping
        p = expit(start + slope * mode[terms.unit])
        slopes = np.add.reduceat(terms.weight * slope * (1 - p), terms.starts) - precision * mode
        bend = np.add.reduceat(terms.weight * slope**2 * p * (1 - p), terms.starts) + precision
        mode = mode + np.clip(slopes / bend, -2, 2)
    width = bend**-0.5
    z, w = hermegauss(NODES)
    value = mode + width * z[:, None]
    return Nodes(value, np.log(width) + (np.log(w) + z**2 / 2)[:, None])


def evaluate(terms: Terms, point: Point, nodes: Nodes) -> Evaluated:
    """Marginal log-likelihood of all votes, its gradient, and the posterior of every unit.

    log L = Σ_u log ∫ Π_{terms of u} σ(x(e)) N(e; 0, s²) de + Σ_l ties_l log(e^{2τ_l} − 1)
    """
    start, slope = linear(terms, point)
    log_prior = nodes.log_weight
    if terms.has_units:
        scaled = nodes.value * np.exp(-point.log_sd)
        log_prior = log_prior - scaled**2 / 2 - point.log_sd - np.log(2 * np.pi) / 2
    posterior = np.empty_like(log_prior)
    by_start, by_slope = np.empty_like(start), np.empty_like(start)
    value = 0.0
    for units, rows in terms.blocks:
        unit, w = terms.unit[rows] - units.start, terms.weight[rows]
        at = nodes.value[:, units].take(unit, axis=1)
        p, log_p = sigmoid(start[rows] + slope[rows] * at)
        first = terms.starts[units] - rows.start
        joint = np.add.reduceat(w * log_p, first, axis=1) + log_prior[:, units]
        peak = joint.max(axis=0)
        likely = np.exp(joint - peak)
        total = likely.sum(axis=0)
        value += float((peak + np.log(total)).sum())
        posterior[:, units] = likely / total
        pull = w * (1 - p) * posterior[:, units].take(unit, axis=1)
        by_start[rows], by_slope[rows] = pull.sum(axis=0), (pull * at).sum(axis=0)
    gap = gaps(terms, point)
    of_traits = [
        sums(terms.labeler, terms.sign * column, terms.labelers)
        for column in (gap * by_start + by_slope, *(terms.swayed * by_start))
    ]
    if terms.thresholds:
        tau = thresholds(terms, point)
        value += float(terms.ties @ log_expm1(2 * tau))
        of_tau = 2 * terms.ties / -np.expm1(-2 * tau)
        of_tau -= sums(terms.labeler, by_start, terms.labelers)
        of_traits.append(tau * of_tau)
    up = slope * by_start
    of_strengths = sums(terms.a, up, terms.names)
    of_strengths -= sums(terms.b, up, terms.names)
    of_sd = float((posterior * (scaled**2 - 1)).sum()) if terms.has_units else 0.0
    gradient = Point(np.stack(of_traits, axis=1), of_strengths, of_sd)
    return Evaluated(value, gradient, posterior)


def sums(codes: IntArray, values: FloatArray, number: int) -> FloatArray:
    """Sum of the values of each code from 0 to number − 1."""
    return np.asarray(np.bincount(codes, values, number), dtype=np.float64)


def sigmoid(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """σ and log σ, in a fifth of the time that scipy takes for them."""
    small = np.exp(-np.abs(x))
    log_p = np.minimum(x, 0.0) - np.log(1 + small)
    return np.where(x >= 0, 1.0, small) / (1 + small), log_p


def log_expm1(x: FloatArray) -> FloatArray:
    """log(eˣ − 1) for x above 0, large or small."""
    return np.asarray(x + np.log(-np.expm1(-x)))


class Information(NamedTuple):
    """How sharply the votes speak about traits and strengths."""

    observed: FloatArray  #: [labelers, traits, traits], −∂² log L, the units integrated out
    complete: FloatArray  #: the same if e_u were known and squares of first derivatives only
    strengths: FloatArray  #: diagonal for θ, if e_u were known


def information(terms: Terms, point: Point, nodes: Nodes, here: Evaluated) -> Information:
    """Information about each labeler's traits, the other parameters given.

    −∂² log L = E[−∂² log f] − Var[∂ log f]   under the posterior of e_u  (Louis 1982)
    """
    tau, gap = thresholds(terms, point), gaps(terms, point)
    size, number = len(terms.traits), terms.labelers
    complete, observed = np.zeros((2, number, size, size))
    pull, bend = np.empty_like(terms.sign), np.empty_like(terms.sign)
    for part in parts(terms, point, nodes, here):
        rows, r, w = part.rows, part.posterior, terms.weight[part.rows]
        columns = (gap[rows] + part.at, *terms.swayed[:, rows])
        along = [terms.sign[rows] * column for column in columns]
        if terms.thresholds:
            along.append(-tau[terms.labeler[rows]])
        drawn, bent = w * (1 - part.probability), w * r * part.probability * (1 - part.probability)
        pull[rows], bend[rows] = (r * drawn).sum(axis=0), bent.sum(axis=0)
        # The posterior makes the scores of one labeler's terms in one unit vary together.
        scores = [np.add.reduceat(drawn * x, part.ballots, axis=1) for x in along]
        rv, who = r[:, part.ballots], terms.labeler[rows]
        means = [(rv * score).sum(axis=0) for score in scores]
        for i in range(size):
            for j in range(i + 1):
                square = sums(who, (bent * along[i] * along[j]).sum(axis=0), number)
                spread = (rv * scores[i] * scores[j]).sum(axis=0) - means[i] * means[j]
                complete[:, i, j] += square
                observed[:, i, j] += square - sums(who[part.ballots], spread, number)
    complete += np.swapaxes(np.tril(complete, -1), 1, 2)
    observed += np.swapaxes(np.tril(observed, -1), 1, 2)
    if terms.thresholds:
        observed[:, -1, -1] += _of_log_scale(terms, tau, pull)
    squared = bend * point.traits[terms.labeler, 0] ** 2
    of_strengths = sums(terms.a, squared, terms.names) + sums(terms.b, squared, terms.names)
    return Information(observed, complete, of_strengths)


class Part(NamedTuple):
    """Some whole units with all that is known of their terms."""

    rows: slice  #: of the terms
    at: FloatArray  #: e_u of each term at each node, [nodes, terms]
    probability: FloatArray  #: σ of each term at each node
    posterior: FloatArray  #: probability of each node
    ballots: IntArray  #: first row, within the part, of each labeler's terms on each unit


def parts(terms: Terms, point: Point, nodes: Nodes, here: Evaluated) -> Iterator[Part]:
    """All terms, some whole units at a time."""
    start, slope = linear(terms, point)
    for units, rows in terms.blocks:
        unit = terms.unit[rows] - units.start
        at = nodes.value[:, units].take(unit, axis=1)
        r = here.posterior[:, units].take(unit, axis=1)
        p, _ = sigmoid(start[rows] + slope[rows] * at)
        key = unit * terms.labelers + terms.labeler[rows]
        yield Part(rows, at, p, r, np.flatnonzero(np.diff(key, prepend=-1)))


def _of_log_scale(terms: Terms, tau: FloatArray, pull: FloatArray) -> FloatArray:
    """What −∂² log L has beyond squares of first derivatives, the threshold being e^t."""
    shrink = -np.expm1(-2 * tau)
    first = 2 * tau / shrink
    second = -4 * tau**2 * np.exp(-2 * tau) / shrink**2
    by_labeler = sums(terms.labeler, pull, terms.labelers)
    return np.asarray(tau * by_labeler - terms.ties * (first + second))
