"""Sides stay balanced, and no item comes twice, whatever labelers do in between."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from accord.records import Comparison, Response
from accord.store import answers, tables
from accord.store.session import open_store

PEOPLE = ("ann", "bob", "cat")
POLICIES = ("sft", "ppo", "dpo")
ITEMS = 45
ACTS = ("ask", "vote", "skip", "undo", "wait", "late")
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE)), max_size=40)


def item(make, number):
    """Two responses by two of three policies."""
    plain = make.comparison(number)
    pair = POLICIES[number % 3], POLICIES[(number + 1) % 3]
    said = [
        Response(id=one.id, prompt_id=one.prompt_id, text=one.text, policy=policy)
        for one, policy in zip(plain.responses, pair, strict=True)
    ]
    return Comparison(id=plain.id, prompt=plain.prompt, responses=said)


class Clerk:
    """Does what a step says, for one labeler at a time."""

    def __init__(self, office):
        self.office, self.now = office, 0.0
        self.held, self.given = {}, {name: [] for name in PEOPLE}

    def do(self, act, name):
        if act == "wait":  # every lease ends
            self.now += 2000
        elif act == "ask":
            self.held[name] = self.office.next(name, after=self.now)
        elif act == "undo" and self.given[name]:
            answer = self.given[name].pop()
            self.held[name] = self.office.do(answers.undo, answer, labeler=name, after=self.now)
        elif act == "late" and self.held.get(name):  # an answer after the lease ended
            self.now += 2000
            self.office.next(PEOPLE[0], after=self.now)
            self.vote(name)
        elif act == "vote":
            self.held[name] = self.office.next(name, after=self.now)
            self.vote(name)
        elif act == "skip" and self.held.get(name):
            try:
                self.office.do(
                    answers.skip, self.held[name].id, reason="no", labeler=name, after=self.now
                )
            finally:
                self.held[name] = None

    def vote(self, name):
        task = self.held.pop(name, None)
        if task is None:
            return
        try:
            self.given[name].append(self.office.submit(task, name, after=self.now).answer_id)
        except answers.AlreadyAnswered:
            pass  # the item came again meanwhile, and was answered

    def standing(self):
        """Votes that count: labeler, item and order."""
        withdrawn = {row.id for row in self.office.events("withdraw")}
        return [row for row in self.office.events("vote") if row.id not in withdrawn]


def sides(rows):
    """For each labeler and pair of policies, how much oftener one stood first than the other."""
    found = Counter()
    for row in rows:
        number = int(row.comparison_id[1:])
        pair = POLICIES[number % 3], POLICIES[(number + 1) % 3]
        first = pair[row.shown_order[0]]
        found[row.labeler_id, tuple(sorted(pair))] += 1 if first == min(pair) else -1
    return found


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # functions only
)
@given(steps=STEPS)
def test_leases_skips_undo_and_late_answers_keep_the_balance(new_ledger, make, steps):
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(new_ledger, Path(folder) / "ledger.sqlite")
        with open_store(str(path), power_safe=False) as store:
            items = [item(make, number) for number in range(ITEMS)]
            office = make.office(
                store, people=PEOPLE, items=items, settings={"votes_wanted": len(PEOPLE)}
            )
            clerk = Clerk(office)
            for act, name in steps:
                clerk.do(act, name)
            clerk.now += 2000
            for name in PEOPLE:  # work goes on, so that what was given back is dealt again
                for _ in range(9):
                    clerk.do("vote", name)
            votes = clerk.standing()
            assert {key: off for key, off in sides(votes).items() if abs(off) > 1} == {}
            per_item = Counter((row.labeler_id, row.comparison_id) for row in votes)
            assert not per_item or max(per_item.values()) == 1
            check_places(store, votes)


def check_places(store, votes):
    """Every place is open, filled by a vote that counts, or leased: abandoned ones came back."""
    with store.reading() as session:
        queue = session.execute(select(tables.queue)).all()
        leased = session.scalars(
            select(tables.assignments.c.comparison_id).where(
                tables.assignments.c.state == tables.LEASED
            )
        ).all()
    taken = Counter([*leased, *(row.comparison_id for row in votes)])
    wrong = {
        row.comparison_id for row in queue if row.open != row.wanted - taken[row.comparison_id]
    }
    assert wrong == set()


def test_a_balance_that_is_off_is_seen(make):
    class Row:
        labeler_id, comparison_id, shown_order = 1, "c000", (0, 1)

    assert list(sides([Row, Row]).values()) == [-2]
