"""How few votes, or which one labeler, must be left out for another policy to lead.

An interval says how far chance may have moved the ratings; it does not say whether they rest on
a handful of votes. Influence functions find the votes that matter most, and a refit without them
says whether they really do: nothing is reported that was not refitted.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accord.ratings.contrasts import difference_variances, members
from accord.ratings.fitted import Fit
from accord.ratings.votes import FloatArray, IntArray, Votes

RIVALS = 3  # nearest to the leader, tried one after the other
LABELERS = 8  # with the most pull, and as many with the most votes, are tried by a refit

Refit = Callable[[Votes], Fit]


class Flip(NamedTuple):
    """Votes without which another policy leads."""

    top: str  #: leads with all votes
    rival: str  #: leads without these
    votes: IntArray  #: indices of the votes to leave out, the most influential first
    share: float  #: of the weight of all votes
    message: str


class DecidingLabeler(NamedTuple):
    """A labeler without whom another policy leads."""

    labeler: str
    share: float  #: of the weight of all votes
    top: str  #: leads with the labeler
    rival: str  #: leads without
    code: str
    message: str


def fewest_votes(votes: Votes, fit: Fit, refit: Refit, *, most_share: float = 0.1) -> Flip | None:
    """A small set of votes whose removal puts another policy on top.

        ψ_v = w_v (x_v − p_v) (e_a − e_b)ᵀ B (e_top − e_rival)    what vote v adds to the lead

    The votes with the largest ψ are left out: first as many as the lead takes to first order,
    then by refits as few as suffice. ψ is exact to first order for Bradley and Terry's model and
    a guide for the others.

    Args:
        votes: that were fitted.
        fit: of them.
        refit: the same fit of other votes; it need not cluster.
        most_share: of the weight of all votes, in (0, 1]; when more would be needed the answer
            is None.

    Returns:
        The smallest set found against the rivals nearest to the leader of the largest group,
        verified by a refit. A smaller one may exist.

    Raises:
        ValueError: a share outside (0, 1].

    Source: Broderick, Giordano and Meager 2020, arXiv:2011.14999; for rankings of language
    models Huang et al. 2025, arXiv:2508.11847.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> close = from_pairs(["x"] * 40, ["y"] * 40, [1] * 21 + [0] * 19)
    >>> len(fewest_votes(close, fit(close), fit).votes)  # 21 to 19 becomes 18 to 19
    3
    """
    if not 0 < most_share <= 1:
        raise ValueError("`most_share` must be above 0 and at most 1")
    counted = _counted(votes)
    total = float(votes.weight[counted].sum())
    best: Flip | None = None
    for top, rival in _rivals(fit):
        pull = np.where(counted, _pulls(votes, fit, top, rival), 0.0)
        order = np.argsort(-pull, kind="stable")[: int((pull > 0).sum())]
        order = order[np.cumsum(votes.weight[order]) <= most_share * total * (1 + 1e-12)]
        order = order if best is None else order[: len(best.votes) - 1]
        lead = float(fit.strengths[top] - fit.strengths[rival])
        guess = int(np.searchsorted(np.cumsum(pull[order]), lead)) + 1
        names = fit.names[top], fit.names[rival]
        number = _smallest(votes, refit, order, names, guess)
        if number:
            left_out = order[:number]
            share = float(votes.weight[left_out].sum()) / total
            message = (
                f"without {number} of the {int(counted.sum())} votes ({100 * share:.2g}%) "
                f"`{names[1]}` would lead and not `{names[0]}`"
            )
            best = Flip(*names, left_out, share, message)
    return best


def labelers_that_flip(votes: Votes, fit: Fit, refit: Refit) -> tuple[DecidingLabeler, ...]:
    """Labelers each of whom alone decides which policy leads.

        refit without each labeler who has much pull on the lead or many votes

    Args:
        votes: that were fitted.
        fit: of them.
        refit: the same fit of other votes; it need not cluster.

    Returns:
        One entry for each labeler found, those with the most votes first. Votes of which the
        labeler is not known belong to nobody here.

    Source: leaving out whole clusters, Efron and Tibshirani 1993, chapter 11; which ones to try
    by their summed influence, as in ``fewest_votes``.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> who = ["anna"] * 10 + ["ben"] * 3 + ["chris"] * 3
    >>> split = from_pairs(["x"] * 16, ["y"] * 16, [1] * 10 + [0] * 6, labeler=who)
    >>> [(one.labeler, one.rival) for one in labelers_that_flip(split, fit(split), fit)]
    [('anna', 'y')]
    """
    counted = _counted(votes) & (votes.labeler < len(votes.labelers))
    known = votes.labeler[counted]
    present = np.unique(known)
    rivals = _rivals(fit)
    if len(present) < 2 or not rivals:  # noqa: PLR2004 - without the only one nothing is left
        return ()
    weight = np.bincount(known, votes.weight[counted], len(votes.labelers))
    tried = set(np.argsort(-weight, kind="stable")[:LABELERS].tolist())
    for top, rival in rivals:
        pull = np.bincount(known, _pulls(votes, fit, top, rival)[counted], len(votes.labelers))
        tried |= set(np.argsort(-pull, kind="stable")[:LABELERS].tolist())
    total = float(votes.weight[_counted(votes)].sum())
    group = set(_largest(fit))
    found = []
    for labeler in sorted(tried & set(present.tolist()), key=lambda one: (-weight[one], one)):
        leader = _leader(_refitted(refit, votes.where(votes.labeler != labeler)), group)
        top_name = fit.names[rivals[0][0]]
        if leader is not None and leader != top_name:
            share = float(weight[labeler]) / total
            found.append(_deciding(votes.labelers[labeler], share, top_name, leader))
    return tuple(found)


def one_labeler_decides(votes: Votes, fit: Fit, refit: Refit) -> DecidingLabeler | None:
    """The labeler whose votes alone decide which policy leads, if there is exactly one.

    When the lead is so small that several labelers could turn it, nobody decides: the ranks of
    ``ranks.simultaneous_ranks`` then say that it is open.

    Args:
        votes: that were fitted.
        fit: of them.
        refit: the same fit of other votes; it need not cluster.

    Returns:
        The labeler with the code ``one_labeler_decides``, or None.

    Source: as ``labelers_that_flip``.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> who = ["anna"] * 10 + ["ben"] * 3 + ["chris"] * 3
    >>> split = from_pairs(["x"] * 16, ["y"] * 16, [1] * 10 + [0] * 6, labeler=who)
    >>> one_labeler_decides(split, fit(split), fit).message
    '`x` leads only by the votes of labeler `anna` (62% of all): without them `y` would lead'
    """
    found = labelers_that_flip(votes, fit, refit)
    return found[0] if len(found) == 1 else None


def _counted(votes: Votes) -> NDArray[np.bool_]:
    return np.asarray((votes.a != votes.b) & (votes.weight > 0) & ~votes.both_bad)


def _largest(fit: Fit) -> tuple[str, ...]:
    """The group with the most policies."""
    return max(fit.groups, key=len)


def _rivals(fit: Fit) -> list[tuple[int, int]]:
    """The leader of the largest group with each of those nearest to it, in standard errors."""
    part = max(members(fit), key=len)
    if len(part) == 1:
        return []
    top = int(part[np.argmax(fit.strengths[part])])
    others = part[part != top]
    variance = difference_variances(fit)[top, others]
    far = (fit.strengths[top] - fit.strengths[others]) / np.sqrt(variance)
    return [(top, int(i)) for i in others[np.argsort(far, kind="stable")[:RIVALS]]]


def _pulls(votes: Votes, fit: Fit, top: int, rival: int) -> FloatArray:
    """What each vote adds to the lead of one policy over another, to first order."""
    column = fit.model_covariance[:, top] - fit.model_covariance[:, rival]
    gap = fit.strengths[votes.a] - fit.strengths[votes.b]
    residual = votes.weight * (votes.outcome - fit.win_probability(gap))
    return np.asarray(residual * (column[votes.a] - column[votes.b]))


def _smallest(
    votes: Votes, refit: Refit, order: IntArray, names: tuple[str, str], guess: int
) -> int:
    """Fewest of the first votes of ``order`` without which the rival leads; 0 when none do."""

    def flips(number: int) -> bool:
        keep = np.ones(len(votes), dtype=bool)
        keep[order[:number]] = False
        return _leader(_refitted(refit, votes.where(keep)), set(names)) == names[1]

    enough, too_few = min(guess, len(order)), 0
    while enough and not flips(enough):
        if enough == len(order):
            return 0
        too_few, enough = enough, min(2 * enough, len(order))
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if flips(middle):
            enough = middle
        else:
            too_few = middle
    return enough


def _refitted(refit: Refit, votes: Votes) -> Fit | None:
    """None where the likelihood of the rest has no maximum, so that nobody leads."""
    try:
        return refit(votes)
    except ValueError:
        return None


def _leader(fit: Fit | None, names: set[str]) -> str | None:
    """The strongest of these policies; None unless all are still connected and one is ahead."""
    if fit is None or not any(names <= set(group) for group in fit.groups):
        return None
    strength = {name: float(fit.strengths[fit.names.index(name)]) for name in names}
    first, second = sorted(strength, key=lambda name: (-strength[name], name))[:2]
    return first if strength[first] > strength[second] + 1e-9 else None


def _deciding(labeler: str, share: float, top: str, rival: str) -> DecidingLabeler:
    message = (
        f"`{top}` leads only by the votes of labeler `{labeler}` ({100 * share:.0f}% of all): "
        f"without them `{rival}` would lead"
    )
    return DecidingLabeler(labeler, share, top, rival, "one_labeler_decides", message)
