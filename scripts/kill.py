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


def disturbed(file: Path, out: Path, *, kills: int, seconds: float, seed: int) -> int:
    """Run with kills at random moments, then to the end; how many hit a living process.

    A run lives for two shares of the straight run's time at most, so that the kills are spread
    over all of its stages.
    """
    rng = random.Random(seed)
    hits = 0
    for number in range(kills):
        since = time.time()
        process = start(file, out)
        deadline = wait_for_stages(process, out, since) + rng.uniform(0, 2 * seconds / kills)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        if process.poll() is None:
            process.kill()
            hits += 1
        process.wait()
        done = len(list(out.glob("*/DONE.json")))
        print(f"kill {number + 1}: {done} stages done", flush=True)
    if start(file, out).wait():
        sys.exit("the run did not come to its end")
    return hits


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
        hits = disturbed(
            options.file, broken, kills=options.kills, seconds=seconds, seed=options.seed
        )
        expected, found = results(whole), results(broken)
        differing = [name for name in expected if expected[name] != found.get(name)]
        differing += trace.verify(broken).differing
    print(f"{hits} kills, {len(expected)} stages, differing: {', '.join(differing) or 'none'}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
