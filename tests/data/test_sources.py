"""Every kind of row, read from small made-up files."""

import json

import pytest

from accord.config import InputError
from accord.data.sources import documents, pieces, threads
from accord.data.threads import Tally

HI = "\n\nHuman: Hi\n\nAssistant:"
USER = {"role": "user", "content": "Hi"}


def answer(text):
    return {"role": "assistant", "content": text}


def read(tmp_path, *rows, name="made-up.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tally = Tally()
    return list(threads(path, tally)), dict(tally)


def messages(thread):
    return [(message.role, message.content) for message in thread.prompt.messages]


def answers(thread):
    return [(a.text, a.rank) for a in thread.answers]


PAIR = [("Good", 1), ("Bad", 2)]
COMPARISONS = {
    "hh": {"chosen": f"{HI} Good", "rejected": f"{HI} Bad"},
    "prompt": {"prompt": " Hi\n", "chosen": "Good", "rejected": " Bad"},
    "dialogue prompt": {"prompt": HI.strip(), "chosen": "Good", "rejected": "Bad"},
    "instruction": {"instruction": "Hi", "input": " ", "chosen": "Good", "rejected": "Bad"},
    "chats": {
        "prompt": "Hi",
        "chosen": [USER, answer("Good")],
        "rejected": [USER, answer("Bad")],
    },
    "from and value": {
        "chosen": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Good"}],
        "rejected": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Bad"}],
    },
    "message prompt": {"prompt": [USER], "chosen": "Good", "rejected": "Bad"},
    "BIG-bench": {"input": "Hi", "target_scores": {" Bad": 0, "Good ": 1}},
    "votes": {
        "title": "Hi",
        "answers": [{"score": 5, "text": "Good"}, {"score": 0, "text": "Bad"}],
    },
    "forum": {
        "title": "Hi",
        "body": "",
        "comments": [{"score": -2, "text": "Bad"}, {"score": 1, "text": "Good"}],
    },
    "history": {
        "title": "Hi",
        "revisions": [{"text": "Good"}, {"text": "Bad", "reverted": True}],
    },
    "hub votes": {
        "question": "Hi",
        "answers": [{"pm_score": 3, "text": "Good"}, {"pm_score": -1, "text": "Bad"}],
    },
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_kind_of_comparison(tmp_path, name):
    (thread,), tally = read(tmp_path, COMPARISONS[name])
    assert messages(thread) == [("user", "Hi")]
    assert sorted(answers(thread), key=lambda answer: answer[1]) == PAIR
    assert thread.labeler == thread.prompt.kind == "made-up"
    assert tally == {"rows": 1}


DEMONSTRATIONS = {
    "instruction": {"instruction": "Hi", "input": "you", "output": "Good"},
    "instances": {"instruction": "Hi", "instances": [{"input": "you", "output": "Good"}]},
    "completion": {"prompt": "Hi\n\nyou", "completion": "Good"},
    "response": {"prompt": "Hi\n\nyou", "response": "Good"},
    "chat": {"messages": [{"role": "user", "content": "Hi\n\nyou"}, answer("Good")]},
    "system": {
        "messages": [
            {"role": "system", "content": "Hi"},
            {"role": "user", "content": "you"},
            answer("Good"),
        ]
    },
}


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_every_kind_of_demonstration(tmp_path, name):
    (thread,), _ = read(tmp_path, DEMONSTRATIONS[name])
    assert messages(thread) == [("user", "Hi\n\nyou")]
    assert answers(thread) == [("Good", None)]


PROMPTS = {
    "prompt": {"prompt": "Hi"},
    "question": {"question": "Hi"},
    "turns": {"turns": ["Hi", "And then?"]},
    "instruction": {"instruction": "Hi"},
    "line": "Hi",
    "chat": {"messages": [USER]},
}


@pytest.mark.parametrize("name", PROMPTS)
def test_every_kind_of_prompt(tmp_path, name):
    (thread,), _ = read(tmp_path, PROMPTS[name])
    assert messages(thread) == [("user", "Hi")]
    assert thread.answers == ()


def test_longer_conversations_keep_their_turns(tmp_path):
    text = f"{HI} Hello\n\nHuman: Bye\n\nAssistant:"
    (hh, hhh), _ = read(
        tmp_path,
        {"prompt": text, "chosen": "Good", "rejected": "Bad", "subset": "honest"},
        {
            "prompt": "Hi\n\nAssistant: Hello\n\nHuman: Bye",
            "chosen": "Good",
            "rejected": "Bad",
            "subset": "other",
        },
    )
    assert messages(hh) == [("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]
    assert messages(hhh) == messages(hh)
    assert (hh.prompt.kind, hhh.prompt.kind) == ("honest", "other")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chosen": f"{HI} Good", "rejected": "\n\nHuman: Ho\n\nAssistant: Bad"}, "prompts_differ"),
        ({"chosen": f"{HI} Good", "rejected": f"{HI} "}, "empty"),
        ({"chosen": f"{HI} Good", "rejected": f"{HI} Good"}, "same_texts"),
        ({"chosen": f"{HI} a\n\nHuman: b", "rejected": f"{HI} a\n\nHuman: c"}, "no_response"),
        ({"chosen": "\n\nAssistant: Good", "rejected": "\n\nAssistant: Bad"}, "no_question"),
        ({"prompt": "", "chosen": "Good", "rejected": "Bad"}, "no_question"),
        ({"instruction": "Hi", "output": " "}, "empty"),
    ],
)
def test_rows_that_teach_nothing_are_counted_and_left_out(tmp_path, row, reason):
    found, tally = read(tmp_path, row)
    assert found == []
    assert tally == {"rows": 1, f"left_out/{reason}": 1}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"a": 1, "b": 2}, "no kind of row has the keys `a`, `b`"),
        ({"text": "prose"}, "plain text belongs under `documents`"),
        ({"chosen": "Hello", "rejected": "Hello"}, "a conversation begins with `Human:`"),
        ({"chosen": 1, "rejected": "x"}, "`chosen` is not text"),
        ({"prompt": "Hi", "chosen": "a", "rejected": None}, "`rejected` is not text"),
        ({"messages": []}, "`messages` holds no messages"),
        ({"messages": [{"role": "user"}]}, "a message of `messages` has no text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "the unknown role `tool`"),
        ({"turns": []}, "`turns` is not a list of texts"),
        ({"title": "Hi", "answers": [{"score": 1}]}, "the `text` of an answer is missing"),
        ({"title": "Hi", "answers": [{"text": "x"}]}, "no whole number under `score`"),
        ({"prompt": {"id": "p"}, "response": "x"}, "prompt.messages: Field required"),
        ({"comparison": {}, "preferences": []}, "comparison.id: Field required"),
        ({"message_tree_id": "t", "prompt": "x"}, "`prompt` is not a message"),
        ({"message_id": "m", "replies": []}, "the `text` of a message is missing"),
        ({"message_id": "m", "replies": [], "text": "x", "role": "y"}, "is `y`, not `prompter`"),
    ],
)
def test_a_bad_row_is_one_sentence_with_file_and_line(tmp_path, row, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read(tmp_path, row)
    assert f"`{tmp_path / 'made-up.jsonl'}` line 1: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_first_row_decides_for_its_file(tmp_path):
    with pytest.raises(InputError, match="line 2: `rejected` is missing"):
        read(
            tmp_path,
            {"prompt": "Hi", "chosen": "a", "rejected": "b"},
            {"prompt": "x", "chosen": "a"},
        )


def test_own_records_are_taken_as_they_are(tmp_path):
    (thread,), _ = read(tmp_path, COMPARISONS["hh"])
    labeled = thread.comparison()
    (own,), _ = read(tmp_path, json.loads(labeled.model_dump_json(by_alias=True)))
    assert own.comparison() == labeled
    assert sorted(answers(own)) == sorted(PAIR)
    prompt = json.loads(labeled.comparison.prompt.model_dump_json(by_alias=True))
    (own,), _ = read(tmp_path, prompt)
    assert own.prompt == labeled.comparison.prompt
    (own,), _ = read(tmp_path, {"schema": 1, "prompt": prompt, "response": "Good"})
    assert (own.prompt, answers(own)) == (labeled.comparison.prompt, [("Good", None)])


def node(role, text, *replies, **more):
    return {"message_id": text, "role": role, "text": text, "replies": list(replies), **more}


TREE = node(
    "prompter",
    "Hi",
    node("assistant", "Good", node("prompter", "More", node("assistant", "Yes")), rank=0),
    node("assistant", "Bad", rank=1),
    node("assistant", "By a model", rank=2, synthetic=True, model_name="m"),
    node("assistant", "Gone", rank=3, deleted=True),
    node("assistant", "Refused", rank=4, review_result=False),
    node("assistant", " ", rank=5),
)


@pytest.mark.parametrize("row", [TREE, {"message_tree_id": "t", "prompt": TREE}])
def test_a_tree_is_a_thread_for_every_prompt_with_replies(tmp_path, row):
    (first, second), tally = read(tmp_path, row)
    assert answers(first) == [("Good", 1), ("Bad", 2), ("By a model", 3)]
    assert [a.policy for a in first.answers] == ["people", "people", "m"]
    assert messages(second) == [("user", "Hi"), ("assistant", "Good"), ("user", "More")]
    assert answers(second) == [("Yes", None)]
    assert tally == {"rows": 1, "left_out/refused": 2, "left_out/empty": 1}
    demonstrations = [
        d.response for t in (first, second) for d in t.demonstrations(best_only=False)
    ]
    assert demonstrations == ["Good", "Bad", "Yes"]


@pytest.mark.parametrize(
    ("node_", "sentence"),
    [
        (
            node("prompter", "Hi", node("assistant", "Good", rank="first")),
            "the `rank` of a message",
        ),
        ({**node("prompter", "Hi"), "replies": "none"}, "`replies` is not a list of messages"),
    ],
)
def test_a_broken_tree_is_named(tmp_path, node_, sentence):
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, node_)


