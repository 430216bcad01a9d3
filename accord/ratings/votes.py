"""Votes in long format: one row says which of two responses one labeler preferred.

A ranking of K responses becomes all its K(K−1)/2 pairs, a tie the outcome 0.5. Pairs of one
ranking are not independent; they share a labeler and a prompt, and clustering by these is
what makes the intervals honest.

"Both are bad" is not a tie: it says that neither will do, not that they are equally good. Such
votes are kept, marked in ``both_bad``, and ratings leave them out unless told otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

WIN, TIE, LOSS = 1.0, 0.5, 0.0
MOST_WEIGHT = 1e12  # of one vote; the squares of larger ones could not be added up
WINNERS = {"a": WIN, "b": LOSS, "tie": TIE, "both_bad": TIE}


class Coded(NamedTuple):
    """A column of text as its distinct values and one index a row; −1 is a missing value."""

    names: Sequence[str]
    codes: IntArray


Text = Sequence[str | None] | Coded


@dataclass(frozen=True)
class Ranking:
    """One labeler's order of the responses to one prompt."""

    names: tuple[str, ...]  #: the policy that gave each response
    ranks: tuple[int, ...]  #: 1 is best, equal ranks are a tie
    labeler: str = ""  #: empty when not known
    prompt: str = ""
    comparison: str = ""  #: rankings of one comparison rank the same responses
    shown_order: tuple[int, ...] = ()  #: index of the response at each place on the screen
    weight: float = 1.0
    lengths: tuple[float, ...] = ()  #: of the responses, in any unit; empty when not known
    both_bad: bool = False  #: all ranks are equal because no response will do


