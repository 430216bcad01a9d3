"""Files of votes in the forms that other tools write: lists, marks of editors, several judges."""

import gzip
import json

import pytest

from accord.config import InputError
from accord.data.formats import FORMATS
from accord.data.vote_files import read_votes, vote_pieces
from accord.data.vote_rows import BATCH

GOOD = {"a": "x", "b": "y", "winner": "a"}


def as_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def refused(path):
    with pytest.raises(InputError) as caught:
        read_votes(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["v.json", "v.json.gz", "v.ndjson", "lines.json"])
def test_a_list_of_objects_and_other_endings(tmp_path, name):
    rows = [GOOD | {"labeler": "k"}, GOOD | {"winner": "b"}]
    text = "\n".join(map(json.dumps, rows)) if name in ("v.ndjson", "lines.json") else None
    data = (text or " " + json.dumps(rows, indent=1)).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    votes = read_votes(path).votes
    assert (votes.outcome.tolist(), votes.labelers) == ([1, 0], ("k",))


def test_an_entry_of_a_list_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([GOOD, GOOD | {"winner": "c"}], indent=1))
    assert refused(path).startswith(f"`{path}` entry 2: `winner` is `c`")
    path.write_text('[{"a": "x"')
    assert refused(path).startswith(f"`{path}` is not JSON: ")
    path.write_text("[]")
    assert "holds no votes" in refused(path)


def test_a_mark_of_the_editor_before_the_first_line(tmp_path):
    path = as_jsonl(tmp_path / "v.jsonl", [GOOD] * 2)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_votes(path)) == 2
    path.write_bytes(b"\xef\xbb\xbf")
    assert "holds no votes" in refused(path)


def test_a_judge_with_several_names_is_one_labeler(tmp_path):
    judges = [GOOD | {"judge": ["gpt-4", "pair-v2"]}, GOOD | {"judge": ["gpt-4", "pair-v2"]}]
    assert read_votes(as_jsonl(tmp_path / "v.jsonl", judges)).votes.labelers == ("gpt-4, pair-v2",)
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    parquet.write_table(pa.Table.from_pylist(judges), tmp_path / "v.parquet")
    votes = read_votes(tmp_path / "v.parquet").votes
    assert (votes.labelers, votes.labeler.tolist()) == (("gpt-4, pair-v2",), [0, 0])


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ({"info": {}, "summaries": [], "choice": 1}, "summaries"),
        ({"message_tree_id": "m", "prompt": {}}, "oasst"),
        ({"chosen": "x", "rejected": "y"}, "trl"),
        ({"a1": "x", "a2": "y", "votes": []}, "convincing-arguments"),
        ({"model_a": "x", "completion_a": "", "completion_b": "", "preference": "tie"}, "tulu"),
    ],
)
def test_a_file_for_import_is_told_so(tmp_path, row, form):
    path = as_jsonl(tmp_path / "v.jsonl", [row])
    assert f"`accord import {form} {path} --out DIR`, then rate DIR" in refused(path)
    assert form in FORMATS


ONE_HOT = {"model_a": "y", "model_b": "x", "winner_model_a": 0, "winner_model_b": 0}
KAGGLE = [ONE_HOT | {"winner_model_a": 1, "winner_tie": 0}]
KAGGLE += [ONE_HOT | {"winner_model_b": 1, "winner_tie": 0}, ONE_HOT | {"winner_tie": 1}]


def as_csv(path, rows):
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_column_for_each_outcome(tmp_path):
    said = [("x", "y", 0.0), ("x", "y", 1.0), ("x", "y", 0.5)]  # turned: a is the first by name
    paths = [as_jsonl(tmp_path / "v.jsonl", KAGGLE), as_csv(tmp_path / "v.csv", KAGGLE)]
    pa = pytest.importorskip("pyarrow")
    paths.append(tmp_path / "v.parquet")
    pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist(KAGGLE), paths[-1])
    for path in paths:
        votes = read_votes(path).votes
        pairs = zip(votes.a.tolist(), votes.b.tolist(), votes.outcome.tolist(), strict=True)
        assert [(votes.names[a], votes.names[b], outcome) for a, b, outcome in pairs] == said


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"winner_tie": 1}, "and the two beside it mark 2 outcomes; write 1 in one of"),
        ({"winner_model_a": 0}, "and the two beside it mark 0 outcomes"),
        ({"winner_model_a": 2}, "is `2`; write 1 or 0"),
        ({"winner_model_a": None}, "is missing; write 1 or 0"),
    ],
)
def test_columns_for_each_outcome_that_contradict_each_other(tmp_path, row, sentence):
    path = as_jsonl(tmp_path / "v.jsonl", [KAGGLE[1], KAGGLE[0] | row])
    assert refused(path).startswith(f"`{path}` line 2: `winner_model_a` {sentence}")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (GOOD, {"a": "x", "b": "y", "won": "a"}, "`winner` is missing"),
        (GOOD, {"model_a": "x", "b": "y", "winner": "a"}, "`a` is missing"),
        (GOOD | {"weight": 1}, GOOD, "`weight` is missing; give every vote a weight, or none"),
        (GOOD, GOOD | {"weight": 1}, "`weight` is given, and no vote before has one"),
    ],
)
def test_columns_that_end_or_begin_far_into_a_file(tmp_path, before, after, sentence):
    path = as_jsonl(tmp_path / "v.jsonl", [before] * BATCH + [after] * 2)
    assert refused(path).startswith(f"`{path}` line {BATCH + 1}: {sentence}")
    with pytest.raises(InputError, match=f"line {BATCH + 1}: "):
        list(vote_pieces(path, ("weight",)))


def test_answers_to_two_turns_are_other_responses_on_one_prompt(tmp_path):
    row = {"question_id": 81, "model_a": "x", "model_b": "y", "judge": "k"}
    turns = [row | {"winner": "model_a", "turn": 1}, row | {"winner": "model_b", "turn": 2}]
    again = {"judge": "l", "turn": 2, "winner": "model_b"}
    votes = read_votes(as_jsonl(tmp_path / "v.jsonl", [*turns, row | again])).votes
    assert votes.prompts == ("81",)
    assert votes.unit[0] != votes.unit[1] == votes.unit[2]
