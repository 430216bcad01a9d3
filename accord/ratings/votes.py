"""Votes in long format: one row says which of two responses one labeler preferred.

A ranking of K responses becomes all its K(K−1)/2 pairs, a tie the outcome 0.5. Pairs of one
ranking are not independent; they share a labeler and a prompt, and clustering by these is
what makes the intervals honest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WIN, TIE, LOSS = 1.0, 0.5, 0.0


@dataclass(frozen=True)
class Ranking:
    """One labeler's order of the responses to one prompt."""

    names: tuple[str, ...]  #: the policy that gave each response
    ranks: tuple[int, ...]  #: 1 is best, equal ranks are a tie
    labeler: str = ""
    prompt: str = ""
    comparison: str = ""  #: rankings of one comparison rank the same responses
    shown_order: tuple[int, ...] = ()  #: index of the response at each place on the screen
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Votes:
    """Pairwise votes; every array has one entry a vote."""

    names: tuple[str, ...]  #: rated policies, sorted; ``a`` and ``b`` index them
    labelers: tuple[str, ...]  #: sorted; ``labeler`` indexes them
    prompts: tuple[str, ...]  #: sorted; ``prompt`` indexes them
    a: IntArray
    b: IntArray
    outcome: FloatArray  #: 1 a is better, 0.5 a tie, 0 b is better
    labeler: IntArray
    prompt: IntArray
    unit: IntArray  #: equal for votes on the same two responses, which agreement compares
    a_first: FloatArray  #: 1 when a was shown before b, 0 after, NaN when not known
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.outcome)

    def where(self, mask: NDArray[np.bool_]) -> "Votes":
        """The votes at which the mask is True; names, labelers and prompts stay as they are."""
        return Votes(
            names=self.names,
            labelers=self.labelers,
            prompts=self.prompts,
            a=self.a[mask],
            b=self.b[mask],
            outcome=self.outcome[mask],
            labeler=self.labeler[mask],
            prompt=self.prompt[mask],
            unit=self.unit[mask],
            a_first=self.a_first[mask],
            weight=self.weight[mask],
        )


def from_rankings(rankings: Iterable[Ranking]) -> Votes:
    """All pairs of all rankings.

        K responses  →  K(K−1)/2 votes, outcome 1, 0.5 or 0 as the ranks say

    Args:
        rankings: each of at least two responses. Responses of one policy against another of
            the same policy are kept: they say nothing about ratings but do about agreement.

    Returns:
        Votes in the order of the rankings.

    Raises:
        ValueError: no ranking, a ranking whose parts have different lengths or are fewer than
            two, an order that is no permutation, or a weight that is negative or not finite.

    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.4 (all pairs of a ranking).

    >>> votes = from_rankings([Ranking(("x", "y", "z"), (1, 2, 2))])
    >>> [(votes.names[a], votes.names[b]) for a, b in zip(votes.a, votes.b)]
    [('x', 'y'), ('x', 'z'), ('y', 'z')]
    >>> votes.outcome
    array([1. , 1. , 0.5])
    """
    rankings = list(rankings)
    if not rankings:
        raise ValueError("no rankings: there is nothing to rate")
    rows: list[tuple[str, str, float, str, str, tuple[str, str, int, int], float, float]] = []
    for ranking in rankings:
        place = _places(ranking)
        for i, j in combinations(range(len(ranking.ranks)), 2):
            first = float(place[i] < place[j]) if place else float("nan")
            unit = (ranking.prompt, ranking.comparison, i, j)
            rows.append(
                (
                    ranking.names[i],
                    ranking.names[j],
                    _outcome(ranking.ranks[i], ranking.ranks[j]),
                    ranking.labeler,
                    ranking.prompt,
                    unit,
                    first,
                    ranking.weight,
                )
            )
    a, b, outcome, labeler, prompt, units, a_first, weight = zip(*rows, strict=True)
    names = tuple(sorted({*a, *b}))
    labelers, prompts = tuple(sorted(set(labeler))), tuple(sorted(set(prompt)))
    return Votes(
        names=names,
        labelers=labelers,
        prompts=prompts,
        a=_codes(a, names),
        b=_codes(b, names),
        outcome=np.array(outcome),
        labeler=_codes(labeler, labelers),
        prompt=_codes(prompt, prompts),
        unit=_codes(units, tuple(sorted(set(units)))),
        a_first=np.array(a_first),
        weight=np.array(weight, dtype=np.float64),
    )


def from_pairs(
    a: Sequence[str],
    b: Sequence[str],
    outcome: Sequence[float],
    *,
    labeler: Sequence[str] | None = None,
    prompt: Sequence[str] | None = None,
    weight: Sequence[float] | None = None,
) -> Votes:
    """Votes from columns.

    Args:
        a: names of the first of each two policies.
        b: names of the second.
        outcome: 1 a is better, 0.5 a tie, 0 b is better.
        labeler: who voted; when left out, one labeler gave every vote.
        prompt: on what; when left out, every vote has a prompt of its own.
        weight: how often each vote counts; 1 when left out.

    Returns:
        One vote an entry. Votes on one prompt and the same ``(a, b)`` are one unit.

    Raises:
        ValueError: columns of different lengths, no votes, an outcome that is not 1, 0.5 or 0,
            or a weight that is negative or not finite.

    Source: none needed; only a change of form.

    >>> len(from_pairs(["x", "x"], ["y", "y"], [1, 0]))
    2
    """
    ranks = {WIN: (1, 2), TIE: (1, 1), LOSS: (2, 1)}
    if not set(outcome) <= set(ranks):
        raise ValueError("an `outcome` must be 1, 0.5 or 0")
    columns = zip(
        a,
        b,
        outcome,
        labeler if labeler is not None else [""] * len(a),
        prompt if prompt is not None else [f"{i:09d}" for i in range(len(a))],
        weight if weight is not None else [1.0] * len(a),
        strict=True,
    )
    return from_rankings(
        Ranking((x, y), ranks[o], who, what, comparison=f"{x}\0{y}", weight=w)
        for x, y, o, who, what, w in columns
    )


def _places(ranking: Ranking) -> list[int]:
    """Place on the screen of each response; empty when the order is not known."""
    number = len(ranking.ranks)
    if number < 2 or len(ranking.names) != number:  # noqa: PLR2004 - a pair
        raise ValueError("a ranking needs at least two responses, each with a name and a rank")
    if not (np.isfinite(ranking.weight) and ranking.weight >= 0):
        raise ValueError("a `weight` must be finite and not negative")
    if not ranking.shown_order:
        return []
    if sorted(ranking.shown_order) != list(range(number)):
        raise ValueError("`shown_order` must be a permutation of the responses")
    return [ranking.shown_order.index(i) for i in range(number)]


def _outcome(rank: int, other: int) -> float:
    if rank == other:
        return TIE
    return WIN if rank < other else LOSS


def _codes(values: Sequence[object], known: Sequence[object]) -> IntArray:
    index = {value: i for i, value in enumerate(known)}
    return np.array([index[value] for value in values], dtype=np.int64)