@dataclass(frozen=True, eq=False)
class Votes:
    """Pairwise votes; every array has one entry a vote.

    A vote whose labeler (or prompt) is not known has a code of its own, from ``len(labelers)``
    (or ``len(prompts)``) on: it is like no other vote.
    """

    names: tuple[str, ...]  #: rated policies, sorted; ``a`` and ``b`` index them
    labelers: tuple[str, ...]  #: the known ones, sorted; ``labeler`` indexes them
    prompts: tuple[str, ...]  #: the known ones, sorted; ``prompt`` indexes them
    a: IntArray
    b: IntArray
    outcome: FloatArray  #: 1 a is better, 0.5 a tie (or both are bad), 0 b is better
    labeler: IntArray
    prompt: IntArray
    unit: IntArray  #: equal for votes on the same two responses, which agreement compares
    a_first: FloatArray  #: 1 when a was shown before b, 0 after, NaN when not known
    weight: FloatArray
    both_bad: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    #: differences a − b of what may have swayed the vote, such as ``length``; NaN is not known
    covariates: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.both_bad) != len(self.outcome):
            if len(self.both_bad):
                raise ValueError("`both_bad` must have one entry a vote")
            object.__setattr__(self, "both_bad", np.zeros(len(self.outcome), dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.outcome)

    def where(self, mask: BoolArray) -> "Votes":
        """The votes at which the mask is True; names, labelers and prompts stay as they are."""
        if mask.all():
            return self
        return replace(
            self,
            a=self.a[mask],
            b=self.b[mask],
            outcome=self.outcome[mask],
            labeler=self.labeler[mask],
            prompt=self.prompt[mask],
            unit=self.unit[mask],
            a_first=self.a_first[mask],
            weight=self.weight[mask],
            both_bad=self.both_bad[mask],
            covariates={name: column[mask] for name, column in self.covariates.items()},
        )

    def covariate(self, name: str) -> FloatArray:
        """A column of ``covariates``, or ``"side"``: +1 a was shown first, −1 b; NaN unknown."""
        if name in self.covariates:
            return self.covariates[name]
        if name == "side":
            return 2 * self.a_first - 1
        known = ", ".join(f"`{k}`" for k in ("side", *self.covariates))
        raise ValueError(f"the votes have no covariate `{name}`; known: {known}")


def from_rankings(rankings: Iterable[Ranking]) -> Votes:
    """All pairs of all rankings.

        K responses  →  K(K−1)/2 votes, outcome 1, 0.5 or 0 as the ranks say

    Args:
        rankings: each of at least two responses. Responses of one policy against another of
            the same policy are kept: they say nothing about ratings but do about agreement.

    Returns:
        Votes in the order of the rankings, with the covariate ``length`` if any ranking has
        lengths.

    Raises:
        ValueError: no ranking, or one whose parts have different lengths or are fewer than two,
            an order is no permutation, a weight is outside 0 .. 1e12, or ranks of bad ones differ.

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
    rows: list[tuple[Any, ...]] = []
    for number, ranking in enumerate(rankings):
        place = _places(ranking)
        for i, j in combinations(range(len(ranking.ranks)), 2):
            rows.append(
                (
                    ranking.names[i],
                    ranking.names[j],
                    _outcome(ranking.ranks[i], ranking.ranks[j]),
                    number,
                    (ranking.prompt, ranking.comparison, i, j),
                    float(place[i] < place[j]) if place else float("nan"),
                )
            )
    a, b, outcome, source, units, a_first = zip(*rows, strict=True)
    of = np.array(source, dtype=np.int64)
    names = tuple(sorted({*a, *b}))
    labelers, labeler = numbered([ranking.labeler for ranking in rankings], "labeler")
    prompts = tuple(sorted({ranking.prompt for ranking in rankings}))
    return Votes(
        names=names,
        labelers=labelers,
        prompts=prompts,
        a=_codes(a, names),
        b=_codes(b, names),
        outcome=np.array(outcome),
        labeler=labeler[of],
        prompt=_codes([ranking.prompt for ranking in rankings], prompts)[of],
        unit=_codes(units, tuple(sorted(set(units)))),
        a_first=np.array(a_first),
        weight=np.array([ranking.weight for ranking in rankings], dtype=np.float64)[of],
        both_bad=np.array([ranking.both_bad for ranking in rankings], dtype=np.bool_)[of],
        covariates=_lengths(rankings),
    )


def from_columns(
    a: Text,
    b: Text,
    outcome: Text | ArrayLike,
    *,
    labeler: Text | None = None,
    prompt: Text | None = None,
    weight: ArrayLike | None = None,
    a_first: ArrayLike | None = None,
    covariates: Mapping[str, ArrayLike] | None = None,
) -> Votes:
    """Votes from columns, one entry a vote; a million take a fraction of a second.

    Args:
        a: names of the first of each two policies, as text or ``Coded``.
        b: names of the second.
        outcome: 1, 0.5, 0 or the words ``"a"``, ``"tie"``, ``"b"``, ``"both_bad"``.
        labeler: who voted; empty or None where not known.
        prompt: on what; empty or None where not known.
        weight: how often each vote counts; 1 when left out.
        a_first: 1 when a was shown before b, 0 after, NaN when not known.
        covariates: named columns, each the difference a − b of something that may sway a
            vote (see ``log_ratio`` for lengths); NaN where not known.

    Returns:
        Votes whose ``a`` comes before ``b`` in ``names``: a vote given the other way round is
        turned, its outcome, side and covariates with it. Votes on one prompt and the same two
        policies are one unit.

    Raises:
        ValueError: columns of different lengths, no votes, an unknown outcome, a name that is
            not text, a weight outside 0 .. 1e12, an ``a_first`` that is not 0 or 1
            or a covariate that is infinite.

    Source: none needed; only a change of form.

    >>> votes = from_columns(["x", "y"], ["y", "x"], ["a", "both_bad"], labeler=["ann", None])
    >>> votes.outcome, votes.both_bad, votes.labeler
    (array([1. , 0.5]), array([False,  True]), array([0, 1]))
    """
    names, first, second = _policies(a, b)
    n = len(first)
    result, both_bad = _outcomes(outcome)
    weights = _numbers(weight, "`weight`", n, 1.0)
    shown = _numbers(a_first, "`a_first`", n, np.nan)
    named = {k: _numbers(v, f"covariate `{k}`", n, 0.0) for k, v in (covariates or {}).items()}
    labelers, labeler_codes = numbered([None] * n if labeler is None else labeler, "labeler")
    prompts, prompt_codes = numbered([None] * n if prompt is None else prompt, "prompt")
    if not len(second) == len(result) == len(labeler_codes) == len(prompt_codes) == n:
        raise ValueError("the columns must have the same length; one is shorter than another")
    if not n:
        raise ValueError("no votes: there is nothing to rate")
    if not ((weights >= 0) & (weights <= MOST_WEIGHT)).all():
        raise ValueError(f"a `weight` must be a number from 0 to {MOST_WEIGHT:g}")
    if not (np.isnan(shown) | (shown == 0) | (shown == 1)).all():
        raise ValueError("an `a_first` must be 1 or 0, or NaN when not known")
    turn = first > second
    return Votes(
        names=names,
        labelers=labelers,
        prompts=prompts,
        a=np.where(turn, second, first),
        b=np.where(turn, first, second),
        outcome=np.where(turn, 1 - result, result),
        labeler=labeler_codes,
        prompt=prompt_codes,
        unit=_units(first, second, prompt_codes, len(names), known=bool(prompts)),
        a_first=np.where(turn, 1 - shown, shown),
        weight=weights,
        both_bad=both_bad,
        covariates={k: np.where(turn, -v, v) for k, v in named.items()},
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
    """``from_columns`` for those who know no more than who won.

    >>> len(from_pairs(["x", "x"], ["y", "y"], [1, 0]))
    2
    """
    return from_columns(a, b, outcome, labeler=labeler, prompt=prompt, weight=weight)


def log_ratio(of_a: ArrayLike, of_b: ArrayLike) -> FloatArray:
    """The covariate of two lengths: which was longer, and by what factor.

        log(max(len_a, 1) / max(len_b, 1))

    Args:
        of_a: lengths of the first responses, in any unit; NaN where not known.
        of_b: lengths of the second.

    Returns:
        One number a vote, positive where a is longer; 0.69 is twice as long.

    Source: Dubois et al. 2024, arXiv:2404.04475, control the difference of lengths; the ratio
    is the same whatever the unit. An empty response counts as one of length 1.

    >>> log_ratio([200, 0], [100, 1]).round(2)
    array([0.69, 0.  ])
    """
    a, b = np.asarray(of_a, dtype=np.float64), np.asarray(of_b, dtype=np.float64)
    return np.asarray(np.log(np.maximum(a, 1.0)) - np.log(np.maximum(b, 1.0)))


def numbered(values: Text, what: str) -> tuple[tuple[str, ...], IntArray]:
    """Sorted distinct values and the code of each row; a missing one gets a code of its own.

    >>> numbered(["y", None, "x"], "labeler")
    (('x', 'y'), array([1, 2, 0]))
    """
    if isinstance(values, Coded):
        distinct, codes = list(values.names), np.asarray(values.codes, dtype=np.int64)
        if len(codes) and int(codes.max()) >= len(distinct):
            raise ValueError(f"a code of column `{what}` has no name")
        place = {value: i for i, value in enumerate(sorted(set(filter(None, distinct))))}
        order = np.array([place[v] if v else -1 for v in distinct] + [-1], dtype=np.int64)
        codes = order[np.maximum(codes, -1)]
    else:
        plain = values.tolist() if isinstance(values, np.ndarray) else values
        seen = dict.fromkeys(plain)
        if not all(value is None or isinstance(value, str) for value in seen):
            raise ValueError(f"column `{what}` must hold text")
        place = {value: i for i, value in enumerate(sorted(value for value in seen if value))}
        lookup: dict[str | None, int] = {None: -1, "": -1}
        lookup.update(place)
        codes = np.fromiter(map(lookup.__getitem__, plain), dtype=np.int64, count=len(plain))
    missing = codes < 0
    if missing.any():
        codes[missing] = len(place) + np.arange(int(missing.sum()))
    return tuple(place), codes


def _policies(a: Text, b: Text) -> tuple[tuple[str, ...], IntArray, IntArray]:
    """Sorted names of all policies, and the codes of both columns in them."""
    (names_a, first), (names_b, second) = numbered(a, "a"), numbered(b, "b")
    for column, names, codes in (("a", names_a, first), ("b", names_b, second)):
        if len(codes) and int(codes.max()) >= len(names):
            row = int(np.argmax(codes >= len(names)))
            raise ValueError(f"vote {row + 1} has no policy in column `{column}`")
    names = tuple(sorted({*names_a, *names_b}))
    return names, _codes(names_a, names)[first], _codes(names_b, names)[second]


def _outcomes(outcome: Text | ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Outcomes as numbers, and which of them are `both_bad`."""
    if isinstance(outcome, Coded) or (len(outcome) and isinstance(outcome[0], str)):  # type: ignore[arg-type,index]  # a column
        words, codes = numbered(outcome, "outcome")  # type: ignore[arg-type]  # of text
        unknown = [word for word in words if word not in WINNERS]
        if unknown or (len(codes) and int(codes.max()) >= len(words)):
            raise ValueError(
                f"an `outcome` must be one of {', '.join(WINNERS)}"
                + (f", not `{unknown[0]}`" if unknown else "")
            )
        values = np.array([WINNERS[word] for word in words])
        return values[codes], np.array([word == "both_bad" for word in words])[codes]
    numbers = np.asarray(outcome, dtype=np.float64)
    if not ((numbers == WIN) | (numbers == TIE) | (numbers == LOSS)).all():
        raise ValueError("an `outcome` must be 1, 0.5 or 0")
    return numbers, np.zeros(len(numbers), dtype=np.bool_)


def _numbers(values: ArrayLike | None, what: str, n: int, default: float) -> FloatArray:
    column = np.full(n, default) if values is None else np.asarray(values, dtype=np.float64)
    if column.shape != (n,):
        raise ValueError(f"{what} must have one entry a vote; it is longer or shorter")
    if np.isinf(column).any():
        raise ValueError(f"{what} must be finite")
    return column


def _units(first: IntArray, second: IntArray, prompt: IntArray, m: int, *, known: bool) -> IntArray:
    if not known:  # every vote has a prompt of its own
        return np.arange(len(first))
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.unique((prompt * m + low) * m + high, return_inverse=True)[1].astype(np.int64)


def _lengths(rankings: Sequence[Ranking]) -> dict[str, FloatArray]:
    """The covariate ``length`` of all pairs of all rankings, if any has lengths."""
    if not any(ranking.lengths for ranking in rankings):
        return {}
    ends: list[tuple[float, float]] = []
    for ranking in rankings:
        lengths = ranking.lengths or (float("nan"),) * len(ranking.names)
        ends += combinations(lengths, 2)
    return {"length": log_ratio([i for i, _ in ends], [j for _, j in ends])}


def _places(ranking: Ranking) -> list[int]:
    """Place on the screen of each response; empty when the order is not known."""
    number = len(ranking.ranks)
    if number < 2 or len(ranking.names) != number:  # noqa: PLR2004 - a pair
        raise ValueError("a ranking needs at least two responses, each with a name and a rank")
    if ranking.lengths and len(ranking.lengths) != number:
        raise ValueError("`lengths` must have one entry a response")
    if not 0 <= ranking.weight <= MOST_WEIGHT:
        raise ValueError(f"a `weight` must be a number from 0 to {MOST_WEIGHT:g}")
    if ranking.both_bad and len(set(ranking.ranks)) > 1:
        raise ValueError("`both_bad` says that no response will do, but the ranks differ")
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
