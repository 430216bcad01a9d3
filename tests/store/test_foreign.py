"""Votes from other tools in the ledger: each once, with where it came from."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from accord.config import InputError
from accord.data.formats import FORMATS
from accord.data.formats.entries import Said, Text, entry_of
from accord.data.formats.reading import Options, entries
from accord.data.threads import Tally, prompt_of
from accord.records import Message
from accord.store import comparisons, export, foreign, labelers, projects, queue, tables
from accord.store.specs import ProjectSpec

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SAID = datetime(2023, 4, 24, 15, 53, 11, tzinfo=UTC)


def entry(number=1, *, votes=("ann",), size=2, **more):
    prompt = prompt_of([Message(role="user", content=f"Question {number}?")])
    texts = [Text(f"answer {n}", f"policy{n}") for n in range(size)]
    ranks = tuple(range(1, size + 1)) if size > 1 else ()
    ratings = [] if size > 1 else [{"overall": 5}]
    said = [
        Said(name, ranks=ranks, ratings=ratings, is_order_shown=size > 1, key=name, **more)
        for name in votes
    ]
    return entry_of(prompt, texts, said)


def put(store, found, **more):
    with store.writing() as session:
        return foreign.add(session, found, now=NOW, **{"batch": "b"} | more)


def held(store, **more):
    with store.reading() as session:
        return list(foreign.entries(session, **more))


def test_votes_are_added_once_with_all_that_was_said(any_store):
    found = [
        entry(1, votes=("ann", "bob"), strength=3, note="clear", time=SAID, seconds=4.0),
        entry(2, size=1, votes=("ann",)),
        entry(3, size=4, votes=()),
    ]
    added = put(any_store, found)
    assert (added.items, added.votes, added.known) == (3, 3, 0)
    again = put(any_store, found)
    assert (again.items, again.votes, again.known) == (0, 0, 3)
    back = {one.id: one for one in held(any_store)}
    assert back.keys() == {found[0].id, found[1].id}
    for one in found[:2]:
        assert back[one.id].prompt == one.prompt
        assert back[one.id].responses == one.responses
        for judgment in one.judgments:
            (other,) = [j for j in back[one.id].judgments if j.id == judgment.id]
            assert other == judgment


def test_the_ledger_exports_imported_votes_like_any_other(store):
    put(store, [entry(1, votes=("ann", "bob"), tie="", strength=2)])
    with store.reading() as session:
        (labeled,) = export.labeled(session, batches=["b"])
    assert [preference.labeler for preference in labeled.preferences] == ["ann", "bob"]
    assert labeled.preferences[0].strength == 2


def test_two_equal_votes_of_nobody_in_particular_are_two(store):
    one = entry(1)
    second = one.judgments[0].model_copy(update={"id": "v-second"})
    added = put(store, [one.model_copy(update={"judgments": (*one.judgments, second)})])
    assert added.votes == 2
    assert len(held(store)[0].judgments) == 2


def test_what_fails_leaves_nothing(store):
    good, bad = entry(1), entry(2)
    other = good.judgments[0].model_copy(update={"ranks": good.judgments[0].ranks[::-1]})
    clash = good.model_copy(update={"judgments": (other,)})
    put(store, [good])
    with pytest.raises(InputError, match="another vote with the id"):
        put(store, [bad, clash])
    assert [one.id for one in held(store)] == [good.id]
    changed = good.model_copy(update={"prompt": bad.prompt})
    with pytest.raises(InputError, match="another comparison with the id"):
        put(store, [bad, changed])
    assert len(held(store)) == 1


def set_up(store, **more):
    spec = {"id": "p1", "title": "Which?", "task": "comparison"} | more
    with store.writing() as session:
        projects.create(session, ProjectSpec.model_validate(spec), now=NOW)


def test_items_join_the_queue_of_a_project_and_votes_fill_its_places(any_store):
    set_up(any_store, settings={"votes_wanted": 2})
    put(any_store, [entry(1, votes=("ann",)), entry(2, votes=())], project="p1")
    with any_store.writing() as session:
        assert queue.open_votes(session, project_id="p1") == 3
        task = queue.next_task(session, "p1", "ann", now=NOW, seed=0)
    assert task.item.id == entry(2).id  # ann judged the first already, elsewhere
    assert [one.id for one in held(any_store, project="p1")] == [entry(1).id]
    assert held(any_store, batches=["other"]) == []


def test_items_may_come_without_their_votes(store):
    set_up(store)
    assert put(store, [entry(1)], project="p1", with_votes=False).votes == 0
    with store.reading() as session:
        assert queue.open_votes(session, project_id="p1") == 1
    assert held(store) == []


def test_items_that_do_not_fit_the_task_are_refused(store):
    set_up(store)
    with pytest.raises(InputError, match="has 1 responses; a comparison task has 2"):
        put(store, [entry(1), entry(2, size=1)], project="p1")
    with pytest.raises(InputError, match="no project `p2`"):
        put(store, [entry(1)], project="p2")
    with pytest.raises(InputError, match="no project `p2`"):
        held(store, project="p2")


def test_withdrawn_votes_and_labelers_left_out_are_not_exported(store):
    put(store, [entry(1, votes=("ann", "bob", "cid"))])
    (one,) = held(store)
    with store.writing() as session:
        judgment = next(j for j in one.judgments if j.labeler == "ann")
        comparisons.withdraw(session, judgment.id, labeler="ann", reason="slip", now=NOW)
        labelers.pause(session, "bob", reason="careless", by="boss", now=NOW)
        names = foreign.paused(session)
    assert names == ["bob"]
    (left,) = held(store, without=names)
    assert [judgment.labeler for judgment in left.judgments] == ["cid"]
    put(store, [entry(1, votes=("ann", "bob", "cid"))])  # the file again
    assert "ann" not in [judgment.labeler for judgment in held(store)[0].judgments]


def test_an_import_is_an_event(store):
    report = {"format": "hh", "files": [{"name": "x", "sha256": "abc"}]}
    with store.writing() as session:
        assert foreign.note(session, report, project="", now=NOW)
        assert not foreign.note(session, report, project="", now=NOW)
        assert foreign.note(session, report, project="p", now=NOW)
        rows = session.execute(select(tables.events).where(tables.events.c.kind == "import")).all()
    assert [row.body["files"][0]["name"] for row in rows] == ["x", "x"]


def test_a_file_is_written_from_the_ledger_as_it_was(store, tmp_path):
    row = {
        "pair": "x_y",
        "topic": "t",
        "title": "T",
        "a1": "x",
        "a2": "y",
        "gold": "a1",
        "votes": [{"worker": "w", "value": "a2", "reason": "r", "more": 1}],
    }
    path = tmp_path / "votes.jsonl"
    path.write_text(json.dumps(row))
    form = FORMATS["convincing-arguments"]
    put(store, list(entries(form, path, Options(), Tally())))
    assert list(form.write(held(store), Tally())) == [row]
