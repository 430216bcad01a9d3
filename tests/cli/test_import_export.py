"""``accord import`` and ``accord export`` as people type them."""

import json

import pytest
from typer.testing import CliRunner

from accord import cli
from accord.cli.import_ import FORMATS as NAMED
from accord.data.formats import FORMATS

ROWS = [
    {"prompt": "Which?", "chosen": "good", "rejected": "bad", "score": 3},
    {"prompt": "Why?", "chosen": "so", "rejected": "no", "score": 1},
]


def accord_command(*words):
    """Exit status, standard output and standard error of one command."""
    result = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_the_help_names_every_format():
    assert NAMED.split(", ") == [*FORMATS, "ledger"]


def test_there_and_back(pairs, tmp_path):
    status, text, _ = accord_command("import", "trl-standard", pairs, "--out", tmp_path / "in")
    assert status == 0
    assert f"imported 2 votes and 2 new items into `{tmp_path / 'in'}` (2 rows)" in text
    assert "kept beside the records, which have no such field: score (2)" in text
    status, text, _ = accord_command("import", "trl-standard", pairs, "--out", tmp_path / "in")
    assert (status, "nothing new" in text) == (0, True)
    out = tmp_path / "again.jsonl"
    status, text, _ = accord_command("export", "trl-standard", tmp_path / "in", "--out", out)
    assert status == 0
    assert "wrote 2 rows of 2 votes on 2 items" in text
    assert "not held by this format: who judged (2 votes)" in text
    assert out.read_text() == pairs.read_text()


def test_who_judged_can_be_said(pairs, tmp_path):
    words = ["--set", "labeler=the crowd", "--out", tmp_path / "in"]
    assert accord_command("import", "trl-standard", pairs, *words)[0] == 0
    line = json.loads((tmp_path / "in/comparisons.jsonl").read_text().splitlines()[0])
    assert line["preferences"][0]["labeler"] == "the crowd"


def test_fields_can_be_named(tmp_path):
    row = {
        "id": "1",
        "fields": {"topic": "Tea", "mine": "a", "yours": "b"},
        "responses": {"q": [{"value": "mine", "user_id": "u"}]},
    }
    (tmp_path / "x.json").write_text(json.dumps([row]))
    words = ["--set", "prompt=topic", "--set", "responses=mine, yours", "--out", tmp_path / "in"]
    assert accord_command("import", "argilla", tmp_path / "x.json", *words)[0] == 0


def test_texts_can_be_given(tmp_path):
    votes = [{"worker": "w", "value": "a1", "reason": ""}]
    row = {"pair": "p", "topic": "t", "title": "T", "a1": "x", "a2": "y", "votes": votes}
    (tmp_path / "votes.jsonl").write_text(json.dumps(row))
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"id": "x", "text": "one"}\n')
    words = ["convincing-arguments", tmp_path / "votes.jsonl", "--set", f"texts={texts}"]
    status, _, error = accord_command("import", *words, "--out", tmp_path / "in")
    assert status == 2
    assert "line 1: `a2` is `y`, which the file of texts lacks" in error
    texts.write_text('{"id": "x", "text": "one"}\n{"id": "y", "text": "two"}\n')
    assert accord_command("import", *words, "--out", tmp_path / "in")[0] == 0
    line = json.loads((tmp_path / "in/comparisons.jsonl").read_text())
    assert {r["text"] for r in line["comparison"]["responses"]} == {"one", "two"}


def test_mistakes_end_with_one_sentence_and_status_2(pairs, tmp_path):
    broken = tmp_path / "broken.jsonl"
    broken.write_text(pairs.read_text() + '{"prompt": "x", "chosen": "y"}\n')
    cases = [
        (["import", "trl", broken, "--out", tmp_path / "o"], "line 3: `rejected` is missing"),
        (["import", "trk", pairs, "--out", tmp_path / "o"], "did you mean `trl`"),
        (["import", "trl", pairs, "--set", "label=x", "--out", tmp_path / "o"], "did you mean"),
        (["import", "trl", pairs, "--out", tmp_path / "o", "--store", "x"], "give one of them"),
        (["export", "trl", "--store", tmp_path / "no", "--out", tmp_path / "o.jsonl"], "no store"),
        (["import", "trl", pairs], "nowhere to import to"),
        (["import", "trl", tmp_path / "none.jsonl", "--out", tmp_path / "o"], "no file"),
        (["export", "trl", tmp_path / "none", "--out", tmp_path / "o.jsonl"], "no file"),
        (["export", "trl", "--out", tmp_path / "o.jsonl"], "nothing to export"),
        (["export", "trl", pairs], "nowhere to write to"),
        (
            ["export", "trl", pairs, "--out", tmp_path / "o.csv"],
            "does not end with .jsonl or .json",
        ),
        (["export", "trl", pairs, "--out", tmp_path / "o.jsonl"], "line 1: `comparison`"),
    ]
    for words, message in cases:
        status, _, error = accord_command(*words)
        assert status == 2, words
        assert message in error.replace("\n", " ")
        assert error.startswith("error: ")
        assert error.count("\n") == 1
    assert not list(tmp_path.glob("o*"))


def test_through_a_ledger_and_back(pairs, tmp_path, monkeypatch):
    store, out = tmp_path / "ledger.sqlite", tmp_path / "again.jsonl"
    status, text, _ = accord_command("import", "trl-standard", pairs, "--store", store)
    assert status == 0
    assert "imported 2 votes and 2 new items into the ledger, as batch `import-" in text
    monkeypatch.setenv("ACCORD_DATABASE_URL", str(store))
    status, text, _ = accord_command("import", "trl-standard", pairs)
    assert (status, "nothing new" in text) == (0, True)
    assert accord_command("export", "trl-standard", "--out", out)[0] == 0
    assert sorted(out.read_text().splitlines()) == sorted(pairs.read_text().splitlines())
    status, _, error = accord_command("export", "trl-standard", "--without", "pairs", "--out", out)
    assert (status, "can hold none of the votes of the ledger" in error) == (2, True)


def test_items_for_a_project(pairs, tmp_path):
    words = ["--store", tmp_path / "ledger.sqlite", "--project", "helpful", "--items-only"]
    status, _, error = accord_command("import", "trl-standard", pairs, *words)
    assert (status, "no project `helpful`" in error) == (2, True)


def test_a_broken_file_leaves_the_ledger_as_it_was(pairs, tmp_path):
    store, broken = tmp_path / "ledger.sqlite", tmp_path / "broken.jsonl"
    broken.write_text(pairs.read_text() + "{}\n")
    assert accord_command("import", "trl-standard", broken, "--store", store)[0] == 2
    assert not store.exists()
    broken.write_text(pairs.read_text())
    status, text, _ = accord_command("import", "trl-standard", broken, "--store", store)
    assert (status, "imported 2 votes" in text) == (0, True)
