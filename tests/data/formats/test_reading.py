"""What a row of each format says, written down by hand."""

from datetime import UTC, datetime

import pytest

HH = {
    "chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye\n\nAssistant: See you",
    "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye\n\nAssistant: Go",
}
PAIR = {"prompt": "Which?", "chosen": "good", "rejected": "bad"}
CHAT = {
    "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}],
    "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "No"}],
}
SUMMARIES = {
    "info": {"id": "t3_1", "post": "A long story.", "title": "Story", "subreddit": "tifu"},
    "split": "train",
    "summaries": [
        {"text": " Short.", "policy": "sup4", "note": None},
        {"text": " Long.", "policy": "ref", "note": None},
    ],
    "choice": 1,
    "worker": "w9",
    "batch": "batch3",
    "extra": {"confidence": 7},
}
AXES = {
    "info": {"id": "d1", "article": "News.", "site": "cnn"},
    "split": "valid1",
    "summary": {
        "text": "It is news.",
        "policy": "sup1",
        "note": "plain",
        "axes": {"overall": 7, "accuracy": 5, "coverage": None},
    },
    "worker": "w1",
    "batch": "b",
}
BATTLE = {
    "question_id": "q1",
    "model_a": "koala",
    "model_b": "vicuna",
    "winner": "model_b",
    "judge": "arena_user_1",
    "conversation_a": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A1"}],
    "conversation_b": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "B1"}],
    "turn": 1,
    "anony": True,
    "language": "English",
    "tstamp": 1682351591.5,
}
ARGUMENTS = {
    "pair": "arg1_arg2",
    "topic": "tea_yes",
    "title": "Tea",
    "a1": "arg1",
    "a2": "arg2",
    "gold": "a2",
    "votes": [
        {"worker": "w1", "value": "a2", "reason": "clearer"},
        {"worker": "w2", "value": "equal", "reason": "both"},
    ],
}
TULU = {
    "id": 7,
    "instance_index": 0,
    "instance_id": "task_2",
    "prompt": "Rewrite.\n",
    "model_a": "tulu",
    "model_b": "chatgpt",
    "completion_a": None,
    "completion_b": "Done.",
    "completion_a_is_acceptable": "no",
    "completion_b_is_acceptable": "yes",
    "preference": "b-is-slightly-better",
    "instance_quality": None,
    "comment": None,
    "evaluator": "yo",
    "timestamp": 1684501905000,
}


def by_text(entry):
    """Ranks of the responses by their text, of the first judgment."""
    texts = [response.text for response in entry.responses]
    return dict(zip(texts, entry.judgments[0].ranks, strict=True))


def shown(entry, place=0):
    """The texts in the order on the screen."""
    return [entry.responses[i].text for i in entry.judgments[place].shown_order]


def said(entry):
    return [(message.role, message.content) for message in entry.prompt.messages]


