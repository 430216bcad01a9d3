"""Everything from nothing to the report, as a user sees it, with ``kill -9`` on the way."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from accord import trace

TINY = Path(__file__).parents[1] / "tiny.toml"
KILLS = 2
LONGEST = 240  # seconds for one command, on a machine that does other things too


def start(out):
    command = [sys.executable, "-m", "accord.cli", "run", str(TINY), "--out", str(out)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listening_to_ctrl_c,  # noqa: PLW1509 -- this process has no threads
    )


def listening_to_ctrl_c():
    """What a terminal gives: tests that run in the background inherit that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def begun(process, out, since):
    """Wait until the stages begin: importing torch takes longer than many of them."""
    listing = out / "run.json"
    while process.poll() is None:
        if listing.is_file() and listing.stat().st_mtime > since:
            return
        time.sleep(0.01)


def killed_after(out, seconds):
    """Run until so long after the stages began, then ``kill -9``."""
    since = time.time()
    process = start(out)
    begun(process, out, since)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def results(out):
    """What must not depend on having been killed: digests, metrics, votes."""
    return {
        folder.name: (
            json.loads((folder / "DONE.json").read_text())["digest"],
            (folder / "metrics.jsonl").read_text() if (folder / "metrics.jsonl").is_file() else "",
        )
        for folder in sorted(out.iterdir())
        if folder.is_dir()
    }


def test_a_run_that_was_killed_ends_as_one_that_was_not(tiny_run, tmp_path):
    out = tmp_path / "out"
    seed = int(os.environ.get("ACCORD_KILL_SEED", time.time_ns() % 100_000))
    rng = random.Random(seed)
    print(f"ACCORD_KILL_SEED={seed}")  # shown when the test fails, to repeat it
    for _ in range(KILLS):
        killed_after(out, rng.uniform(0.0, 8.0))
    process = start(out)
    text, error = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, error
    assert "report:" in text
    assert results(out) == results(tiny_run.out)
    findings = trace.verify(out)
    assert findings.differing == []
    assert findings.notes == []


SEALS = ("DONE.json", "manifest.json")  # when one is broken, what it lists cannot be checked


@pytest.mark.parametrize("seals", [False, True])
def test_a_flipped_byte_in_any_file_of_a_whole_run_is_found(tiny_run, tmp_path, seals):
    out = shutil.copytree(tiny_run.out, tmp_path / "out")
    assert trace.verify(out).differing == []
    rng = random.Random(0)
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.stat().st_size]
    flipped = [path for path in files if (path.name in SEALS) == seals]
    for file in flipped:
        content = bytearray(file.read_bytes())
        content[rng.randrange(len(content))] ^= 1
        file.write_bytes(content)
    differing = trace.verify(out).differing
    for file in flipped:
        assert any(str(file) in line for line in differing), file


def test_the_last_policy_is_traced_to_the_labelers(tiny_run):
    origin = trace.origin(tiny_run.out)
    assert origin.stage == "ppo"
    found = {}

    def walk(one):
        found.setdefault(one.stage, []).append(one)
        for source in one.sources:
            walk(source)

    walk(origin)
    for stage in ("preference_model", "collect", "simulate_labelers", "publish", "sample", "sft"):
        assert stage in found, stage
    votes, people = found["collect"][0].facts
    written = json.loads(
        next(tiny_run.out.glob("*-collect/output/votes.json")).read_text(encoding="utf-8")
    )
    assert votes.endswith(written["votes_digest"])
    assert "labeler" in people


def test_ctrl_c_says_how_to_go_on(tmp_path):
    since = time.time()
    process = start(tmp_path / "out")
    begun(process, tmp_path / "out", since)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert "run the same command again to go on" in error
    assert "Traceback" not in error
