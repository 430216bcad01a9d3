"""What an artifact promises, with stages that do nothing but write."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.runtime import artifacts
from accord.runtime.artifacts import Mismatch, payload, run_stage
from accord.runtime.locks import locked


class Config(StageConfig):
    steps: int = 2
    rows: int = memory_only(4)


class Inputs(StageInputs):
    data: Path | None = None
    named: dict[str, Path] = Field(default_factory=dict)
    several: list[Path] = Field(default_factory=list)
    place: str | None = None


def counting(stop_at=None):
    """A stage that keeps its progress and can be killed between two steps."""
    deaths = []

    def run(config, inputs, out):
        state = out / "output" / "state.json"
        step = json.loads(state.read_text()) if state.exists() else 0
        (out / "checkpoints").mkdir(exist_ok=True)
        while step < config.steps:
            if step == stop_at and not deaths:
                deaths.append(step)
                raise KeyboardInterrupt
            step += 1
            state.write_text(json.dumps(step))
            with (out / "metrics.jsonl").open("a") as file:
                file.write(json.dumps({"step": step}) + "\n")
        artifacts.write_headline(out, {"steps": step})

    return run


def never(config, inputs, out):
    pytest.fail("ran twice")


def made(out, **values):
    return run_stage(counting(), Config(**values), Inputs(), out)


def test_an_artifact_holds_how_it_was_made(tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("x")
    inputs = Inputs(data=data, named={"a": data}, several=[data], place="hf:gpt2")
    out = run_stage(counting(), Config(), inputs, tmp_path / "out")
    described = {"path": str(data), "digest": artifacts.digest(data)}
    assert artifacts.read_json(out / "config.json") == {"steps": 2, "rows": 4}
    assert artifacts.read_json(out / "inputs.json") == {
        "data": described,
        "named": {"a": described},
        "several": [described],
        "place": "hf:gpt2",
    }
    assert artifacts.read_json(out / "environment.json")["python"]
    done = artifacts.read_json(out / "DONE.json")
    assert done["headline"] == {"steps": 2}
    assert done["digest"] == artifacts.digest(out / "output")
    assert set(done["files"]) == {
        "README.md", "config.json", "environment.json", "headline.json", "inputs.json",
        "metrics.jsonl", "output/state.json",
    }  # fmt: skip
    assert "steps: 2" in (out / "README.md").read_text()
    assert not (out / "checkpoints").exists()


def test_an_artifact_without_a_headline(tmp_path):
    out = run_stage(lambda *_: None, Config(), Inputs(), tmp_path / "out")
    assert artifacts.read_json(out / "DONE.json")["headline"] == {}


def test_a_killed_stage_goes_on_to_the_same_artifact(tmp_path):
    straight = made(tmp_path / "a", steps=5)
    stage = counting(stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        run_stage(stage, Config(steps=5), Inputs(), tmp_path / "b")
    assert not artifacts.is_done(tmp_path / "b")
    resumed = run_stage(stage, Config(steps=5), Inputs(), tmp_path / "b")
    digests = [artifacts.read_json(out / "DONE.json")["digest"] for out in (straight, resumed)]
    assert digests[0] == digests[1]
    assert (straight / "metrics.jsonl").read_text() == (resumed / "metrics.jsonl").read_text()


def test_a_done_stage_is_skipped_and_its_leftover_checkpoints_go(tmp_path):
    out = made(tmp_path / "out")
    (out / "checkpoints").mkdir()
    run_stage(never, Config(), Inputs(), out)
    assert not (out / "checkpoints").exists()


def test_another_config_is_refused(tmp_path):
    out = made(tmp_path / "out")
    with pytest.raises(Mismatch, match="`steps` was 2 and is 3"):
        run_stage(never, Config(steps=3), Inputs(), out)


def test_settings_of_memory_may_change(tmp_path):
    out = made(tmp_path / "out", rows=4)
    run_stage(never, Config(rows=1), Inputs(), out)


def test_a_long_value_is_shortened_in_the_message(tmp_path):
    out = run_stage(counting(), Config(), Inputs(place="hf:" + "a" * 60), tmp_path / "out")
    with pytest.raises(Mismatch, match=r'`place` was "hf:aaa.*\.\.\. and is "hf:b"'):
        run_stage(never, Config(), Inputs(place="hf:b"), out)


def test_a_changed_input_is_refused_and_a_moved_one_is_not(tmp_path):
    upstream = made(tmp_path / "up")
    out = run_stage(counting(), Config(), Inputs(data=upstream), tmp_path / "out")
    upstream = upstream.rename(tmp_path / "moved")
    run_stage(never, Config(), Inputs(data=upstream), out)
    (upstream / "output" / "state.json").write_text("7")
    with pytest.raises(Mismatch, match="`data` was"):
        run_stage(never, Config(), Inputs(data=upstream), out)


def test_a_store_may_be_elsewhere_and_its_password_is_not_written(tmp_path):
    url = "postgresql+psycopg://me:secret@host/name"
    out = run_stage(counting(), Config(), Inputs(place=url), tmp_path / "out")
    assert "secret" not in (out / "inputs.json").read_text() + (out / "README.md").read_text()
    assert "postgresql+psycopg://me@host/name" in (out / "inputs.json").read_text()
    run_stage(never, Config(), Inputs(place="sqlite:////x.sqlite"), out)


@pytest.mark.parametrize("flip", [0, 40, -1])
def test_a_changed_done_file_is_noticed(tmp_path, flip):
    out = made(tmp_path / "out")
    content = bytearray((out / "DONE.json").read_bytes())
    content[flip] ^= 1
    (out / "DONE.json").write_bytes(content)
    with pytest.raises(Mismatch, match=r"DONE.json` was changed"):
        run_stage(never, Config(), Inputs(), out)


@pytest.mark.parametrize("text", ["[]", "3", "{", '{"seal": "x"}'])
def test_what_is_not_sealed(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    assert not artifacts.is_sealed(tmp_path / "x.json")
    assert not artifacts.is_sealed(tmp_path / "none.json")


def test_an_unfinished_or_missing_input_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_stage(counting(stop_at=1), Config(), Inputs(), tmp_path / "up")
    with pytest.raises(InputError, match="is not finished; run its stage again"):
        run_stage(never, Config(), Inputs(data=tmp_path / "up"), tmp_path / "out")
    with pytest.raises(InputError, match="no file or directory"):
        run_stage(never, Config(), Inputs(data=tmp_path / "none"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_payload_of_an_artifact_is_its_output(tmp_path):
    out = made(tmp_path / "out")
    assert payload(out) == out / "output"
    assert payload(tmp_path) == tmp_path


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(InputError, match="choose another"):
            made(place)


def test_damaged_json_is_named(tmp_path):
    out = made(tmp_path / "out")
    (out / "config.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        run_stage(never, Config(), Inputs(), out)
    with pytest.raises(InputError, match="no file"):
        artifacts.read_json(tmp_path / "none.json")


def test_the_digest_of_a_folder_covers_names_sizes_and_bytes(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("12")
    before = artifacts.digest(folder)
    (folder / "a").rename(folder / "b")
    renamed = artifacts.digest(folder)
    (folder / "b").write_text("13")
    changed = artifacts.digest(folder)
    (folder / "b").write_text("1")
    (folder / "c").write_text("3")
    assert len({before, renamed, changed, artifacts.digest(folder)}) == 4


def test_the_digest_of_a_file_is_sha_256(tmp_path):
    (tmp_path / "abc").write_text("abc")
    # The first example of FIPS 180-4.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert artifacts.digest(tmp_path / "abc") == expected


def test_two_processes_do_not_write_one_folder(tmp_path):
    code = (
        "import sys; from pathlib import Path; from accord.runtime.locks import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another run is writing"):
            made(tmp_path)
        other.kill()
    made(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="choose another"), locked(tmp_path):
        pass
    with pytest.raises(InputError, match="choose another"):
        made(tmp_path / "out")


def test_a_stage_that_refused_its_input_gives_its_folder_back(tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("bad")

    def picky(config, inputs, out):
        if inputs.data.read_text() == "bad":
            raise InputError("`data` is bad; mend it")
        (out / "output" / "x").write_text("x")

    with pytest.raises(InputError, match="mend it"):
        run_stage(picky, Config(), Inputs(data=data), tmp_path / "a")
    data.write_text("good")
    assert artifacts.is_done(run_stage(picky, Config(steps=3), Inputs(data=data), tmp_path / "a"))


def test_a_stage_that_refuses_late_keeps_its_folder(tmp_path):
    def late(config, inputs, out):
        (out / "output" / "x").write_text("x")
        raise InputError("diverged; lower the learning rate")

    with pytest.raises(InputError, match="diverged"):
        run_stage(late, Config(), Inputs(), tmp_path / "a")
    with pytest.raises(Mismatch, match="steps"):
        run_stage(late, Config(steps=3), Inputs(), tmp_path / "a")
