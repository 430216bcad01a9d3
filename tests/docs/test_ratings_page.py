"""docs/ratings.md says what the code does: its Python and its commands run, its table is right."""

import doctest
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from accord import cli
from accord.ratings.summary import ADVICE

PAGE = Path(__file__).parents[2] / "docs" / "ratings.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def command(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (votes,) = blocks("jsonl")
    (folder / "votes.jsonl").write_text(votes, encoding="utf-8")
    result = CliRunner().invoke(cli.app, shlex.split(line)[1:], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_its_python_gives_what_it_says():
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert (found.failed, found.attempted > 40) == (0, True)


@pytest.mark.parametrize("line", "".join(blocks("bash")).splitlines())
def test_its_commands_run(line, tmp_path, monkeypatch):
    assert command(line, tmp_path, monkeypatch)


def test_its_table_is_what_is_printed(tmp_path, monkeypatch):
    (shown,) = blocks("text")
    printed = command("accord rate votes.jsonl", tmp_path, monkeypatch)
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_its_keys_are_those_of_the_json(tmp_path, monkeypatch):
    found = json.loads(command("accord rate votes.jsonl --json", tmp_path, monkeypatch))
    rows = {
        name: set(re.findall(r"`([a-z_0-9]+)`", what))
        for names, what in re.findall(r"^\| (`.+?) \| (.*) \|$", TEXT, re.MULTILINE)
        for name in re.findall(r"`([a-z_0-9]+)`", names)
    }
    assert set(found) <= set(rows)
    for key in ("ratings", "differences", "covariates", "to_separate"):
        for row in found[key]:
            assert set(row) <= rows[key] | {"status", "same_labelers", "on_the_pair", "chance"}


def test_every_warning_is_named():
    for code in ADVICE:
        assert f"`{code}`" in TEXT, code
