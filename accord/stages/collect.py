"""Collecting: the votes of some batches, frozen and split into train and test.

labeled, store  ->  comparisons            docs/stages/collect.md

The ledger goes on growing; what later stages read must not. So a collection is a file, and the
digest of its votes stays beside it: ``accord verify`` compares it with the ledger of that day.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs
from accord.data.chat import render_prompt
from accord.data.splits import near_duplicates, split_of
from accord.records import LabeledComparison, write_records
from accord.runtime import artifacts
from accord.runtime.artifacts import Mismatch
from accord.runtime.metrics import MetricsLog
from accord.store import export, foreign
from accord.store.session import open_store

LABELED = ("votes.json", "published.json")  # what names a batch, the more exact one first


class Inputs(StageInputs):
    """What collecting reads."""

    labeled: list[Path] = Field(min_length=1)  #: artifacts of simulate_labelers or publish
    store: str  #: the store that was published to


class Config(StageConfig):
    """What counts and how it is split; docs/stages/collect.md has the reasons."""

    seed: int = 0  #: of the split
    test_fraction: float = Field(0.15, ge=0, lt=1)  #: share of prompts on the test side
    minimum_votes: int = Field(1, ge=1)  #: comparisons with fewer votes are left out
    without: list[str] = Field(
        default_factory=list
    )  #: labelers whose votes are left out; the ledger keeps them
    without_paused: bool = False  #: leave out the votes of labelers who are paused now, too


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Write the labeled comparisons of the batches, by id, and ``votes.json``."""
    found = [_batch(path) for path in inputs.labeled]
    batches = list(dict.fromkeys(batch["batch"] for batch in found))
    with open_store(inputs.store) as store, store.reading() as session:
        for batch, path in zip(found, inputs.labeled, strict=True):
            now = export.votes_digest(session, [batch["batch"]])
            if batch.get("votes_digest", now) != now:
                raise Mismatch(
                    f"the store no longer holds the votes that `{path}` ended with; "
                    "give the artifact of publish instead to take whatever it holds now"
                )
        # red-team votes put the more harmful response first; what is collected trains models
        without = sorted(
            {*config.without, *(foreign.paused(session) if config.without_paused else ())}
        )
        counted = export.labeled(session, batches=batches, without=without)
        labeled = [one.better_first() for one in counted]
        digest = export.votes_digest(session, batches)
    kept = [one for one in labeled if len(one.preferences) >= config.minimum_votes]
    if not kept:
        raise InputError(
            f"no comparison of {len(batches)} batches has {config.minimum_votes} votes yet; "
            "let labelers answer first"
        )
    sides = _split(kept, config)
    for side, members in sides.items():
        write_records(out / "output" / f"comparisons-{side}.jsonl", members)
    votes = {
        "batches": batches,
        "comparisons": len(kept),
        "labelers": sorted({p.labeler for one in kept for p in one.preferences}),
        "votes": sum(len(one.preferences) for one in kept),
        "votes_digest": digest,
    } | ({"without": without} if without else {})
    artifacts.write_json(out / "output" / "votes.json", votes)
    _log(out, votes, sides, left_out=len(labeled) - len(kept))


def _batch(path: Path) -> dict[str, Any]:
    """The batch that an artifact was made of or for, with the digest of its votes if known."""
    place = artifacts.payload(path)
    for name in LABELED:
        if (place / name).is_file():
            content: dict[str, Any] = artifacts.read_json(place / name)
            if "batch" in content:
                return content
    raise InputError(
        f"`{path}` names no batch; give the artifact of publish or of simulate_labelers"
    )


def _split(
    labeled: Sequence[LabeledComparison], config: Config
) -> dict[str, list[LabeledComparison]]:
    sides: dict[str, list[LabeledComparison]] = {"train": [], "test": []}
    for one in labeled:
        text = render_prompt(one.comparison.prompt)
        side = split_of(text, fraction=config.test_fraction, seed=config.seed)
        sides[side].append(one)
    return sides


def _log(
    out: Path,
    votes: dict[str, Any],
    sides: dict[str, list[LabeledComparison]],
    *,
    left_out: int,
) -> None:
    texts = {
        side: sorted({render_prompt(one.comparison.prompt) for one in members})
        for side, members in sides.items()
    }
    counts = {
        "comparisons": votes["comparisons"],
        "train": len(sides["train"]),
        "test": len(sides["test"]),
        "votes": votes["votes"],
        "labelers": len(votes["labelers"]),
    }
    others = {
        "batches": len(votes["batches"]),
        "left_out": left_out,
        "near_duplicates": len(near_duplicates(texts["train"], texts["test"])),
    }
    log = MetricsLog(out)
    log.truncate_to(-1)
    log.log(0, {f"collect/{key}": value for key, value in (counts | others).items()})
    artifacts.write_headline(out, counts | {"votes_digest": votes["votes_digest"][:8]})
