"""The text of many worlds: right files, right counts, and every setting does something."""

import json

import pytest

from accord.records import LabeledComparison, read_records
from accord.runtime.artifacts import digest, read_json, run_stage
from accord.stages import many_worlds

SMALL = {"worlds": 3, "documents": 30, "public_comparisons": 2}


def written(out, **changes):
    config = many_worlds.Config(**(SMALL | changes))
    return run_stage(many_worlds.run, config, many_worlds.Inputs(), out)


def test_it_writes_what_was_asked_for(tmp_path):
    out = written(tmp_path / "a")
    lines = (out / "output" / "pretraining.jsonl").read_text().splitlines()
    assert len(lines) == 30
    assert all({"text", "messages"} & set(json.loads(line)) for line in lines)
    pairs = read_records(out / "output" / "public-comparisons.jsonl", LabeledComparison)
    assert len(pairs) == 6
    assert {p.preferences[0].labeler for p in pairs} == {"crowd"}
    assert read_json(out / "DONE.json")["headline"]["documents"] == 30


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    assert digest(written(tmp_path / "a") / "output") == digest(written(tmp_path / "b") / "output")


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"worlds": 4}, {"documents": 31}, {"public_comparisons": 3}]
)
def test_every_field_changes_something(tmp_path, change):
    first = written(tmp_path / "a")
    assert digest(written(tmp_path / "b", **change) / "output") != digest(first / "output")
