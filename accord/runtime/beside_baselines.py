"""A preference model beside rules that know no people, on the same pairs: is it any better?

Every pair of responses of which more labelers preferred one counts once. The gain over a rule is a
mean of differences on the same pairs, so that hard pairs, which both get wrong, do not blur it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accord.data.text_baselines import (
    BagOfWords,
    Pair,
    decided_pairs,
    fit_bag_of_words,
    fit_tf_idf,
    longer_margins,
    rights,
    share_right,
)
from accord.ratings.intervals import clustered_mean
from accord.records import LabeledComparison
from accord.runtime.judged_votes import Numbers, as_json

FEWEST_PAIRS = 20  # to fit words on; with fewer, a baseline would say nothing


@dataclass(frozen=True)
class TextRules:
    """Rules that read words, fitted on training pairs; none where there are too few."""

    words: dict[str, BagOfWords]
    train_pairs: int


def fit_rules(train: Sequence[LabeledComparison]) -> TextRules:
    """Fit every rule that reads words."""
    pairs = decided_pairs(train)
    if len(pairs) < FEWEST_PAIRS:
        return TextRules({}, len(pairs))
    fitted = {"bag_of_words": fit_bag_of_words(pairs), "tf_idf": fit_tf_idf(pairs)}
    return TextRules(fitted, len(pairs))


def beside_baselines(
    comparisons: Sequence[LabeledComparison],
    scores: Sequence[Sequence[float]],
    rules: TextRules,
    confidence: float,
) -> dict[str, Any] | None:
    """Accuracy of the model and of each rule, and the model's gain over it.

    Args:
        comparisons: held out.
        scores: of each response of each comparison.
        rules: fitted on other comparisons.
        confidence: of every interval, clustered by prompt.

    Returns:
        ``{"pairs", "train_pairs", "model": rate, "longer_wins": {"accuracy": rate, "gain": mean},
        ...}``; None where no pair has a majority.
    """
    pairs = decided_pairs(comparisons)
    if not pairs:
        return None
    margins = _margins(pairs, scores)
    rows = {"longer_wins": longer_margins(pairs)}
    rows |= {name: words.margins(pairs) for name, words in rules.words.items()}
    return {
        "pairs": len(pairs),
        "train_pairs": rules.train_pairs,
        "model": as_json(share_right(pairs, margins, confidence)),
    } | {
        name: {
            "accuracy": as_json(share_right(pairs, found, confidence)),
            "gain": as_json(
                clustered_mean(
                    rights(margins) - rights(found), [pair.prompt for pair in pairs], confidence
                )
            ),
        }
        for name, found in rows.items()
    }


def _margins(pairs: Sequence[Pair], scores: Sequence[Sequence[float]]) -> Numbers:
    return np.array(
        [scores[c][better] - scores[c][worse] for c, better, worse in (p.place for p in pairs)]
    )
