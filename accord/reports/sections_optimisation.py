"""Sections about training: reward against distance from the reference, and learning curves."""

import math
from dataclasses import dataclass

from accord.reports.axes import Axis, axis_for
from accord.reports.estimates import count, significant
from accord.reports.facts import Facts, Learning
from accord.reports.figures_curves import CurveChart, Point, Series, curve_chart, line
from accord.reports.read import Source
from accord.reports.schemas import CurvePoint

JUDGING = (
    "preference/loss",
    "preference/accuracy",
    "held_out/log_loss",
    "held_out/accuracy",
)
MAIN = {  # stage -> the metrics shown at once; the others are one click away
    "pretrain": ("train/loss", "held_out/loss"),
    "sft": ("train/loss", "held_out/loss"),
    "preference_pretraining": JUDGING,
    "preference_model": JUDGING,
    "ppo": (
        "objective/score",
        "objective/kl",
        "policy/entropy",
        "policy/clip_fraction",
        "value/explained_variance",
        "response/length",
    ),
}
FALLBACK = 2  # metrics shown of a stage that logs none of the above
NAMES = {
    "pretrain": "Pretraining",
    "sft": "Supervised fine-tuning",
    "preference_pretraining": "Preference-model pretraining",
    "preference_model": "Preference model",
    "ppo": "PPO",
}
UNITS = {
    "objective/kl": "nats per response",
    "objective/score": "preference-model score",
    "policy/entropy": "nats per token",
    "policy/clip_fraction": "share of tokens",
    "policy/approx_kl": "nats per token",
    "preference/accuracy": "share of pairs",
    "preference/loss": "nats per pair",
    "held_out/accuracy": "share of votes",
    "held_out/log_loss": "nats per vote",
    "response/length": "tokens",
    "response/finished": "share of responses",
}
PER_TOKEN = "nats per token"


@dataclass(frozen=True)
class RewardSection:
    """Proxy and truth against the square root of KL, one panel each, on one horizontal axis."""

    proxy: CurveChart
    truth: CurveChart | None
    rows: tuple[tuple[str, ...], ...]  #: the points as a table
    source: Source
    from_evaluation: bool


def reward_section(facts: Facts) -> RewardSection | None:
    """The picture of optimisation: what the proxy says, and what is true."""
    if facts.scores is not None and facts.scores.value.curve:
        points = [p for p in facts.scores.value.curve if p.kl is not None]
        return _reward(facts, points, facts.scores.source, from_evaluation=True)
    points, source = _training_points(facts)
    return _reward(facts, points, source, from_evaluation=False) if source else None


def _training_points(facts: Facts) -> tuple[list[CurvePoint], Source | None]:
    """Without an evaluated curve: what PPO itself logged, on its own training prompts."""
    points: list[CurvePoint] = []
    source = None
    for learned in facts.learning:
        if learned.stage.stage != "ppo":
            continue
        scores = dict(learned.series.get("objective/score", []))
        for step, kl in learned.series.get("objective/kl", []):
            if step in scores:
                name, score = learned.stage.name, scores[step]
                points.append(CurvePoint(run=name, update=step, kl=kl, score=score))
                source = learned.source
    return points, source


def _reward(
    facts: Facts, points: list[CurvePoint], source: Source, *, from_evaluation: bool
) -> RewardSection | None:
    runs = list(dict.fromkeys(point.run for point in points))
    roots = [_root(point) for point in points]
    if not runs:
        return None
    x = axis_for(roots, include=(0.0,))
    label = "√KL from the reference policy (√nats)"
    proxy = [_series(facts, points, run, "score") for run in runs]
    truth_field = "truth_utility" if any(p.truth_utility is not None for p in points) else ""
    truth_field = "truth_hhh" if any(p.truth_hhh is not None for p in points) else truth_field
    truth = [_series(facts, points, run, truth_field) for run in runs] if truth_field else []
    percent = axis_for([v for s in truth for p in s.points for v in (p.y, p.low, p.high)])
    truth_label = "share of good answers" if truth_field == "truth_hhh" else "utility"
    return RewardSection(
        proxy=curve_chart(
            proxy, title="Proxy: the preference model’s score", x_label=label, y_label="score", x=x
        ),
        truth=curve_chart(
            truth, title="Truth: " + truth_label, x_label=label, y_label=truth_label, x=x, y=percent
        )
        if truth
        else None,
        rows=tuple(_table_row(point) for point in points),
        source=source,
        from_evaluation=from_evaluation,
    )


