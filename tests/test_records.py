"""Records: what they accept, and files of them."""

import pytest
from pydantic import ValidationError

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

PROMPT = Prompt(id="p", messages=(Message(role="user", content="Hi"),))


def response(name):
    return Response(id=name, prompt_id="p", text=name, policy="sft")


COMPARISON = Comparison(id="c", prompt=PROMPT, responses=(response("a"), response("b")))
PREFERENCE = Preference(id="v", comparison_id="c", labeler="anna", ranks=(1, 2))


def test_records_survive_a_file(tmp_path):
    labeled = LabeledComparison(comparison=COMPARISON, preferences=(PREFERENCE,))
    assert write_records(tmp_path / "x.jsonl", [labeled, labeled]) == 2
    assert read_records(tmp_path / "x.jsonl", LabeledComparison) == [labeled, labeled]
    assert '"schema":1' in (tmp_path / "x.jsonl").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def test_blank_lines_are_skipped(tmp_path):
    (tmp_path / "x.jsonl").write_text("\n" + PROMPT.model_dump_json(by_alias=True) + "\n\n")
    assert read_records(tmp_path / "x.jsonl", Prompt) == [PROMPT]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no Prompt records"),
        ("{", "line 1: the line: Invalid JSON"),
        ('{"id": "p", "messages": []}', "line 1: the line: .*ends with a user message"),
        ('{"id": "p", "messages": [], "colour": 1}', "line 1: colour: Extra inputs"),
        ('{"id": "", "messages": []}', "line 1: id"),
        ('{"schema": 2, "id": "p", "messages": []}', "line 1: schema"),
        ('{"messages": [{"role": "user"}]}', "line 1: id: Field required"),
    ],
)
def test_a_file_that_holds_something_else_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(InputError, match=message):
        read_records(tmp_path / "x.jsonl", Prompt)


def test_a_missing_file_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="expected Prompt records, one JSON object a line"):
        read_records(tmp_path / "x.jsonl", Prompt)


def test_a_prompt_ends_with_the_user():
    with pytest.raises(ValidationError, match="ends with a user message"):
        Prompt(id="p", messages=(Message(role="assistant", content="Hello"),))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ranks": (0, 1)}, "ranks start at 1"),
        ({"ranks": (1,)}, "at least 2"),
        ({"shown_order": (0, 0)}, "permutation"),
        ({"shown_order": (0, 1, 2)}, "permutation"),
        ({"strength": 5}, "less than or equal to 4"),
        ({"seconds": -1}, "greater than or equal to 0"),
    ],
)
def test_a_preference_makes_sense(values, message):
    plain = {"id": "v", "comparison_id": "c", "labeler": "anna", "ranks": (1, 2)}
    with pytest.raises(ValidationError, match=message):
        Preference(**(plain | values))


def test_preferences_belong_to_their_comparison():
    other = PREFERENCE.model_copy(update={"comparison_id": "d"})
    with pytest.raises(ValidationError, match="belongs to another comparison"):
        LabeledComparison(comparison=COMPARISON, preferences=(other,))
    more = PREFERENCE.model_copy(update={"ranks": (1, 2, 3)})
    with pytest.raises(ValidationError, match="ranks another number of responses"):
        LabeledComparison(comparison=COMPARISON, preferences=(more,))


def test_a_comparison_has_at_least_two_responses():
    with pytest.raises(ValidationError, match="at least 2"):
        Comparison(id="c", prompt=PROMPT, responses=(response("a"),))


def test_bytes_that_are_not_text_are_named_by_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(PROMPT.model_dump_json(by_alias=True).encode() + b"\n\xff\xfe\x00\n")
    with pytest.raises(InputError, match="line 2"):
        read_records(path, Prompt)


def test_a_file_of_the_first_version_reads_and_keeps_its_bytes(tmp_path):
    line = (
        '{"schema":1,"id":"v","comparison_id":"c","labeler":"anna","ranks":[1,2],'
        '"shown_order":[],"strength":null,"seconds":null,"note":""}\n'
    )
    (tmp_path / "old.jsonl").write_text(line)
    (found,) = read_records(tmp_path / "old.jsonl", Preference)
    assert (found.polarity, found.purpose, found.tie, found.gold) == (
        "better_first",
        "vote",
        "",
        None,
    )
    write_records(tmp_path / "new.jsonl", [found])
    assert (tmp_path / "new.jsonl").read_text() == line


def test_what_a_preference_says_more_is_written_and_read_again(tmp_path):
    whole = Preference(
        id="v",
        comparison_id="c",
        labeler="anna",
        ranks=(1, 1),
        tie="both_bad",
        ratings=({"quality": 1}, {}),
        flags=((), ("rude",)),
        order_seed=0,
        guideline="0" * 64,
        project="p1",
        mode="red_team",
        priority="evaluation",
        polarity="harmful_first",
        purpose="gold",
        gold=0.0,
    )
    write_records(tmp_path / "x.jsonl", [whole])
    assert read_records(tmp_path / "x.jsonl", Preference) == [whole]
    assert '"gold":0.0' in (tmp_path / "x.jsonl").read_text()
    assert '"order_seed":0' in (tmp_path / "x.jsonl").read_text()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ratings": ({"quality": 1},)}, "ratings are given for every response or for none"),
        ({"flags": ((), (), ())}, "flags are given for every response or for none"),
        ({"ratings": ({"quality": 0}, {})}, "greater than or equal to 1"),
        ({"tie": "both_good"}, "all are equal, but the ranks differ"),
        ({"polarity": "worse"}, "better_first"),
        ({"gold": 1.5}, "less than or equal to 1"),
    ],
)
def test_what_a_preference_says_more_makes_sense(values, message):
    plain = {"id": "v", "comparison_id": "c", "labeler": "anna", "ranks": (1, 2)}
    with pytest.raises(ValidationError, match=message):
        Preference(**(plain | values))


@pytest.mark.parametrize(
    ("ranks", "turned"),
    [((1, 2), (2, 1)), ((1, 1), (1, 1)), ((1, 3, 2), (3, 1, 2)), ((1, 1, 3), (3, 3, 1))],
)
def test_the_more_harmful_first_is_the_better_last(ranks, turned):
    asked = PREFERENCE.model_copy(update={"ranks": ranks, "polarity": "harmful_first"})
    assert asked.better_first().ranks == turned
    assert asked.better_first().better_first() == asked.better_first()
    comparison = COMPARISON.model_copy(
        update={"responses": tuple(response(name) for name in "abc"[: len(ranks)])}
    )
    whole = LabeledComparison(comparison=comparison, preferences=(asked,))
    assert whole.better_first().preferences[0].ranks == turned
