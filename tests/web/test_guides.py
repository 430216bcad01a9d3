"""What the pages on managing and on the API show is done here, word for word."""

import json
import re
from pathlib import Path

from accord.store import gold, projects, statistics

DOCS = Path(__file__).parents[2] / "docs"
MANAGE = "/api/v1/manage"


def block(page, head):
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.search(rf"^```{head}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1]


def test_the_project_and_the_gold_item_of_the_guide_can_be_set_up(team):
    text = block("guides/managing_labelers.md", "toml project")
    made = team.manager.post(f"{MANAGE}/projects", json={"toml": text})
    assert made.status_code == 200, made.text
    line = json.loads(block("guides/managing_labelers.md", "json gold"))
    kept = team.manager.post(f"{MANAGE}/projects/helpful-1/gold", json=line)
    assert kept.status_code == 204, kept.text
    with team.site.store.reading() as session:
        settings = projects.get(session, "helpful-1").spec.settings
        assert (settings.overlap.votes, settings.adaptive.max_votes) == (5, 5)
        (one,) = gold.list_(session, "helpful-1")
        assert one.screening


def test_the_program_of_the_reference_votes_until_nothing_is_left(team, item, capsys):
    team.project("sample", items=[item(n) for n in range(3)])
    program = block("reference/http_api.md", "python vote")
    exec(program, {"client": team.labeler("ann", "sample")})
    assert "nothing left:" in capsys.readouterr().out
    with team.site.store.reading() as session:
        assert statistics.progress(session, "sample").complete == 3


def test_the_addresses_of_the_reference_exist(team):
    page = (DOCS / "reference" / "http_api.md").read_text(encoding="utf-8")
    known = set(team.manager.get("/api/v1/openapi.json").json()["paths"])
    table = page[page.index("## Manage") : page.index("## Errors")]
    named = re.findall(r"`(?:GET|POST|PATCH) (/[^`]+)`", table)
    assert len(named) > 7
    assert [MANAGE + one for one in named if MANAGE + one not in known] == []
