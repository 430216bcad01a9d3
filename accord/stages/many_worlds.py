"""The writings of many worlds: text from which a base model learns the language, not the facts.

nothing  ->  pretraining.jsonl, public-comparisons.jsonl            docs/stages/many_worlds.md

Every world has the same words, grammar and general knowledge, and facts of its own. A model that
reads thousands of worlds learns what they share; what one world holds it learns afterwards, from
that world's own text. The worlds of this text have the seeds from ``FIRST_WORLD`` on, which no
run should use.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from accord.config import StageConfig, StageInputs
from accord.records import LabeledComparison, write_records
from accord.runtime.artifacts import write_headline
from accord.worlds.crowd import public_comparisons
from accord.worlds.documents import base_documents
from accord.worlds.facts import generate

FIRST_WORLD = 1_000_000  # far from the seeds that people choose


class Inputs(StageInputs):
    """Nothing is read: worlds are made from their seeds."""


class Config(StageConfig):
    """How much is written; all numbers are counts."""

    seed: int = 0  #: decides which world each document is about, and its wording
    worlds: int = Field(default=2000, ge=1)  #: worlds that the documents are drawn from
    documents: int = Field(default=400_000, ge=1)  #: prose and dialogues in all
    public_comparisons: int = Field(default=24, ge=0)  #: pairs with crowd votes, from each world


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Write the text to ``out/output``; it takes seconds, so an interrupted run starts again."""
    path = out / "output" / "pretraining.jsonl"
    temporary = path.with_name(path.name + ".tmp")
    seeds = range(FIRST_WORLD, FIRST_WORLD + config.worlds)
    with temporary.open("w", encoding="utf-8") as file:
        for text in base_documents(seeds, config.documents, seed=config.seed):
            file.write(text.to_json() + "\n")
    os.replace(temporary, path)
    pairs = write_records(out / "output" / "public-comparisons.jsonl", _pairs(seeds, config))
    counts = {
        "worlds": config.worlds,
        "documents": config.documents,
        "public_comparisons": pairs,
    }
    write_headline(out, counts)


def _pairs(seeds: range, config: Config) -> Iterator[LabeledComparison]:
    for seed in seeds:
        yield from public_comparisons(generate(seed), config.public_comparisons, config.seed)