def test_answers_are_ranked_by_votes_and_acceptance(tmp_path):
    row = {
        "title": "Which beer?",
        "body": "For soup.",
        "answers": [
            {"score": 2, "text": "two"},
            {"score": 1, "accepted": True, "text": "accepted"},
            {"score": -4, "text": "against"},
            {"score": 9, "text": " "},
            {"score": 1, "text": "one"},
        ],
    }
    (thread,), tally = read(tmp_path, row)
    assert messages(thread) == [("user", "Which beer?\n\nFor soup.")]
    assert answers(thread) == [("two", 1), ("accepted", 1), ("against", 3), ("one", 2)]
    assert len(thread.pairs()) == 5  # "two" and "accepted" are equal
    assert tally == {"rows": 1, "left_out/empty": 1}


def documents_of(path, characters=1000):
    tally = Tally()
    return list(documents(path, tally, characters=characters)), dict(tally)


def test_texts_are_cut_between_paragraphs(tmp_path):
    (tmp_path / "book.txt").write_text("One.\n\nTwo.\n \nThree is longer.\n")
    found, tally = documents_of(tmp_path, characters=12)
    assert found == [{"text": "One.\n\nTwo."}, {"text": "Three is longer."}]
    assert tally == {"rows": 1}


def test_nothing_comes_of_an_empty_text():
    assert list(pieces(" \n\n ", 10)) == []


