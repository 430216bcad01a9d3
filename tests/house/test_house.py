"""The house rules, kept by a test so that no reviewer has to."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "accord").rglob("*.py"))
SOURCES = sorted(
    file
    for folder in ("accord", "tests", "scripts", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
)
LIMITS = {
    "lines per file": 400,
    "lines per function": 60,
    "lines per class": 200,
    "methods per class": 12,
    "parameters per function": 8,
    "fields per config": 20,
}
BANNED_NAMES = {"utils", "common", "helpers", "misc", "core", "base", "manager"}
BANNED_WORDS = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[[a-z-]+(, ?[a-z-]+)*\]\s+#? ?\S)")
BARE_NOQA = re.compile(r"#\s*noqa(?!:)")
NETWORK = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "urllib3"}
EXCEPTIONS = tomllib.loads((ROOT / "tests/house/exceptions.toml").read_text(encoding="utf-8"))


def name_of(source: Path) -> str:
    return source.relative_to(ROOT).as_posix()


def tree_of(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"))


def length(node: ast.AST) -> int:
    """Lines of a definition without those of its docstring."""
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    is_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return lines - (first.end_lineno - first.lineno + 1) if is_docstring else lines


def measures(source: Path) -> Iterator[tuple[str, str, int]]:
    yield "lines per file", source.stem, len(source.read_text(encoding="utf-8").splitlines())
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.ClassDef):
            yield "lines per class", node.name, length(node)
            methods = [b for b in node.body if isinstance(b, ast.FunctionDef)]
            yield "methods per class", node.name, len(methods)
            if node.name.endswith("Config"):
                fields = [b for b in node.body if isinstance(b, ast.AnnAssign)]
                yield "fields per config", node.name, len(fields)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            count = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            yield "lines per function", node.name, length(node)
            yield "parameters per function", node.name, count


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_everything_stays_small(source):
    excused = {(e["limit"], e["name"]) for e in EXCEPTIONS.get(name_of(source), [])}
    over = [
        f"{name}: {n} {what} (limit {LIMITS[what]})"
        for what, name, n in measures(source)
        if n > LIMITS[what] and (what, name) not in excused
    ]
    assert not over, "\n".join(over)


def test_no_exception_is_made():
    assert EXCEPTIONS == {}


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_modules_are_named_for_what_they_hold(source):
    assert source.stem not in BANNED_NAMES
    assert not BANNED_NAMES & set(source.relative_to(ROOT).parts[:-1])


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_every_module_says_what_it_is(source):
    text = source.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("source", PACKAGE, ids=name_of)
def test_nothing_is_left_unfinished_or_silenced_without_a_reason(source):
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
        for rule in (BANNED_WORDS, BARE_IGNORE, BARE_NOQA):
            assert not rule.search(line), f"{name_of(source)}:{number}: {line.strip()}"


@pytest.mark.parametrize("source", PACKAGE, ids=name_of)
def test_public_names_are_listed_in_order(source):
    for node in tree_of(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            assert names == sorted(set(names), key=lambda n: (not n.isupper(), n.islower(), n))


@pytest.mark.parametrize("source", PACKAGE, ids=name_of)
def test_nothing_reaches_for_the_network(source):
    """Models by hub id and PostgreSQL go through their libraries, and only when named."""
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.Import):
            assert not NETWORK & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module == "http" and [alias.name for alias in node.names] == ["HTTPStatus"]:
                continue  # names of numbers
            assert module.split(".")[0] not in NETWORK
            assert module != "urllib.request"


def test_the_default_run_needs_no_hub():
    for file in (ROOT / "accord").rglob("*.toml"):
        assert '"hf:' not in file.read_text(encoding="utf-8"), name_of(file)
    for source in PACKAGE:
        for node in ast.walk(tree_of(source)):
            if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant):
                assert not str(node.value.value).startswith("hf:"), name_of(source)


def test_imports_point_down_only():
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_stage_is_under_the_independence_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    listed = next(c for c in contracts if c["type"] == "independence")["modules"]
    here = (ROOT / "accord/stages").iterdir()
    stages = {path.stem for path in here if not path.name.startswith(("_", "."))}
    assert sorted(listed) == sorted(f"accord.stages.{stage}" for stage in stages)
