"""Splits that never move, and checks that nothing held out was trained on.

    test  if  sha256(seed, text) / 2^64 < fraction

Where a text goes depends on nothing but itself, the seed and the fraction: data that arrive later
do not move what was split before, and every response to one prompt lands on one side.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_WORD = re.compile(r"\w+")
SHINGLE = 3  # words


def split_of(text: str, *, fraction: float, seed: int = 0) -> Literal["train", "test"]:
    """Which side of the split a text is on.

    Args:
        text: what must stay together, usually the rendered prompt; compared as ``normalised``.
        fraction: share of texts on the test side, in [0, 1].
        seed: another seed, another split.
    """
    key = f"{seed}\0{normalised(text)}".encode()
    number = int.from_bytes(hashlib.sha256(key).digest()[:8], "big")
    return "test" if number < fraction * 2**64 else "train"


def normalised(text: str) -> str:
    """Lower case, words only, single spaces: texts that a person would call the same.

    >>> normalised("  What's 2+2 ?")
    'what s 2 2'
    """
    return " ".join(_WORD.findall(text.lower()))


@dataclass(frozen=True)
class NearDuplicate:
    """A test text that is almost a training text.

    Attributes:
        train: index into the training texts, the most similar one.
        test: index into the test texts.
        similarity: Jaccard similarity of their three-word shingles, in (0, 1].
    """

    train: int
    test: int
    similarity: float


def near_duplicates(
    train: Sequence[str], test: Sequence[str], *, threshold: float = 0.8
) -> list[NearDuplicate]:
    """Test texts whose shingles overlap with those of a training text.

        J(A, B) = |A ∩ B| / |A ∪ B|

    Args:
        train: texts that were trained on.
        test: texts that should be new.
        threshold: least Jaccard similarity that counts, in (0, 1].

    Returns:
        At most one for each test text, in their order.

    Source: Broder 1997, "On the resemblance and containment of documents".
    """
    train_shingles = [_shingles(text) for text in train]
    holders: dict[str, list[int]] = defaultdict(list)
    for index, shingles in enumerate(train_shingles):
        for shingle in shingles:
            holders[shingle].append(index)
    found = []
    for index, text in enumerate(test):
        shingles = _shingles(text)
        shared: dict[int, int] = defaultdict(int)
        for shingle in shingles:
            for holder in holders.get(shingle, ()):
                shared[holder] += 1
        best = max(
            ((n / (len(shingles) + len(train_shingles[i]) - n), -i) for i, n in shared.items()),
            default=(0.0, 0),
        )
        if best[0] >= threshold:
            found.append(NearDuplicate(train=-best[1], test=index, similarity=best[0]))
    return found


@dataclass(frozen=True)
class Leaks:
    """Held-out texts that training has seen.

    Attributes:
        same: indexes of held-out texts that are, as ``normalised``, training texts.
        near: held-out texts that are nearly so, and not among the same.
    """

    same: tuple[int, ...]
    near: tuple[NearDuplicate, ...]

    @property
    def indexes(self) -> frozenset[int]:
        """All of them."""
        return frozenset(self.same) | {one.test for one in self.near}


def leaks(train: Sequence[str], test: Sequence[str], *, threshold: float = 0.8) -> Leaks:
    """Which held-out texts leaked into training, exactly or nearly.

    Args:
        train: texts that were trained on.
        test: texts that should be new.
        threshold: as for ``near_duplicates``.

    >>> found = leaks(["What is two and two?"], ["what is two AND two", "And three?"])
    >>> found.same, found.near
    ((0,), ())
    """
    known = {normalised(text) for text in train}
    same = tuple(i for i, text in enumerate(test) if normalised(text) in known)
    is_same = set(same)
    rest = [i for i in range(len(test)) if i not in is_same]
    distinct = list(dict.fromkeys(train))
    found = near_duplicates(distinct, [test[i] for i in rest], threshold=threshold)
    first = {text: train.index(text) for text in {distinct[one.train] for one in found}}
    near = (
        NearDuplicate(first[distinct[one.train]], rest[one.test], one.similarity) for one in found
    )
    return Leaks(same, tuple(near))


def _shingles(text: str) -> set[str]:
    words = normalised(text).split()
    if len(words) < SHINGLE:
        return {" ".join(words)} if words else set()
    return {" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}
