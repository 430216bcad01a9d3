"""What the report expects in an artifact's files, read leniently.

A report must come out of a run that is half done or half broken, so every field may be missing,
unknown fields are ignored, and a number that is not finite counts as missing. A file of another
shape is named as unreadable in the report instead of ending it.
"""

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

HUGEST = 1e100  # what diverged beyond this counts as missing; so do infinity and NaN


def finite(value: Any) -> Any:
    """The value if it is a number that can be drawn, else None."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and abs(value) < HUGEST else None


def _whole(value: Any) -> Any:
    number = finite(value)
    return None if number is None else round(number)


def _text(value: Any) -> Any:
    return "" if value is None else str(value)


Number = Annotated[float | None, BeforeValidator(finite)]
Count = Annotated[int | None, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]


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
    win_rate_previous: WinRate | None = None  #: against the policy before it
    win_rate_by_score: WinRate | None = None  #: against the baseline, as the proxy sees it
    score: Rate | None = None
    kl: Rate | None = None
    length: Rate | None = None
    finished: Rate | None = None
    by_kind: dict[str, KindScore] = {}


class CurvePoint(Lenient):
    """A few PPO updates: the KL they had spent, the proxy they saw, the truth of the answers."""

    run: Text = ""
    update: Number = None
    kl: Number = None
    score: Number = None
    score_low: Number = None
    score_high: Number = None
    truth_utility: Number = None
    truth_utility_low: Number = None
    truth_utility_high: Number = None
    truth_hhh: Number = None
    truth_hhh_low: Number = None
    truth_hhh_high: Number = None
    n: Count = None


class Scores(Lenient):
    """``output/scores.json`` of an evaluation."""

    baseline: Text = ""
    by: Text = ""  #: who decides which answer is better: truth or preference_model
    n_prompts: Count = None
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


class Ceiling(Lenient):
    """How accurate anybody could be, as far as the labelers' agreement tells."""

    accuracy: Number = None
    low: Number = None  #: bounds that hold whatever the difficulties, not an interval
    high: Number = None
    agreement: Number = None
    n_pairs: Count = None


class Agreement(Lenient):
    """How far labelers agree with one another."""

    raw: Number = None
    raw_low: Number = None
    raw_high: Number = None
    raw_n: Count = None
    krippendorff_alpha: Number = None
    alpha_low: Number = None
    alpha_high: Number = None
    ceiling: Number = None
    ceiling_low: Number = None
    ceiling_high: Number = None
    decided_pairs: Count = None


class LabelerRow(Lenient):
    """One labeler: agreement with the majority of the others, habits and speed."""

    labeler: Text
    n: Count = None  #: pairwise votes
    compared: Count = None  #: of these, how many others judged as well
    agreement: Number = None
    low: Number = None
    high: Number = None
    first_place_rate: Number = None
    first_place_low: Number = None
    first_place_high: Number = None
    tie_rate: Number = None
    seconds_median: Number = None


class Ratings(Lenient):
    """``output/ratings.json`` of a rating stage."""

    model: Text = ""
    confidence: Number = None
    n_votes: Count = None  #: pairwise: a ranking of K answers is K(K-1)/2 of them
    n_preferences: Count = None
    n_comparisons: Count = None
    n_labelers: Count = None
    groups: Any = None
    warnings: tuple[Warned, ...] = ()
    ratings: tuple[Rating, ...] = ()
    differences: tuple[Difference, ...] = ()
    elo: dict[str, Number] = {}
    elo_order_sd: dict[str, Number] = {}
    win_matrix: WinMatrix | None = None
    agreement: Agreement | None = None
    labelers: tuple[LabelerRow, ...] = ()


class Answer(Lenient):
    """One policy's answer in a sample."""

    text: Text = ""
    utility: Number = None
    score: Number = None
    note: Text = ""  #: what the truth has against it


class Turn(Lenient):
    """One message of a conversation."""

    role: Text = ""
    content: Text = ""


class SampledPrompt(Lenient):
    """A line of ``samples.jsonl``: one prompt and what each policy answered."""

    prompt: Any = ""
    kind: Text = ""
    responses: dict[str, Answer] = {}


class ReliabilityBin(Lenient):
    """Held-out votes of which the model was about equally sure."""

    predicted: Number = None
    observed: Number = None
    low: Number = None
    high: Number = None
    n: Count = None


class Slice(Rate):
    """The accuracy on a part of the held-out votes."""

    start: Number = Field(default=None, validation_alias="from")
    end: Number = Field(default=None, validation_alias="to")
    turn: Count = None


class Evaluation(Lenient):
    """``evaluation.json`` of a preference model: how well its scores tell what people prefer."""

    accuracy: Rate | None = None
    majority_accuracy: Rate | None = None
    longer_wins: Rate | None = None
    ceiling: Ceiling | None = None
    log_loss: Number = None
    brier: Number = None
    ece: Rate | None = None
    temperature: Number = None
    length_correlation: Number = None
    reliability: tuple[ReliabilityBin, ...] = ()
    by_margin: tuple[Slice, ...] = ()
    by_turn: tuple[Slice, ...] = ()
    comparisons: Count = None


class Votes(Lenient):
    """``votes.json``: what was collected, with the digest that traces it."""

    votes: Count = None
    votes_digest: Text = ""
    labelers: tuple[Any, ...] = ()
    comparisons: Count = None


class TracedToken(Lenient):
    """One token of an episode, see ``stages.ppo.logs.EpisodeToken``."""

    text: Text = ""
    logprob: Number = None
    ref_logprob: Number = None
    value: Number = None
    advantage: Number = None
    reward: Number = None


class TracedEpisode(Lenient):
    """A line of PPO's ``episodes.jsonl``."""

    update: Count = None
    prompt: Text = ""
    score: Number = None
    finished: bool | None = None
    tokens: tuple[TracedToken, ...] = ()
