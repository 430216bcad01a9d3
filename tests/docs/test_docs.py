"""The documentation is complete and its commands are commands."""

import ast
import functools
import inspect
import itertools
import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from accord import cli, pipeline, stages
from accord.cli.fields import fields_of
from accord.cli.lessons import LESSONS
from accord.config import build

ROOT = Path(__file__).parents[2]
STAGE_PAGES = ROOT / "docs" / "stages"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HEADINGS = [
    "Quick facts",
    "Equations",
    "Inputs and outputs",
    "Config",
    "Metrics",
    "Implementation details",
    "Known limits",
]
METRIC = re.compile(r"[a-z_]+/[a-z][a-z0-9_]*")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")

every_stage = pytest.mark.parametrize("kind", list(stages.STAGES))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())


def page_of(kind):
    return (STAGE_PAGES / f"{kind}.md").read_text(encoding="utf-8")


def sources_of(kind):
    file = Path(inspect.getsourcefile(stages.load(kind).run))
    return sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]


@every_stage
def test_a_stage_has_its_page_with_the_standard_headings(kind):
    headings = re.findall(r"^## (.+)$", page_of(kind), re.MULTILINE)
    found = [name for heading in headings for name in HEADINGS if heading.startswith(name)]
    assert found == HEADINGS


@every_stage
def test_every_setting_and_input_is_on_the_page_and_means_something(kind):
    stage, page = stages.load(kind), page_of(kind)
    for field in [*fields_of(stage.config), *fields_of(stage.inputs)]:
        assert f"`{field.name}`" in page, field.name
        assert field.meaning, f"{kind}: `{field.name}` has no `#:` comment"


@every_stage
def test_the_table_of_a_page_is_that_of_the_code(kind):
    script = runpy.run_path(str(ROOT / "scripts" / "stage_pages.py"))
    assert "<!-- config -->" in page_of(kind)
    assert script["up_to_date"](kind, page_of(kind)) == page_of(kind), "run scripts/stage_pages.py"


@every_stage
def test_every_metric_that_a_stage_writes_in_its_source_is_on_its_page(kind):
    page = page_of(kind)
    for source in sources_of(kind):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not METRIC.fullmatch(node.value) or f"`{node.value}`" in page, node.value


@every_stage
def test_every_metric_that_a_stage_logs_is_on_its_page(kind, tiny_run):
    page = page_of(kind)
    folder = next(step.folder for step in tiny_run.steps if step.kind == kind)
    for name in ("metrics.jsonl", "timings.jsonl"):
        if (folder / name).is_file():
            for key in set(re.findall(r'"([a-z_]+/[^"]+)":', (folder / name).read_text())):
                assert f"`{_family(key, page)}`" in page, key


def _family(key, page):
    """A metric of a named policy, ``sample/finished/sft``, is documented as ``.../<policy>``."""
    head, _, tail = key.rpartition("/")
    for variable in ("<policy>", "<name>", "<kind>"):
        if f"`{head}/{variable}`" in page and tail:
            return f"{head}/{variable}"
        group, _, rest = key.partition("/")
        if f"`{variable}/{rest}`" in page and group:
            return f"{variable}/{rest}"
    return key


def test_there_is_no_page_without_a_stage():
    assert {page.stem for page in STAGE_PAGES.glob("*.md")} == set(stages.STAGES)


def test_every_command_and_option_is_in_the_reference():
    reference = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    for name in _commands():
        assert f"`accord {name}`" in reference, name
        for option in _options(name) - {"--help"}:
            assert f"`{option}" in reference, f"{name} {option}"


@functools.cache
def _commands():
    text = CliRunner().invoke(cli.app, ["--help"], env={"COLUMNS": "200"}).stdout
    return re.findall(r"^│ ([a-z][a-z-]+)  ", text, re.MULTILINE)


@functools.cache
def _options(command):
    text = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    return set(re.findall(r"^│[ *]+(--[a-z-]+)", text, re.MULTILINE))


@every_page
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


@every_page
def test_commands_in_the_pages_parse(page):
    """Every ``accord`` line names a command that exists, with options that it has."""
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in ("bash", "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                _check_command(shlex.split(line, comments=True))


@pytest.mark.parametrize("kind", list(LESSONS))
def test_the_examples_of_the_help_parse(kind):
    words = shlex.split(LESSONS[kind].example)
    _check_command(["accord", kind.replace("_", "-"), *words])
    named = [w for flag, w in itertools.pairwise(words) if flag == "--inputs"]
    fields = stages.load(kind).inputs.model_fields
    assert {pair.partition("=")[0].partition(".")[0] for pair in named} <= set(fields)
    needed = {name for name, field in fields.items() if field.is_required()}
    assert needed <= {pair.partition("=")[0].partition(".")[0] for pair in named}


def _check_command(words):
    if "|" in words:
        bar = words.index("|")
        _check_command(words[:bar])
        _check_command(words[bar + 1 :])
        return
    if not words or words[0] != "accord" or words[1].startswith("-"):
        return
    assert words[1] in _commands(), words
    for word in words[2:]:
        if word.startswith("--"):
            assert word in _options(words[1]), words


@every_page
def test_commands_in_the_text_exist(page):
    for name in re.findall(r"`accord ([a-z][a-z-]*)", page.read_text(encoding="utf-8")):
        assert name in _commands(), name


@every_page
def test_make_targets_in_the_pages_exist(page):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for _, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for target in re.findall(r"^make ([a-z]+)", block, re.MULTILINE):
            assert target in targets, target


@every_page
def test_stages_in_toml_blocks_have_settings_that_exist(page):
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "toml":
            continue
        for name, values in tomllib.loads(block).items():
            kind = values.get("stage", re.sub(r"_\d+$", "", name)) if name not in _HEAD else ""
            if kind in stages.STAGES:
                stage = stages.load(kind)
                settings = {k: v for k, v in values.items() if k not in pipeline.STAGE_KEYS}
                build(stage.config, settings, where=f"{page.name} [{name}]")
                assert set(values.get("inputs", {})) <= set(stage.inputs.model_fields), name


_HEAD = ("run", "paths")


@pytest.mark.parametrize("file", sorted((ROOT / "runs").glob("*.toml")), ids=lambda path: path.name)
def test_run_files_have_settings_that_exist(file, tmp_path):
    """Inputs from outside may be missing here, so only names and settings are checked."""
    for name, values in tomllib.loads(file.read_text(encoding="utf-8")).items():
        if name in _HEAD:
            continue
        stage = stages.load(values.get("stage", re.sub(r"_\d+$", "", name)))
        settings = {k: v for k, v in values.items() if k not in pipeline.STAGE_KEYS}
        build(stage.config, settings, where=f"{file.name} [{name}]")
        assert set(values.get("inputs", {})) <= set(stage.inputs.model_fields), name


def test_the_demo_is_a_run_that_can_be_planned(tmp_path):
    table = tomllib.loads((ROOT / "accord/cli/demo.toml").read_text(encoding="utf-8"))
    assert pipeline.plan(table, tmp_path, title="demo").steps


def test_the_readme_is_short_and_begins_with_the_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 150
    first = "\n".join(lines[:30])
    assert "make demo" in first
    assert "make test" in first


def test_the_tree_of_the_readme_is_the_tree():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = next(block for block in re.findall(r"```\n(accord/\n.*?)```", text, re.DOTALL))
    named = set(re.findall(r"[├└]── (\S+?)/? ", tree))
    here = {
        path.name
        for path in (ROOT / "accord").iterdir()
        if path.suffix in ("", ".py") and not path.name.startswith(("_", "."))
    }
    assert named == here