def _root(point: CurvePoint) -> float:
    """√KL; an estimate of KL can fall below zero by chance, its root is then drawn at zero."""
    return math.sqrt(max(point.kl or 0.0, 0.0))


def _series(facts: Facts, points: list[CurvePoint], run: str, field: str) -> Series:
    policy = facts.policies[run]
    drawn = []
    for point in points:
        value = getattr(point, field)
        if point.run != run or value is None:
            continue
        low, high = getattr(point, f"{field}_low"), getattr(point, f"{field}_high")
        title = (
            f"{policy.label}, up to update {significant(point.update)}: {significant(value)}, "
            f"KL {significant(point.kl)} nats, n = {count(point.n)}"
        )
        drawn.append(Point(_root(point), value, low, high, title=title))
    return Series(policy.label, policy.tone, tuple(drawn))


def _table_row(point: CurvePoint) -> tuple[str, ...]:
    truth = point.truth_hhh if point.truth_hhh is not None else point.truth_utility
    numbers = (point.update, point.kl, point.score, truth)
    return (point.run, *(significant(v) for v in numbers), count(point.n))


@dataclass(frozen=True)
class LearningGroup:
    """All curves of the stages of one kind; rounds share a chart."""

    name: str
    main: tuple[CurveChart, ...]
    more: tuple[CurveChart, ...]
    legend: tuple[tuple[str, str], ...]  #: (label, tone) where a chart has several lines
    sources: tuple[tuple[str, Source], ...]
    ends: tuple[tuple[str, str, str, str], ...]  #: metric, stage, first value, last value


def learning_groups(facts: Facts) -> list[LearningGroup]:
    """Learning curves of every stage that trains, in the order of the run."""
    kinds = list(dict.fromkeys(learned.stage.stage for learned in facts.learning))
    return [_group(kind, [x for x in facts.learning if x.stage.stage == kind]) for kind in kinds]


def _group(kind: str, learned: list[Learning]) -> LearningGroup:
    keys = list(dict.fromkeys(key for one in learned for key in sorted(one.series)))
    keys = [key for key in keys if not key.startswith("time/")]
    wanted = [key for key in MAIN.get(kind, ()) if key in keys]
    chosen = wanted or keys[:FALLBACK]
    tones = {one.stage.name: f"tone-{_tone(kind, i)}" for i, one in enumerate(learned)}
    charts = {key: _chart(key, learned, tones) for key in keys}
    several = len(learned) > 1
    return LearningGroup(
        name=NAMES.get(kind, kind),
        main=tuple(charts[key] for key in chosen),
        more=tuple(charts[key] for key in keys if key not in chosen),
        legend=tuple((name, tone) for name, tone in tones.items()) if several else (),
        sources=tuple((one.stage.name, one.source) for one in learned),
        ends=tuple(
            (key, one.stage.name, significant(values[0][1]), significant(values[-1][1]))
            for key in keys
            for one in learned
            if (values := one.series.get(key))
        ),
    )


def _tone(kind: str, index: int) -> int:
    """Rounds have the colours of the policies they made; what comes before has SFT's."""
    return 2 + index if kind in ("ppo", "preference_model") else 1 + index


def _chart(key: str, learned: list[Learning], tones: dict[str, str]) -> CurveChart:
    series = [
        line(one.stage.name, tones[one.stage.name], one.series[key])
        for one in learned
        if key in one.series
    ]
    unit = UNITS.get(key, PER_TOKEN if key.endswith("loss") and "value" not in key else "")
    return curve_chart(
        series,
        title=key,
        x_label="step",
        y_label=unit,
        x=_steps(series),
        y=axis_for([p.y for s in series for p in s.points], ticks=3),
    )


def _steps(series: list[Series]) -> Axis:
    return axis_for([p.x for s in series for p in s.points], include=(0.0,), ticks=3, snug=True)
