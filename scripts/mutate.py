"""Mutation test of the mathematics: change one thing in a formula, and some test must notice.

    python scripts/mutate.py                                  all of accord/functional
    python scripts/mutate.py --file accord/functional/kl.py   one file
    python scripts/mutate.py --package accord/ratings         another package
    python scripts/mutate.py --list                           what would be changed

Signs are flipped, operators and comparisons exchanged, constants and indices shifted, masks,
detachments and clamps dropped, one place at a time, in a copy of the tree. The tests of a module
``accord/functional/kl.py`` are ``tests/functional/test_kl*.py``. Mutants that cannot be noticed
because they mean the same are listed with their reason in scripts/mutants_equivalent.toml.
Exit status 1 if any other mutant survives.
"""

import argparse
import ast
import importlib
import os
import resource
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
EQUIVALENT = Path(__file__).parent / "mutants_equivalent.toml"
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--assert=plain")
SECONDS = 60  # of computing; a mutant that takes more loops for ever, and is noticed that way

Change = tuple[str, Callable[[ast.AST], ast.AST]]

BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
NAMES = {
    "min": "max", "max": "min", "maximum": "minimum", "minimum": "maximum",
    "cumsum": "cumprod", "sum": "mean", "mean": "sum", "all": "any", "any": "all",
}  # fmt: skip
DROPPED = {"detach", "masked_fill", "clamp", "flip", "abs", "log", "exp", "sqrt", "double"}
TWO_CHOICES = 3  # arguments of torch.where


@dataclass(frozen=True)
class Mutant:
    """One changed place."""

    file: str
    line: int
    text: str  #: the line as it was
    change: str
    place: int  #: number of the node in ``nodes_of``
    number: int  #: which of the changes of that node

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}: {self.text}"


def nodes_of(tree: ast.Module) -> list[tuple[ast.AST, ast.AST, str, int | None]]:
    """Every node that may be changed, with its parent, field and index; always in one order."""
    return list(_walk(tree))


def _walk(parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST, str, int | None]]:
    for name, value in ast.iter_fields(parent):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_prose(child):
                continue
            yield child, parent, name, index
            yield from _walk(child)


def _is_prose(node: ast.AST) -> bool:
    """Docstrings, messages and imports: nothing that computes."""
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return text or isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom)


def changes_of(node: ast.AST) -> list[Change]:
    """All ways to change one node."""
    for kind, changes in KINDS.items():
        if isinstance(node, kind):
            return changes(node)
    return []


def _unary(node: ast.UnaryOp) -> list[Change]:
    return [(f"drop {type(node.op).__name__}", _get("operand"))]


def _compare(node: ast.Compare) -> list[Change]:
    other = COMPARE[type(node.ops[0])]
    return [(f"{type(node.ops[0]).__name__} to {other.__name__}", _set("ops", [other()]))]


def _bool(node: ast.BoolOp) -> list[Change]:
    other = ast.Or if isinstance(node.op, ast.And) else ast.And
    return [(f"{type(node.op).__name__} to {other.__name__}", _set("op", other()))]


def _condition(_node: ast.AST) -> list[Change]:
    return [("negate the condition", _negated)]


def _binary(node: ast.BinOp) -> list[Change]:
    changes: list[Change] = []
    other = BINARY.get(type(node.op))
    if other is not None:
        changes.append((f"{type(node.op).__name__} to {other.__name__}", _set("op", other())))
    if isinstance(node.op, ast.Mult | ast.Div | ast.Add | ast.Sub | ast.BitAnd):
        changes.append((f"drop the right of {type(node.op).__name__}", _get("left")))
    if isinstance(node.op, ast.Mult | ast.BitAnd | ast.BitOr):
        changes.append((f"drop the left of {type(node.op).__name__}", _get("right")))
    return changes


def _call(node: ast.Call) -> list[Change]:
    changes: list[Change] = []
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in NAMES:
        changes.append((f"{name} to {NAMES[name]}", _renamed(NAMES[name])))
    if name in DROPPED and isinstance(function, ast.Attribute):
        changes.append((f"drop .{name}()", lambda n: n.func.value))
    if name == "where" and len(node.args) == TWO_CHOICES:
        changes.append(("exchange the choices", _exchanged))
    for keyword in node.keywords:
        if keyword.arg in ("min", "max"):
            changes.append((f"{keyword.arg}= to {NAMES[keyword.arg]}=", _keyword_renamed))
    return changes


def _constant(node: ast.Constant) -> list[Change]:
    value = node.value
    if isinstance(value, bool):
        new: object = not value
    elif isinstance(value, int):
        new = 1 - value if value in (0, 1) else value + 1
    elif isinstance(value, float):
        new = value + 1 if value in (0.0, 1.0) else value * 2
    else:
        return []
    return [(f"{value!r} to {new!r}", _set("value", new))]


def _set(name: str, value: object) -> Callable[[ast.AST], ast.AST]:
    def change(node: ast.AST) -> ast.AST:
        setattr(node, name, value)
        return node

    return change


