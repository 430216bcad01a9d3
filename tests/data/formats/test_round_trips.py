"""Laws of every format: what was read is written as it was, and what is held comes back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.data.files import Row
from accord.data.formats import FORMATS
from accord.data.formats.differences import difference, restored
from accord.data.formats.entries import Said, Text, entry_of, ranks_to_learn
from accord.data.formats.fields import Fields
from accord.data.formats.losses import FEATURES, counted
from accord.data.formats.reading import Options, with_origin
from accord.data.threads import Tally, prompt_of
from accord.records import Message

PAIRWISE = {"lmarena", "convincing-arguments", "tulu", "label-studio", "summaries", "trl", "hh"}
some = settings(max_examples=10, deadline=None)
every_format = pytest.mark.parametrize("name", [name for name in FORMATS if name != "oasst"])

texts = st.text('ab \n:é🙂"<\u2028', max_size=8)
names = st.text("abcxyz-_ é", min_size=1, max_size=8).filter(str.strip)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(texts, inside, max_size=3),
    max_leaves=5,
)


@st.composite
def prompts(draw):
    turns = draw(st.integers(0, 2)) * 2 + 1
    roles = ("user", "assistant")
    messages = [Message(role=roles[n % 2], content=draw(texts)) for n in range(turns)]
    return prompt_of(messages, kind=draw(names))


@st.composite
def items(draw, number):
    """An item of some responses, judged by some labelers, with every feature that there is."""
    said = []
    for labeler in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        is_tied = draw(st.booleans())
        ranks = [1] * number if is_tied else draw(st.permutations(range(1, number + 1)))
        said.append(
            Said(
                labeler,
                ranks=ranks if number > 1 else (),
                tie=draw(st.sampled_from(("", "both_good", "both_bad"))) if is_tied else "",
                is_order_shown=draw(st.booleans()),
                strength=draw(st.none() | st.integers(1, 4)),
                ratings=[{"overall": draw(st.integers(1, 7))} for _ in range(number)],
                flags=[draw(st.lists(names, max_size=2, unique=True)) for _ in range(number)],
                seconds=draw(st.none() | st.integers(0, 99).map(float)),
                note=draw(texts),
                time=draw(st.none() | st.datetimes(timezones=st.just(None)).map(whole_second)),
                key=labeler,
            )
        )
    policies = draw(st.lists(names, min_size=number, max_size=number, unique=True))
    return entry_of(draw(prompts()), [Text(draw(texts), policy) for policy in policies], said)


def whole_second(time):
    from datetime import UTC  # noqa: PLC0415

    return time.replace(year=2000 + time.year % 20, microsecond=0, tzinfo=UTC)


def written(name, entries):
    rows = FORMATS[name].write(entries, Tally())
    return [json.loads(json.dumps(row)) for row in rows]


def read(name, rows, **options):
    form, found = FORMATS[name], []
    for line, values in enumerate(rows, start=1):
        row = Row(values, f"`x` line {line}", "x", line)
        for entry in form.read(Fields(values, row), Options(**options), Tally()):
            found.append(with_origin(form, entry, row, "x.jsonl"))
    return found


@every_format
@some
@given(data=st.data())
def test_a_file_is_written_as_it_was_read(name, data):
    number = 1 if name == "summaries-axes" else 2
    rows = written(name, data.draw(st.lists(items(number), min_size=1, max_size=3)))
    rows = [row | {"extra field": data.draw(json_values)} for row in rows if name != "accord"]
    found = read(name, rows)
    assert written(name, found) == rows
    assert read(name, written(name, found)) == found


def learned(entry, judgment):
    """Ranks by place on the wire: text and policy of each response tell them apart."""
    ranks = ranks_to_learn(judgment)
    return sorted(
        (response.text, response.policy, rank)
        for response, rank in zip(entry.responses, ranks or [0] * 9, strict=False)
    )


def by_response(entry, values):
    order = sorted(range(len(entry.responses)), key=lambda i: entry.responses[i].policy)
    return [values[i] for i in order] if values else []


SEEN = {  # how each feature that a format says it holds is compared
    "labeler": lambda _, j: j.labeler,
    "time": lambda _, j: j.time,
    "seconds": lambda _, j: j.seconds,
    "side": lambda e, j: [e.responses[i].policy for i in j.shown_order] or None,
    "strength": lambda _, j: j.strength,
    "tie_kind": lambda _, j: j.tie,
    "ratings": lambda e, j: by_response(e, j.ratings),
    "note": lambda _, j: j.note,
    "flags": lambda e, j: [sorted(flags) for flags in by_response(e, j.flags)],
}


@pytest.mark.parametrize("name", ["accord", "argilla", "label-studio", "lmarena", "tulu"])
@some
@given(data=st.data())
def test_what_a_format_holds_comes_back(name, data):
    entry = data.draw(items(2))
    found = [j for again in read(name, written(name, [entry])) for j in again.judgments]
    again = read(name, written(name, [entry]))
    assert len(found) == len(entry.judgments)
    back = {j.labeler: (one, j) for one in again for j in one.judgments}
    for judgment in entry.judgments:
        one, other = back[judgment.labeler]
        assert learned(one, other) == learned(entry, judgment)
        for feature in FORMATS[name].holds & SEEN.keys():
            expected = SEEN[feature](entry, judgment)
            if expected in (None, [], "") or (name, feature) in DIFFERS:
                continue
            assert SEEN[feature](one, other) == expected, feature


DIFFERS = {  # what the notes of a format say
    ("tulu", "strength"),  # four steps become two
    ("tulu", "flags"),  # only one of them
    ("lmarena", "tie_kind"),  # equally good is the kind of every other tie
}


@some
@given(items(3))
def test_own_records_hold_everything(entry):
    (again,) = read("accord", written("accord", [entry]))
    without = {"origin"}
    assert again.model_dump(exclude=without)["judgments"] is not None
    for one, other in zip(again.judgments, entry.judgments, strict=True):
        assert one.model_dump(exclude=without) == other.model_dump(exclude=without)
    assert (again.id, again.prompt, again.responses) == (entry.id, entry.prompt, entry.responses)


@every_format
@some
@given(data=st.data())
def test_what_is_not_held_is_counted(name, data):
    entry = data.draw(items(2))
    tally = Tally()
    list(counted([entry], FORMATS[name].holds, tally))
    for feature, (_, has) in FEATURES.items():
        votes = sum(has(entry, judgment) for judgment in entry.judgments)
        held = feature in FORMATS[name].holds
        assert tally[f"lost/{feature}"] == (0 if held else votes)


@some
@given(st.dictionaries(texts, json_values), st.dictionaries(texts, json_values))
def test_what_differs_is_enough_to_restore_a_row(row, again):
    kept = json.loads(json.dumps(difference(row, again)))
    assert json.dumps(restored(again, kept), sort_keys=True) == json.dumps(row, sort_keys=True)
    assert difference(row, row) == {}


@pytest.mark.parametrize("name", sorted(PAIRWISE))
@some
@given(entry=items(4))
def test_a_ranking_of_four_becomes_its_pairs(name, entry):
    rows = written(name, [entry])
    expected = 0
    for judgment in entry.judgments:
        decided = len(set(judgment.ranks)) > 1
        holds_ties = "tie" in FORMATS[name].holds
        expected += 6 if decided or holds_ties else 0
    votes = rows
    if FORMATS[name].votes_key:
        votes = [vote for row in rows for vote in row[FORMATS[name].votes_key]]
    assert len(votes) == expected
