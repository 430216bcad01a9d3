"""Rows of files, and one clear sentence for what cannot be read."""

import gzip
import json
import sys
from types import SimpleNamespace

import pytest

from accord.config import InputError
from accord.data.files import data_files, rows


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


LINES = '{"a": "é"}\n\n{"a": "two"}\n'


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("x.jsonl", LINES, [{"a": "é"}, {"a": "two"}]),
        ("x.jsonl.gz", LINES, [{"a": "é"}, {"a": "two"}]),
        ("x.jsonl", '"a line of text"\n', [{"prompt": "a line of text"}]),
        ("x.json", '[{"a": 1}, "text"]', [{"a": 1}, {"prompt": "text"}]),
        ("x.json.gz", '[{"a": 1}]', [{"a": 1}]),
        ("x.txt", "Once\n\nupon", [{"text": "Once\n\nupon"}]),
        ("x.txt.gz", "Once", [{"text": "Once"}]),
    ],
)
def test_every_kind_of_file_is_read(tmp_path, name, text, values):
    found = list(rows(write(tmp_path / name, text)))
    assert [row.values for row in found] == values
    assert {row.source for row in found} == {"x"}


def test_places_count_empty_lines(tmp_path):
    path = write(tmp_path / "x.jsonl", LINES)
    assert [row.place for row in rows(path)] == [f"`{path}` line 1", f"`{path}` line 3"]


def test_a_directory_gives_its_data_files_in_order(tmp_path):
    for name in ("b.jsonl", "a.txt", "sub/c.json.gz", "SOURCE.txt", "README.md", "LICENSE.txt"):
        write(tmp_path / name, "[]")
    found = [path.relative_to(tmp_path).as_posix() for path in data_files(tmp_path)]
    assert found == ["a.txt", "b.jsonl", "sub/c.json.gz"]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("x.jsonl", '{"a": 1}\n{"a": \n', r"x\.jsonl` line 2: not JSON: "),
        ("x.jsonl", "17\n", r"x\.jsonl` line 1: neither an object nor text"),
        ("x.json", '{"a": 1}', r"x\.json` is not a list of rows"),
        ("x.json", '[{"a": 1}', r"x\.json` is not a list of rows: line 1: no `,` or `\]` after"),
        ("x.json", "[1]", r"x\.json` item 1 \(line 1\): neither an object nor text"),
        ("x.csv", "a,b", r"x\.csv` has an ending that is not known"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, text, sentence):
    with pytest.raises(InputError, match=sentence):
        list(rows(write(tmp_path / name, text)))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.txt", b"caf\xe9", "is not UTF-8 text"),
        ("x.jsonl.gz", b"not packed", "cannot be read"),
        ("x.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 999, mtime=0)[:-20], "cannot be read"),
    ],
)
def test_broken_bytes_are_named(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        list(rows(tmp_path / name))


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no file or directory"):
        list(rows(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="holds no"):
        list(rows(tmp_path))
    with pytest.raises(InputError, match="neither a path nor `hf:NAME`"):
        list(rows("Anthropic/hh-rlhf"))


def test_a_value_that_is_not_what_it_should_be(tmp_path):
    path = write(tmp_path / "x.jsonl", json.dumps({"n": 1, "list": [1]}))
    (row,) = rows(path)
    for call, sentence in [
        (lambda: row.text("m"), "line 1: `m` is missing; correct the row or remove it"),
        (lambda: row.text("n"), "line 1: `n` is not text"),
        (lambda: row.items("n"), "line 1: `n` is not a list of objects"),
        (lambda: row.items("list"), "line 1: `list` is not a list of objects"),
    ]:
        with pytest.raises(InputError, match=sentence):
            call()


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for the package ``datasets``, which notes what it was asked for."""
    asked = []

    def load_dataset(name, **options):
        asked.append((name, options))
        if name == "nobody/nothing":
            raise FileNotFoundError("Dataset 'nobody/nothing' doesn't exist\nand much more")
        return [{"prompt": "Hi"}]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


@pytest.mark.parametrize(
    ("source", "name", "options"),
    [
        ("hf:imdb", "imdb", {"data_dir": None, "revision": None, "split": "train"}),
        (
            "hf:Anthropic/hh-rlhf/harmless-base@abc#test",
            "Anthropic/hh-rlhf",
            {"data_dir": "harmless-base", "revision": "abc", "split": "test"},
        ),
    ],
)
def test_a_data_set_on_the_hub_is_loaded_by_its_library(hub, source, name, options):
    (row,) = rows(source)
    assert hub == [(name, options)]
    assert row.place == f"`{source}` row 1"
    assert row.source == name.rpartition("/")[2]


def test_a_data_set_that_the_hub_does_not_have(hub):
    with pytest.raises(InputError, match=r"cannot load `hf:nobody/nothing`.*doesn't exist; check"):
        list(rows("hf:nobody/nothing"))


def test_without_the_library_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"pip install 'accord\[hub\]'"):
        list(rows("hf:imdb"))
