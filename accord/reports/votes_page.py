"""One self-contained page about a file of votes: ratings, win rates, labelers, warnings."""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from accord.reports.estimates import PERCENT, count, show
from accord.reports.figures_intervals import IntervalChart
from accord.reports.html import content_security_policy, environment, write_page
from accord.reports.votes_sections import (
    GroupChart,
    Labelers,
    Matrix,
    agreement_chart,
    both_bad_rows,
    covariate_chart,
    group_charts,
    labelers,
    matrix,
)

MODELS = {
    "bradley_terry": "Bradley-Terry: P(a wins) = 1 / (1 + 10^(−gap/400)); a tie is half a win.",
    "thurstone": "Thurstone, case V: P(a wins) = Φ(gap / (200 √2)); a tie is half a win.",
    "davidson": "Davidson: P(a) : P(tie) : P(b) = 10^(gap/800) : ν : 10^(−gap/800).",
    "rao_kupper": "Rao and Kupper: a difference below a threshold is called a tie.",
    "plackett_luce": "Plackett-Luce with ties (Turner et al. 2020): a ranking is a row of choices.",
}
DIGEST_UP_TO = 1 << 28  # bytes; larger files are not read again for their digest
NAMED = 3  # models in a headline
BACKTICKS = re.compile(r"`([^`]*)`")


@dataclass(frozen=True)
class Origin:
    """Where the numbers come from."""

    file: Path
    command: str


@dataclass(frozen=True)
class Part:
    """All there is about one criterion, or about all votes."""

    title: str
    headline: str
    keys: list[tuple[str, str]]
    warnings: list[dict[str, str]]
    groups: list[GroupChart]
    more_groups: int  #: that are not drawn
    matrix: Matrix | None
    covariates: IntervalChart | None
    both_bad: list[tuple[str, str, str]]
    flip: str
    agreement: IntervalChart | None
    labelers: Labelers | None
    model: str


@dataclass(frozen=True)
class VotesPage:
    """Everything that the template prints."""

    kind: str
    headline: str
    file: str
    command: str
    digest: str
    confidence: str
    parts: list[Part]


def write_ratings(path: Path, found: dict[str, Any], origin: Origin) -> Path:
    """Draw what ``accord rate`` found.

    Raises:
        InputError: the page cannot be written there.
    """
    parts = [
        _rated(part, f"{column}: {name or 'none given'}")
        for column, by in found.get("by", {}).items()
        for name, part in by.items()
    ] or [_rated(found, "")]
    headline = parts[0].headline
    if len(parts) > 1:
        headline = f"{len(parts)} criteria, each on its own"
    return _written(path, "Ratings", headline, found["confidence"], parts, origin)


def write_agreement(path: Path, found: dict[str, Any], origin: Origin) -> Path:
    """Draw what ``accord agreement`` found.

    Raises:
        InputError: the page cannot be written there.
    """
    part = Part(
        title="",
        headline=_agreeing(found["agreement"]),
        keys=_keys(found),
        warnings=_warnings(found),
        groups=[],
        more_groups=0,
        matrix=None,
        covariates=None,
        both_bad=[],
        flip="",
        agreement=agreement_chart(found["agreement"]),
        labelers=labelers(found["labelers"]),
        model="",
    )
    return _written(path, "Agreement", part.headline, found["confidence"], [part], origin)


def _rated(found: dict[str, Any], title: str) -> Part:
    groups = group_charts(found)
    return Part(
        title=title,
        headline=_leading(found),
        keys=_keys(found),
        warnings=_warnings(found),
        groups=groups,
        more_groups=len(found["groups"]) - len(groups),
        matrix=matrix(found),
        covariates=covariate_chart(found),
        both_bad=both_bad_rows(found),
        flip=_quoted(found["flip"]["message"]) if found["flip"] else "",
        agreement=agreement_chart(found["agreement"]),
        labelers=labelers(found["labelers"]),
        model=MODELS.get(found["model"], found["model"]),
    )


def _leading(found: dict[str, Any]) -> str:
    """What the votes say about who is best, and no more than they say."""
    if len(found["groups"]) > 1:
        return f"{len(found['groups'])} groups of models that cannot be compared"
    rows = found["ratings"]
    if len(rows) == 1:
        return f"Only {rows[0]['name']} was voted on"
    first = [row["name"] for row in rows if row["rank_low"] == 1]
    if len(first) == 1:
        return f"{first[0]} is the best of {len(rows)} models"
    if len(first) == len(rows):
        return f"Which of {len(rows)} models is best is open"
    *most, last = first if len(first) <= NAMED else [*first[:NAMED], f"{len(first) - NAMED} more"]
    return f"The best of {len(rows)} models is {', '.join(most)} or {last}"


def _warnings(found: dict[str, Any]) -> list[dict[str, str]]:
    return [
        row | {key: _quoted(row[key]) for key in ("message", "advice")} for row in found["warnings"]
    ]


def _quoted(text: str) -> str:
    """Names between backticks as people read them."""
    return BACKTICKS.sub(r"“\1”", text)


def _agreeing(found: dict[str, Any] | None) -> str:
    if found is None:
        return "Nobody judged what somebody else judged"
    return f"Two labelers agree on {show(found['raw'], PERCENT)} of the same responses"


def _keys(found: dict[str, Any]) -> list[tuple[str, str]]:
    numbers = {
        "vote": found["n_votes"],
        "model": len(found.get("ratings", [])),
        "labeler": found["n_labelers"],
        "prompt": found["n_prompts"],
    }
    keys = [(f"{one}{'s' if n > 1 else ''}", count(n)) for one, n in numbers.items() if n]
    if "tie_rate" in found:
        keys.append(("ties", show(found["tie_rate"], PERCENT)))
    if found.get("n_both_bad"):
        keys.append(("both bad", count(found["n_both_bad"])))
    return keys


def _written(
    path: Path, kind: str, headline: str, confidence: float, parts: list[Part], origin: Origin
) -> Path:
    page = VotesPage(
        kind=kind,
        headline=headline,
        file=origin.file.name,
        command=origin.command,
        digest=_digest(origin.file),
        confidence=f"{100 * confidence:g}%",
        parts=parts,
    )
    templates = resources.files("accord.reports") / "templates"
    css = "".join((templates / name).read_text("utf-8") for name in ("style.css", "votes.css"))
    template = environment().get_template("votes.html")
    text = template.render(page=page, css=Markup(css), policy=content_security_policy(css))
    return write_page(path, text)


def _digest(file: Path) -> str:
    if not file.is_file() or file.stat().st_size > DIGEST_UP_TO:
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
