"""Ratings of the policies that people compared, and what their votes are worth.

comparisons  ->  ratings            docs/stages/rate.md

All votes count, those held out for the preference model too: a rating trains nothing. Every two
responses of a ranking are one vote, and the intervals allow for votes of one labeler, and votes
on one prompt, being alike.
"""

import statistics
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs
from accord.data.vote_files import labeled_comparisons, rankings_of, vote_files
from accord.ratings import elo
from accord.ratings.fit import PRIOR_SD, Fit, fit
from accord.ratings.labeler_table import agreement_summary, labeler_rows
from accord.ratings.summary import rating_summary
from accord.ratings.votes import Ranking, Votes, from_rankings
from accord.records import LabeledComparison
from accord.runtime import artifacts
from accord.runtime.json_numbers import plain
from accord.runtime.metrics import MetricsLog
from accord.runtime.seeding import derive

Cluster = Literal["labeler", "prompt"]
CLUSTERS: tuple[Cluster, ...] = ("labeler", "prompt")
ELO_ORDERS = 200  # replays in random order that show how much Elo depends on it


class Inputs(StageInputs):
    """What rating reads."""

    comparisons: Path  #: a collect artifact, a folder with its files, or one JSON Lines file


class Config(StageConfig):
    """How policies are rated; docs/stages/rate.md has the sources."""

    seed: int = 0  #: of the bootstrap of alpha and of the orders in which Elo is replayed
    #: ties are half wins in the first two and modelled in the others; the last takes rankings whole
    model: Literal["bradley_terry", "thurstone", "davidson", "rao_kupper", "plackett_luce"] = (
        "bradley_terry"
    )
    confidence: float = Field(0.95, gt=0, lt=1)  #: of every interval
    elo_step: float = Field(16.0, gt=0)  #: points that one vote can move an Elo rating at most
    #: standard deviation of each strength's normal prior, nats; 0 is maximum likelihood
    prior_sd: float = Field(PRIOR_SD, ge=0)
    #: votes of one labeler, and votes on one prompt, may be alike; empty takes them as independent
    cluster: list[Cluster] = Field(default_factory=lambda: list(CLUSTERS))
    #: what is taken out of the ratings: which response was shown first, and how long they are
    control: list[Literal["side", "length"]] = Field(default_factory=list)


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Rate every policy; ``output/`` holds ``ratings.json`` and the same for people in Markdown."""
    files = vote_files(artifacts.payload(inputs.comparisons))
    labeled = [one for file in files for one in labeled_comparisons(file)]
    rankings = rankings_of(labeled)
    try:
        votes = from_rankings(rankings)
        fitted = fit(
            rankings if config.model == "plackett_luce" else votes,
            config.model,
            prior_sd=config.prior_sd or None,
            cluster=config.cluster,
            covariates=config.control,
        )
    except ValueError as error:
        raise InputError(f"cannot rate `{inputs.comparisons}`: {error}") from error
    ratings = plain(
        _ratings(config, labeled, votes, fitted) | _people(config, labeled, rankings, votes)
    )
    artifacts.write_json(out / "output" / "ratings.json", ratings)
    artifacts.write_text(out / "output" / "ratings.md", _markdown(ratings))
    _log(out, ratings)


def _ratings(
    config: Config, labeled: list[LabeledComparison], votes: Votes, fitted: Fit
) -> dict[str, Any]:
    summary = rating_summary(votes, fitted, config.confidence)
    return summary | {"n_comparisons": len(labeled)} | _elo(config, votes)


def _people(
    config: Config, labeled: list[LabeledComparison], rankings: list[Ranking], votes: Votes
) -> dict[str, Any]:
    return {
        "n_preferences": len(rankings),
        "n_labelers": len(votes.labelers),
        "n_prompts": len(votes.prompts),
        "agreement": agreement_summary(
            votes, config.confidence, rankings=rankings, seed=derive(config.seed, "alpha")
        ),
        "labelers": _labelers(config, labeled, votes),
    }


def _elo(config: Config, votes: Votes) -> dict[str, Any]:
    """One replay in the order of the file, and how far random orders differ from each other."""
    between = votes.where((votes.a != votes.b) & ~votes.both_bad)
    games = [
        (votes.names[a], votes.names[b], float(outcome))
        for a, b, outcome in zip(between.a, between.b, between.outcome, strict=True)
    ]
    step, seed = config.elo_step, derive(config.seed, "elo")
    spread = elo.order_spread(games, elo_step=step, orders=ELO_ORDERS, seed=seed)
    start = dict.fromkeys(votes.names, 0.0)
    return {
        "elo": start | elo.replay(games, elo_step=step),
        "elo_order_sd": start | dict(spread.sd),
        "elo_rankings_changed": spread.rankings_changed,
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
        row
        | {
            "comparisons": answered[row["labeler"]],
            "seconds_median": statistics.median(seconds[row["labeler"]])
            if seconds[row["labeler"]]
            else None,
        }
        for row in labeler_rows(votes, config.confidence)
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
        f"Elo is a ticker: in {ELO_ORDERS} random orders of the same votes its ratings differ by "
        f"up to {max(ratings['elo_order_sd'].values()):.0f} points (standard deviation), and "
        f"{100 * ratings['elo_rankings_changed']:.0f}% of the orders end in another ranking than "
        "the most frequent one.",
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
