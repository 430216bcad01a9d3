"""The settings of a project as a form: the fields that managers change, and what they sent.

What has no field (flags, axes, content classes, deliveries) is changed in the project file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from accord.config import InputError
from accord.store.specs import ProjectSpec
from accord.web.project_files import ProjectFile, from_values, written_values

Unit = Literal["", "%", "minutes", "switch"]
PERCENT, SECONDS = 100.0, 60.0


@dataclass(frozen=True)
class SettingField:
    """One setting as a field."""

    key: str  #: in the project file, below ``settings``: ``overlap.share``
    label: str
    hint: str = ""
    unit: Unit = ""
    least: float = 0
    most: float | None = None
    empty: bool = False  #: may be left empty: then there is no such limit
    step: str = "1"

    @property
    def name(self) -> str:
        """Of the field in the form."""
        return "settings." + self.key


@dataclass(frozen=True)
class Group:
    """Fields under a heading."""

    title: str
    about: str
    fields: tuple[SettingField, ...]


def _share(key: str, label: str, hint: str = "", most: float = 100) -> SettingField:
    return SettingField(key, label, hint, unit="%", most=most, step="any")


GROUPS = (
    Group(
        "Votes",
        "How many labelers are asked about an item.",
        (
            SettingField("votes_wanted", "Votes an item", least=1),
            _share("overlap.share", "Share in the overlap pool", "to measure agreement"),
            SettingField("overlap.votes", "Votes an item of the pool", least=1),
            SettingField(
                "adaptive.max_votes",
                "Where people disagree, up to",
                "votes an item; empty asks nobody more",
                least=2,
                empty=True,
            ),
            SettingField(
                "adaptive.lead", "until one answer leads by", "votes", least=1, empty=True
            ),
            SettingField(
                "active.random_share",
                "Drawn by what a vote tells, but at random",
                "of comparisons; empty gives all out in their order",
                "%",
                most=100,
                empty=True,
                step="any",
            ),
        ),
    ),
    Group(
        "Entry test",
        "On gold items, before the first real one. Who misses a cut-off waits for your decision.",
        (
            SettingField("screening.items", "Items of the test", "0 is no test"),
            _share("screening.ranking_share", "Known orders right, at least"),
            _share("screening.flags_share", "Known flags right, at least"),
            SettingField(
                "screening.grade", "Mean grade of written responses", "1 to 7", "", 1, 7, step="any"
            ),
        ),
    ),
    Group(
        "Silent checks",
        "Mixed into the stream; nobody is told which items they are.",
        (
            _share("gold_share", "Gold items", "re-tests with a known answer", most=50),
            _share("repeat_share", "Own earlier items", "sides exchanged", most=50),
            SettingField("repeat_after", "Repeated after at least", "items", least=1),
        ),
    ),
    Group(
        "Care and order",
        "What protects people, and what keeps work moving.",
        (
            SettingField(
                "lease_seconds", "Unanswered work returns after", "minutes", "minutes", step="any"
            ),
            SettingField("hold_after_reports", "Held after", "reports", least=1),
            SettingField(
                "care.daily_cap", "Answers a day, at most", "empty has no cap", least=1, empty=True
            ),
            SettingField(
                "care.break_every_minutes",
                "Reminder of a break every",
                "minutes; empty never reminds",
                empty=True,
                step="any",
            ),
            SettingField("care.blur", "Blur texts until a click", unit="switch"),
        ),
    ),
)


def shown(spec: ProjectSpec) -> dict[str, str]:
    """What stands in each field, by its name; a switch that is on says so.

    >>> shown(ProjectSpec(id="p", title="P", task="comparison"))["settings.overlap.votes"]
    '3'
    """
    settings = spec.settings.model_dump(mode="json")
    return {
        field.name: _text(field, _at(settings, field.key))
        for group in GROUPS
        for field in group.fields
    }


def changed(spec: ProjectSpec, guideline: str, sent: Mapping[str, str]) -> ProjectFile:
    """The project with what a form says.

    Args:
        spec: the project as it is, or as its preset has it.
        guideline: name of its guidelines, or empty.
        sent: fields by name; ``title`` besides those of ``GROUPS``. What is not sent stays, but
            for switches, which browsers send only when they are on.

    Raises:
        InputError: a field is no number, or the settings do not fit; names the field.
    """
    values = written_values(spec, guideline)
    if "title" in sent:
        values["title"] = sent["title"].strip()
    for group in GROUPS:
        for field in group.fields:
            if field.unit == "switch" or field.name in sent:
                _put(values["settings"], field, sent.get(field.name, "").strip())
    adaptive = values["settings"].get("adaptive")
    if adaptive is not None and "max_votes" not in adaptive:
        values["settings"].pop("adaptive")
    if values["settings"].get("active") == {}:
        values["settings"].pop("active")
    return from_values(values)


def _put(settings: dict[str, Any], field: SettingField, text: str) -> None:
    *tables, last = field.key.split(".")
    for name in tables:
        settings = settings.setdefault(name, {})
    if field.unit == "switch":
        settings[last] = bool(text)
    elif text:
        settings[last] = _number(field, text)
    elif field.empty:
        settings.pop(last, None)
    else:
        raise InputError(f"“{field.label}” is empty; write a number")


def _number(field: SettingField, text: str) -> float | int:
    try:
        number = float(text.replace(",", "."))
    except ValueError as error:
        raise InputError(f"“{field.label}”: `{text[:40]}` is no number; write one") from error
    if field.unit == "%":
        return number / PERCENT
    if field.unit == "minutes":
        return number * SECONDS
    return int(number) if number == round(number) else number


def _at(settings: Mapping[str, Any], key: str) -> Any:
    found: Any = settings
    for name in key.split("."):
        found = None if found is None else found.get(name)
    return found


def _text(field: SettingField, value: Any) -> str:
    if value is None or value is False:
        return ""
    if field.unit == "switch":
        return "on"
    if field.unit == "%":
        value = value * PERCENT
    if field.unit == "minutes":
        value = value / SECONDS
    return f"{value:g}"
