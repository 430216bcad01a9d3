"""What a preference can be guessed from without understanding: length, and single words.

A preference model that does not beat both has learnt nothing about people.

    longer wins     the response with more characters; equal lengths count half
    bag of words    P(a beats b) = σ(w · (x_a − x_b)),  x = ln(1 + count of each word)
                    w minimises  Σ −ln σ(w · (x_chosen − x_rejected)) + l2 |w|² / 2
    tf-idf          the same with  x ∝ ln(1 + count) · (1 + ln((1 + n) / (1 + n_word))),  |x| = 1
                    n responses, of which n_word hold the word

Source: logistic regression on differences is the Bradley-Terry model with covariates (Springall
1973); the weights of rare words are those of Salton and Buckley 1988, smoothed. Nothing here is
fitted on test pairs, the vocabulary included.
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
    place: tuple[int, int, int] = (0, 0, 0)  #: numbers of the comparison and of its responses


def decided_pairs(labeled: Sequence[LabeledComparison]) -> list[Pair]:
    """Every two responses of every comparison of which a majority preferred one."""
    found = []
    for number, one in enumerate(labeled):
        table, responses = wins(one), one.comparison.responses
        for i, better in enumerate(responses):
            for j, worse in enumerate(responses):
                if table[i][j] > table[j][i]:
                    prompt, place = one.comparison.prompt.id, (number, i, j)
                    found.append(Pair(prompt, better.text, worse.text, place))
    return found


def longer_wins(pairs: Sequence[Pair], confidence: float = 0.95) -> Estimate:
    """How often the longer response is the preferred one, clustered by prompt."""
    return share_right(pairs, longer_margins(pairs), confidence)


def longer_margins(pairs: Sequence[Pair]) -> Vector:
    """Characters of the preferred response beyond those of the other."""
    return np.array([len(pair.chosen) - len(pair.rejected) for pair in pairs], dtype=np.float64)


def share_right(pairs: Sequence[Pair], margins: Vector, confidence: float = 0.95) -> Estimate:
    """How often a margin is above 0, clustered by prompt; 0 counts half."""
    return clustered_rate(rights(margins), [pair.prompt for pair in pairs], confidence)


def rights(margins: Vector) -> Vector:
    """1 for a margin above 0, 0 for one below, a half for a tie."""
    return np.asarray((margins > 0) + 0.5 * (margins == 0), dtype=np.float64)


@dataclass(frozen=True)
class BagOfWords:
    """A weight for each word, in nats of log odds per unit of its x."""

    places: dict[str, int]  #: word -> index of its weight
    weights: Vector
    rarity: Vector | None = None  #: 1 + ln((1 + n) / (1 + n_word)); None leaves x as counts

    def margins(self, pairs: Sequence[Pair]) -> Vector:
        """w · (x_chosen − x_rejected), nats."""
        return np.asarray(_differences(pairs, self.places, self.rarity) @ self.weights)

    def accuracy(self, pairs: Sequence[Pair], confidence: float = 0.95) -> Estimate:
        """How often it puts the preferred response first, clustered by prompt."""
        return share_right(pairs, self.margins(pairs), confidence)


def fit_bag_of_words(pairs: Sequence[Pair], *, l2: float = L2) -> BagOfWords:
    """Fit the weights on training pairs.

    Args:
        pairs: at least one.
        l2: strength of the prior; 1 / variance of each weight.
    """
    places, _ = _vocabulary(pairs)
    return BagOfWords(places, _fitted(_differences(pairs, places, None), l2))


def fit_tf_idf(pairs: Sequence[Pair], *, l2: float = L2) -> BagOfWords:
    """The same with rare words weighing more and every response as long as any other.

    Args:
        pairs: at least one.
        l2: strength of the prior; 1 / variance of each weight.
    """
    places, holders = _vocabulary(pairs)
    rarity = 1 + np.log((1 + 2 * len(pairs)) / (1 + holders))
    return BagOfWords(places, _fitted(_differences(pairs, places, rarity), l2), rarity)


def _vocabulary(pairs: Sequence[Pair]) -> tuple[dict[str, int], Vector]:
    """The words that are frequent enough, and in how many responses each is."""
    counts = Counter(
        word
        for pair in pairs
        for text in (pair.chosen, pair.rejected)
        for word in set(_words(text))
    )
    frequent = sorted(word for word, n in counts.most_common(MOST_WORDS) if n >= FEWEST)
    holders = np.array([counts[word] for word in frequent], dtype=np.float64)
    return {word: place for place, word in enumerate(frequent)}, holders


def _fitted(x: sparse.csr_array, l2: float) -> Vector:
    def objective(w: Vector) -> tuple[float, Vector]:
        margins = x @ w
        loss = np.logaddexp(0.0, -margins).sum() + l2 * (w @ w) / 2
        return float(loss), l2 * w - x.T @ expit(-margins)

    solution = optimize.minimize(
        objective,
        np.zeros(x.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MOST_ITERATIONS},
    )
    return np.asarray(solution.x, dtype=np.float64)


def _differences(
    pairs: Sequence[Pair], places: dict[str, int], rarity: Vector | None
) -> sparse.csr_array:
    chosen = _table([pair.chosen for pair in pairs], places, rarity)
    return chosen - _table([pair.rejected for pair in pairs], places, rarity)


def _table(texts: Sequence[str], places: dict[str, int], rarity: Vector | None) -> sparse.csr_array:
    data: list[float] = []
    columns: list[int] = []
    starts = [0]
    for text in texts:
        counts = Counter(word for word in _words(text) if word in places)
        found = [places[word] for word in sorted(counts)]
        values = np.log1p([float(counts[word]) for word in sorted(counts)])
        if rarity is not None and found:
            values = values * rarity[found]
            values = values / np.sqrt(values @ values)
        columns += found
        data += values.tolist()
        starts.append(len(columns))
    shape = (len(texts), len(places))
    return sparse.csr_array((data, columns, starts), shape=shape, dtype=np.float64)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
