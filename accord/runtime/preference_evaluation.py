"""How well scores tell what labelers prefer: accuracy, calibration, and what explains them.

Everything is computed from the scores and the labeled comparisons alone. Each vote is one
labeler's decided pair; intervals treat the prompt as the cluster, because votes on one prompt
share the responses and much of the luck.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from accord.config import InputError
from accord.data.preferences import pair_votes
from accord.functional import preference
from accord.ratings import agreement, intervals
from accord.ratings.votes import Ranking, from_rankings
from accord.records import LabeledComparison

MARGINS = (0.0, 0.5, 1.0, 2.0, math.inf)  # nats; σ gives 50, 62, 73, 88, 100 %


@dataclass(frozen=True)
class Evaluated:
    """Votes as columns, one entry a vote.

    Attributes:
        margin: score of the better less score of the worse response, nats.
        longer: 1 where the better response is the longer, 0 where the shorter, .5 if equal.
        turns: user messages in the prompt.
        prompt: what the votes are clustered by.
    """

    margin: torch.Tensor
    longer: torch.Tensor
    turns: list[int]
    prompt: list[str]

    def right(self) -> torch.Tensor:
        """1 where the scores agree with the vote, .5 where they are equal, 0 elsewhere."""
        return (self.margin > 0).double() + 0.5 * (self.margin == 0).double()


@dataclass(frozen=True)
class Reading:
    """How to evaluate.

    Attributes:
        confidence: of every interval.
        bins: of the reliability diagram, between probabilities .5 and 1.
        minimum_strength: weaker votes are left out, as in training.
        seed: of the bootstrap.
        draws: of the bootstrap, which gives the calibration error its interval.
    """

    confidence: float = 0.95
    bins: int = 5
    minimum_strength: int = 1
    seed: int = 0
    draws: int = 500


def evaluate(
    comparisons: Sequence[LabeledComparison],
    scores: Sequence[Sequence[float]],
    reading: Reading,
) -> dict[str, Any]:
    """Everything that is said about a preference model, ready for ``evaluation.json``.

    Args:
        comparisons: held-out comparisons.
        scores: of each response of each comparison, in nats.
        reading: how.

    Raises:
        InputError: no vote is decided.
    """
    votes = _columns(comparisons, scores, reading.minimum_strength)
    if not votes.prompt:
        raise InputError("the held-out comparisons hold no decided vote; give others")

    def rate(values: torch.Tensor, keep: torch.Tensor | None = None) -> dict[str, Any] | None:
        chosen = torch.ones(len(values), dtype=torch.bool) if keep is None else keep
        if not bool(chosen.any()):
            return None
        clusters = [p for p, kept in zip(votes.prompt, chosen.tolist(), strict=True) if kept]
        return _estimate(
            intervals.clustered_rate(values[chosen].numpy(), clusters, reading.confidence)
        )

    turns = torch.tensor(votes.turns)
    return {
        "accuracy": rate(votes.right()),
        "majority_accuracy": _majority(comparisons, scores, reading),
        "ceiling": _ceiling(comparisons, reading),
        "log_loss": float(torch.nn.functional.softplus(-votes.margin).mean()),
        **_calibration(votes, rate, reading),
        "length_correlation": _length_correlation(comparisons, scores),
        "longer_wins": rate(votes.longer, votes.longer != 0.5),  # noqa: PLR2004 - equal length
        "by_margin": [
            {"from": low, "to": None if math.isinf(high) else high, **found}
            for low, high in itertools.pairwise(MARGINS)
            if (found := rate(votes.right(), _between(votes.margin.abs(), low, high)))
        ],
        "by_turn": [
            {"turn": turn, **(rate(votes.right(), turns == turn) or {})}
            for turn in sorted(set(votes.turns))
        ],
        "comparisons": len(comparisons),
    }


def held_out_metrics(evaluation: dict[str, Any]) -> dict[str, float]:
    """The few numbers of an evaluation that go to the metrics log after every epoch."""
    return {
        "held_out/accuracy": evaluation["accuracy"]["value"],
        "held_out/log_loss": evaluation["log_loss"],
        "held_out/brier": evaluation["brier"],
        "held_out/ece": evaluation["ece"]["value"],
    }


Rate = Callable[..., dict[str, Any] | None]


def _columns(
    comparisons: Sequence[LabeledComparison],
    scores: Sequence[Sequence[float]],
    minimum_strength: int,
) -> Evaluated:
    margin, longer, turns, prompts = [], [], [], []
    for labeled, score in zip(comparisons, scores, strict=True):
        lengths = [len(response.text) for response in labeled.comparison.responses]
        messages = labeled.comparison.prompt.messages
        for vote in pair_votes(labeled, minimum_strength=minimum_strength):
            difference = lengths[vote.better] - lengths[vote.worse]
            margin.append(score[vote.better] - score[vote.worse])
            longer.append(0.5 if difference == 0 else float(difference > 0))
            turns.append(sum(message.role == "user" for message in messages))
            prompts.append(_cluster(labeled))
    return Evaluated(
        torch.tensor(margin, dtype=torch.float64),
        torch.tensor(longer, dtype=torch.float64),
        turns,
        prompts,
    )


def _cluster(labeled: LabeledComparison) -> str:
    """Prompts are the same when their words are, whatever their ids."""
    return "\0".join(message.content for message in labeled.comparison.prompt.messages)


def _majority(
    comparisons: Sequence[LabeledComparison],
    scores: Sequence[Sequence[float]],
    reading: Reading,
) -> dict[str, Any] | None:
    """Accuracy against what most labelers said of each pair that has a majority."""
    right, prompts = [], []
    for labeled, score in zip(comparisons, scores, strict=True):
        balance: dict[tuple[int, int], int] = defaultdict(int)
        for vote in pair_votes(labeled, minimum_strength=reading.minimum_strength):
            first, second = sorted((vote.better, vote.worse))
            balance[first, second] += 1 if vote.better == first else -1
        for (first, second), votes in balance.items():
            if votes:
                margin = (score[first] - score[second]) * votes
                right.append(0.5 if margin == 0 else float(margin > 0))
                prompts.append(_cluster(labeled))
    if not right:
        return None
    return _estimate(intervals.clustered_rate(right, prompts, reading.confidence))


def _ceiling(comparisons: Sequence[LabeledComparison], reading: Reading) -> dict[str, Any] | None:
    """The best accuracy that the labelers' agreement allows; None when no pair has two votes."""
    rankings = [
        Ranking(
            names=tuple(str(i) for i in range(len(p.ranks))),
            ranks=p.ranks,
            labeler=p.labeler,
            prompt=_cluster(labeled),
            comparison=labeled.comparison.id,
        )
        for labeled in comparisons
        for p in labeled.preferences
        if p.strength is None or p.strength >= reading.minimum_strength
    ]
    try:
        return dict(agreement.accuracy_ceiling(from_rankings(rankings))._asdict())
    except ValueError:
        return None


