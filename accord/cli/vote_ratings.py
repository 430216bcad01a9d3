"""From a file of votes to what `accord rate` prints: reading, fitting, one summary a criterion."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from accord.config import InputError, nearest
from accord.data.vote_files import VoteTable, is_large, read_votes, vote_pieces
from accord.ratings.cells import CLUSTERS
from accord.ratings.fit import MODELS, PRIOR_SD, Fit, fit
from accord.ratings.labeler_table import agreement_summary, labeler_rows
from accord.ratings.problems import Problem, listed
from accord.ratings.summary import rating_summary, warning
from accord.ratings.tally import Tally
from accord.ratings.votes import Ranking, Votes
from accord.runtime import artifacts
from accord.runtime.json_numbers import plain

KNOWN_MODELS = (*MODELS, "plackett_luce")
BY = ("criterion",)
MOST_RESAMPLED = 200_000  # votes; of more `accord agreement` alone says how far labelers agree
CARELESS = 0.9  # probability from which on a labeler is named in a warning
CONTROLS = {"side": ("side",), "length": ("len_a", "len_b")}  # columns behind a covariate
LISTS = ("groups", "warnings", "ratings", "differences")


@dataclass(frozen=True)
class Wanted:
    """How votes are to be rated."""

    model: str = "bradley_terry"
    cluster: tuple[str, ...] = CLUSTERS
    by: str = ""  #: rate each value of this column on its own
    control: tuple[str, ...] = ()  #: covariates whose effect is taken out
    prior_sd: float = PRIOR_SD  #: nats; 0 is maximum likelihood
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.model not in KNOWN_MODELS:
            raise InputError(f"unknown model `{self.model}`{nearest(self.model, KNOWN_MODELS)}")
        for way in self.cluster:
            if way not in CLUSTERS:
                raise InputError(f"`--cluster`: unknown `{way}`{nearest(way, CLUSTERS)}")
        if self.by and self.by not in BY:
            raise InputError(f"`--by`: unknown column `{self.by}`{nearest(self.by, BY)}")
        if not self.prior_sd >= 0:
            raise InputError(f"`--prior-sd` is {self.prior_sd}; give 0 or more")
        demand_confidence(self.confidence)


def demand_confidence(confidence: float) -> None:
    """Raise InputError for a confidence that is none."""
    if not 0 < confidence < 1:
        raise InputError(f"`--confidence` is {confidence}; give a number between 0 and 1")


def rate_file(path: Path, wanted: Wanted) -> dict[str, Any]:
    """Rate the votes of a file.

    Returns:
        What ``rating_summary`` says, with ``labelers`` and ``agreement``; numbers as JSON can
        hold them. By criterion each row of the lists has its ``criterion``, and the whole of
        each is under ``by``.

    Raises:
        InputError: the votes cannot be read or rated.
    """
    place = artifacts.payload(path)
    more = [name for name in wanted.control if name not in ("side", "length")]
    if is_large(place):
        found = {
            name: _of_counts(path, tally, wanted)
            for name, tally in _counted(place, wanted, more).items()
        }
    else:
        table = read_votes(place, more)
        if wanted.by and not table.criteria:
            raise InputError(f"`{path}` has no column `criterion`; rate it without `--by`")
        parts = table.by_criterion() if wanted.by else {"": table}
        found = {name: _of_votes(path, part, wanted) for name, part in parts.items()}
    return plain(found[""] if not wanted.by else _merged(found, wanted))  # type: ignore[no-any-return] # a dict


def _of_votes(path: Path, table: VoteTable, wanted: Wanted) -> dict[str, Any]:
    votes = table.votes
    for name in wanted.control:
        if name != "side" and name not in votes.covariates:
            column = "`len_a` and `len_b`" if name == "length" else f"`{name}`"
            raise InputError(f"`{path}`: cannot control for {name} without the column {column}")

    def refit(some: Votes) -> Fit:
        return _fit(some, _rankings(some), replace(wanted, cluster=()))

    try:
        fitted = _fit(votes, table.rankings or None, wanted)
        found = rating_summary(votes, fitted, wanted.confidence, refit=refit)
    except ValueError as error:
        raise InputError(f"cannot rate `{path}`: {error}") from error
    rows = labeler_rows(votes, wanted.confidence)
    found["warnings"] += _of_labelers(rows) + _of_criteria(table)
    agreed = None
    if len(votes) <= MOST_RESAMPLED:
        agreed = agreement_summary(
            votes, wanted.confidence, strength=table.strength, rankings=table.rankings
        )
    return found | {
        "n_both_bad": int(votes.both_bad.sum()),
        "n_labelers": len(votes.labelers),
        "n_prompts": len(votes.prompts),
        "labelers": rows,
        "agreement": agreed,
    }


def _of_counts(path: Path, tally: Tally, wanted: Wanted) -> dict[str, Any]:
    """A file too large to keep: everything but what needs the single votes."""
    if wanted.model not in MODELS:
        raise InputError(f"`{path}` is too large for `{wanted.model}`; use {', '.join(MODELS)}")
    cells = tally.cells()
    try:
        fitted = fit(cells, wanted.model, prior_sd=wanted.prior_sd or None, cluster=wanted.cluster)
        found = rating_summary(cells, fitted, wanted.confidence)
    except ValueError as error:
        raise InputError(f"cannot rate `{path}`: {error}") from error
    both_bad = round(float(cells.both_bad.sum()) / 2)
    return found | {
        "n_votes": found["n_votes"] + both_bad,
        "n_both_bad": both_bad,
        "n_labelers": None,
        "n_prompts": None,
        "labelers": [],
        "agreement": None,
    }


def _counted(path: Path, wanted: Wanted, more: Sequence[str]) -> dict[str, Tally]:
    """The votes of a large file added up piece by piece, by criterion if that is wanted."""
    columns = ["weight", *wanted.cluster, *(["criterion"] if wanted.by else [])]
    columns += [one for name in wanted.control for one in CONTROLS.get(name, ())]
    tallies: dict[str, Tally] = {}
    for piece in vote_pieces(path, columns, more):
        for name, part in (piece.by_criterion() if wanted.by else {"": piece}).items():
            tally = tallies.setdefault(
                name, Tally(cluster=wanted.cluster, covariates=wanted.control)
            )
            try:
                tally.add(_coarse(part.votes, wanted.control))
            except ValueError as error:
                raise InputError(f"cannot rate `{path}`: {error}") from error
    return tallies


def _coarse(votes: Votes, control: Sequence[str]) -> Votes:
    """Covariates in steps of 0.1, as counting needs few different values."""
    unknown = np.full(len(votes), math.nan)  # a piece may lack what others have
    named = [name for name in control if name != "side"]
    rounded = {name: votes.covariates.get(name, unknown).round(1) for name in named}
    return replace(votes, covariates=rounded)


def _fit(votes: Votes, rankings: Sequence[Ranking] | None, wanted: Wanted) -> Fit:
    is_pairs = wanted.model in MODELS
    return fit(
        votes if is_pairs else rankings or _rankings(votes),
        wanted.model,
        prior_sd=wanted.prior_sd or None,
        cluster=wanted.cluster,
        covariates=wanted.control,
    )


def _rankings(votes: Votes) -> list[Ranking]:
    """Votes as rankings of two."""
    ranks = {1.0: (1, 2), 0.5: (1, 1), 0.0: (2, 1)}
    pairs = (votes.a, votes.b, votes.outcome)
    of_votes = (votes.labeler, votes.prompt, votes.weight, votes.both_bad)
    labelers, prompts = dict(enumerate(votes.labelers)), dict(enumerate(votes.prompts))
    return [
        Ranking(
            (votes.names[a], votes.names[b]),
            ranks[outcome],
            labelers.get(labeler, ""),
            prompts.get(prompt, ""),
            weight=weight,
            both_bad=both_bad,
        )
        for a, b, outcome, labeler, prompt, weight, both_bad in zip(
            *(column.tolist() for column in (*pairs, *of_votes)), strict=True
        )
    ]


def _of_labelers(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    names = [f"`{row['labeler']}`" for row in rows if row.get("careless", 0.0) > CARELESS]
    if not names:
        return []
    verb = "seems" if len(names) == 1 else "seem"
    message = f"{listed(names)} {verb} not to look at what is compared"
    return [warning(Problem("careless_labelers", message))]


def _of_criteria(table: VoteTable) -> list[dict[str, str]]:
    if len(table.criteria) < 2 or len(set(table.criterion.tolist())) < 2:  # noqa: PLR2004 - a mixture
        return []
    message = f"votes on {listed(table.criteria)} are rated together"
    return [warning(Problem("mixed_criteria", message))]


def _merged(found: dict[str, dict[str, Any]], wanted: Wanted) -> dict[str, Any]:
    """All criteria as one: every row says its criterion, groups are numbered through."""
    whole: dict[str, Any] = {"model": wanted.model, "confidence": wanted.confidence}
    whole |= {name: sum(one[name] for one in found.values()) for name in ("n_votes", "n_both_bad")}
    whole |= {name: [] for name in LISTS}
    for criterion, one in found.items():
        first = len(whole["groups"])
        whole["groups"] += one["groups"]
        for name in ("warnings", "ratings", "differences"):
            whole[name] += [row | {"criterion": criterion} for row in one[name]]
        for row in whole["ratings"][-len(one["ratings"]) :]:
            row["group"] += first
    return whole | {"by": {wanted.by: found}}


def agreement_of_file(path: Path, confidence: float = 0.95) -> dict[str, Any]:
    """How far the labelers of a file agree.

    Returns:
        ``n_votes``, ``n_labelers``, ``n_prompts``, ``confidence``, ``agreement``, ``labelers`` and
        ``warnings``; numbers as JSON can hold them.

    Raises:
        InputError: the votes cannot be read.
    """
    demand_confidence(confidence)
    table = read_votes(artifacts.payload(path))
    votes = table.votes
    rows = labeler_rows(votes, confidence)
    found = agreement_summary(votes, confidence, strength=table.strength, rankings=table.rankings)
    warnings = _of_labelers(rows)
    if found is None:
        message = "no two labelers judged the same two responses"
        warnings.insert(0, warning(Problem("nobody_twice", message)))
    return plain(  # type: ignore[no-any-return] # a dict
        {
            "n_votes": len(votes),
            "n_labelers": len(votes.labelers),
            "n_prompts": len(votes.prompts),
            "confidence": confidence,
            "agreement": found,
            "labelers": rows,
            "warnings": warnings,
        }
    )
