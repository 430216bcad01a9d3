"""The page as a whole: what it holds, where it links, what it refuses to hold."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from accord.config import InputError
from accord.reports import build
from accord.reports.page import content_security_policy

VOID = {"meta", "link", "img", "br", "hr", "input", "source", "wbr"}
MOST_BYTES = 3_000_000
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</style></title>"
STAGES = 19


class Page(HTMLParser):
    """The page's elements, with the chain of elements around each."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "attrs": dict(attrs), "inside": list(self._open), "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data
        self.text += data

    def of_class(self, name):
        return [e for e in self.elements if name in e["attrs"].get("class", "").split()]

    def of_tag(self, *names):
        return [e for e in self.elements if e["tag"] in names]

    def inside(self, outer, *names):
        return [e for e in self.of_tag(*names) if any(o is outer for o in e["inside"])]


def parsed(run):
    return Page(build(run).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(write_run):
    return parsed(write_run())


def test_every_section_is_there_in_a_finished_run(page):
    ids = {e["attrs"]["id"] for e in page.of_tag("section") if "id" in e["attrs"]}
    assert ids >= {
        "warnings",
        "loop",
        "answers",
        "ratings",
        "wins",
        "hhh",
        "kinds",
        "reward",
        "preference",
        "labelers",
        "learning",
        "artifacts",
        "again",
    }


def test_the_headline_says_what_happened_and_whether_it_is_supported(page):
    (heading,) = page.of_tag("h1")
    expected = "After two rounds of feedback, the policy’s answers beat SFT’s in 74.0%"
    assert heading["text"].startswith(expected)
    assert "The gain is supported" in page.text
    assert "judged by the world’s written-down truth" in " ".join(page.text.split())


def test_it_is_one_small_file_that_fetches_and_runs_nothing(write_run):
    run = write_run()
    text = build(run).read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert not re.search(r"(https?:)?//[a-z0-9]", text, re.IGNORECASE)
    assert not re.search(r"@import|url\((?!#)", text)
    page = Page(text)
    banned = "script link img iframe object embed base form style:not".split()
    assert not page.of_tag(*banned)
    names = {name for e in page.elements for name in e["attrs"]}
    assert not {name for name in names if name.startswith("on") or name in ("src", "style")}


def test_the_policy_lets_the_one_style_sheet_in_and_nothing_else(write_run):
    page = parsed(write_run())
    (style,) = page.of_tag("style")
    (policy,) = (
        e["attrs"]["content"]
        for e in page.of_tag("meta")
        if e["attrs"].get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == content_security_policy(style["text"])
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("stages", [0, 8, 12, STAGES])
def test_links_are_relative_and_lead_to_what_exists(write_run, stages):
    run = write_run(stages=stages)
    page = parsed(run)
    ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    for link in (e["attrs"]["href"] for e in page.of_tag("a", "use")):
        if link.startswith("#"):
            assert link[1:] in ids
        else:
            assert link.startswith("./")
            assert (run / link).exists(), link


def test_every_number_has_a_link_an_interval_and_n(page):
    evidence = page.of_class("evidence")
    assert len(evidence) > 100
    for one in evidence:
        assert page.inside(one, "a"), one["text"]
    for row in page.of_class("num"):
        if row["tag"] == "td" and any(
            "intervals" in o["attrs"].get("class", "") for o in row["inside"]
        ):
            assert re.search(r"(\d|interval).* · n\xa0=\xa0\d", row["text"]), row["text"]


def test_every_figure_says_where_its_numbers_come_from(page):
    for figure in page.of_tag("figure"):
        assert page.inside(figure, "a"), figure["text"][:80]


def test_a_person_who_cannot_see_the_drawings_gets_the_numbers(page):
    assert page.of_tag("html")[0]["attrs"]["lang"] == "en"
    for svg in page.of_tag("svg"):
        hidden = any(o["attrs"].get("aria-hidden") == "true" for o in [svg, *svg["inside"]])
        nested = any(o["tag"] == "svg" for o in svg["inside"])
        assert hidden or nested or svg["attrs"].get("aria-label")
    for header in page.of_tag("th"):
        assert header["attrs"].get("scope") in ("row", "col")


def test_headings_descend_one_level_at_a_time(page):
    levels = [int(e["tag"][1]) for e in page.of_tag("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_same_artifacts_give_the_same_bytes(write_run, tmp_path):
    run = write_run()
    first = build(run).read_bytes()
    assert build(run).read_bytes() == first
    copy = tmp_path / "elsewhere" / run.name
    shutil.copytree(run, copy)
    assert build(copy).read_bytes() == first


def test_words_of_models_and_people_are_data(write_run):
    run = write_run(text=HOSTILE)
    listing = json.loads((run / "run.json").read_text())
    listing["title"] = HOSTILE
    (run / "run.json").write_text(json.dumps(listing))
    for pattern in ("*-rate_2/output/ratings.json", "*-evaluate/output/*.json*", "*/DONE.json"):
        for path in run.glob(pattern):
            text = path.read_text()
            for word in ("labeler-5", "how-to", "ppo_2", '"loss"'):
                quoted = json.dumps(HOSTILE)[1:-1]
                text = text.replace(word, f'"{quoted}"' if word.startswith('"') else quoted)
            path.write_text(text)
    page = parsed(run)
    assert not page.of_tag("script", "img")
    assert (
        len(page.of_tag("style", "title"))
        == 1 + sum(any(o["tag"] == "svg" for o in e["inside"]) for e in page.of_tag("title")) + 1
    )
    assert page.text.count(HOSTILE) > 10


def test_names_of_folders_cannot_become_schemes_or_lead_out(write_run):
    run = write_run(folder_prefix="javascript:alert(1)%00 #?")
    listing = json.loads((run / "run.json").read_text())
    listing["stages"] += [
        {"name": "out", "stage": "sft", "folder": "../../etc"},
        {"name": "root", "stage": "sft", "folder": "/etc"},
    ]
    (run / "run.json").write_text(json.dumps(listing))
    page = parsed(run)
    links = {e["attrs"]["href"] for e in page.of_tag("a")}
    assert all(re.match(r"#|\./[\w%.()/-]+$", link) for link in links)
    assert "the folder of `out` is not inside the run" in page.text
    assert "the folder of `root` is not inside the run" in page.text


def test_what_cannot_be_written_in_html_is_made_visible(write_run):
    page = parsed(write_run(text="half a pair \ud800, a nul \x00, an escape \x1b[31m\nnext line"))
    assert "half a pair ?, a nul ␀, an escape ␛[31m\nnext line" in page.text


@pytest.mark.parametrize("stages", [0, 3, 10, 16, STAGES - 1])
def test_a_partial_run_says_how_far_it_is_and_what_is_missing(write_run, stages):
    page = parsed(write_run(stages=stages))
    assert f"The run is under way: {stages} of {STAGES} stages are done" in page.text
    assert "Begun but not finished" in page.text
    assert "No evaluation: no win rates" in page.text
    assert "No policy has been evaluated" in page.text


def test_a_run_without_its_listing_is_read_from_its_folders(write_run):
    page = parsed(write_run(run_json=False))
    assert "beat SFT’s in 74.0%" in page.text
    assert f"{STAGES} of {STAGES} stages done" in page.text


def test_a_listing_alone_is_a_run(tmp_path):
    (tmp_path / "run.json").write_text('{"title": "Just begun", "seed": 3, "stages": []}')
    page = parsed(tmp_path)
    assert "Just begun" in page.text
    assert "The run is under way: 0 of 0" in page.text


BROKEN = {
    "empty": "",
    "half": '{"policies": [{"poli',
    "list": "[]",
    "null": "null",
    "other types": '{"policies": {"a": 1}, "ratings": "no", "votes": [], "accuracy": 3}',
    "words for numbers": '{"n_votes": "many", "votes": "many", "log_loss": "low"}',
    "not finite": '{"n_votes": NaN, "votes": Infinity, "log_loss": 1e999, "brier": -1e300}',
}
FILES = (
    "*-evaluate/output/scores.json",
    "*-evaluate/output/samples.jsonl",
    "*-rate_2/output/ratings.json",
    "*-collect_2/output/votes.json",
    "*-preference_model_2/evaluation.json",
    "*-preference_model_2/output/baselines.json",
    "*-ppo_2/metrics.jsonl",
    "*-sft/DONE.json",
    "*-sft/config.json",
    "*-sft/environment.json",
    "run.json",
)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_whatever_is_in_the_files_there_is_a_report(write_run, content):
    run = write_run()
    paths = [path for pattern in FILES for path in run.glob(pattern)]
    assert len(paths) == len(FILES)
    for path in paths:
        path.write_text(content)
    page = parsed(run)
    if content in (BROKEN["half"], BROKEN["empty"]):
        for path in paths:
            name = path.relative_to(run).as_posix()
            if path.suffix == ".json" and path.name not in ("baselines.json", "evaluation.json"):
                assert f"Could not be read: {name}" in page.text


@pytest.mark.parametrize("pattern", FILES)
def test_one_broken_file_does_not_hide_the_others(write_run, pattern):
    run = write_run()
    (path,) = run.glob(pattern)
    path.write_text("{")
    page = parsed(run)
    assert f"Could not be read: {path.relative_to(run).as_posix()}" in page.text
    assert "Where does Mira live" in page.text or "samples" in pattern
    assert "labeler-5 hardly agrees with anybody" in page.text or "ratings" in pattern


def test_the_torn_last_line_of_a_killed_run_is_skipped(write_run):
    run = write_run(stages=10)
    (path,) = run.glob("*-sft/metrics.jsonl")
    path.write_text(path.read_text() + '{"step": 41, "train/lo')
    page = parsed(run)
    assert "03-sft/metrics.jsonl, line 41" in page.text
    assert "train/loss" in page.text


def test_refuses_what_is_no_run(tmp_path):
    with pytest.raises(InputError, match="no directory"):
        build(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"holds no run: neither `run\.json` nor an artifact"):
        build(tmp_path)


def test_says_so_when_it_cannot_be_written(write_run):
    run = write_run()
    (run / "report.html").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*report\.html`"):
        build(run)


def test_a_report_needs_neither_torch_nor_a_plotting_library():
    code = (
        "import sys, accord.reports; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
