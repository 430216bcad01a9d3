"""Publishing: comparisons go before the labelers.

responses  ->  rows in the store            docs/stages/publish.md

A batch is named by the digest of what it was made from, and everything in the store is known by
its id, so publishing twice, or being killed half way, leaves what publishing once does.
"""

from pathlib import Path

from pydantic import Field

from accord.config import StageConfig, StageInputs
from accord.records import Comparison, read_records
from accord.runtime import artifacts
from accord.runtime.input_files import input_file
from accord.runtime.metrics import MetricsLog
from accord.runtime.seeding import python_random
from accord.store import comparisons
from accord.store.session import open_store


class Inputs(StageInputs):
    """What publishing reads, and the store it writes."""

    responses: Path  #: artifact of sample, a folder with comparisons.jsonl, or such a file
    store: str  #: path of a SQLite file, or the URL of a database


class Config(StageConfig):
    """How comparisons are put before labelers; docs/stages/publish.md has the reasons."""

    seed: int = 0  #: of the order in which comparisons are put up
    votes_per_comparison: int = Field(3, ge=1)  #: labelers who are asked about each comparison


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Add every comparison to the store; ``output/published.json`` says which."""
    file = input_file(inputs.responses, "comparisons.jsonl")
    found = read_records(file, Comparison)
    python_random(config.seed, "publish").shuffle(found)
    batch = artifacts.digest(file)
    with open_store(inputs.store) as store, store.writing() as session:
        comparisons.add(session, found, batch=batch, votes_wanted=config.votes_per_comparison)
    numbers = {
        "comparisons": len(found),
        "responses": sum(len(comparison.responses) for comparison in found),
        "votes_per_comparison": config.votes_per_comparison,
    }
    published = numbers | {"batch": batch, "order": [comparison.id for comparison in found]}
    artifacts.write_json(out / "output" / "published.json", published)
    log = MetricsLog(out)
    log.truncate_to(-1)
    log.log(0, {f"publish/{key}": value for key, value in numbers.items()})
    artifacts.write_headline(out, numbers | {"batch": batch[:8]})