def test_hh(read_rows):
    (entry,), _ = read_rows("hh", [HH])
    assert said(entry) == [("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]
    assert by_text(entry) == {"See you": 1, "Go": 2}
    (judgment,) = entry.judgments
    assert (judgment.labeler, judgment.shown_order, judgment.origin.line) == ("rows", (), 1)
    assert judgment.origin.kept == {}


def test_hh_that_goes_apart_early_and_that_shares_nothing(read_rows):
    apart = {
        "chosen": "\n\nHuman: Hi\n\nAssistant: a\n\nHuman: x\n\nAssistant: b",
        "rejected": "\n\nHuman: Hi\n\nAssistant: c",
    }
    nothing = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: c\n\nAssistant: d"}
    (entry,), tally = read_rows("hh", [apart, nothing])
    assert said(entry) == [("user", "Hi")]
    assert by_text(entry) == {"a\n\nHuman: x\n\nAssistant: b": 1, "c": 2}
    assert tally == {"rows": 2, "left_out/no_common_prompt": 1}


@pytest.mark.parametrize("name", ["trl", "trl-standard"])
def test_trl_pairs(read_rows, name):
    repeated = CHAT | {"prompt": CHAT["chosen"][:1]}
    apart = repeated | {"chosen": CHAT["chosen"][1:], "rejected": CHAT["rejected"][1:]}
    found, _ = read_rows(name, [PAIR, CHAT, repeated, apart], labeler="crowd")
    assert [said(entry)[0][1] for entry in found] == ["Which?", "Hi", "Hi", "Hi"]
    assert by_text(found[0]) == {"good": 1, "bad": 2}
    assert [by_text(entry) for entry in found[1:]] == [{"Hello": 1, "No": 2}] * 3
    assert {entry.judgments[0].labeler for entry in found} == {"crowd"}


def test_a_system_message_stands_before_the_first_turn(read_rows):
    row = PAIR | {
        "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    }
    (entry,), _ = read_rows("trl", [row])
    assert said(entry) == [("user", "Be kind.\n\nHi")]


def test_kto(read_rows):
    rows = [{"prompt": "2+2?", "completion": text, "label": text == "4"} for text in ("4", "5")]
    found, _ = read_rows("kto", rows)
    assert [entry.judgments[0].ratings for entry in found] == [({"wanted": 7},), ({"wanted": 1},)]
    assert all(entry.judgments[0].ranks == () for entry in found)


def test_summaries(read_rows):
    (entry,), _ = read_rows("summaries", [SUMMARIES])
    assert entry.prompt.messages[0].content == (
        "SUBREDDIT: r/tifu\n\nTITLE: Story\n\nPOST: A long story.\n\nTL;DR:"
    )
    assert by_text(entry) == {" Short.": 2, " Long.": 1}
    assert {response.policy for response in entry.responses} == {"sup4", "ref"}
    (judgment,) = entry.judgments
    assert (judgment.labeler, judgment.strength, judgment.shown_order) == ("w9", None, ())
    kept = judgment.origin.kept
    assert kept["+"] == {"split": "train", "batch": "batch3", "extra": {"confidence": 7}}


def test_axes(read_rows):
    (entry,), _ = read_rows("summaries-axes", [AXES])
    (judgment,) = entry.judgments
    assert judgment.ratings == ({"overall": 7, "accuracy": 5},)
    assert (judgment.labeler, judgment.note, judgment.ranks) == ("w1", "plain", ())


def test_oasst(read_rows):
    replies = [
        {"text": "Good", "role": "assistant", "rank": 0, "replies": []},
        {"text": "Bad", "role": "assistant", "rank": 2, "synthetic": True, "model_name": "m"},
        {"text": "Gone", "role": "assistant", "rank": 1, "deleted": True},
        {"text": "New", "role": "assistant", "rank": None},
    ]
    root = {"message_id": "1", "text": "Hi", "role": "prompter", "replies": replies}
    lonely = {"message_id": "2", "text": "Yo", "role": "prompter", "replies": replies[:1]}
    rows = [{"message_tree_id": "1", "prompt": root}, {"message_tree_id": "2", "prompt": lonely}]
    (entry, alone), tally = read_rows("oasst", rows)
    assert by_text(entry) == {"Good": 1, "Bad": 2}
    assert {response.policy for response in entry.responses} == {"people", "m"}
    assert (len(alone.responses), alone.judgments) == (1, ())
    assert tally["left_out/refused"] == 1
    assert tally["without_votes"] == 1


@pytest.mark.parametrize(
    ("winner", "ranks", "tie"),
    [
        ("model_a", {"A1": 1, "B1": 2}, ""),
        ("model_b", {"A1": 2, "B1": 1}, ""),
        ("tie", {"A1": 1, "B1": 1}, "both_good"),
        ("tie (bothbad)", {"A1": 1, "B1": 1}, "both_bad"),
        ("both_bad", {"A1": 1, "B1": 1}, "both_bad"),
    ],
)
def test_battles(read_rows, winner, ranks, tie):
    (entry,), _ = read_rows("lmarena", [BATTLE | {"winner": winner}])
    assert by_text(entry) == ranks
    (judgment,) = entry.judgments
    assert (judgment.tie, judgment.labeler) == (tie, "arena_user_1")
    assert shown(entry) == ["A1", "B1"]
    assert judgment.time == datetime(2023, 4, 24, 15, 53, 11, 500000, tzinfo=UTC)


def test_battles_of_several_turns_of_parts_and_without_texts(read_rows):
    turns = [
        *BATTLE["conversation_a"],
        {"role": "user", "content": "More"},
        {"role": "assistant", "content": [{"type": "text", "text": "A2"}]},
    ]
    log = {key: value for key, value in BATTLE.items() if not key.startswith("conversation")}
    (several, bare), tally = read_rows("lmarena", [BATTLE | {"conversation_a": turns}, log])
    assert shown(several) == ["A1\n\nHuman: More\n\nAssistant: A2", "B1"]
    assert [response.text for response in bare.responses] == ["", ""]
    assert tally["texts_missing"] == 1


def test_arguments(read_rows):
    (entry,), _ = read_rows("convincing-arguments", [ARGUMENTS], texts={"arg1": "x", "arg2": "y"})
    assert by_text(entry) == {"x": 2, "y": 1}
    assert shown(entry) == shown(entry, 1) == ["x", "y"]
    first, second = entry.judgments
    assert (first.labeler, first.note, second.ranks, second.tie) == ("w1", "clearer", (1, 1), "")
    assert {response.policy for response in entry.responses} == {"arg1", "arg2"}
    assert entry.origin.kept == {"+": {"gold": "a2"}}


def test_arguments_without_their_texts(read_rows):
    (entry,), tally = read_rows("convincing-arguments", [ARGUMENTS])
    assert [response.text for response in entry.responses] == ["", ""]
    assert tally["texts_missing"] == 1


def test_tulu(read_rows):
    (entry,), _ = read_rows("tulu", [TULU])
    (judgment,) = entry.judgments
    assert by_text(entry) == {"": 2, "Done.": 1}
    assert shown(entry) == ["", "Done."]
    flags = dict(zip([r.policy for r in entry.responses], judgment.flags, strict=True))
    assert flags == {"tulu": ("unacceptable",), "chatgpt": ()}
    assert (judgment.strength, judgment.labeler) == (2, "yo")
    assert judgment.time == datetime(2023, 5, 19, 13, 11, 45, tzinfo=UTC)
    assert judgment.origin.kept["+"]["completion_a"] is None


def test_one_comparison_whichever_side_a_row_names_first(read_rows):
    swapped = BATTLE | {
        "model_a": "vicuna",
        "model_b": "koala",
        "winner": "model_a",
        "conversation_a": BATTLE["conversation_b"],
        "conversation_b": BATTLE["conversation_a"],
    }
    (one, other), _ = read_rows("lmarena", [BATTLE, swapped])
    assert one.id == other.id
    assert one.responses == other.responses
    assert by_text(one) == by_text(other)
    assert shown(one) == shown(other)[::-1]