def _calibration(votes: Evaluated, rate: Rate, reading: Reading) -> dict[str, Any]:
    """Is a promised accuracy kept? The promise is σ(|margin|), the outcome whether it was right.

    Source: Bai et al. 2022, arXiv:2204.05862, section 3.3: predicted accuracy 1/(1 + e^−Δ).
    """
    promised, right = torch.sigmoid(votes.margin.abs()), votes.right()
    # No promise is below one half, so that only the upper half of the bins is ever used.
    bins = 2 * reading.bins
    predicted, observed, count = preference.reliability(promised, right, bins=bins)
    place = (promised * bins).long().clamp(0, bins - 1)
    diagram = []
    for number in range(bins):
        found = rate(right, place == number)
        if found is not None:
            diagram.append(
                {
                    "predicted": float(predicted[number]),
                    "observed": float(observed[number]),
                    "low": found["low"],
                    "high": found["high"],
                    "n": int(count[number]),
                }
            )

    def error(rows: Any) -> float:
        return float(preference.expected_calibration_error(promised[rows], right[rows], bins=bins))

    draws = intervals.bootstrap(error, votes.prompt, draws=reading.draws, seed=reading.seed)
    low, high = intervals.percentile_interval(draws, reading.confidence)
    value = error(torch.arange(len(right)))
    return {
        "brier": float(preference.brier(promised, right)),
        "ece": {"value": value, "low": low, "high": high, "n": len(right)},
        "reliability": diagram,
        "temperature": preference.fit_temperature(votes.margin, torch.ones_like(votes.margin)),
    }


def _length_correlation(
    comparisons: Sequence[LabeledComparison], scores: Sequence[Sequence[float]]
) -> float | None:
    """Pearson correlation of score and characters, both less their mean within the comparison."""
    score: list[float] = []
    length: list[float] = []
    for labeled, row in zip(comparisons, scores, strict=True):
        sizes = [len(response.text) for response in labeled.comparison.responses]
        score += [value - sum(row) / len(row) for value in row]
        length += [size - sum(sizes) / len(sizes) for size in sizes]
    x, y = np.array(score), np.array(length)
    spread = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / spread if spread > 0 else None


def _between(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return (values >= low) & (values < high)


def _estimate(estimate: intervals.Estimate) -> dict[str, Any]:
    return {
        "value": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
    }
