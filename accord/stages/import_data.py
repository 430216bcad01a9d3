"""Real data into Accord's records: what people wrote, ranked and voted for.

files  ->  pretraining.jsonl, demonstrations.jsonl, comparisons-train.jsonl, comparisons-test.jsonl,
public-comparisons.jsonl, prompts-train.jsonl, prompts-eval.jsonl      docs/stages/import_data.md

The same files that the embedded world writes, so that every later stage takes either. Nothing
whose conversation begins like one on the test side is ever trained on.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs
from accord.data import text_baselines
from accord.data.files import Source
from accord.data.sources import documents, threads
from accord.data.splits import near_duplicates, normalised, split_of
from accord.data.threads import Tally, Thread, merged, opening
from accord.ratings.intervals import Estimate
from accord.records import Demonstration, LabeledComparison, Prompt, Record, write_records
from accord.runtime import artifacts
from accord.runtime.metrics import MetricsLog
from accord.runtime.seeding import python_random

FEWEST_PAIRS = 20  # on either side; with fewer, a baseline would say nothing


class Inputs(StageInputs):
    """What is imported: for each, paths of files or directories, or hf:NAME."""

    comparisons: list[Source] = Field(default_factory=list)  #: answers that people ranked
    demonstrations: list[Source] = Field(default_factory=list)  #: good answers
    public_comparisons: list[Source] = Field(default_factory=list)  #: answers with public votes
    documents: list[Source] = Field(default_factory=list)  #: text to pretrain on
    prompts: list[Source] = Field(default_factory=list)  #: prompts beyond those of the others


class Config(StageConfig):
    """How data are split and cut; docs/stages/import_data.md has the reasons."""

    seed: int = 0  #: of the split, the choice of pairs and the order of documents
    test_fraction: float = Field(0.15, ge=0, lt=1)  #: share of conversations on the test side
    most_comparisons: int = Field(0, ge=0)  #: of each side, drawn at random; 0 keeps all
    most_prompts: int = Field(0, ge=0)  #: of each side, drawn at random; 0 keeps all
    pairs_per_question: int = Field(4, ge=1)  #: public comparisons of one question, at most
    best_demonstrations: bool = True  #: only answers that nobody ranked below another
    document_characters: int = Field(2000, ge=1)  #: about the length of a pretraining text
    near_duplicate: float = Field(0.8, gt=0, le=1)  #: similarity from which two prompts are listed
    confidence: float = Field(0.95, gt=0, lt=1)  #: of the intervals of the text baselines


@dataclass
class Found:
    """What the sources hold, before anything is written."""

    tally: Tally = field(default_factory=Tally)
    train: list[LabeledComparison] = field(default_factory=list)
    test: list[LabeledComparison] = field(default_factory=list)
    demonstrations: list[Demonstration] = field(default_factory=list)
    public: list[LabeledComparison] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    prompts: dict[str, list[Prompt]] = field(default_factory=lambda: {"train": [], "eval": []})


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Read everything, split it, write it; it takes seconds, so nothing is resumed."""
    found = Found()
    _read_comparisons(config, inputs, found)
    _read_demonstrations(config, inputs, found)
    _read_prompts(config, inputs, found)
    _read_public(config, inputs, found)
    _read_documents(config, inputs, found)
    if not found.tally["rows"]:
        raise InputError("nothing to import; give `comparisons`, `demonstrations` or others")
    _limit(config, found)
    _write(out / "output", found)
    duplicates = _near_duplicates(config, found, out)
    baselines = _baselines(config, found)
    artifacts.write_json(out / "baselines.json", baselines)
    _log(out, found, duplicates, baselines)


def _side(config: Config, prompt: Prompt) -> str:
    return split_of(opening(prompt), fraction=config.test_fraction, seed=config.seed)


def _threads(sources: Sequence[Source], tally: Tally) -> Iterator[Thread]:
    for source in sources:
        yield from threads(source, tally)


def _read_comparisons(config: Config, inputs: Inputs, found: Found) -> None:
    read = [thread.comparison() for thread in _threads(inputs.comparisons, found.tally)]
    found.tally.leave_out("not_ranked", sum(one is None for one in read))
    for one in merged((one for one in read if one is not None), found.tally):
        prompt = one.comparison.prompt
        is_test = _side(config, prompt) == "test"
        (found.test if is_test else found.train).append(one)
        found.prompts["eval" if is_test else "train"].append(prompt)


def _read_demonstrations(config: Config, inputs: Inputs, found: Found) -> None:
    seen = set()
    for thread in _threads(inputs.demonstrations, found.tally):
        is_test = _side(config, thread.prompt) == "test"
        found.prompts["eval" if is_test else "train"].append(thread.prompt)
        for one in thread.demonstrations(best_only=config.best_demonstrations):
            key = (one.prompt.id, one.response)
            if is_test or key in seen:
                found.tally.leave_out("held_out" if is_test else "novelty")
                continue
            seen.add(key)
            found.demonstrations.append(one)


def _read_prompts(config: Config, inputs: Inputs, found: Found) -> None:
    for thread in _threads(inputs.prompts, found.tally):
        side = "eval" if _side(config, thread.prompt) == "test" else "train"
        found.prompts[side].append(thread.prompt)
    for side, prompts in found.prompts.items():
        found.prompts[side] = list({prompt.id: prompt for prompt in prompts}.values())


