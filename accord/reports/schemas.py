"""What the report expects in an artifact's files, read leniently.

A report must come out of a run that is half done or half broken, so every field may be missing,
unknown fields are ignored, and a number that is not finite counts as missing. A file of another
shape is named as unreadable in the report instead of ending it.
"""

import math
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field


def _finite(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _text(value: Any) -> Any:
    return "" if value is None else str(value)


Number = Annotated[float | None, BeforeValidator(_finite)]
Count = Annotated[int | None, BeforeValidator(lambda value: _whole(value))]
Text = Annotated[str, BeforeValidator(_text)]


def _whole(value: Any) -> Any:
    number = _finite(value)
    return None if number is None else round(number)


class Lenient(BaseModel):
    """Unknown fields are ignored; known ones may be missing."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class StageEntry(Lenient):
    """One stage as ``run.json`` lists it."""

    name: Text
    stage: Text = ""
    folder: Text = ""
    config: dict[str, Any] = {}


class RunFile(Lenient):
    """``run.json``: what the pipeline was asked to do."""

    title: Text = ""
    seed: Count = None
    command: Text = ""
    stages: tuple[StageEntry, ...] = ()


class Done(Lenient):
    """``DONE.json``: written last, so its absence means that the stage has not finished."""

    digest: Text = ""
    seconds: Number = None
    headline: dict[str, Any] = {}


class Environment(Lenient):
    """``environment.json``: versions and machine."""

    python: Text = ""
    machine: Text = ""
    processors: Count = None
    versions: dict[str, Text] = {}


class Rate(Lenient):
    """A rate or a mean with its interval and the number of observations behind it."""

    value: Number = Field(
        default=None, validation_alias=AliasChoices("rate", "mean", "value", "accuracy")
    )
    low: Number = None
    high: Number = None
    n: Count = None


class WinRate(Lenient):
    """One policy against another: decided comparisons only, and with ties as half a win."""

    against: Text = ""
    decided: Number = None
    decided_low: Number = None
    decided_high: Number = None
    half_ties: Number = None
    half_ties_low: Number = None
    half_ties_high: Number = None
    wins: Count = None
    losses: Count = None
    ties: Count = None
    n: Count = None
    judge: Text = ""


class KindScore(Lenient):
    """One policy on one kind of prompt."""

    hhh: Rate | None = None
    win_rate: WinRate | None = None


class PolicyScore(Lenient):
    """One policy, sampled at one temperature, on the held-out prompts."""

    policy: Text
    temperature: Number = None
    truth: dict[str, Rate | None] | None = None
    win_rate: WinRate | None = None
    score: Rate | None = None
    kl: Rate | None = None
    length: Rate | None = None
    finished: Rate | None = None
    by_kind: dict[str, KindScore] = {}


class CurvePoint(Lenient):
    """One PPO update: the KL it had spent, the proxy it saw and the truth of its answers."""

    run: Text = ""
    update: Number = None
    kl: Number = None
    score: Number = None
    truth_utility: Number = None
    truth_hhh: Number = None
    n: Count = None


class Scores(Lenient):
    """``output/scores.json`` of an evaluation."""

    baseline: Text = ""
    n_prompts: Count = None
    judge: Text = ""
    policies: tuple[PolicyScore, ...] = ()
    curve: tuple[CurvePoint, ...] = ()


class Warned(Lenient):
    """A warning that the stage itself raised."""

    code: Text = ""
    message: Text = ""


class Rating(Lenient):
    """One policy's Bradley-Terry rating in Elo points."""

    name: Text
    rating: Number = None
    se: Number = None
    low: Number = None
    high: Number = None
    rank_low: Count = None
    rank_high: Count = None
    votes: Count = None


class Difference(Lenient):
    """The rating of ``a`` minus that of ``b``; its interval is not that of either rating."""

    a: Text
    b: Text
    difference: Number = None
    low: Number = None
    high: Number = None
    p_a_beats_b: Number = None


class WinMatrix(Lenient):
    """Row against column: how often votes preferred the row, and how many votes there were."""

    names: tuple[Text, ...] = ()
    observed: tuple[tuple[Number, ...], ...] = ()
    fitted: tuple[tuple[Number, ...], ...] = ()
    n: tuple[tuple[Number, ...], ...] = ()


class Agreement(Lenient):
    """How far labelers agree with one another."""

    raw: Number = None
    raw_low: Number = None
    raw_high: Number = None
    raw_n: Count = Field(default=None, validation_alias=AliasChoices("raw_n", "n"))
    krippendorff_alpha: Number = None
    ceiling: Any = None


class LabelerRow(Lenient):
    """One labeler: agreement with the majority of the others, habits and speed."""

    labeler: Text
    n: Count = None
    agreement: Number = None
    low: Number = None
    high: Number = None
    first_place_rate: Number = None
    tie_rate: Number = None
    seconds_median: Number = None


class Ratings(Lenient):
    """``output/ratings.json`` of a rating stage."""

    model: Text = ""
    n_votes: Count = None
    n_comparisons: Count = None
    n_labelers: Count = None
    groups: Any = None
    warnings: tuple[Warned, ...] = ()
    ratings: tuple[Rating, ...] = ()
    differences: tuple[Difference, ...] = ()
    elo: dict[str, Number] = {}
    win_matrix: WinMatrix | None = None
    agreement: Agreement | None = None
    labelers: tuple[LabelerRow, ...] = ()


class Answer(Lenient):
    """One policy's answer in a sample."""

    text: Text = ""
    utility: Number = None
    score: Number = None


class Turn(Lenient):
    """One message of a conversation."""

    role: Text = ""
    content: Text = ""


class SampledPrompt(Lenient):
    """A line of ``samples.jsonl``: one prompt and what each policy answered."""

    prompt: Any = ""
    kind: Text = ""
    responses: dict[str, Answer] = {}


class Votes(Lenient):
    """``votes.json``: what was collected, with the digest that traces it."""

    votes: Count = None
    votes_digest: Text = ""
    labelers: tuple[Any, ...] = ()
    comparisons: Count = None
