"""Every byte of a run is answered for, and a policy is traced back to what made it."""

import json
import shutil

import pytest
from rich.console import Console

from accord import pipeline, trace
from accord.config import InputError
from accord.runtime.artifacts import run_stage

pytestmark = pytest.mark.usefixtures("toy_stages")

TABLE = {
    "source": {},
    "sft": {"stage": "join", "inputs": {"parts": {"a": "source"}, "model": "builtin:base"}},
    "last": {"stage": "join", "inputs": {"more": ["sft", "source/text.txt"]}},
}


@pytest.fixture
def finished(tmp_path):
    out = tmp_path / "out"
    pipeline.run(pipeline.plan(TABLE, out, title="toy"), Console(quiet=True))
    return out


def sealed(directory):
    return sorted(f for f in directory.rglob("*") if f.is_file() and f.name != ".lock")


def test_a_finished_run_is_as_it_was(finished):
    findings = trace.verify(finished)
    assert findings.differing == []
    assert findings.notes == []
    assert findings.files >= len(sealed(finished))


def test_one_flipped_byte_anywhere_is_found_and_named(finished):
    for file in sealed(finished):
        content = file.read_bytes()
        for place in {0, len(content) // 2, len(content) - 1}:
            changed = bytearray(content)
            changed[place] ^= 1
            file.write_bytes(changed)
            differing = trace.verify(finished).differing
            assert any(str(file) in line for line in differing), (file, place, differing)
        file.write_bytes(content)
    assert trace.verify(finished).differing == []


def test_a_file_that_is_gone_or_new_is_found(finished):
    (finished / "00-source/metrics.jsonl").unlink()
    (finished / "00-source/output/new.txt").write_text("new")
    differing = "\n".join(trace.verify(finished).differing)
    assert "metrics.jsonl` is missing" in differing
    assert "new.txt` was not there when the stage finished" in differing
    assert "is not what `sft` read" in differing


def test_an_artifact_that_was_made_anew_is_not_what_others_read(finished, toy_stages):
    shutil.rmtree(finished / "00-source")
    stage = toy_stages["source"]
    run_stage(stage.run, stage.Config(lines=9), stage.Inputs(), finished / "00-source")
    differing = "\n".join(trace.verify(finished).differing)
    assert "00-source/DONE.json` was changed" in differing
    assert "00-source` is not what `sft` read" in differing
    assert "text.txt` is not what `last` read" in differing


def test_a_run_that_was_moved_is_as_it_was(finished, tmp_path):
    finished.rename(tmp_path / "moved")
    assert trace.verify(tmp_path / "moved").differing == []


def test_a_run_that_is_not_finished_is_noted(finished):
    (finished / "manifest.json").unlink()
    (finished / "02-last/DONE.json").unlink()
    (finished / "report.html").unlink()
    findings = trace.verify(finished)
    assert findings.differing == []
    assert any("is not finished" in note for note in findings.notes)
    assert any("has not come to its end" in note for note in findings.notes)


def test_a_missing_stage_of_a_finished_run_is_found(finished):
    shutil.rmtree(finished / "02-last")
    assert "02-last/DONE.json` is missing" in "\n".join(trace.verify(finished).differing)


def test_a_single_artifact_can_be_verified(finished):
    assert trace.verify(finished / "00-source").differing == []
    (finished / "00-source/output/text.txt").write_text("other")
    assert len(trace.verify(finished / "00-source").differing) == 1


def test_files_from_elsewhere_are_checked_where_they_still_are(tmp_path):
    outside = tmp_path / "words.txt"
    outside.write_text("hello\n")
    table = {"source": {"inputs": {"file": str(outside)}}}
    out = tmp_path / "out"
    pipeline.run(pipeline.plan(table, out, title="toy"), Console(quiet=True))
    outside.write_text("other\n")
    assert any(str(outside) in line for line in trace.verify(out).differing)
    outside.unlink()
    findings = trace.verify(out)
    assert findings.differing == []
    assert any("not here any more" in note for note in findings.notes)


def test_artifacts_made_one_by_one_are_traced_by_their_paths(tmp_path, toy_stages):
    one, two = tmp_path / "source", tmp_path / "sft"
    run_stage(
        toy_stages["source"].run, toy_stages["source"].Config(), toy_stages["source"].Inputs(), one
    )
    inputs = toy_stages["join"].Inputs(more=[one])
    run_stage(toy_stages["join"].run, toy_stages["join"].Config(), inputs, two)
    assert trace.verify(tmp_path).differing == []
    assert [source.name for source in trace.origin(tmp_path).sources] == ["source"]


def test_a_policy_is_traced_to_what_made_it(finished):
    origin = trace.origin(finished, "last")
    assert origin.digest == json.loads((finished / "02-last/DONE.json").read_text())["digest"]
    sft, source = origin.sources
    assert (sft.role, sft.name, sft.stage) == ("more", "sft", "join")
    assert {inner.name for inner in sft.sources} == {"source", "builtin:base"}
    assert source.is_repeated


def test_the_newest_policy_of_a_run(finished, tmp_path):
    with pytest.raises(InputError, match="no finished policy yet"):
        trace.newest_policy(finished)
    listing = json.loads((finished / "run.json").read_text())
    listing["stages"][1]["stage"] = "sft"
    (finished / "run.json").write_text(json.dumps(listing))
    assert trace.newest_policy(finished) == finished / "01-sft"


def test_an_unknown_policy_is_named(finished):
    with pytest.raises(InputError, match="no stage `lst`; did you mean `last`"):
        trace.origin(finished, "lst")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        trace.verify(tmp_path)


def test_a_report_without_its_manifest_is_found(finished):
    (finished / "manifest.json").unlink()
    (finished / "report.html").write_text("another report")
    assert any("manifest.json` is missing" in text for text in trace.verify(finished).differing)