def _get(name: str) -> Callable[[ast.AST], ast.AST]:
    return lambda node: getattr(node, name)


def _negated(node: ast.AST) -> ast.AST:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return node


def _renamed(name: str) -> Callable[[ast.AST], ast.AST]:
    def change(node: ast.AST) -> ast.AST:
        function = node.func
        setattr(function, "attr" if isinstance(function, ast.Attribute) else "id", name)
        return node

    return change


def _exchanged(node: ast.AST) -> ast.AST:
    condition, a, b = node.args
    node.args = [condition, b, a]
    return node


def _keyword_renamed(node: ast.AST) -> ast.AST:
    for keyword in node.keywords:
        keyword.arg = NAMES.get(keyword.arg, keyword.arg)
    return node


KINDS: dict[type[ast.AST], Callable[[ast.AST], list[Change]]] = {
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _bool,
    ast.IfExp: _condition,
    ast.If: _condition,
    ast.While: _condition,
    ast.Constant: _constant,
    ast.Call: _call,
}


def mutants_of(file: str) -> list[Mutant]:
    """All mutants of one source file."""
    source = (ROOT / file).read_text(encoding="utf-8")
    lines = source.splitlines()
    found = []
    for place, (node, *_) in enumerate(nodes_of(ast.parse(source))):
        for number, (change, _) in enumerate(changes_of(node)):
            line = node.lineno
            found.append(Mutant(file, line, lines[line - 1].strip(), change, place, number))
    return found


def mutated(mutant: Mutant) -> str:
    """The source of a mutant."""
    tree = ast.parse((ROOT / mutant.file).read_text(encoding="utf-8"))
    node, parent, name, index = nodes_of(tree)[mutant.place]
    _, change = changes_of(node)[mutant.number]
    new = change(node)
    if index is None:
        setattr(parent, name, new)
    else:
        getattr(parent, name)[index] = new
    return ast.unparse(ast.fix_missing_locations(tree))


def tests_of(file: str) -> list[str]:
    """The test files of a module."""
    path = Path(file)
    tests = ROOT / "tests" / path.parent.relative_to("accord")
    return [str(t.relative_to(ROOT)) for t in sorted(tests.glob(f"test_{path.stem}*.py"))]


def copy_of_tree(folder: Path, package: Path) -> Path:
    """What the tests of a package need, in a folder of its own."""
    ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
    tests = Path("tests") / package.relative_to("accord")
    for name in (Path("accord"), tests):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def passes(folder: Path, tests: list[str]) -> bool:
    """Run tests in a fork of this process, which has imported the slow packages already."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _run_and_exit(folder, tests)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _run_and_exit(folder: Path, tests: list[str]) -> None:
    status = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        pytest, hypothesis = map(importlib.import_module, ("pytest", "hypothesis"))
        # No search for the simplest failing example: one failure is enough.
        hypothesis.settings.register_profile(
            "mutate",
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        )
        hypothesis.settings.load_profile("mutate")
        status = int(pytest.main([*OPTIONS, *tests]))
    finally:
        os._exit(status)


def survivors_of(mutants: list[Mutant], folder: Path) -> list[Mutant]:
    """The mutants that no test notices."""
    alive = []
    for number, mutant in enumerate(mutants, start=1):
        target = folder / mutant.file
        target.write_text(mutated(mutant), encoding="utf-8")
        if passes(folder, tests_of(mutant.file)):
            alive.append(mutant)
        print(f"\r{mutant.file} {number}/{len(mutants)}, {len(alive)} survive", end="", flush=True)
    print()
    return alive


def known_equivalents() -> dict[tuple[str, str, str], str]:
    """(file, line, change) of the mutants that mean the same, with the reason."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", [])
    return {(e["file"], e["line"], e["change"]): e["reason"] for e in entries}


def main() -> int:
    """Run the mutants of the chosen files and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", default="accord/functional")
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    package = sorted((ROOT / options.package).glob("*.py"))
    files = options.file or [str(path.relative_to(ROOT)) for path in package]
    by_file = {file: mutants_of(file) for file in files}
    if options.list:
        print("\n".join(str(mutant) for mutants in by_file.values() for mutant in mutants))
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("torch", "scipy.stats", "hypothesis", "jaxtyping", "beartype", "pytest"):
        importlib.import_module(name)
    known, unknown, equivalent = known_equivalents(), [], 0
    for file, mutants in by_file.items():
        if not mutants:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = copy_of_tree(Path(temporary), Path(file).parent)
            if not tests_of(file) or not passes(folder, tests_of(file)):
                print(f"{file}: its tests are missing or fail without any mutation")
                return 1
            for mutant in survivors_of(mutants, folder):
                if (mutant.file, mutant.text, mutant.change) in known:
                    equivalent += 1
                else:
                    unknown.append(mutant)
    total = sum(len(mutants) for mutants in by_file.values())
    killed = total - equivalent - len(unknown)
    print(f"{total} mutants: {killed} noticed, {equivalent} equivalent, {len(unknown)} survive")
    for mutant in unknown:
        print(f"survives  {mutant}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
