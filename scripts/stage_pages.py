"""Write the tables of docs/stages: each stage's settings, from the comments beside them.

    python scripts/stage_pages.py          write them
    python scripts/stage_pages.py --check  exit 1 if a page is not up to date

A page marks the place of its table with ``<!-- config -->`` and its end with ``<!-- end -->``.
"""

import re
import sys
from pathlib import Path

from accord import stages
from accord.cli.fields import FieldHelp, fields_of

PAGES = Path(__file__).parent.parent / "docs" / "stages"
TABLE = re.compile(r"<!-- config -->\n.*?<!-- end -->", re.DOTALL)


def table(fields: list[FieldHelp]) -> str:
    """A Markdown table of fields."""
    rows = ["| name | type | default | meaning |", "| --- | --- | --- | --- |"]
    for field in fields:
        default = f"`{field.default}`" if field.default else "needed"
        default = "" if field.type == "table" else default
        cells = (f"`{field.name}`", field.type, default, field.meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def up_to_date(kind: str, page: str) -> str:
    """The page with its table as the stage's code has it now."""
    rows = table(fields_of(stages.load(kind).config))
    return TABLE.sub(lambda _: f"<!-- config -->\n{rows}\n<!-- end -->", page)


def main() -> int:
    """Write or check every page."""
    stale = []
    for kind in stages.STAGES:
        path = PAGES / f"{kind}.md"
        page = path.read_text(encoding="utf-8")
        new = up_to_date(kind, page)
        if new != page or not TABLE.search(page):
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    print(f"{'out of date' if '--check' in sys.argv else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
