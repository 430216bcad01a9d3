"""The world stage writes everything the loop needs, the same every time."""

import json

import pytest
from pydantic import ValidationError

from accord.records import Demonstration, LabeledComparison, Prompt, read_records
from accord.runtime.artifacts import read_json, run_stage
from accord.stages.world import Config, Inputs, run
from accord.worlds.facts import World, generate

SMALL = {
    "seed": 3,
    "documents": 60,
    "demonstrations": 12,
    "prompts_train": 30,
    "prompts_eval": 20,
    "public_comparisons": 10,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run_stage(run, Config(**SMALL), Inputs(), tmp_path_factory.mktemp("made") / "world")


def test_output(made):
    output = made / "output"
    world = World.from_json((output / "world.json").read_text())
    assert world == generate(3)
    lines = (output / "pretraining.jsonl").read_text().splitlines()
    assert len(lines) == 60
    assert all({"text", "messages"} & set(json.loads(line)) for line in lines)
    assert len(read_records(output / "demonstrations.jsonl", Demonstration)) == 12
    assert len(read_records(output / "prompts-train.jsonl", Prompt)) == 30
    assert len(read_records(output / "prompts-eval.jsonl", Prompt)) == 20
    assert len(read_records(output / "public-comparisons.jsonl", LabeledComparison)) == 10
    assert not list(output.glob("*.tmp"))


def test_headline(made):
    headline = read_json(made / "DONE.json")["headline"]
    assert headline["facts"] == 28 * 5 + 24
    assert headline["prompts_eval"] == 20


def test_the_same_seed_gives_the_same_digest(made, tmp_path):
    again = run_stage(run, Config(**SMALL), Inputs(), tmp_path / "again")
    assert read_json(again / "DONE.json")["digest"] == read_json(made / "DONE.json")["digest"]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"documents": 61},
        {"demonstrations": 13},
        {"prompts_train": 31},
        {"prompts_eval": 21},
        {"public_comparisons": 11},
        {"held_out_topics": 0.2},
    ],
)
def test_every_field_changes_something(made, tmp_path, change):
    other = run_stage(run, Config(**SMALL | change), Inputs(), tmp_path / "other")
    assert read_json(other / "DONE.json")["digest"] != read_json(made / "DONE.json")["digest"]


@pytest.mark.parametrize("bad", [{"documents": -1}, {"held_out_topics": 0.9}, {"unknown": 1}])
def test_bad_configs_are_refused(bad):
    with pytest.raises(ValidationError):
        Config(**bad)
