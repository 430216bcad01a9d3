"""A small world with a written-down truth: its web, its prompts, its public votes.

nothing  ->  world.json, pretraining.jsonl, demonstrations.jsonl, prompts-train.jsonl,
prompts-eval.jsonl, public-comparisons.jsonl                       docs/stages/world.md

Everything that RLHF needs of the outside, simulated, so that the whole loop runs anywhere and
every answer can be checked against the truth. Not after any paper; the mixture imitates what a
web crawl, paid writers and a question-and-answer site provide.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from accord.config import StageConfig, StageInputs
from accord.records import write_records
from accord.runtime.artifacts import write_headline, write_text
from accord.worlds.crowd import public_comparisons
from accord.worlds.documents import Document, documents
from accord.worlds.facts import generate
from accord.worlds.prompts import demonstrations, evaluation_prompts, training_prompts


class Inputs(StageInputs):
    """Nothing is read: a world is made from its seed."""


class Config(StageConfig):
    """How large the world's writings are; all numbers are counts unless they say otherwise."""

    seed: int = 0  #: decides the facts and everything that is written about them
    documents: int = Field(default=60_000, ge=0)  #: of pretraining text, prose and dialogues
    demonstrations: int = Field(default=350, ge=0)  #: good answers, written by people
    prompts_train: int = Field(default=3000, ge=1)  #: distinct prompts for sampling and PPO
    prompts_eval: int = Field(default=600, ge=2)  #: distinct prompts that post-training never sees
    public_comparisons: int = Field(default=4000, ge=0)  #: pairs of web answers with crowd votes
    held_out_topics: float = Field(default=0.12, ge=0, lt=0.5)  #: share of topics never trained on


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Write a world to ``out/output``; it takes seconds, so an interrupted run starts again."""
    world = generate(config.seed, held_out_topics=config.held_out_topics)
    output = out / "output"
    write_text(output / "world.json", world.to_json())
    _write_documents(output / "pretraining.jsonl", documents(world, config.documents, config.seed))
    shown = demonstrations(world, config.demonstrations, config.seed)
    train = training_prompts(world, config.prompts_train, config.seed)
    held = evaluation_prompts(world, config.prompts_eval, config.seed)
    votes = public_comparisons(world, config.public_comparisons, config.seed)
    write_records(output / "demonstrations.jsonl", shown)
    write_records(output / "prompts-train.jsonl", train)
    write_records(output / "prompts-eval.jsonl", held)
    write_records(output / "public-comparisons.jsonl", votes)
    counts = {
        "people": len(world.people),
        "facts": len(world.table),
        "documents": config.documents,
        "demonstrations": len(shown),
        "prompts_train": len(train),
        "prompts_eval": len(held),
        "public_comparisons": len(votes),
    }
    write_headline(out, counts)


def _write_documents(path: Path, texts: Iterable[Document]) -> None:
    """Write one document a line, atomically."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(text.to_json() + "\n" for text in texts)
    os.replace(temporary, path)
