"""The votes that a ``collect`` artifact stands on, against the ledger of today."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accord.config import InputError, StageInputs
from accord.runtime import artifacts
from accord.runtime.artifacts import Mismatch
from accord.store.export import votes_digest
from accord.store.session import open_store
from accord.trace.ledger import copied

VOTES = "votes.json"  # in the output of collect


def refuse_changed_votes(folder: Path, inputs: StageInputs) -> None:
    """Stop when votes were added or withdrawn since a finished ``collect`` read them.

    Other stages pass.

    Raises:
        Mismatch: the ledger's votes differ from those that were collected.
    """
    store = getattr(inputs, "store", None)
    if not (folder / "output" / VOTES).is_file() or not isinstance(store, str):
        return
    difference = changed_votes(folder, store)
    if difference:
        raise Mismatch(f"{difference}; choose another directory, or remove `{folder}` and later")


def changed_votes(folder: Path, store: str) -> str:
    """What is different in the ledger; empty when its votes are those that were collected."""
    collected = artifacts.read_json(folder / "output" / VOTES)
    if "batches" not in collected or "votes_digest" not in collected:
        return ""
    with _untouched(store) as place, open_store(place) as ledger, ledger.reading() as session:
        now = votes_digest(session, collected["batches"])
    if now == collected["votes_digest"]:
        return ""
    return f"votes in the ledger changed since `{folder.name}` collected them"


@contextmanager
def _untouched(store: str) -> Iterator[str]:
    """A SQLite file is read from a copy: looking at evidence must not touch it."""
    if not store.startswith("sqlite:///"):
        yield store
        return
    path = Path(store.removeprefix("sqlite:///"))
    if not path.is_file():
        raise InputError(f"no ledger `{path}`; the votes cannot be checked")
    with copied(path) as copy:
        yield f"sqlite:///{copy}"
