"""Ratings of the policies that people compared, and what their votes are worth.

comparisons  ->  ratings            docs/stages/rate.md

All votes count, those held out for the preference model too: a rating trains nothing. Every two
responses of a ranking are one vote, and the intervals allow for votes of one labeler, and votes
on one prompt, being alike.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs
from accord.ratings import agreement, bradley_terry, elo, tables
from accord.ratings.votes import Ranking, Votes, from_rankings
from accord.records import LabeledComparison, read_records
from accord.runtime import artifacts
from accord.runtime.json_numbers import plain
from accord.runtime.metrics import MetricsLog
from accord.runtime.seeding import derive, numpy_generator

FILES = ("comparisons-train.jsonl", "comparisons-test.jsonl")
Cluster = Literal["labeler", "prompt"]
CLUSTERS: tuple[Cluster, ...] = ("labeler", "prompt")
ELO_ORDERS = 50  # replays in random order that show how much Elo depends on it
ALPHA_DRAWS = 200  # bootstrap resamples
MODELS: dict[str, Callable[..., bradley_terry.Fit]] = {
    "bradley_terry": bradley_terry.fit,
    "davidson": bradley_terry.fit_davidson,
}


class Inputs(StageInputs):
    """What rating reads."""

    comparisons: Path  #: a collect artifact, a folder with its files, or one JSON Lines file


class Config(StageConfig):
    """How policies are rated; docs/stages/rate.md has the sources."""

    seed: int = 0  #: of the bootstrap of alpha and of the orders in which Elo is replayed
    model: Literal["bradley_terry", "davidson"] = "bradley_terry"  #: ties as half wins, or modelled
    confidence: float = Field(0.95, gt=0, lt=1)  #: of every interval
    elo_step: float = Field(16.0, gt=0)  #: points that one vote can move an Elo rating at most
    #: standard deviation of each strength's normal prior, nats; 0 is maximum likelihood
    prior_sd: float = Field(bradley_terry.PRIOR_SD, ge=0)
    #: votes of one labeler, and votes on one prompt, may be alike; empty takes them as independent
    cluster: list[Cluster] = Field(default_factory=lambda: list(CLUSTERS))


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Rate every policy; ``output/`` holds ``ratings.json`` and the same for people in Markdown."""
    labeled = _read(inputs.comparisons)
    votes = from_rankings(_rankings(labeled))
    try:
        fit = MODELS[config.model](votes, prior_sd=config.prior_sd or None, cluster=config.cluster)
    except ValueError as error:
        raise InputError(f"cannot rate `{inputs.comparisons}`: {error}") from error
    ratings = plain(_ratings(config, labeled, votes, fit))
    artifacts.write_json(out / "output" / "ratings.json", ratings)
    artifacts.write_text(out / "output" / "ratings.md", _markdown(ratings))
    _log(out, ratings)


def _read(path: Path) -> list[LabeledComparison]:
    place = artifacts.payload(path)
    files = [place] if place.is_file() else [place / name for name in FILES]
    found = [file for file in files if file.is_file() and file.stat().st_size]
    if not found:
        raise InputError(
            f"`{place}` holds neither `{FILES[0]}` nor `{FILES[1]}` with comparisons in it; "
            "give a collect artifact"
        )
    return [labeled for file in found for labeled in read_records(file, LabeledComparison)]


def _rankings(labeled: list[LabeledComparison]) -> list[Ranking]:
    return [
        Ranking(
            names=tuple(response.policy for response in one.comparison.responses),
            ranks=preference.ranks,
            labeler=preference.labeler,
            prompt=one.comparison.prompt.id,
            comparison=one.comparison.id,
            shown_order=preference.shown_order,
        )
        for one in labeled
        for preference in one.preferences
    ]


def _ratings(
    config: Config, labeled: list[LabeledComparison], votes: Votes, fit: bradley_terry.Fit
) -> dict[str, Any]:
    sequential, spread = _elo(config, votes)
    return {
        "model": config.model,
        "confidence": config.confidence,
        "n_votes": len(votes),
        "n_comparisons": len(labeled),
        "n_preferences": sum(len(one.preferences) for one in labeled),
        "n_labelers": len(votes.labelers),
        "n_prompts": len(votes.prompts),
        "tie_rate": float((votes.outcome == 0.5).mean()),  # noqa: PLR2004 - a tie
        "tie": fit.tie,
        "groups": [list(group) for group in fit.groups],
        "warnings": [problem._asdict() for problem in fit.problems],
        "ratings": [asdict(row) for row in tables.ratings_table(fit, config.confidence)],
        "differences": [asdict(row) for row in tables.differences(fit, config.confidence)],
        "elo": sequential,
        "elo_order_sd": spread,
        "win_matrix": _win_matrix(votes, fit),
        "agreement": _agreement(config, votes),
        "labelers": _labelers(config, labeled, votes),
    }


def _elo(config: Config, votes: Votes) -> tuple[dict[str, float], dict[str, float]]:
    """One replay in the order of the file, and how far random orders differ from each other."""
    between = votes.where(votes.a != votes.b)
    games = [
        (votes.names[a], votes.names[b], float(outcome))
        for a, b, outcome in zip(between.a, between.b, between.outcome, strict=True)
    ]
    replays = []
    for number in range(ELO_ORDERS):
        order = numpy_generator(config.seed, "elo", number).permutation(len(games))
        replays.append(elo.replay((games[i] for i in order), elo_step=config.elo_step))
    start = dict.fromkeys(votes.names, 0.0)
    spread = {name: statistics.stdev(r.get(name, 0.0) for r in replays) for name in start}
    return start | elo.replay(games, elo_step=config.elo_step), spread


