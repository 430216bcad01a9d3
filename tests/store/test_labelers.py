"""Labelers by name."""

import pytest

from accord.config import InputError
from accord.store import labelers


def test_a_labeler_is_added_once(desk):
    with desk.store.writing() as session:
        assert labelers.add(session, "bob")
        assert not labelers.add(session, "bob")
        assert labelers.add(session, "ann")
        assert [person.name for person in labelers.roster(session)] == ["ann", "bob"]


@pytest.mark.parametrize("name", ["", "  "])
def test_a_labeler_needs_a_name(desk, name):
    with pytest.raises(InputError, match="needs a name"), desk.store.writing() as session:
        labelers.add(session, name)


def test_a_paused_labeler_gets_nothing_until_it_goes_on(desk, make):
    desk.people("ann")
    desk.add(1)
    why = {"reason": "a talk first", "by": "mia", "now": make.at(0)}
    with desk.store.writing() as session:
        assert labelers.pause(session, "ann", **why)
        assert labelers.get(session, "ann").paused
    assert desk.next("ann") is None
    with desk.store.writing() as session:
        assert labelers.resume(session, "ann", **why)
        assert not labelers.resume(session, "ann", **why)
    assert desk.next("ann") is not None


def test_an_unknown_labeler_is_an_error_that_names_the_nearest(desk):
    desk.people("annabel")
    with pytest.raises(InputError, match="no labeler `anabel`; did you mean `annabel`"):
        desk.next("anabel")
