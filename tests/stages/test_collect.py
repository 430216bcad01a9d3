"""Collecting: what counts is frozen, split by prompt, and traced to the ledger."""

import json
from datetime import UTC, datetime

import pytest

from accord.config import InputError
from accord.records import (
    Comparison,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    read_records,
    write_records,
)
from accord.runtime.artifacts import Mismatch, run_stage, write_json
from accord.runtime.metrics import read_metrics
from accord.stages import collect, publish
from accord.store import comparisons, export, labelers
from accord.store.session import open_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def comparison(number, *, round_=1):
    prompt = Prompt(id=f"p{number}", messages=(Message(role="user", content=f"question {number}"),))
    responses = tuple(
        Response(id=f"r{round_}-{number}-{k}", prompt_id=prompt.id, text=f"{k}", policy="sft")
        for k in range(2)
    )
    return Comparison(id=f"c{round_}-{number:02}", prompt=prompt, responses=responses)


class Lab:
    """A store, batches in it, and people who vote."""

    def __init__(self, folder):
        self.folder = folder
        self.url = str(folder / "ledger.sqlite")
        with open_store(self.url) as store, store.writing() as session:
            labelers.add(session, "ann")
            labelers.add(session, "bob")

    def publish(self, name, found):
        write_records(self.folder / f"{name}.jsonl", found)
        inputs = publish.Inputs(responses=self.folder / f"{name}.jsonl", store=self.url)
        return run_stage(publish.run, publish.Config(), inputs, self.folder / name)

    def vote(self, labeler, comparison_id, ranks=(1, 2)):
        vote = Preference(
            id=f"{labeler}-{comparison_id}",
            comparison_id=comparison_id,
            labeler=labeler,
            ranks=ranks,
        )
        with open_store(self.url) as store, store.writing() as session:
            comparisons.record(session, vote, now=NOW)

    def collect(self, *labeled, name="collect", **settings):
        inputs = collect.Inputs(labeled=list(labeled), store=self.url)
        return run_stage(collect.run, collect.Config(**settings), inputs, self.folder / name)

    def digest(self, batch):
        with open_store(self.url) as store, store.reading() as session:
            return export.votes_digest(session, [batch])


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


@pytest.fixture
def published(lab):
    batch = lab.publish("one", [comparison(n) for n in range(20)])
    for number in range(20):
        lab.vote("ann", f"c1-{number:02}")
    lab.vote("bob", "c1-03", (2, 1))
    return batch


def read(out, side):
    file = out / f"output/comparisons-{side}.jsonl"
    return read_records(file, LabeledComparison) if file.stat().st_size else []


def votes_of(out):
    return json.loads((out / "output/votes.json").read_text())


def test_every_vote_is_on_one_side(lab, published):
    out = lab.collect(published, test_fraction=0.3)
    train, test = read(out, "train"), read(out, "test")
    assert train and test
    ids = [one.comparison.id for one in train + test]
    assert sorted(ids) == [f"c1-{n:02}" for n in range(20)]
    assert votes_of(out)["votes"] == 21
    assert votes_of(out)["labelers"] == ["ann", "bob"]
    (metrics,) = read_metrics(out)
    assert metrics["collect/train"] + metrics["collect/test"] == 20


def test_the_digest_is_that_of_the_ledger(lab, published):
    content = votes_of(lab.collect(published))
    assert content["votes_digest"] == lab.digest(content["batches"][0])


def test_one_prompt_is_on_one_side_in_every_round(lab, published):
    second = lab.publish("two", [comparison(n, round_=2) for n in range(20)])
    for number in range(20):
        lab.vote("bob", f"c2-{number:02}")
    out = lab.collect(published, second, test_fraction=0.4)
    sides = {
        side: {one.comparison.prompt.id for one in read(out, side)} for side in ("train", "test")
    }
    assert not sides["train"] & sides["test"]
    assert len(votes_of(out)["batches"]) == 2
    assert votes_of(out)["comparisons"] == 40


