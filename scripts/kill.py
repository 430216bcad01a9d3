"""Kill a run with ``kill -9`` again and again, and compare how it ends with an undisturbed one.

    python scripts/kill.py                        tests/tiny.toml, 20 kills
    python scripts/kill.py accord/cli/demo.toml --kills 20 --seed 1

Exit status 1 if a digest, a line of metrics or the ledger's votes differ.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from accord import trace

ROOT = Path(__file__).parent.parent


def start(file: Path, out: Path) -> subprocess.Popen[bytes]:
    """The command that a user gives."""
    command = [sys.executable, "-m", "accord.cli", "run", str(file), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)


def results(out: Path) -> dict[str, tuple[str, str]]:
    """Of each stage: the digest of its output, and its metrics."""
    return {
        folder.parent.name: (
            json.loads(folder.read_text(encoding="utf-8"))["digest"],
            _text(folder.parent / "metrics.jsonl"),
        )
        for folder in sorted(out.glob("*/DONE.json"))
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def wait_for_stages(process: subprocess.Popen[bytes], out: Path, since: float) -> float:
    """Wait until the run has begun its stages, which importing torch delays; when that was."""
    listing = out / "run.json"
    while process.poll() is None:
        if listing.is_file() and listing.stat().st_mtime > since:
            break
        time.sleep(0.01)
    return time.monotonic()


def straight(file: Path, out: Path) -> float:
    """Run without a disturbance; how long its stages took."""
    since = time.time()
    process = start(file, out)
    began = wait_for_stages(process, out, since)
    if process.wait():
        sys.exit("the undisturbed run did not come to its end")
    return time.monotonic() - began


def disturbed(file: Path, out: Path, *, kills: int, seconds: float, seed: int) -> list[Path]:
    """Kill runs at random moments until enough kills hit a living one; the runs, all ended.

    A run lives for up to a fifth of the straight run's time between two kills. One that ends before
    its next kill is kept for comparison, and the kills go on in a new folder.
    """
    rng = random.Random(seed)
    runs, hits = [out / "0"], 0
    while hits < kills:
        since = time.time()
        process = start(file, runs[-1])
        deadline = wait_for_stages(process, runs[-1], since) + rng.uniform(0, seconds / 5)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        if process.poll() is None:
            process.kill()
            hits += 1
            done = len(list(runs[-1].glob("*/DONE.json")))
            print(f"kill {hits}: {done} stages done", flush=True)
        elif process.returncode:
            sys.exit("a run that was killed before did not come to its end")
        else:
            runs.append(out / str(len(runs)))
        process.wait()
    if start(file, runs[-1]).wait():
        sys.exit("the run did not come to its end")
    return runs


def main() -> int:
    """Compare a straight run with a disturbed one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=ROOT / "tests" / "tiny.toml")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accord-kill-") as folder:
        whole, broken = Path(folder) / "straight", Path(folder) / "broken"
        seconds = straight(options.file, whole)
        broken.mkdir()
        runs = disturbed(
            options.file, broken, kills=options.kills, seconds=seconds, seed=options.seed
        )
        expected, differing = results(whole), []
        for run in runs:
            found = results(run)
            differing += [name for name in expected if expected[name] != found.get(name)]
            differing += trace.verify(run).differing
    print(
        f"{options.kills} kills in {len(runs)} runs of {len(expected)} stages, "
        f"differing: {', '.join(differing) or 'none'}"
    )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
