"""Argilla and Label Studio: projects name their fields and questions as they like."""

from datetime import UTC, datetime

import pytest

from accord.config import InputError

USERS = ["1b4d0a5e-3c55-4c30-9d0b-6a1a3a7c0001", "1b4d0a5e-3c55-4c30-9d0b-6a1a3a7c0002"]


def argilla(responses, **fields):
    given = fields or {"instruction": "Which?", "response-1": "one", "response-2": "two"}
    return {
        "id": "r1",
        "fields": given,
        "metadata": {"lang": "en"},
        "suggestions": {"preference": {"value": "response-1", "score": None, "agent": "m"}},
        "responses": responses,
        "vectors": {},
        "status": "completed",
        "_server_id": "s1",
    }


def answer(value, user=USERS[0]):
    return [{"value": value, "user_id": user}]


def studio(*results, data=None, **annotation):
    given = data or {"prompt": "Which?", "text1": "one", "text2": "two"}
    made = {"id": 5, "completed_by": 3, "result": list(results), "was_cancelled": False}
    return {
        "id": 1,
        "data": given,
        "annotations": [made | annotation],
        "predictions": [],
        "meta": {},
    }


def result(kind, value, name="pw"):
    return {"id": "x", "from_name": name, "to_name": "text1,text2", "type": kind, "value": value}


def ranks(entry, place=0):
    texts = [response.text for response in entry.responses]
    return dict(zip(texts, entry.judgments[place].ranks, strict=True))


@pytest.mark.parametrize(
    ("value", "expected", "tie"),
    [
        (["response-2", "response-1"], {"one": 2, "two": 1}, ""),
        ([{"value": "response-1", "rank": 1}, {"value": "response-2", "rank": 1}], "tie", ""),
        ("response-1", {"one": 1, "two": 2}, ""),
        ("B", {"one": 2, "two": 1}, ""),
        ("tie", "tie", ""),
        ("both bad", "tie", "both_bad"),
    ],
)
def test_what_an_argilla_answer_says(read_rows, written, value, expected, tie):
    row = argilla({"which": answer(value)})
    (entry,), _ = read_rows("argilla", [row])
    assert ranks(entry) == ({"one": 1, "two": 1} if expected == "tie" else expected)
    assert (entry.judgments[0].tie, entry.judgments[0].labeler) == (tie, USERS[0])
    assert written("argilla", [entry]) == [row]


def test_argilla_ratings_flags_and_remarks_of_several_people(read_rows, written):
    row = argilla(
        {
            "preference": answer(["response-1", "response-2"])
            + answer(["response-2", "response-1"], USERS[1]),
            "helpful-response-1": answer(6),
            "flags-response-2": answer(["rude"]),
            "strength": answer(3),
            "comment": answer("clear", USERS[1]),
            "spans": answer([{"start": 0, "end": 1, "label": "x"}]),
        }
    )
    (entry,), _ = read_rows("argilla", [row])
    first, second = entry.judgments
    place = [response.text for response in entry.responses].index("one")
    assert first.ratings[place] == {"helpful": 6}
    assert first.flags[1 - place] == ("rude",)
    assert (first.strength, second.note, second.labeler) == (3, "clear", USERS[1])
    assert [ranks(entry, i)["one"] for i in (0, 1)] == [1, 2]
    (again,) = written("argilla", [entry])
    assert again == row


def test_argilla_answers_without_a_response_are_left_out(read_rows):
    (entry,), tally = read_rows("argilla", [argilla({"comment": answer("hm")})])
    assert entry.judgments == ()
    assert tally["answers_left_out/says_nothing"] == 1


def test_argilla_fields_of_other_names(read_rows):
    rows = [argilla({"q": answer("left_one")}, topic="Which?", left_one="one", right_one="two")]
    with pytest.raises(InputError, match="name them with --set responses"):
        read_rows("argilla", rows)
    options = {"prompt_key": "topic", "response_keys": ("left_one", "right_one")}
    (entry,), _ = read_rows("argilla", rows, **options)
    assert ranks(entry) == {"one": 1, "two": 2}


@pytest.mark.parametrize(
    ("given", "expected", "tie"),
    [
        (result("pairwise", {"selected": "left"}), {"one": 1, "two": 2}, ""),
        (result("pairwise", {"selected": "right"}), {"one": 2, "two": 1}, ""),
        (result("choices", {"choices": ["Both bad"]}, "tie"), {"one": 1, "two": 1}, "both_bad"),
        (result("choices", {"choices": ["tie"]}, "tie"), {"one": 1, "two": 1}, ""),
    ],
)
def test_what_a_label_studio_result_says(read_rows, written, given, expected, tie):
    row = studio(given, lead_time=4.5, created_at="2024-01-02T03:04:05.000006Z")
    (entry,), _ = read_rows("label-studio", [row])
    (judgment,) = entry.judgments
    assert ranks(entry) == expected
    assert (judgment.tie, judgment.labeler, judgment.seconds) == (tie, "3", 4.5)
    assert judgment.time == datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert [entry.responses[i].text for i in judgment.shown_order] == ["one", "two"]
    assert written("label-studio", [entry]) == [row]


def test_label_studio_ratings_flags_remarks_and_skips(read_rows, written):
    row = studio(
        result("rating", {"rating": 2}, "strength"),
        result("rating", {"rating": 5}, "helpful-text2"),
        result("choices", {"choices": ["rude"]}, "flags-text1"),
        result("textarea", {"text": ["fine"]}, "why"),
        completed_by={"id": 3, "email": "ann@example.org"},
    )
    skipped = studio(was_cancelled=True)
    (entry, empty), tally = read_rows("label-studio", [row, skipped])
    (judgment,) = entry.judgments
    place = [response.text for response in entry.responses].index("two")
    assert judgment.ratings[place] == {"helpful": 5}
    assert judgment.flags[1 - place] == ("rude",)
    assert (judgment.strength, judgment.note, judgment.labeler) == (2, "fine", "ann@example.org")
    assert (empty.judgments, tally["answers_left_out/skipped"]) == ((), 1)
    assert written("label-studio", [entry]) == [row]
