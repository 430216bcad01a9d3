"""Plant every known mistake of PPO for language models, and see that its test fails.

    python scripts/traps.py                 all of them, minutes
    python scripts/traps.py 5 20            some, by number
    python scripts/traps.py --table         the table of docs/stages/ppo.md

The mistakes and their tests are in scripts/traps.toml. Each is planted in a copy of the tree.
Exit status 1 if a test passes with its mistake, or fails without any.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = Path(__file__).parent / "traps.toml"
COPIED = ("accord", "tests", "scripts", "pyproject.toml")


@dataclass(frozen=True)
class Trap:
    """One mistake: what to change, and the test that must notice."""

    number: int
    trap: str
    holds: str
    file: str
    old: str
    new: str
    test: str


def read() -> list[Trap]:
    """All of them, in the order of their numbers."""
    return [Trap(**one) for one in tomllib.loads(LIST.read_text(encoding="utf-8"))["traps"]]


def table(traps: list[Trap]) -> str:
    """As docs/stages/ppo.md has it."""
    rows = ["| | trap | here | test that fails when it is planted |", "| --- | --- | --- | --- |"]
    for one in traps:
        path, _, name = one.test.partition("::")
        rows.append(f"| {one.number} | {one.trap} | {one.holds} | `{name}` in `{path}` |")
    return "\n".join(rows)


def fails(tree: Path, tests: list[str]) -> bool:
    """Whether pytest finds a failure; a test that cannot run is no failure but an error here."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        sys.exit(f"{tests}: pytest ended with {done.returncode}\n{done.stdout[-2000:]}")
    return done.returncode == 1


def main() -> int:
    """Plant what was asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    traps = [one for one in read() if not options.numbers or one.number in options.numbers]
    if options.table:
        print(table(traps))
        return 0
    with tempfile.TemporaryDirectory(prefix="accord-traps-") as folder:
        tree = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        if fails(tree, sorted({one.test for one in traps})):
            sys.exit("a test fails with nothing planted")
        unnoticed = []
        for one in traps:
            place, sound = tree / one.file, (ROOT / one.file).read_text(encoding="utf-8")
            place.write_text(sound.replace(one.old, one.new, 1), encoding="utf-8")
            noticed = fails(tree, [one.test])
            place.write_text(sound, encoding="utf-8")
            verdict = "noticed" if noticed else "NOT NOTICED"
            print(f"{one.number:2d} {verdict}: {one.trap}", flush=True)
            if not noticed:
                unnoticed.append(one.number)
    print(f"{len(traps)} planted, not noticed: {unnoticed or 'none'}")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
