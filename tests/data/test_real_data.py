"""Readers against public data, where the folder is there: published counts, known baselines.

The folder is ``ACCORD_TEST_DATA``, or ``../shared/data`` beside the checkout.
"""

import gzip
import json
import os
from pathlib import Path

import pytest

from accord.data.sources import documents, threads
from accord.data.splits import split_of
from accord.data.text_baselines import decided_pairs, fit_bag_of_words, longer_wins
from accord.data.threads import Tally, merged, opening

pytestmark = pytest.mark.data

BESIDE = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("ACCORD_TEST_DATA", BESIDE))


def file(name):
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}; set ACCORD_TEST_DATA to the folder of public data")
    return DATA / name


def read(name):
    tally = Tally()
    return list(threads(file(name), tally)), dict(tally)


def labeled(found):
    return merged([one for thread in found if (one := thread.comparison())], Tally())


def pairs_of(found):
    sizes = [len(one.comparison.responses) for one in labeled(found)]
    return sum(size * (size - 1) // 2 for size in sizes)


def test_hh_harmless():
    """Published: 5 rows whose prompts differ and 4 empty responses."""
    found, tally = read("splits/hh-harmless.jsonl.gz")
    assert tally == {"rows": 1863, "left_out/prompts_differ": 5, "left_out/empty": 4}
    assert len(found) == len(labeled(found)) == 1854


def test_what_is_read_is_what_was_written():
    """Every dialogue of the file is its thread put together again, but for spaces."""
    with gzip.open(file("splits/hh-harmless.jsonl.gz"), "rt", encoding="utf-8") as lines:
        written = {" ".join(json.loads(line)["chosen"].split()) for line in lines}
    names = {"user": "Human:", "assistant": "Assistant:"}
    for thread in read("splits/hh-harmless.jsonl.gz")[0]:
        (messages,) = thread.conversations()
        text = " ".join(f"{names[m.role]} {m.content}" for m in messages)
        assert " ".join(text.split()) in written


@pytest.mark.parametrize(
    ("name", "rows", "comparisons", "demonstrations", "prompts"),
    [
        ("splits/tldr.jsonl.gz", 8105, 8105, None, 8105),
        ("splits/llms-from-scratch-pref.jsonl.gz", 876, 874, None, 874),
        ("splits/llms-from-scratch-instructions.jsonl.gz", 876, 0, 876, 876),
        ("hhh-alignment/hhh_alignment.jsonl", 221, 221, None, 221),
        ("self-instruct", 427, 0, 427, 427),
        ("prompts/koala_test_set.jsonl", 180, 0, 0, 180),
        ("prompts/mt_bench_question.jsonl", 80, 0, 0, 80),
        ("prompts/arena_hard_v0.1_question.jsonl", 500, 0, 0, 500),
        ("oasst/prompt_lottery_en_250_text.jsonl", 250, 0, 0, 250),
        ("harm-prompts", 200, 0, 0, 200),
    ],
)
def test_counts(name, rows, comparisons, demonstrations, prompts):
    found, tally = read(name)
    assert tally["rows"] == rows
    assert len(found) == prompts
    assert len(labeled(found)) == comparisons
    if demonstrations is not None:
        shown = [d for thread in found for d in thread.demonstrations(best_only=False)]
        assert len(shown) == demonstrations


def test_hhh_by_kind():
    found, _ = read("hhh-alignment/hhh_alignment.jsonl")
    kinds = [thread.prompt.kind for thread in found]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {"helpful": 59, "honest": 61, "harmless": 58, "other": 43}


def test_openassistant_trees():
    found, tally = read("oasst/en_100_tree.jsonl.gz")
    assert tally["rows"] == 100
    assert len([d for t in found for d in t.demonstrations(best_only=False)]) == 670
    assert pairs_of(found) == 754


def test_stack_exchange():
    found, _ = read("stackexchange")
    pairs = [pair for thread in found for pair in thread.pairs()]
    assert len(found) == 2093
    assert len(pairs) == 6182


def test_books_are_kept_whole():
    pieces = list(documents(file("books-cc0"), Tally(), characters=2000))
    book = (file("books-cc0") / "aesop_fables_v-s-vernon-jones.txt").read_text()
    joined = "".join(piece["text"] for piece in pieces)
    for paragraph in book.split("\n\n")[:200]:
        assert paragraph.strip() in joined


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "longer", "words"),
    [
        ("splits/hh-harmless.jsonl.gz", 0.45, 0.58),
        ("splits/llms-from-scratch-pref.jsonl.gz", 0.52, 0.90),
        ("splits/tldr.jsonl.gz", 0.57, 0.53),
    ],
)
def test_the_baselines_are_the_known_ones(name, longer, words):
    sides = {"train": [], "test": []}
    for one in labeled(read(name)[0]):
        sides[split_of(opening(one.comparison.prompt), fraction=0.15)].append(one)
    train, test = decided_pairs(sides["train"]), decided_pairs(sides["test"])
    found = longer_wins(test)
    assert found.low <= longer <= found.high
    found = fit_bag_of_words(train).accuracy(test)
    assert found.low <= words <= found.high
