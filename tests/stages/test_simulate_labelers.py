"""Simulated labelers: they fill the queue, repeat themselves, and survive being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from accord.config import InputError
from accord.records import Comparison, Message, Prompt, Response, write_records
from accord.runtime.artifacts import run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import publish, simulate_labelers
from accord.store import export, labelers
from accord.store.session import open_store
from accord.worlds.crowd import public_comparisons
from accord.worlds.facts import generate

STAGE = """
import sys
from pathlib import Path
from accord.runtime.artifacts import run_stage
from accord.stages import simulate_labelers as stage

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
inputs = stage.Inputs(
    published=folder / "publish", world=folder / "world.json", store=str(folder / "ledger.sqlite")
)
print("begins", flush=True)
run_stage(stage.run, stage.Config(), inputs, out)
"""


@pytest.fixture(scope="module")
def world():
    return generate(0)


@pytest.fixture(scope="module")
def comparisons(world):
    return [labeled.comparison for labeled in public_comparisons(world, 40, 0)]


def prepared(folder, world, comparisons, **settings):
    folder.mkdir(exist_ok=True)
    (folder / "world.json").write_text(world.to_json())
    write_records(folder / "comparisons.jsonl", comparisons)
    inputs = publish.Inputs(
        responses=folder / "comparisons.jsonl", store=str(folder / "ledger.sqlite")
    )
    run_stage(publish.run, publish.Config(**settings), inputs, folder / "publish")
    return simulate_labelers.Inputs(
        published=folder / "publish", world=folder / "world.json", store=inputs.store
    )


def labeled(folder, world, comparisons, **settings):
    inputs = prepared(folder, world, comparisons)
    config = simulate_labelers.Config(**settings)
    return run_stage(simulate_labelers.run, config, inputs, folder / "labels")


def ledger(folder):
    """Every event, with its time and order, but for the numbers that the database gives."""
    with open_store(str(folder / "ledger.sqlite")) as store, store.reading() as session:
        columns = "kind, id, comparison_id, labeler_id, created_at, ranks, shown_order, seconds"
        return session.execute(text(f"SELECT {columns} FROM events ORDER BY seq")).all()


@pytest.fixture(scope="module")
def straight(tmp_path_factory, world, comparisons):
    folder = tmp_path_factory.mktemp("straight")
    labeled(folder, world, comparisons)
    return folder


def test_every_comparison_gets_its_votes(straight, comparisons):
    votes = json.loads((straight / "labels/output/votes.json").read_text())
    assert votes["votes"] == 3 * len(comparisons)
    assert votes["labelers"] == [f"labeler-{n:02}" for n in range(1, 9)]
    with open_store(str(straight / "ledger.sqlite")) as store, store.reading() as session:
        assert export.counts(session).complete == len(comparisons)
        assert export.votes_digest(session, [votes["batch"]]) == votes["votes_digest"]


def test_everybody_is_asked_about_equally_often(straight, comparisons):
    with open_store(str(straight / "ledger.sqlite")) as store, store.reading() as session:
        shown = [person.shown for person in labelers.roster(session)]
    assert max(shown) - min(shown) <= 1
    assert sum(shown) == 3 * len(comparisons)


def test_they_mostly_prefer_what_is_better(straight):
    (metrics,) = read_metrics(straight / "labels")
    assert 0.6 < metrics["labels/truth_agreement"] < 1.0
    assert 0 < metrics["labels/tie_rate"] < 0.5
    assert metrics["labels/seconds"] > 1


def test_another_seed_is_other_people(tmp_path, world, comparisons, straight):
    out = labeled(tmp_path, world, comparisons, seed=1)
    one = json.loads((straight / "labels/output/votes.json").read_text())
    two = json.loads((out / "output/votes.json").read_text())
    assert one["votes_digest"] != two["votes_digest"]


def test_careless_labelers_agree_less_with_the_truth(tmp_path, world, comparisons, straight):
    out = labeled(tmp_path, world, comparisons, careless=8)
    (careless,) = read_metrics(out)
    (careful,) = read_metrics(straight / "labels")
    assert careless["labels/truth_agreement"] < careful["labels/truth_agreement"]


def test_killed_at_any_moment_it_ends_with_the_same_ledger(tmp_path, world, comparisons, straight):
    prepared(tmp_path, world, comparisons)
    command = [sys.executable, "-c", STAGE, str(tmp_path), str(tmp_path / "labels")]
    for delay in (0.15, 0.3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert ledger(tmp_path) == ledger(straight)
    for name in ("output/votes.json", "metrics.jsonl", "headline.json"):
        assert (tmp_path / "labels" / name).read_text() == (straight / "labels" / name).read_text()


def test_votes_of_people_come_on_top(tmp_path, world, comparisons):
    inputs = prepared(tmp_path, world, comparisons)
    with open_store(inputs.store) as store, store.writing() as session:
        labelers.add(session, "ann")
    run_stage(simulate_labelers.run, simulate_labelers.Config(), inputs, tmp_path / "labels")
    votes = json.loads((tmp_path / "labels/output/votes.json").read_text())
    assert "ann" not in votes["labelers"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"labelers": 2, "careless": 0}, "set `labelers` to 3 or more"),
        ({"labelers": 4, "careless": 5}, "is more than `labelers`"),
    ],
)
def test_settings_that_cannot_be(tmp_path, world, comparisons, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        labeled(tmp_path, world, comparisons, **settings)


def test_a_store_without_the_batch_is_refused(tmp_path, world, comparisons):
    inputs = prepared(tmp_path, world, comparisons)
    other = inputs.model_copy(update={"store": str(tmp_path / "other.sqlite")})
    with pytest.raises(InputError, match="publish it to this store first"):
        run_stage(simulate_labelers.run, simulate_labelers.Config(), other, tmp_path / "labels")


def test_a_prompt_that_is_not_of_a_world_is_refused(tmp_path, world):
    prompt = Prompt(id="p", messages=(Message(role="user", content="Quantum flux, anyone?"),))
    responses = tuple(
        Response(id=f"r{k}", prompt_id="p", text=f"No {k}.", policy="sft") for k in range(2)
    )
    foreign = Comparison(id="c", prompt=prompt, responses=responses)
    with pytest.raises(InputError, match="only answer about the prompts of a world"):
        labeled(tmp_path, world, [foreign])


def test_when_nobody_may_answer_it_says_so(tmp_path, world, comparisons):
    inputs = prepared(tmp_path, world, comparisons)
    with open_store(inputs.store) as store, store.writing() as session:
        for number in range(1, 9):
            labelers.add(session, f"labeler-{number:02}")
            labelers.pause(
                session, f"labeler-{number:02}", reason="a test", by="me", now=datetime.now(UTC)
            )
    with pytest.raises(InputError, match="120 votes are still wanted"):
        run_stage(simulate_labelers.run, simulate_labelers.Config(), inputs, tmp_path / "labels")


def test_where_no_response_is_better_than_another_nothing_is_said_of_it(tmp_path, world):
    prompt = public_comparisons(world, 1, 0)[0].comparison.prompt
    responses = tuple(
        Response(id=f"r{k}", prompt_id=prompt.id, text=text, policy="sft")
        for k, text in enumerate(("Mmm hmm.", "Hmm mmm."))
    )
    out = labeled(tmp_path, world, [Comparison(id="c", prompt=prompt, responses=responses)])
    assert "labels/truth_agreement" not in read_metrics(out)[0]
