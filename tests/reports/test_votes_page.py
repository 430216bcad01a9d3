"""The page about a file of votes: self-contained, escaped, and no more than the votes say."""

import json
import re
from html.parser import HTMLParser

import pytest

from accord.cli.vote_ratings import Wanted, agreement_of_file, rate_file
from accord.config import InputError
from accord.reports.votes_page import Origin, write_agreement, write_ratings

EVIL = "<img src=x onerror=alert(1)>\"'&"


def votes_file(tmp_path, rows):
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(names=("x", "y"), *, n=40, **more):
    """The first of the names wins three in four, whoever votes; two votes on each prompt."""
    a, b = names
    return [
        {"a": a, "b": b, "winner": "a" if i % 4 else "b", "labeler": f"l{i // 4 % 12}"}
        | {"prompt": f"p{i % (n // 2)}", "side": "ab"[i % 3 == 0]}
        | more
        for i in range(n)
    ]


def page_of(tmp_path, given, **wanted):
    votes = votes_file(tmp_path, given)
    out = tmp_path / "page.html"
    found = rate_file(votes, Wanted(**wanted))
    write_ratings(out, found, Origin(votes, "accord rate votes.jsonl"))
    return out.read_text(encoding="utf-8")


class Visible(HTMLParser):
    """What a reader sees, and every tag with its attributes."""

    def __init__(self):
        super().__init__()
        self.words, self.tags, self.hidden = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hidden += tag == "style"

    def handle_endtag(self, tag):
        self.hidden -= tag == "style"

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)


def seen(text):
    parser = Visible()
    parser.feed(text)
    return " ".join(" ".join(parser.words).split()), parser.tags


def test_it_says_who_leads_and_shows_every_part(tmp_path):
    given = rows(n=80) + rows(("x", "z"), n=80, len_a=30, len_b=10)
    given += [{"a": "y", "b": "z", "winner": "both_bad", "labeler": "l0", "prompt": "p0"}] * 3
    text, _ = seen(page_of(tmp_path, given, control=("side",)))
    assert "x is the best of 3 models." in text
    for part in (
        "163 votes",
        "Each over the next",
        "Who wins against whom",
        "What else swayed the votes",
        "Neither was good",
        "How far they agree",
        "Habits",
        "accord rate votes.jsonl",
    ):
        assert part in text, part
    assert "No warnings." in text
    text, _ = seen(page_of(tmp_path, rows(n=4)))
    assert "few_clusters" in text
    assert "ask more of them" in text


@pytest.mark.parametrize(
    ("given", "headline"),
    [
        (rows(n=4), "Which of 2 models is best is open"),
        (rows(n=60) + rows(("u", "v")), "2 groups of models that cannot be compared"),
        (rows(("x", "x")), "Only x was voted on"),
        (rows(("x", "z"), n=400) + rows(("y", "z"), n=400), "The best of 3 models is x or y"),
    ],
)
def test_the_headline_claims_no_more_than_the_votes(tmp_path, given, headline):
    assert f"{headline}." in seen(page_of(tmp_path, given))[0]


def test_groups_stand_apart_in_every_table(tmp_path):
    text = page_of(tmp_path, rows() + rows(("u", "v")))
    words, tags = seen(text)
    assert "Group 1 of 2" in words
    assert "Group 2 of 2" in words
    assert "u over x" not in words
    assert "x over u" not in words
    titles = {attrs.get("title") for _, attrs in tags}
    assert "x and u cannot be compared" in titles
    assert not any("x over u: fitted" in (title or "") for title in titles)


def test_nothing_is_loaded_and_names_are_only_text(tmp_path):
    given = rows((EVIL, "y"), labeler=EVIL, prompt=EVIL, criterion=EVIL)
    text = page_of(tmp_path, given, by="criterion")
    words, tags = seen(text)
    assert EVIL in words
    assert not {"img", "script", "link", "iframe"} & {tag for tag, _ in tags}
    assert not any(name.startswith("on") or name == "style" for _, attrs in tags for name in attrs)
    assert any("default-src 'none'" in attrs.get("content", "") for _, attrs in tags)
    targets = [attrs["href"] for tag, attrs in tags if tag == "a"]
    assert set(targets) == {"#origin"}
    assert not re.search(r"https?://|url\((?!#)", text)


def test_each_criterion_has_its_part(tmp_path):
    given = rows(criterion="helpful") + rows(("y", "x"), criterion="harmless")
    text, _ = seen(page_of(tmp_path, given, by="criterion"))
    assert "2 criteria, each on its own." in text
    assert text.index("criterion: harmless") < text.index("criterion: helpful")


def test_many_models_are_cut_and_it_says_so(tmp_path):
    given = [row for i in range(70) for row in rows((f"m{i:02}", f"m{i + 1:02}"), n=8)]
    text, _ = seen(page_of(tmp_path, given))
    assert "The 11 models rated lowest are not drawn" in text
    assert "Those of the 50 pairs rated lowest are not drawn" in text
    assert "The 41 models rated lowest are left out" in text


def test_many_groups_are_cut_and_it_says_so(tmp_path):
    given = [row for i in range(10) for row in rows((f"a{i}", f"b{i}"), n=4)]
    text, _ = seen(page_of(tmp_path, given))
    assert "10 groups of models that cannot be compared" in text
    assert "Group 8 of 10" in text
    assert "Group 9 of 10" not in text
    assert "The 2 smallest groups are not drawn" in text


def test_agreement(tmp_path):
    votes = votes_file(tmp_path, rows(strength=2))
    out = tmp_path / "agreement.html"
    write_agreement(out, agreement_of_file(votes), Origin(votes, "accord agreement votes.jsonl"))
    text, _ = seen(out.read_text(encoding="utf-8"))
    assert re.search(r"Two labelers agree on [\d.]+% of the same responses", text)
    for measure in ("Krippendorff’s alpha", "Ordinal alpha", "Fleiss’ kappa", "Ceiling"):
        assert measure in text, measure


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    votes = votes_file(tmp_path, rows())
    with pytest.raises(InputError, match="cannot write"):
        write_ratings(tmp_path / "no" / "x.html", rate_file(votes, Wanted()), Origin(votes, ""))
    assert list(tmp_path.iterdir()) == [votes]
