"""What labelers said beside what a preference model says: one row a decided vote.

Votes on one prompt share the responses and much of the luck, votes of one labeler the taste, so
every interval allows for both: ``accord.ratings.two_way``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.data.preferences import pair_votes
from accord.ratings import intervals
from accord.ratings.two_way import two_way_mean, two_way_rate
from accord.records import LabeledComparison

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
FEWEST_LABELERS = 3  # whose votes are resampled; two always resample to themselves or one of them


@dataclass(frozen=True)
class Reading:
    """How to evaluate.

    Attributes:
        confidence: of every interval.
        bins: of the reliability diagram, between probabilities .5 and 1.
        minimum_strength: weaker votes are left out, as in training.
        seed: of the bootstrap.
        draws: of the bootstrap, for what is no mean of votes; 0 leaves those intervals out.
    """

    confidence: float = 0.95
    bins: int = 5
    minimum_strength: int = 1
    seed: int = 0
    draws: int = 500


@dataclass(frozen=True, eq=False)
class JudgedVotes:
    """Votes as columns, one entry a decided vote on two responses.

    Attributes:
        margin: score of the better less score of the worse response, nats.
        level: mean of the two scores, nats; only differences of one model mean anything.
        better: characters of the response that was preferred.
        worse: characters of the other.
        turns: user messages in the prompt.
        strength: 1 hardly better, 4 far better; 0 when not said.
        prompt: its words, and so what votes on one prompt are clustered by.
        labeler: who voted.
        kind: of the prompt, as its record says.
    """

    margin: Numbers
    level: Numbers
    better: Numbers
    worse: Numbers
    turns: NDArray[np.int64]
    strength: NDArray[np.int64]
    prompt: NDArray[Any]
    labeler: NDArray[Any]
    kind: NDArray[Any]

    def __len__(self) -> int:
        return len(self.margin)

    def where(self, keep: Mask | NDArray[np.int64]) -> "JudgedVotes":
        """Some of the votes, by mask or by number; numbers may repeat."""
        return replace(self, **{one.name: getattr(self, one.name)[keep] for one in fields(self)})

    def right(self) -> Numbers:
        """1 where the scores agree with the vote, .5 where they are equal, 0 elsewhere."""
        return _above_zero(self.margin)

    def longer(self) -> Numbers:
        """1 where the better response is the longer, .5 where they are equal, 0 elsewhere."""
        return _above_zero(self.better - self.worse)

    def length_difference(self) -> Numbers:
        """(better − worse) / longer of the two, in [−1, 1]; 0 for two empty responses."""
        return (self.better - self.worse) / np.maximum(np.maximum(self.better, self.worse), 1)


def judged_votes(
    comparisons: Sequence[LabeledComparison],
    scores: Sequence[Sequence[float]],
    *,
    minimum_strength: int = 1,
) -> JudgedVotes:
    """Every decided vote on every two responses.

    Args:
        comparisons: with their preferences.
        scores: of each response of each comparison, in nats.
        minimum_strength: weaker votes are left out.
    """
    rows: list[tuple[float, float, int, int, int, int, str, str, str]] = []
    for labeled, score in zip(comparisons, scores, strict=True):
        lengths = [len(response.text) for response in labeled.comparison.responses]
        prompt = labeled.comparison.prompt
        turns = sum(message.role == "user" for message in prompt.messages)
        words = words_of(labeled)
        for vote in pair_votes(labeled, minimum_strength=minimum_strength):
            high, low = score[vote.better], score[vote.worse]
            sizes = lengths[vote.better], lengths[vote.worse]
            who = (words, vote.labeler, prompt.kind)
            rows.append((high - low, (high + low) / 2, *sizes, turns, vote.strength or 0, *who))
    kinds = [float, float, float, float, np.int64, np.int64, object, object, object]
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    made = [np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)]
    return JudgedVotes(*made)


def words_of(labeled: LabeledComparison) -> str:
    """Prompts are the same when their words are, whatever their ids."""
    return "\0".join(message.content for message in labeled.comparison.prompt.messages)


def rate(votes: JudgedVotes, values: Numbers, reading: Reading) -> dict[str, Any] | None:
    """A rate over votes with its interval; None without votes."""
    if not len(votes):
        return None
    return as_json(two_way_rate(values, *_ways(votes), reading.confidence))


def mean(votes: JudgedVotes, values: Numbers, reading: Reading) -> dict[str, Any]:
    """The mean of any number over votes with its interval."""
    return as_json(two_way_mean(values, *_ways(votes), reading.confidence))


def resampled(
    votes: JudgedVotes, statistic: Callable[[JudgedVotes], float], reading: Reading
) -> dict[str, Any]:
    """A statistic that is no mean of votes, with a bootstrap interval.

    Whole prompts are drawn with replacement, and then whole labelers, where there are three or
    more; the interval holds both.
    """
    ends: list[float] = []
    ways = (votes.prompt, votes.labeler)
    for way in ways[: 1 + (len(set(votes.labeler)) >= FEWEST_LABELERS)]:
        draws = intervals.bootstrap(
            lambda rows: statistic(votes.where(rows)),
            _coded(way),
            draws=reading.draws,
            seed=reading.seed,
        )
        ends += intervals.percentile_interval(draws, reading.confidence)
    return {"value": statistic(votes), "low": min(ends), "high": max(ends), "n": len(votes)}


def as_json(estimate: intervals.Estimate) -> dict[str, Any]:
    """An estimate as artifacts write it; an end that is not finite is null."""
    low, high = (end if np.isfinite(end) else None for end in (estimate.low, estimate.high))
    return {"value": estimate.mean, "low": low, "high": high, "n": estimate.n}


def _ways(votes: JudgedVotes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Prompts and labelers as numbers; too few labelers say nothing and count as one."""
    labelers = _coded(votes.labeler)
    if labelers.max(initial=0) + 1 < FEWEST_LABELERS:
        labelers = np.zeros_like(labelers)
    return _coded(votes.prompt), labelers


def _coded(names: NDArray[Any]) -> NDArray[np.int64]:
    places: dict[str, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in names], dtype=np.int64)


def _above_zero(values: Numbers) -> Numbers:
    return np.asarray((values > 0) + 0.5 * (values == 0), dtype=np.float64)
