"""What counts, and the digest by which a collection is traced to its votes."""

import hashlib
import json

from sqlalchemy import text

from accord.store import export
from accord.store.export import Counts, digest_of, votes_digest
from accord.store.session import open_store


def filled(desk, make):
    desk.people("ann", "bob")
    desk.add(2, batch="b1")
    desk.add(1, batch="b2", first=2)
    desk.record(make.vote("v3", "c001", "bob"))
    desk.record(make.vote("v1", "c001", "ann", (2, 1), seconds=0.1, note="né"))
    desk.record(make.vote("v2", "c000", "ann", (1, 1)))
    desk.record(make.vote("v4", "c002", "ann"))


def test_comparisons_come_by_id_with_their_votes_in_the_order_of_the_ledger(desk, make):
    filled(desk, make)
    with desk.store.reading() as session:
        found = list(export.labeled(session))
    assert [(one.comparison.id, [p.id for p in one.preferences]) for one in found] == [
        ("c000", ["v2"]),
        ("c001", ["v3", "v1"]),
        ("c002", ["v4"]),
    ]
    assert found[1].comparison == make.comparison(1)


def test_only_the_batches_that_were_asked_for(desk, make):
    filled(desk, make)
    with desk.store.reading() as session:
        assert [one.comparison.id for one in export.labeled(session, batches=["b2"])] == ["c002"]
        assert list(export.labeled(session, batches=["b9"])) == []
        assert [p.id for p in export.preferences(session, batches=["b1"])] == ["v3", "v1", "v2"]


def test_withdrawn_votes_do_not_count(desk, make):
    filled(desk, make)
    desk.withdraw("v3", "bob")
    with desk.store.reading() as session:
        assert [p.id for p in export.preferences(session)] == ["v1", "v2", "v4"]


def test_counts(desk, make):
    filled(desk, make)
    desk.record(make.vote("v5", "c000", "bob"))
    desk.withdraw("v3", "bob")
    with desk.store.reading() as session:
        assert export.counts(session) == Counts(
            comparisons=3, complete=1, votes=4, withdrawn=1, skips=0, labelers=2
        )
        assert export.counts(session, batches=["b2"]) == Counts(
            comparisons=1, complete=0, votes=1, withdrawn=0, skips=0, labelers=1
        )


def test_the_digest_is_sha256_of_the_records_sorted_by_id(desk, make):
    filled(desk, make)
    lines = [
        '{"schema":1,"id":"v1","comparison_id":"c001","labeler":"ann","ranks":[2,1],'
        '"shown_order":[],"strength":null,"seconds":0.1,"note":"né"}\n',
        '{"schema":1,"id":"v3","comparison_id":"c001","labeler":"bob","ranks":[1,2],'
        '"shown_order":[],"strength":null,"seconds":null,"note":""}\n',
    ]
    assert all(json.loads(line) for line in lines)
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    with desk.store.reading() as session:
        votes = [p for p in export.preferences(session) if p.comparison_id == "c001"]
    assert digest_of(votes) == digest_of(reversed(votes)) == expected


def test_the_digest_of_the_ledger_is_that_of_its_export(desk, make):
    filled(desk, make)
    with desk.store.reading() as session:
        exported = [p for one in export.labeled(session) for p in one.preferences]
        assert votes_digest(session) == digest_of(exported)
        assert votes_digest(session, ["b2"]) == digest_of(exported[-1:])


def test_the_digest_does_not_depend_on_the_order_of_voting(desk, make, tmp_path):
    filled(desk, make)
    with open_store(str(tmp_path / "other.sqlite")) as store:
        other = make.desk(store)
        other.people("bob", "ann")
        other.add(3, batch="b1")
        with desk.store.reading() as session:
            votes = list(export.preferences(session))
        for vote in reversed(votes):
            other.record(vote, after=99)
        with desk.store.reading() as one, store.reading() as two:
            assert votes_digest(one) == votes_digest(two)


def test_the_digest_sees_every_change(desk, make):
    filled(desk, make)
    digests = set()

    def look():
        with desk.store.reading() as session:
            digests.add(votes_digest(session))

    look()
    desk.record(make.vote("v5", "c000", "bob"))
    look()
    desk.withdraw("v1", "ann")
    look()
    with desk.store.writing() as session:  # somebody with the file and bad intentions
        session.execute(text("DROP TRIGGER events_no_update"))
        session.execute(text("UPDATE events SET ranks = '[2,1]' WHERE id = 'v4'"))
    look()
    assert len(digests) == 4