def _read_public(config: Config, inputs: Inputs, found: Found) -> None:
    """Public votes are split by the stage that trains on them; prompts held out are left out."""
    held_out = {normalised(opening(prompt)) for prompt in found.prompts["eval"]}
    chosen: list[LabeledComparison] = []
    for thread in _threads(inputs.public_comparisons, found.tally):
        pairs = thread.pairs()
        if normalised(opening(thread.prompt)) in held_out:
            found.tally.leave_out("held_out", len(pairs))
            continue
        if len(pairs) > config.pairs_per_question:
            rng = python_random(config.seed, "pairs", thread.prompt.id)
            places = sorted(rng.sample(range(len(pairs)), config.pairs_per_question))
            pairs = [pairs[place] for place in places]
        chosen += pairs
    found.public = merged(chosen, found.tally)


def _read_documents(config: Config, inputs: Inputs, found: Found) -> None:
    seen = set()
    for source in inputs.documents:
        for one in documents(source, found.tally, characters=config.document_characters):
            line = json.dumps(one, ensure_ascii=False)
            said = next((m["content"] for m in one.get("messages", ()) if m["role"] == "user"), "")
            fraction, seed = config.test_fraction, config.seed
            if said and split_of(said, fraction=fraction, seed=seed) == "test":
                found.tally.leave_out("held_out")
            elif line in seen:
                found.tally.leave_out("duplicate")
            else:
                seen.add(line)
                found.documents.append(one)
    python_random(config.seed, "documents").shuffle(found.documents)


def _limit(config: Config, found: Found) -> None:
    found.train = _drawn(config, "train", found.train, config.most_comparisons)
    found.test = _drawn(config, "test", found.test, config.most_comparisons)
    for side, prompts in found.prompts.items():
        found.prompts[side] = _drawn(config, side, prompts, config.most_prompts)


def _drawn(config: Config, name: str, items: list[Any], most: int) -> list[Any]:
    if not most or len(items) <= most:
        return items
    rng = python_random(config.seed, "limit", name)
    return [items[place] for place in sorted(rng.sample(range(len(items)), most))]


def _write(output: Path, found: Found) -> None:
    files: dict[str, Iterable[Record]] = {
        "demonstrations": found.demonstrations,
        "comparisons-train": found.train,
        "comparisons-test": found.test,
        "public-comparisons": found.public,
        "prompts-train": found.prompts["train"],
        "prompts-eval": found.prompts["eval"],
    }
    for name, records in files.items():
        if records:
            write_records(output / f"{name}.jsonl", records)
    if found.documents:
        lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in found.documents)
        artifacts.write_text(output / "pretraining.jsonl", "".join(lines))


def _near_duplicates(config: Config, found: Found, out: Path) -> int:
    """List the held-out prompts that almost stand on the training side; return how many."""
    train, held_out = (
        sorted({opening(prompt) for prompt in found.prompts[side]}) for side in ("train", "eval")
    )
    pairs = [
        {"train": train[one.train], "eval": held_out[one.test], "similarity": one.similarity}
        for one in near_duplicates(train, held_out, threshold=config.near_duplicate)
    ]
    artifacts.write_json(out / "near_duplicates.json", pairs)
    return len(pairs)


def _baselines(config: Config, found: Found) -> dict[str, Any]:
    """Held-out accuracy of the text baselines; null where there are too few pairs."""
    train = text_baselines.decided_pairs(found.train)
    test = text_baselines.decided_pairs(found.test)
    content: dict[str, Any] = {"train_pairs": len(train), "test_pairs": len(test)}
    if min(len(train), len(test)) < FEWEST_PAIRS:
        return content | {"longer_wins": None, "bag_of_words": None}
    words = text_baselines.fit_bag_of_words(train)
    return content | {
        "longer_wins": _rate(text_baselines.longer_wins(test, config.confidence)),
        "bag_of_words": _rate(words.accuracy(test, config.confidence)),
    }


def _rate(estimate: Estimate) -> dict[str, float]:
    found = {"value": estimate.mean, "low": estimate.low, "high": estimate.high}
    return {key: round(value, 6) for key, value in found.items()} | {"n": estimate.n}


def _log(out: Path, found: Found, duplicates: int, baselines: dict[str, Any]) -> None:
    counts = {
        "documents": len(found.documents),
        "demonstrations": len(found.demonstrations),
        "comparisons_train": len(found.train),
        "comparisons_test": len(found.test),
        "public_comparisons": len(found.public),
        "prompts_train": len(found.prompts["train"]),
        "prompts_eval": len(found.prompts["eval"]),
    }
    values: dict[str, float] = {f"import/{key}": value for key, value in counts.items()}
    values["import/rows"] = found.tally.pop("rows")
    values |= found.tally
    values["import/near_duplicates"] = duplicates
    headline: dict[str, Any] = {key: value for key, value in counts.items() if value}
    for name in ("longer_wins", "bag_of_words"):
        if baselines[name]:
            values[f"baseline/{name}"] = baselines[name]["value"]
            headline[name] = baselines[name]
    log = MetricsLog(out)
    log.truncate_to(-1)
    log.log(0, values)
    artifacts.write_headline(out, headline)
