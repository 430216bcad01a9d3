"""The writings of many worlds: text from which a base model learns the language, not the facts.

nothing  ->  pretraining.jsonl            docs/stages/many_worlds.md

Every world has the same words, grammar and general knowledge, and facts of its own. A model that
reads thousands of worlds learns what they share; what one world holds it learns afterwards, from
that world's own text. The worlds of this text have the seeds from ``FIRST_WORLD`` on, which no
run should use.
"""

import os
from pathlib import Path

from pydantic import Field

from accord.config import StageConfig, StageInputs
from accord.runtime.artifacts import write_headline
from accord.worlds.documents import base_documents

FIRST_WORLD = 1_000_000  # far from the seeds that people choose


class Inputs(StageInputs):
    """Nothing is read: worlds are made from their seeds."""


class Config(StageConfig):
    """How much is written; all numbers are counts."""

    seed: int = 0  #: decides which world each document is about, and its wording
    worlds: int = Field(default=2000, ge=1)  #: worlds that the documents are drawn from
    documents: int = Field(default=500_000, ge=1)  #: prose and dialogues in all


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Write the text to ``out/output``; it takes seconds, so an interrupted run starts again."""
    path = out / "output" / "pretraining.jsonl"
    temporary = path.with_name(path.name + ".tmp")
    seeds = range(FIRST_WORLD, FIRST_WORLD + config.worlds)
    with temporary.open("w", encoding="utf-8") as file:
        for text in base_documents(seeds, config.documents, seed=config.seed):
            file.write(text.to_json() + "\n")
    os.replace(temporary, path)
    write_headline(out, {"worlds": config.worlds, "documents": config.documents})
