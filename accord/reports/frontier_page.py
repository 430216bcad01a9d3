"""One self-contained page about the frontier: score and truth over distance, and a table.

Made from ``output/frontier.json`` of the stage ``frontier``, so that the page never says anything
else.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from accord.reports.estimates import significant
from accord.reports.figures_curves import CurveChart, Point, Series, curve_chart
from accord.reports.html import content_security_policy, environment, write_page

LABELS = {
    "best_of_n": "best of n",
    "ppo": "PPO",
    "rloo": "RLOO",
    "grpo": "GRPO",
    "reinforce": "REINFORCE",
    "dpo": "DPO",
    "rejection_sampling": "rejection sampling",
}
TONES = 7  # colours of the style sheet


@dataclass(frozen=True)
class TableRow:
    """One method in writing."""

    method: str
    seeds: int
    cost: str
    sqrt_kl: str
    score: str
    truth: str


@dataclass(frozen=True)
class FrontierPage:
    """Everything that the template prints."""

    headline: str
    confidence: str
    legend: list[tuple[str, str]]  #: methods with their colours
    charts: list[CurveChart]
    rows: list[TableRow]
    fits: list[tuple[str, str]]


def write_frontier(path: Path, found: dict[str, Any]) -> Path:
    """Draw a frontier.

    Args:
        path: of the page.
        found: what ``output/frontier.json`` holds.

    Raises:
        InputError: the page cannot be written there.
    """
    judges = {"score": "score of the preference model"}
    if found["start"]["truth"] is not None:
        judges["truth"] = "utility by the truth"
    start = found["start"]
    page = FrontierPage(
        headline="What each method reaches, and how far from where it started",
        confidence=f"{100 * found['confidence']:g}%",
        legend=[(_label(method), tone) for method, tone in _tones(found).items()],
        charts=[_chart(found, key, label) for key, label in judges.items()],
        rows=[
            TableRow(
                "where all start", 0, "", "0", _number(start["score"]), _number(start["truth"])
            ),
            *(_row(method) for method in found["methods"]),
        ],
        fits=[(_label(fit["method"]), _fitted(fit)) for fit in found["fits"]],
    )
    templates = resources.files("accord.reports") / "templates"
    css = "".join((templates / name).read_text("utf-8") for name in ("style.css", "votes.css"))
    template = environment().get_template("frontier.html")
    text = template.render(page=page, css=Markup(css), policy=content_security_policy(css))
    return write_page(path, text)


def _tones(found: dict[str, Any]) -> dict[str, str]:
    """A colour for each method, those with a path first."""
    named = [part["method"] for part in [*found["curves"], *found["methods"]]]
    return {method: f"tone-{i % TONES}" for i, method in enumerate(dict.fromkeys(named))}


def _chart(found: dict[str, Any], judge: str, label: str) -> CurveChart:
    """Paths of the methods that have one, and where each ended with its interval over seeds."""
    tones = _tones(found)
    series = [
        Series(
            f"{_label(curve['method'])}, on the way",
            tones[curve["method"]],
            tuple(
                Point(p["sqrt_kl"]["mean"], p[judge]["mean"], size=2.0)
                for p in curve["points"]
                if p[judge] is not None
            ),
        )
        for curve in found["curves"]
    ]
    for method in found["methods"]:
        if method[judge] is None or method["sqrt_kl"] is None:
            continue
        at = method[judge]
        title = f"{_label(method['method'])}: {_interval(at)} at √KL {_interval(method['sqrt_kl'])}"
        point = Point(
            method["sqrt_kl"]["mean"], at["mean"], at["low"], at["high"], size=6.0, title=title
        )
        series.append(Series(_label(method["method"]), tones[method["method"]], (point,)))
    return curve_chart(
        series, title=label, x_label="√KL from the start, √nats a response", y_label=label
    )


def _row(method: dict[str, Any]) -> TableRow:
    return TableRow(
        _label(method["method"]),
        method["seeds"],
        f"{method['cost'] / 1e6:.2f}",
        _interval(method["sqrt_kl"]),
        _interval(method["score"]),
        _interval(method["truth"]),
    )


def _fitted(fit: dict[str, Any]) -> str:
    """A fit in a sentence, and whether its peak was seen or only extrapolated."""
    if fit["a"] is None:
        return "too few distances for a fit"
    log = "log " if fit["form"] == "reinforcement_learning" else ""
    text = f"d ({significant(fit['a'])} − {significant(fit['b'])} {log}d)".replace("− -", "+ ")
    if fit["peak_sqrt_kl"] is None:
        return f"{text}, without a peak"
    seen = "" if fit["peak_sqrt_kl"] <= fit["farthest"] else ", which no run went as far as"
    return f"{text}, with its peak at d = {significant(fit['peak_sqrt_kl'])}{seen}"


def _label(method: str) -> str:
    return LABELS.get(method, method)


def _interval(estimate: dict[str, Any] | None) -> str:
    if estimate is None:
        return "–"
    if estimate["low"] is None:
        return _number(estimate["mean"])
    return f"{estimate['mean']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
