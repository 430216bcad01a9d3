"""How well scores tell what labelers prefer: accuracy, calibration, and what explains them.

Everything is computed from the scores and the labeled comparisons alone. Each vote is one
labeler's decided pair; intervals treat votes on one prompt, and votes of one labeler, as alike.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from accord.config import InputError
from accord.data.preferences import pair_votes
from accord.functional import preference
from accord.ratings import agreement, intervals
from accord.ratings.votes import Ranking, from_rankings
from accord.records import LabeledComparison
from accord.runtime.judged_votes import (
    JudgedVotes,
    Mask,
    Numbers,
    Reading,
    as_json,
    judged_votes,
    mean,
    rate,
    resampled,
    words_of,
)

__all__ = ["Reading", "evaluate", "held_out_metrics"]

MARGINS = (0.0, 0.5, 1.0, 2.0, math.inf)  # nats; σ gives 50, 62, 73, 88, 100 %
LENGTHS = (-1.0, -0.5, -0.1, 0.1, 0.5, 1.0)  # (better − worse) / longer
MATCHED = 0.1  # of the longer: lengths that differ by less are alike
QUARTERS = 4
MOST_KINDS = 60  # of prompts; more are no kinds


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
    votes = judged_votes(comparisons, scores, minimum_strength=reading.minimum_strength)
    if not len(votes):
        raise InputError("the held-out comparisons hold no decided vote; give others")
    unequal = votes.where(votes.better != votes.worse)
    alike = votes.where(np.abs(votes.length_difference()) <= MATCHED)
    return {
        "accuracy": rate(votes, votes.right(), reading),
        "majority_accuracy": _majority(comparisons, scores, reading),
        "ceiling": _ceiling(comparisons, reading),
        "log_loss": float(_log_losses(votes).mean()),
        **_calibration(votes, reading),
        "length_correlation": _length_correlation(comparisons, scores),
        "longer_wins": rate(unequal, unequal.longer(), reading),
        "length_matched": rate(alike, alike.right(), reading),
        **_slices(votes, reading),
        "comparisons": len(comparisons),
        "labelers": len(set(votes.labeler)),
    }


def held_out_metrics(evaluation: dict[str, Any]) -> dict[str, float]:
    """The few numbers of an evaluation that go to the metrics log after every epoch."""
    return {
        "held_out/accuracy": evaluation["accuracy"]["value"],
        "held_out/log_loss": evaluation["log_loss"],
        "held_out/brier": evaluation["brier"],
        "held_out/ece": evaluation["ece"]["value"],
    }


def _slices(votes: JudgedVotes, reading: Reading) -> dict[str, Any]:
    """Accuracy by what might explain it."""

    def of(keep: Mask) -> dict[str, Any] | None:
        part = votes.where(keep)
        return rate(part, part.right(), reading)

    kinds = sorted(set(votes.kind))
    return {
        "by_margin": _spans(np.abs(votes.margin), MARGINS, of),
        "by_length_difference": _spans(votes.length_difference(), LENGTHS, of),
        "by_score": _spans(votes.level, _quarters(votes.level), of),
        "by_turn": [
            {"turn": int(turn), **(of(votes.turns == turn) or {})}
            for turn in sorted(set(votes.turns.tolist()))
        ],
        "by_strength": [
            {"strength": int(strength) or None, **(of(votes.strength == strength) or {})}
            for strength in sorted(set(votes.strength.tolist()))
        ],
        "by_kind": [
            {"kind": kind, **(of(votes.kind == kind) or {})}
            for kind in (kinds if 1 < len(kinds) <= MOST_KINDS else [])
        ],
    }


def _spans(values: Numbers, edges: Sequence[float], of: Any) -> list[dict[str, Any]]:
    """Accuracy between neighbouring edges; the last span holds its upper end."""
    rows = []
    for low, high in itertools.pairwise(edges):
        is_last = high == edges[-1]
        found = of((values >= low) & ((values <= high) if is_last else (values < high)))
        if found:
            rows.append({"from": _end(low), "to": _end(high), **found})
    return rows


def _quarters(values: Numbers) -> list[float]:
    """Edges of four parts of about equal size; fewer where values repeat."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, QUARTERS + 1)))
    return [float(edge) for edge in edges]


def _end(value: float) -> float | None:
    return None if math.isinf(value) else value


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
                prompts.append(words_of(labeled))
    if not right:
        return None
    return as_json(intervals.clustered_rate(right, prompts, reading.confidence))


def _ceiling(comparisons: Sequence[LabeledComparison], reading: Reading) -> dict[str, Any] | None:
    """The best accuracy that the labelers' agreement allows; None when no pair has two votes."""
    rankings = [
        Ranking(
            names=tuple(str(i) for i in range(len(p.ranks))),
            ranks=p.ranks,
            labeler=p.labeler,
            prompt=words_of(labeled),
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


def _calibration(votes: JudgedVotes, reading: Reading) -> dict[str, Any]:
    """Is a promised accuracy kept? The promise is σ(|margin|), the outcome whether it was right.

    Source: Bai et al. 2022, arXiv:2204.05862, section 3.3: predicted accuracy 1/(1 + e^−Δ).
    """
    # No promise is below one half, so that only the upper half of the bins is ever used.
    bins = 2 * reading.bins
    promised, right = _promise(votes)
    predicted, _, count = preference.reliability(promised, right, bins=bins)
    place = (promised * bins).long().clamp(0, bins - 1).numpy()
    diagram = []
    for number in range(bins):
        part = votes.where(place == number)
        found = rate(part, part.right(), reading)
        if found is not None:
            diagram.append(
                {
                    "predicted": float(predicted[number]),
                    "observed": found["value"],
                    "low": found["low"],
                    "high": found["high"],
                    "n": int(count[number]),
                }
            )

    def error(some: JudgedVotes) -> float:
        return float(preference.expected_calibration_error(*_promise(some), bins=bins))

    return {
        "brier": float(preference.brier(promised, right)),
        "ece": resampled(votes, error, reading),
        "reliability": diagram,
        "temperature": temperature(votes),
        "uncertainty": _uncertainty(votes, reading) if reading.draws else None,
    }


def temperature(votes: JudgedVotes) -> float:
    """By what margins would have to be divided to be calibrated."""
    margin = torch.from_numpy(votes.margin)
    return preference.fit_temperature(margin, torch.ones_like(margin))


def _uncertainty(votes: JudgedVotes, reading: Reading) -> dict[str, Any]:
    """The same numbers with their intervals."""
    promised, right = _promise(votes)
    return {
        "log_loss": mean(votes, _log_losses(votes), reading),
        "brier": mean(votes, ((promised - right) ** 2).numpy(), reading),
        "temperature": resampled(votes, temperature, reading),
    }


def _promise(votes: JudgedVotes) -> tuple[torch.Tensor, torch.Tensor]:
    promised = torch.sigmoid(torch.from_numpy(np.abs(votes.margin)))
    return promised, torch.from_numpy(votes.right())


def _log_losses(votes: JudgedVotes) -> Numbers:
    """−log σ(margin) of each vote, nats."""
    return np.logaddexp(0.0, -votes.margin)


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