def test_other_batches_are_left_alone(lab, published):
    lab.publish("two", [comparison(n, round_=2) for n in range(3)])
    lab.vote("bob", "c2-00")
    assert votes_of(lab.collect(published))["votes"] == 21


def test_the_seed_decides_the_split_and_the_fraction_its_size(lab, published):
    def test_ids(name, **settings):
        return {
            one.comparison.id for one in read(lab.collect(published, name=name, **settings), "test")
        }

    assert test_ids("a", test_fraction=0.4) != test_ids("b", test_fraction=0.4, seed=1)
    assert test_ids("c", test_fraction=0) == set()


def test_comparisons_with_too_few_votes_are_left_out(lab, published):
    out = lab.collect(published, minimum_votes=2, test_fraction=0)
    assert [one.comparison.id for one in read(out, "train")] == ["c1-03"]
    assert read_metrics(out)[0]["collect/left_out"] == 19


def test_without_votes_there_is_nothing_to_collect(lab):
    batch = lab.publish("one", [comparison(0)])
    with pytest.raises(InputError, match="let labelers answer first"):
        lab.collect(batch)


def test_what_names_no_batch_is_refused(lab, tmp_path):
    (tmp_path / "other").mkdir()
    write_json(tmp_path / "other/votes.json", {"votes": 3})
    with pytest.raises(InputError, match="names no batch"):
        lab.collect(tmp_path / "other")


def test_votes_that_changed_since_the_labeling_ended_are_a_mismatch(lab, published, tmp_path):
    """The artifact of simulate_labelers says which votes there were."""
    batch = json.loads((published / "output/published.json").read_text())["batch"]
    ended = tmp_path / "ended"
    ended.mkdir()
    write_json(ended / "votes.json", {"batch": batch, "votes_digest": lab.digest(batch)})
    assert votes_of(lab.collect(ended, name="before"))["votes"] == 21
    lab.vote("bob", "c1-04")
    with pytest.raises(Mismatch, match="no longer holds the votes"):
        lab.collect(ended, name="after")
    assert votes_of(lab.collect(published, name="whatever"))["votes"] == 22


def test_red_team_votes_are_collected_with_the_better_response_first(lab, published):
    vote = Preference(
        id="harmful",
        comparison_id="c1-00",
        labeler="bob",
        ranks=(1, 2),
        mode="red_team",
        polarity="harmful_first",
    )
    with open_store(lab.url) as store, store.writing() as session:
        comparisons.record(session, vote, now=NOW)
    out = lab.collect(published)
    votes = [p for side in ("train", "test") for one in read(out, side) for p in one.preferences]
    (found,) = [p for p in votes if p.id == "harmful"]
    assert (found.ranks, found.mode, found.polarity) == ((2, 1), "red_team", "better_first")


def test_votes_of_the_named_and_the_paused_are_left_out_and_stay_in_the_ledger(lab):
    found = [comparison(number) for number in range(4)]
    published = lab.publish("one", found)
    for one in found:
        lab.vote("ann", one.id)
        lab.vote("bob", one.id, (2, 1))
    with open_store(lab.url) as store, store.writing() as session:
        labelers.pause(session, "bob", reason="careless", by="boss", now=NOW)
    kept = {}
    for name, values in {
        "all": {},
        "not ann": {"without": ["ann"]},
        "nobody paused": {"without_paused": True},
    }.items():
        folder = lab.collect(published, name=name, **values)
        kept[name] = json.loads((folder / "output" / "votes.json").read_text())
    assert [one["labelers"] for one in kept.values()] == [["ann", "bob"], ["bob"], ["ann"]]
    assert [one["votes"] for one in kept.values()] == [8, 4, 4]
    assert [one.get("without") for one in kept.values()] == [None, ["ann"], ["bob"]]
    assert len({one["votes_digest"] for one in kept.values()}) == 1
    with pytest.raises(InputError, match="has 1 votes"):
        lab.collect(published, name="none", without=["ann"], without_paused=True)
