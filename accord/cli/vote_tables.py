"""What `accord rate` and `accord agreement` print for people."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

MOST_ROWS = 200  # models printed; the rest is in the JSON
MODEL_NAMES = {
    "bradley_terry": "Bradley-Terry",
    "thurstone": "Thurstone",
    "davidson": "Davidson",
    "rao_kupper": "Rao-Kupper",
    "plackett_luce": "Plackett-Luce",
}
NEAR = 0.01  # to 0 or 1, where whole percents would hide what is left
HALF_WINS = ("bradley_terry", "thurstone")
# Orders to a terminal, and marks that turn the direction of what follows.
NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def print_ratings(found: dict[str, Any], votes: str) -> None:
    """A table of ratings with what a reader has to know; one after another by criterion."""
    console = Console(highlight=False)
    by: dict[str, Any] = found.get("by", {})
    for column, parts in by.items():
        for name, part in parts.items():
            console.print(_text(f"{column}: {name or 'none given'}", "bold"))
            _print_one(console, part, votes)
            console.print()
    if not by:
        _print_one(console, found, votes)


def _print_one(console: Console, found: dict[str, Any], votes: str) -> None:
    console.print(_lead(found, votes))
    groups = found["groups"]
    shown = 0
    for number, group in enumerate(groups):
        rows = [row for row in found["ratings"] if row["group"] == number]
        if len(groups) > 1:
            title = f"Group {number + 1} of {len(groups)}, not comparable with the others"
            console.print(Text(f"\n{title}", style="italic"))
        if shown < MOST_ROWS:
            console.print(_ratings(rows[: MOST_ROWS - shown]))
        shown += len(group)
    if shown > MOST_ROWS:
        console.print(Text(f"and {shown - MOST_ROWS} more models: --json has all"))
    for block in (_neighbours(found), _covariates(found)):
        if block is not None:
            console.print()
            console.print(block)
    _print_notes(console, found)


def _lead(found: dict[str, Any], votes: str) -> Text:
    parts = [MODEL_NAMES.get(found["model"], found["model"]), f"{found['n_votes']:,} votes"]
    for key, one in (("n_labelers", "labeler"), ("n_prompts", "prompt")):
        if found.get(key):
            parts.append(f"{found[key]:,} {one}{'s' if found[key] > 1 else ''}")
    parts.append(f"{100 * found['tie_rate']:.0f}% ties")
    parts.append(f"{100 * found['confidence']:g}% intervals")
    return Text.assemble(_text(votes, "bold"), ": ", ", ".join(parts))


def _ratings(rows: list[dict[str, Any]]) -> Table:
    with_bad = any(row["both_bad"] for row in rows)
    table = _table("model", "rating", "low", "high", "rank", "best", "votes")
    if with_bad:
        table.add_column("both bad", justify="right")
    for row in rows:
        first, last = row["rank_low"], row["rank_high"]
        cells = [
            row["name"],
            _points(row["rating"]),
            _points(row["low"]),
            _points(row["high"]),
            f"{first}" if first == last else f"{first} to {last}",
            _percent(row["p_best"]) if len(rows) > 1 else "–",
            f"{row['votes']:,.0f}",
        ]
        cells += [_percent(row["both_bad_rate"])] if with_bad else []
        table.add_row(*(_text(cell) for cell in cells))
    return table


def _neighbours(found: dict[str, Any]) -> Table | None:
    """Each model against the one below it: whether they differ is the question people have."""
    gaps = {(row["a"], row["b"]): row for row in found["differences"]}
    needed = {(row["a"], row["b"]): row for row in found["to_separate"]}
    table = _table("each over the next", "points", "low", "high", "preferred", "votes to tell")
    rated = found["ratings"][:MOST_ROWS]
    for one, other in pairwise(rated):
        row, sign = gaps.get((one["name"], other["name"])), 1
        if row is None:
            row, sign = gaps.get((other["name"], one["name"])), -1
        if row is None:
            continue
        ends = sorted(sign * row[end] for end in ("low", "high"))
        wins = row["p_a_beats_b"] if sign > 0 else 1 - row["p_a_beats_b"]
        more = needed.get((one["name"], other["name"]))
        table.add_row(
            _text(f"{one['name']} over {other['name']}"),
            _points(sign * row["difference"]),
            *(_points(end) for end in ends),
            _percent(wins),
            "shown" if ends[0] > 0 else _needed(more),
        )
    return table if table.row_count else None


def _needed(row: dict[str, Any] | None) -> str:
    """How many more votes, with two digits: nobody knows more."""
    if row is None:  # not computed for so many models
        return "open"
    votes = row["more_votes"]
    return "too close" if votes is None else f"about {float(f'{votes:.2g}'):,.0f}"


def _covariates(found: dict[str, Any]) -> Table | None:
    if not found["covariates"]:
        return None
    table = _table("controlled for", "points", "low", "high", "meaning")
    for row in found["covariates"]:
        table.add_row(
            _text(row["name"]),
            *(_points(row[key]) for key in ("points", "low", "high")),
            Text(MEANINGS.get(row["name"], "for a difference of 1")),
        )
    return table


MEANINGS = {
    "side": "gained by being shown first",
    "length": "gained by a response e = 2.7 times as long",
}


def _print_notes(console: Console, found: dict[str, Any]) -> None:
    lines = ["400 points are odds of 10 to 1; the zero is the mean of a group."]
    if found["model"] in HALF_WINS and found["tie_rate"] > 0:
        lines.append("A tie counts as half a win; --model davidson models ties.")
    if found["flip"]:
        lines.append(f"{found['flip']['message'][0].upper()}{found['flip']['message'][1:]}.")
    if found["agreement"]:
        lines.append(_agreeing(found["agreement"]))
    console.print()
    for line in lines:
        console.print(_text(line))
    _print_warnings(console, found["warnings"])


def _print_warnings(console: Console, warnings: Iterable[dict[str, str]]) -> None:
    for row in warnings:
        console.print()
        console.print(Text.assemble((f"{row['code']}: ", "bold yellow"), _text(row["message"])))
        if row["advice"]:
            console.print(Text(f"  {row['advice']}", style="dim"))


def _agreeing(found: dict[str, Any]) -> str:
    ends = (
        ""
        if found["raw_low"] is None
        else (f" ({_percent(found['raw_low'])} to {_percent(found['raw_high'])})")
    )
    text = f"Two labelers agree on {_percent(found['raw'])}{ends} of the same responses"
    alpha = found["krippendorff_alpha"]
    return text + ("." if alpha is None else f"; Krippendorff's alpha is {alpha:.2f}.")


def print_agreement(found: dict[str, Any], votes: str) -> None:
    """Every measure of agreement, then the labelers, those who agree least first."""
    console = Console(highlight=False)
    parts = [f"{found['n_votes']:,} votes", f"{found['n_labelers']:,} labelers"]
    console.print(Text.assemble(_text(votes, "bold"), ": ", ", ".join(parts)))
    if found["agreement"] is None:
        console.print(Text("Nobody judged what somebody else judged: nothing to agree on."))
    else:
        console.print(_measures(found["agreement"]))
    if found["labelers"]:
        console.print()
        console.print(_labelers(found["labelers"]))
    _print_warnings(console, found["warnings"])


MEASURES = (  # key, prefix of its ends, name, what it is
    ("raw", "raw", "raw", "share of pairs of votes that say the same"),
    ("krippendorff_alpha", "alpha", "Krippendorff's alpha", "beyond chance; 1 perfect, 0 chance"),
    ("ordinal_alpha", "ordinal_alpha", "ordinal alpha", "of strengths: near misses count less"),
    ("fleiss_kappa", "", "Fleiss' kappa", "beyond chance, every comparison counts the same"),
    ("cohen_kappa", "", "Cohen's kappa", "beyond chance, of the two labelers"),
    ("tau_x", "tau_x", "tau_x", "mean correlation of two rankings, ties allowed"),
    ("ranking_alpha", "ranking_alpha", "alpha of rankings", "the same beyond chance"),
    ("self", "self", "with oneself", "share of repeated comparisons answered the same"),
    ("ceiling", "ceiling", "ceiling", "best accuracy of any model on single decided votes; bounds"),
)


def _measures(found: dict[str, Any]) -> Table:
    table = _table("agreement", "value", "low", "high", "meaning")
    for key, ends, name, meaning in MEASURES:
        if found.get(key) is not None:
            low, high = (found.get(f"{ends}_{end}") for end in ("low", "high"))
            table.add_row(name, *(_decimal(v) for v in (found[key], low, high)), Text(meaning))
    return table


def _labelers(rows: list[dict[str, Any]]) -> Table:
    modelled = any("careless" in row for row in rows)
    table = _table("labeler", "votes", "agrees", "low", "high", "first shown", "ties")
    for name in ("discrimination", "careless") if modelled else ():
        table.add_column(name, justify="right")
    ordered = sorted(rows, key=lambda row: (-row.get("careless", 0.0), _or(row["agreement"], 1.0)))
    for row in ordered[:MOST_ROWS]:
        cells = [row["labeler"], f"{row['n']:,}"]
        unknown = row["agreement"] is None
        cells += [_percent(None if unknown else row[key]) for key in ("agreement", "low", "high")]
        cells += [_percent(row["first_place_rate"]), _percent(row["tie_rate"])]
        if modelled:
            cells += [_decimal(row.get("discrimination")), _percent(row.get("careless"))]
        table.add_row(*(_text(cell) for cell in cells))
    if len(rows) > MOST_ROWS:
        table.caption = f"and {len(rows) - MOST_ROWS} more: --json has all"
    return table


def _text(text: str, style: str = "") -> Text:
    """Text of others, in which nothing gives orders to the terminal.

    >>> _text("a\\x1b[31mb").plain
    'a\\\\x1b[31mb'
    """
    shown = NOT_SHOWN.sub(lambda found: ascii(found.group())[1:-1], text)
    return Text(shown, style=style)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _table(first: str, *rest: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, overflow="fold")
    for heading in rest:
        words = heading == "meaning"
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    return table


def _points(value: float | None) -> str:
    if value is None:
        return "–"
    whole = round(value)
    return f"{whole:+,}".replace("-", "−") if whole else "0"


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    is_near_an_end = 0 < min(value, 1 - value) < NEAR
    return f"{100 * value:.{1 if is_near_an_end else 0}f}%"


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".replace("-", "−")
