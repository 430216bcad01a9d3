"""The page about formats says what the code does."""

import doctest
import re
from pathlib import Path

from accord.data.formats import FORMATS
from accord.data.formats.losses import FEATURES

PAGE = Path(__file__).parents[3] / "docs" / "import_and_export.md"
HEADINGS = {
    "texts": "texts",
    "conversation": "conversation",
    "labeler": "who",
    "policy": "policy",
    "time": "when",
    "seconds": "seconds",
    "side": "side",
    "strength": "strength",
    "tie": "tie",
    "tie_kind": "kind of tie",
    "both_bad": "both bad",
    "ranking": "ranking",
    "ratings": "ratings",
    "flags": "flags",
    "note": "remark",
}
OWN = {"sampling", "polarity", "setting", "gold"}  # that only Accord's own format holds


def holds():
    lines = [f"| format | {' | '.join(HEADINGS.values())} |", "| --- |" + " --- |" * len(HEADINGS)]
    for name, form in FORMATS.items():
        marks = ["yes" if feature in form.holds else "" for feature in HEADINGS]
        lines.append(f"| `{name}` | {' | '.join(marks)} |".replace("  |", " |"))
    return "\n".join(lines)


def notes():
    lines = ["| format | reading | writing |", "| --- | --- | --- |"]
    for name, form in FORMATS.items():
        if form.reading or form.writing:
            lines.append(f"| `{name}` | {'; '.join(form.reading)} | {'; '.join(form.writing)} |")
    return "\n".join(lines).replace("|  |", "| |")


def filled(page):
    for name, table in (("holds", holds()), ("notes", notes())):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        page = re.sub(pattern, lambda m, t=table: f"{m[1]}{t}\n{m[2]}", page, flags=re.DOTALL)
    return page


def test_the_tables_are_those_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page, "put the tables of this test into the page"


def test_every_feature_is_in_the_table_or_our_own():
    assert HEADINGS.keys() | OWN == FEATURES.keys()
    for name, form in FORMATS.items():
        assert name == "accord" or not OWN & form.holds


def test_the_python_on_the_page_runs():
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0


def test_every_format_is_listed():
    page = PAGE.read_text(encoding="utf-8")
    for name in FORMATS:
        assert f"\n| `{name}` | " in page
