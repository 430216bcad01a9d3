"""The command line: what people type, what they see, and the exit status."""

import errno
import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import accord
from accord import cli, pipeline, stages
from accord.cli import stage as stage_commands
from accord.cli.lessons import LESSONS, Lesson
from accord.cli.toml import as_toml
from accord.config import read_toml

RUN_FILE = """
[run]
seed = 3
[source]
lines = 2
[join]
inputs = { parts = { a = "source" } }
"""


def accord_command(*words, app=cli.app):
    """Exit status, standard output and standard error of one command."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def run_file(tmp_path, toy_stages):
    path = tmp_path / "toy.toml"
    path.write_text(RUN_FILE)
    return path


@pytest.fixture
def toy_app(toy_stages, monkeypatch):
    """A command line whose only stages are the toys."""
    for kind in toy_stages:
        lesson = Lesson(f"Do {kind}.", "files.", "a file.", "copy.", "--out x")
        monkeypatch.setitem(LESSONS, kind, lesson)
    app = typer.Typer(rich_markup_mode="markdown")
    stage_commands.register(app)
    return app


def test_the_version():
    assert accord_command("--version") == (0, f"accord {accord.__version__}\n", "")


def test_every_stage_has_a_command_with_a_lesson():
    status, text, _ = accord_command("--help")
    assert status == 0
    assert list(LESSONS) == list(stages.STAGES)
    for kind in stages.STAGES:
        assert kind.replace("_", "-") in text


def test_help_does_not_load_what_only_training_needs():
    code = (
        "import sys; from typer.testing import CliRunner; from accord.cli import app;"
        "CliRunner().invoke(app, ['--help']);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_from_the_first_command_to_the_report(run_file, tmp_path):
    status, text, _ = accord_command("run", run_file, "--out", tmp_path / "out")
    assert status == 0
    assert "2/2 join" in text
    assert f"report: {tmp_path / 'out' / 'report.html'}" in text
    assert json.loads((tmp_path / "out/run.json").read_text())["command"].startswith("accord run")


def test_a_run_without_a_folder_goes_to_one_named_after_its_file(run_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert accord_command("run", run_file)[0] == 0
    assert (tmp_path / "out/toy/report.html").is_file()


def test_a_dry_run_prints_a_run_file_and_does_nothing(run_file, tmp_path):
    out = tmp_path / "out"
    status, text, _ = accord_command(
        "run", run_file, "--out", out, "--set", "source.lines=5", "--dry-run"
    )
    assert status == 0
    assert not out.exists()
    assert "would run" in text
    (tmp_path / "again.toml").write_text(text)
    again = pipeline.plan(read_toml(tmp_path / "again.toml"), out, title="x")
    assert again.steps[0].config.lines == 5
    assert again.steps[1].written == {"parts": {"a": "source"}}


def test_mistakes_end_with_one_sentence_and_status_2(run_file, tmp_path):
    cases = [
        (["run", tmp_path / "none.toml"], "no file"),
        (["run", run_file, "--out", tmp_path / "o", "--set", "sourc.lines=1"], "did you mean"),
        (["run", run_file, "--out", tmp_path / "o", "--set", "source.lins=1"], "unknown key"),
        (["report", tmp_path / "none"], "no folder"),
        (["verify", tmp_path / "none"], "holds no run"),
        (["chat", tmp_path / "none"], "no folder"),
    ]
    for words, message in cases:
        status, _, error = accord_command(*words)
        assert status == 2, words
        assert message in error
        assert error.startswith("error: ")
        assert error.count("\n") == 1


def test_verify_of_a_run_from_its_end_to_a_flipped_byte(run_file, tmp_path):
    out = tmp_path / "out"
    accord_command("run", run_file, "--out", out)
    status, text, _ = accord_command("verify", out)
    assert status == 0
    assert "no finished policy" in text
    assert "all as it was" in text
    assert accord_command("verify", out / "00-source")[0] == 0
    status, text, _ = accord_command("verify", out, "--policy", "join")
    assert "parts.a: source" in text
    assert accord_command("verify", out, "--policy", "jon")[0] == 2
    (out / "00-source/output/text.txt").write_text("other")
    status, text, _ = accord_command("verify", out)
    assert status == 1
    assert f"differs: `{out / '00-source/output/text.txt'}` was changed" in text


def test_a_report_can_be_built_again(run_file, tmp_path):
    out = tmp_path / "out"
    accord_command("run", run_file, "--out", out)
    (out / "report.html").unlink()
    assert accord_command("report", out) == (0, f"{out / 'report.html'}\n", "")
    assert accord_command("verify", out)[0] == 0


def test_another_run_in_the_folder_ends_with_status_2(run_file, tmp_path):
    accord_command("run", run_file, "--out", tmp_path / "out")
    status, _, error = accord_command(
        "run", run_file, "--out", tmp_path / "out", "--set", "source.lines=9"
    )
    assert status == 2
    assert "`lines` was 2 and is 9" in error


def stopping(error):
    def run(config, inputs, out):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "stopped; run the same command again to go on"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: the disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), 1, "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "Permission denied: `/x`"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "not enough memory"),
        (MemoryError(), 1, "not enough memory"),
        (ZeroDivisionError("division by zero"), 1, "this is a fault of Accord"),
    ],
)
def test_failures_end_with_one_sentence(run_file, tmp_path, toy_stages, error, status, message):
    toy_stages["join"].run = stopping(error)
    code, _, text = accord_command("run", run_file, "--out", tmp_path / "out")
    assert code == status
    assert message in text
    assert "Traceback" not in text


def test_the_cause_of_an_error_counts(run_file, tmp_path, toy_stages):
    def run(config, inputs, out):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("cannot save") from error

    toy_stages["join"].run = run
    assert "the disk is full" in accord_command("run", run_file, "--out", tmp_path / "out")[2]


def test_a_traceback_can_be_asked_for(run_file, tmp_path, toy_stages, monkeypatch):
    monkeypatch.setenv("ACCORD_TRACEBACK", "1")
    toy_stages["join"].run = stopping(ZeroDivisionError("division by zero"))
    result = CliRunner().invoke(cli.app, ["run", str(run_file), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_stage_alone(toy_app, tmp_path):
    out = tmp_path / "a"
    status, text, _ = accord_command("source", "--out", out, "--set", "lines=2", app=toy_app)
    assert status == 0
    assert "lines: 2" in text
    assert (out / "DONE.json").is_file()
    joined = tmp_path / "b"
    assert (
        accord_command(
            "join",
            "--inputs",
            f"parts.x={out}",
            "--out",
            joined,
            "--set",
            "join.times=2",
            app=toy_app,
        )[0]
        == 0
    )
    assert (joined / "output/joined.txt").read_text() == "0 0\n0 1\n" * 2


def test_a_stage_repeats_the_config_of_an_artifact(toy_app, tmp_path):
    accord_command("source", "--out", tmp_path / "a", "--set", "lines=2", app=toy_app)
    words = ["source", "--out", tmp_path / "b", "--config", tmp_path / "a/config.json"]
    assert accord_command(*words, app=toy_app)[0] == 0
    done = [json.loads((tmp_path / name / "DONE.json").read_text()) for name in "ab"]
    assert done[0]["digest"] == done[1]["digest"]


def test_a_stage_takes_its_settings_from_toml(toy_app, tmp_path):
    (tmp_path / "c.toml").write_text("lines = 1\nseed = 4\n")
    words = ["source", "--out", tmp_path / "a", "--config", tmp_path / "c.toml"]
    assert accord_command(*words, "--set", "seed=5", app=toy_app)[0] == 0
    assert (tmp_path / "a/output/text.txt").read_text() == "5 0\n"


def test_a_dry_run_of_a_stage(toy_app, tmp_path):
    words = ["source", "--out", tmp_path / "a", "--set", "lines=2", "--dry-run"]
    status, text, _ = accord_command(*words, app=toy_app)
    assert status == 0
    assert text.splitlines()[0] == f"# {tmp_path / 'a'}: would run"
    assert "lines = 2" in text
    assert not (tmp_path / "a").exists()


def test_the_help_of_a_stage_lists_inputs_and_settings(toy_app):
    status, text, _ = accord_command("source", "--help", app=toy_app)
    assert status == 0
    for word in ("Do source.", "Takes", "Makes", "lines of text", "seed", "chunk", "8"):
        assert word in text
    assert "by name" in accord_command("join", "--help", app=toy_app)[1]


@pytest.mark.parametrize("kind", list(stages.STAGES))
def test_the_help_of_every_stage_teaches(kind):
    status, text, _ = accord_command(kind.replace("_", "-"), "--help")
    assert status == 0
    words = " ".join(text.split())
    for field in [*stages.load(kind).inputs.model_fields, *stages.load(kind).config.model_fields]:
        assert field in words
    assert f"accord {kind.replace('_', '-')}" in words


def test_toml_is_read_back_as_it_was(tmp_path):
    values = {
        "text": 'a "quoted" word\n', "whole": 3, "real": 1e-05, "yes": True, "list": ["a", 1],
        "table": {"a b": 1, "c": {}}, "left_out": None,
    }  # fmt: skip
    (tmp_path / "x.toml").write_text(as_toml(values))
    del values["left_out"]
    assert read_toml(tmp_path / "x.toml") == values
