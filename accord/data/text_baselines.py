"""What a preference can be guessed from without understanding: length, and single words.

A preference model that does not beat both has learnt nothing about people.

    longer wins     the response with more characters; equal lengths count half
    bag of words    P(a beats b) = σ(w · (x_a − x_b)),  x = ln(1 + count of each word)
                    w minimises  Σ −ln σ(w · (x_chosen − x_rejected)) + l2 |w|² / 2

Source: logistic regression on differences is the Bradley-Terry model with covariates (Springall
1973). Nothing here is fitted on test pairs, the vocabulary included.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, sparse
from scipy.special import expit

from accord.data.preferences import wins
from accord.ratings.intervals import Estimate, clustered_rate
from accord.records import LabeledComparison

FEWEST = 3  # responses that hold a word; rarer ones are noise
MOST_WORDS = 5_000  # the most frequent ones are kept
MOST_ITERATIONS = 200  # of the optimiser; the loss hardly moves long before
L2 = 1.0  # the customary strength; accuracy hardly depends on it

_WORD = re.compile(r"\w+|[^\w\s]")
Vector = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Pair:
    """Two responses of which more labelers preferred the first."""

    prompt: str  #: id; pairs of one prompt are alike
    chosen: str
    rejected: str


def decided_pairs(labeled: Sequence[LabeledComparison]) -> list[Pair]:
    """Every two responses of every comparison of which a majority preferred one."""
    found = []
    for one in labeled:
        table, responses = wins(one), one.comparison.responses
        for i, better in enumerate(responses):
            for j, worse in enumerate(responses):
                if table[i][j] > table[j][i]:
                    found.append(Pair(one.comparison.prompt.id, better.text, worse.text))
    return found


def longer_wins(pairs: Sequence[Pair], confidence: float = 0.95) -> Estimate:
    """How often the longer response is the preferred one, clustered by prompt."""
    right = np.array([_sign(len(pair.chosen) - len(pair.rejected)) for pair in pairs])
    return clustered_rate(right, [pair.prompt for pair in pairs], confidence)


@dataclass(frozen=True)
class BagOfWords:
    """A weight for each word, in nats of log odds per ln(1 + count)."""

    places: dict[str, int]  #: word -> index of its weight
    weights: Vector

    def accuracy(self, pairs: Sequence[Pair], confidence: float = 0.95) -> Estimate:
        """How often it puts the preferred response first, clustered by prompt."""
        margins = _differences(pairs, self.places) @ self.weights
        right = np.array([_sign(margin) for margin in margins])
        return clustered_rate(right, [pair.prompt for pair in pairs], confidence)


def fit_bag_of_words(pairs: Sequence[Pair], *, l2: float = L2) -> BagOfWords:
    """Fit the weights on training pairs.

    Args:
        pairs: at least one.
        l2: strength of the prior; 1 / variance of each weight.
    """
    counts = Counter(
        word
        for pair in pairs
        for text in (pair.chosen, pair.rejected)
        for word in set(_words(text))
    )
    frequent = [word for word, n in counts.most_common(MOST_WORDS) if n >= FEWEST]
    places = {word: place for place, word in enumerate(sorted(frequent))}
    x = _differences(pairs, places)

    def objective(w: Vector) -> tuple[float, Vector]:
        margins = x @ w
        loss = np.logaddexp(0.0, -margins).sum() + l2 * (w @ w) / 2
        return float(loss), l2 * w - x.T @ expit(-margins)

    solution = optimize.minimize(
        objective,
        np.zeros(len(places)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MOST_ITERATIONS},
    )
    return BagOfWords(places, np.asarray(solution.x, dtype=np.float64))


def _differences(pairs: Sequence[Pair], places: dict[str, int]) -> sparse.csr_array:
    data: list[float] = []
    columns: list[int] = []
    starts = [0]
    for pair in pairs:
        chosen, rejected = Counter(_words(pair.chosen)), Counter(_words(pair.rejected))
        for word in sorted(chosen.keys() | rejected.keys()):
            if word in places and chosen[word] != rejected[word]:
                columns.append(places[word])
                data.append(float(np.log1p(chosen[word]) - np.log1p(rejected[word])))
        starts.append(len(columns))
    shape = (len(pairs), len(places))
    return sparse.csr_array((data, columns, starts), shape=shape, dtype=np.float64)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _sign(difference: float) -> float:
    """1 for above 0, 0 for below, a half for a tie."""
    return 0.5 if difference == 0 else float(difference > 0)