def test_conversations_are_documents_too(tmp_path):
    path = tmp_path / "mixed.jsonl"
    lines = [{"text": "Prose."}, {"messages": [USER, answer("Good")]}, {"messages": [USER]}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found, tally = documents_of(path)
    assert found == [{"text": "Prose."}, {"messages": [USER, answer("Good")]}]
    assert tally == {"rows": 3}


def test_of_a_comparison_the_better_conversation_is_a_document(tmp_path):
    path = tmp_path / "hh.jsonl"
    path.write_text(json.dumps(COMPARISONS["hh"]))
    assert documents_of(path)[0] == [{"messages": [USER, answer("Good")]}]


def test_the_history_of_a_page(tmp_path):
    """Two in a row are taken back: both are worse than what stood before; the first has nothing."""
    texts = [
        ("spam", True),
        ("one", False),
        ("x", True),
        ("y", True),
        ("two", False),
        ("two", True),
    ]
    row = {"title": "T", "revisions": [{"text": t, "reverted": r} for t, r in texts]}
    found, tally = read(tmp_path, row)
    assert [answers(thread) for thread in found] == [
        [("one", 1), ("x", 2)],
        [("one", 1), ("y", 2)],
    ]
    assert tally == {"rows": 1, "left_out/empty": 1, "left_out/same_texts": 1}
    row["revisions"][0]["reverted"] = "yes"
    with pytest.raises(InputError, match="neither true nor false"):
        read(tmp_path, row)


def test_comments_of_a_forum(tmp_path):
    """Scores of 0, 1 and 7 votes: 0, 1 and 3; an empty comment is left out."""
    rows = [(0, "none"), (7, "many"), (1, "one"), (3, " ")]
    row = {"title": "T", "body": "B", "comments": [{"score": n, "text": t} for n, t in rows]}
    (thread,), tally = read(tmp_path, row)
    assert messages(thread) == [("user", "T\n\nB")]
    assert answers(thread) == [("none", 3), ("many", 1), ("one", 2)]
    assert tally["left_out/empty"] == 1
