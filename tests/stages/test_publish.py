"""Publishing: comparisons reach the queue, and twice is as once."""

import json

import pytest

from accord.config import InputError
from accord.records import Comparison, Message, Prompt, Response, write_records
from accord.runtime import artifacts
from accord.runtime.artifacts import run_stage
from accord.stages import publish
from accord.store import export, queue
from accord.store.session import open_store


def comparison(number):
    prompt = Prompt(id=f"p{number}", messages=(Message(role="user", content=f"question {number}"),))
    responses = tuple(
        Response(id=f"r{number}-{k}", prompt_id=prompt.id, text=f"answer {k}", policy="sft")
        for k in range(2)
    )
    return Comparison(id=f"c{number}", prompt=prompt, responses=responses)


@pytest.fixture
def file(tmp_path):
    write_records(tmp_path / "comparisons.jsonl", [comparison(n) for n in range(12)])
    return tmp_path / "comparisons.jsonl"


def published(tmp_path, file, name="publish", **settings):
    inputs = publish.Inputs(responses=file, store=str(tmp_path / "ledger.sqlite"))
    return run_stage(publish.run, publish.Config(**settings), inputs, tmp_path / name)


def counts(tmp_path):
    with open_store(str(tmp_path / "ledger.sqlite")) as store, store.reading() as session:
        return export.counts(session), queue.open_votes(session)


def test_every_comparison_wants_its_votes(tmp_path, file):
    out = published(tmp_path, file, votes_per_comparison=2)
    content = json.loads((out / "output/published.json").read_text())
    assert content["batch"] == artifacts.digest(file)
    assert content["comparisons"] == 12
    assert sorted(content["order"]) == sorted(f"c{n}" for n in range(12))
    found, wanted = counts(tmp_path)
    assert (found.comparisons, wanted) == (12, 24)


def test_publishing_twice_is_as_once(tmp_path, file):
    one = published(tmp_path, file)
    two = published(tmp_path, file, "again")
    assert artifacts.digest(one / "output") == artifacts.digest(two / "output")
    assert counts(tmp_path)[1] == 36


def test_the_seed_decides_the_order_in_which_labelers_see_them(tmp_path, file):
    orders = [
        json.loads(
            (published(tmp_path, file, f"p{seed}", seed=seed) / "output/published.json").read_text()
        )["order"]
        for seed in (0, 1)
    ]
    assert orders[0] != orders[1]
    assert orders[0] != sorted(orders[0])


def test_a_folder_without_comparisons_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"comparisons\.jsonl"):
        published(tmp_path, tmp_path / "empty")
