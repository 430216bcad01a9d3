"""Files of votes in the forms that other tools write: lists, marks of editors, several judges."""

import gzip
import json

import pytest

from accord.config import InputError
from accord.data.formats import FORMATS
from accord.data.vote_files import read_votes

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