def _win_matrix(votes: Votes, fit: bradley_terry.Fit) -> dict[str, Any]:
    """Row against column: votes, the observed win rate with ties as half, the fitted one."""
    number = len(votes.names)
    wins, n = np.zeros((number, number)), np.zeros((number, number))
    np.add.at(wins, (votes.a, votes.b), votes.outcome)
    np.add.at(wins, (votes.b, votes.a), 1 - votes.outcome)
    for ends in ((votes.a, votes.b), (votes.b, votes.a)):
        np.add.at(n, ends, 1)
    n[np.diag_indices(number)] = 0
    observed = np.divide(wins, n, out=np.full_like(wins, math.nan), where=n > 0)
    return {
        "names": list(votes.names),
        "observed": observed.tolist(),
        "fitted": tables.win_probability_matrix(fit).tolist(),
        "n": n.astype(int).tolist(),
    }


def _agreement(config: Config, votes: Votes) -> dict[str, Any] | None:
    """None when nobody judged what somebody else judged."""
    try:
        raw = agreement.raw_agreement(votes, config.confidence)
    except ValueError:
        return None
    alpha = agreement.preference_alpha(
        votes, config.confidence, draws=ALPHA_DRAWS, seed=derive(config.seed, "alpha")
    )
    found: dict[str, Any] = {
        "raw": raw.mean,
        "raw_low": raw.low,
        "raw_high": raw.high,
        "raw_n": raw.n,
        "krippendorff_alpha": alpha.mean,
        "alpha_low": alpha.low,
        "alpha_high": alpha.high,
        "ceiling": None,
    }
    try:
        ceiling = agreement.accuracy_ceiling(votes)
    except ValueError:
        return found  # every vote that somebody else's could be compared with is a tie
    return found | {
        "ceiling": ceiling.accuracy,
        "ceiling_low": ceiling.low,
        "ceiling_high": ceiling.high,
        "decided": ceiling.agreement,
        "decided_pairs": ceiling.n_pairs,
    }


def _labelers(
    config: Config, labeled: list[LabeledComparison], votes: Votes
) -> list[dict[str, Any]]:
    seconds: dict[str, list[float]] = {name: [] for name in votes.labelers}
    answered = dict.fromkeys(votes.labelers, 0)
    for one in labeled:
        for preference in one.preferences:
            answered[preference.labeler] += 1
            if preference.seconds is not None:
                seconds[preference.labeler].append(preference.seconds)
    return [
        asdict(row)
        | {
            "comparisons": answered[row.labeler],
            "seconds_median": statistics.median(seconds[row.labeler])
            if seconds[row.labeler]
            else None,
        }
        for row in agreement.labeler_summary(votes, config.confidence)
    ]


def _log(out: Path, ratings: dict[str, Any]) -> None:
    found = ratings["agreement"] or {}
    values = {
        "ratings/votes": ratings["n_votes"],
        "ratings/comparisons": ratings["n_comparisons"],
        "ratings/labelers": ratings["n_labelers"],
        "ratings/groups": len(ratings["groups"]),
        "ratings/warnings": len(ratings["warnings"]),
        "ratings/tie_rate": ratings["tie_rate"],
        "agreement/raw": found.get("raw"),
        "agreement/krippendorff_alpha": found.get("krippendorff_alpha"),
        "agreement/ceiling": found.get("ceiling"),
    }
    log = MetricsLog(out)
    log.truncate_to(-1)
    log.log(0, {key: value for key, value in values.items() if value is not None})
    best = ratings["ratings"][0]
    artifacts.write_headline(
        out,
        {
            "votes": ratings["n_votes"],
            "best": best["name"],
            "rating": round(best["rating"], 1),
            "low": round(best["low"], 1),
            "high": round(best["high"], 1),
            "agreement": round(found["raw"], 3) if found else None,
        },
    )


def _markdown(ratings: dict[str, Any]) -> str:
    percent = f"{100 * ratings['confidence']:g}%"
    lines = [
        "# Ratings",
        "",
        f"{ratings['n_votes']} pairwise votes of {ratings['n_labelers']} labelers on "
        f"{ratings['n_comparisons']} comparisons; {percent} intervals. 400 points are odds of "
        "10 to 1.",
        "",
        "| policy | rating | interval | rank | votes | Elo replay |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in ratings["ratings"]:
        rank = f"{row['rank_low']}" + (
            f" to {row['rank_high']}" if row["rank_high"] > row["rank_low"] else ""
        )
        lines.append(
            f"| {row['name']} | {row['rating']:.0f} | {row['low']:.0f} to {row['high']:.0f} "
            f"| {rank} | {row['votes']:.0f} | {ratings['elo'][row['name']]:.0f} |"
        )
    lines += [
        "",
        "| difference | points | interval | wins | p |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in ratings["differences"]:
        lines.append(
            f"| {row['a']} − {row['b']} | {row['difference']:.0f} | {row['low']:.0f} to "
            f"{row['high']:.0f} | {100 * row['p_a_beats_b']:.0f}% | {row['p_value']:.2g} |"
        )
    found = ratings["agreement"]
    if found:
        lines += [
            "",
            f"Labelers agree on {100 * found['raw']:.1f}% of pairs "
            f"({100 * found['raw_low']:.1f} to {100 * found['raw_high']:.1f}).",
        ]
    lines += [""] + [f"- {warned['code']}: {warned['message']}" for warned in ratings["warnings"]]
    return "\n".join(lines).rstrip() + "\n"
