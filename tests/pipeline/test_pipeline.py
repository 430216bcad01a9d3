"""Run files: what is read, what is refused, what happens on the second and third time."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from accord import pipeline
from accord.config import InputError
from accord.runtime.artifacts import Mismatch
from accord.runtime.locks import locked

pytestmark = pytest.mark.usefixtures("toy_stages")

TABLE = {
    "run": {"seed": 7, "title": "Toy"},
    "source": {},
    "source_2": {"seed": 1, "lines": 2},
    "both": {"stage": "join", "inputs": {"parts": {"a": "source"}, "more": ["source_2"]}},
}


def planned(table, out, *settings):
    return pipeline.plan(table, out, title="untitled", settings=settings)


def run(table, out, *settings):
    console = Console(record=True, width=100, force_terminal=False)
    pipeline.run(planned(table, out, *settings), console)
    return console.export_text()


def test_stages_run_in_order_each_into_its_own_folder(tmp_path):
    said = run(TABLE, tmp_path)
    folders = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert folders == ["00-source", "01-source_2", "02-both"]
    joined = (tmp_path / "02-both/output/joined.txt").read_text()
    assert joined == "7 0\n7 1\n7 2\n1 0\n1 1\n"
    assert (tmp_path / "report.html").is_file()
    assert "3/3 both" in said


def test_the_seed_of_the_run_goes_to_stages_that_have_one_and_do_not_set_it(tmp_path):
    plan = planned(TABLE, tmp_path)
    assert [getattr(step.config, "seed", None) for step in plan.steps] == [7, 1, None]


def test_the_run_is_written_down_as_it_was_resolved(tmp_path):
    run(TABLE, tmp_path, "source.lines=4")
    listed = json.loads((tmp_path / "run.json").read_text())
    assert listed["title"] == "Toy"
    assert listed["seed"] == 7
    assert listed["stages"][0] == {
        "name": "source",
        "stage": "source",
        "folder": "00-source",
        "inputs": {},
        "config": {"seed": 7, "lines": 4, "chunk": 8},
    }


def test_settings_reach_the_seed_a_stage_and_a_path(tmp_path):
    (tmp_path / "words.txt").write_text("hello\n")
    table = {"paths": {"data": "nowhere"}, "source": {"inputs": {"file": "{data}/words.txt"}}}
    plan = planned(
        table, tmp_path / "out", "run.seed=3", "source.lines=9", f"paths.data={tmp_path}"
    )
    assert plan.seed == 3
    assert plan.steps[0].config.lines == 9
    assert plan.steps[0].inputs.file == tmp_path / "words.txt"


def test_a_finished_stage_is_skipped_and_says_so(tmp_path):
    run(TABLE, tmp_path)
    before = (tmp_path / "02-both/DONE.json").stat().st_mtime_ns
    said = run(TABLE, tmp_path)
    assert said.count("already done") == 3
    assert (tmp_path / "02-both/DONE.json").stat().st_mtime_ns == before


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, toy_stages):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    run(TABLE, straight)
    whole = toy_stages["join"].run

    def stopped(config, inputs, out):
        raise KeyboardInterrupt

    toy_stages["join"].run = stopped
    with pytest.raises(KeyboardInterrupt):
        run(TABLE, broken)
    toy_stages["join"].run = whole
    said = run(TABLE, broken)
    assert said.count("already done") == 2
    assert "goes on" in said
    done = [json.loads((d / "02-both/DONE.json").read_text()) for d in (straight, broken)]
    assert done[0]["digest"] == done[1]["digest"]


def test_a_run_can_be_moved_and_goes_on(tmp_path):
    run(TABLE, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    said = run(TABLE, tmp_path / "there")
    assert said.count("already done") == 3


def test_a_stage_can_be_added_at_the_end(tmp_path):
    run(TABLE, tmp_path)
    said = run({**TABLE, "source_3": {"lines": 1}}, tmp_path)
    assert said.count("already done") == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [("source_2.lines=5", "`lines` was 2 and is 5"), ("run.seed=8", "`seed` was 7 and is 8")],
)
def test_another_config_in_the_same_folder_is_refused(tmp_path, setting, message):
    run(TABLE, tmp_path)
    with pytest.raises(Mismatch, match=message):
        run(TABLE, tmp_path, setting)


def test_a_refused_run_leaves_everything_as_it_was(tmp_path):
    run(TABLE, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(Mismatch):
        run(TABLE, tmp_path, "source_2.lines=5")
    with pytest.raises(Mismatch):
        run({"source": {}}, tmp_path, "run.seed=7")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_same_run_typed_differently_is_the_same_run(tmp_path):
    run(TABLE, tmp_path)
    before = (tmp_path / "run.json").read_text()
    again = pipeline.plan(TABLE, tmp_path, title="x", command="accord run other.toml")
    pipeline.run(again, Console(quiet=True))
    assert (tmp_path / "run.json").read_text() == before


@pytest.mark.parametrize("damage", ["[]", "{"])
def test_a_damaged_list_of_stages_is_written_again(tmp_path, damage):
    run(TABLE, tmp_path)
    before = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(damage)
    run(TABLE, tmp_path)
    assert (tmp_path / "run.json").read_text() == before


def test_memory_settings_may_change(tmp_path):
    run(TABLE, tmp_path)
    run(TABLE, tmp_path, "source.chunk=1")


def test_the_folder_of_another_run_is_refused(tmp_path):
    run(TABLE, tmp_path)
    with pytest.raises(Mismatch, match="02-both` is a stage of another run"):
        run({name: TABLE[name] for name in ("run", "source", "source_2")}, tmp_path)


def test_a_changed_artifact_stops_the_stages_that_read_it(tmp_path):
    run(TABLE, tmp_path)
    (tmp_path / "00-source/output/text.txt").write_text("other")
    with pytest.raises(Mismatch, match="stage `both`"):
        run(TABLE, tmp_path)


def test_a_folder_in_use_is_refused(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match="another run is writing"):
        run(TABLE, tmp_path)


def test_inputs_may_be_a_ledger_a_hub_model_or_a_file_of_an_earlier_stage(tmp_path):
    inputs = {"store": "ledger", "model": "hf:gpt2", "more": ["source/text.txt"]}
    plan = planned({"source": {}, "join": {"inputs": inputs}}, tmp_path)
    found = plan.steps[1].inputs
    assert found.store == f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    assert found.model == "hf:gpt2"
    assert found.more == [tmp_path / "00-source/output/text.txt"]


def test_the_ledger_can_be_elsewhere(tmp_path):
    table = {"run": {"ledger": "postgresql://host/x"}, "join": {"inputs": {"store": "ledger"}}}
    assert planned(table, tmp_path).steps[0].inputs.store == "postgresql://host/x"


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        ({}, [], "holds no stage"),
        ({"sourc": {}}, [], r"\[sourc\]: unknown stage `sourc`; did you mean `source`\?"),
        ({"x": {"stage": "joint"}}, [], "unknown stage `joint`; did you mean `join`"),
        ({"source": {"line": 1}}, [], r"\[source\]: unknown key `line`; did you mean `lines`"),
        ({"source": {"lines": "many"}}, [], r"\[source\]: `lines` = `many`"),
        ({"run": {"sed": 1}, "source": {}}, [], "unknown key `sed`; did you mean `seed`"),
        ({"run": {"seed": -1}, "source": {}}, [], "`seed` = `-1`: give a whole number from 0 on"),
        ({"seed": 1, "source": {}}, [], "`seed` stands outside the tables"),
        ({"paths": {"data": 3}, "source": {}}, [], r"\[paths\]: `data` = `3`"),
        ({"source": {"inputs": "x"}}, [], "`inputs` is a table"),
        ({"source": {"inputs": {"fil": "x"}}}, [], "no file or earlier stage `x`"),
        ({"source": {"inputs": {"fil": "."}}}, [], "unknown key `fil`; did you mean `file`"),
        ({"source": {"inputs": {"file": 3}}}, [], "`3` is not a name or a path"),
        ({"source": {"inputs": {"file": "{dat}/x"}}}, [], r"`\{dat\}` is not in `\[paths\]`"),
        ({"Source": {"stage": "source"}}, [], "cannot be a stage's name"),
        ({"ledger": {"stage": "source"}}, [], "cannot be a stage's name"),
        ({"source": {}}, ["sorce.lines=1"], r"no `\[sorce\]`; did you mean `source`"),
        ({"source": {}}, ["source.lines"], "write `--set stage.key=value`"),
        (
            {"join": {"inputs": {"more": ["source"]}}, "source": {}},
            [],
            r"`source` has not run by then; move `\[source\]` further up",
        ),
        ({"join": {"inputs": {"more": ["join"]}}}, [], "`join` has not run by then"),
        ({"join": {"inputs": {"parts": {"a": "source"}}}}, [], r"`parts`.a: no file or earlier"),
        ({"source": {}, "join": {"inputs": {"model": "sorce"}}}, [], "did you mean `source`"),
    ],
)
def test_mistakes_are_named(tmp_path, table, settings, message):
    with pytest.raises(InputError, match=message):
        planned(table, tmp_path, *settings)


def test_inputs_of_the_command_line(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    file = tmp_path / "a.txt"
    pairs = [f"parts.x={file}", f"more={file}", f"more={tmp_path}", f"store={tmp_path}/l.sqlite"]
    inputs = pipeline.inputs_from_text("join", pairs)
    assert inputs.parts == {"x": file}
    assert inputs.more == [file, tmp_path]
    assert inputs.store == f"sqlite:///{tmp_path}/l.sqlite"
    assert inputs.model is None


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("model", "write `--inputs name=path`"),
        ("model=nothing/here", "no file or earlier stage `nothing/here`"),
        ("modl=.", "unknown key `modl`; did you mean `model`"),
    ],
)
def test_mistaken_inputs_of_the_command_line(pair, message):
    with pytest.raises(InputError, match=message):
        pipeline.inputs_from_text("join", [pair])


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another directory"):
        run(TABLE, tmp_path / "file" / "out")


def test_paths_are_relative_to_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("words.txt").write_text("hello\n")
    plan = planned({"source": {"inputs": {"file": "words.txt"}}}, tmp_path / "out")
    assert plan.steps[0].inputs.file == Path("words.txt")
