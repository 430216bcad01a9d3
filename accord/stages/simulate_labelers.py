"""Simulated labelers answer what was published, one vote at a time, as people would.

published, world  ->  votes in the store            docs/stages/simulate_labelers.md

They use the functions that people's answers go through, and one transaction a vote. Who answers
next, what is shown, the answer and the time depend on nothing but the seed and the votes that
are in the store, so a run that was killed at any moment goes on to the same ledger.
"""

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import Field

from accord.config import InputError, StageConfig, StageInputs
from accord.ratings.intervals import clustered_rate
from accord.records import Comparison, LabeledComparison, Preference
from accord.runtime import artifacts
from accord.runtime.input_files import input_file
from accord.runtime.metrics import MetricsLog
from accord.runtime.progress import bar
from accord.store import comparisons, export, queue
from accord.store import labelers as roster
from accord.store.session import Store, open_store
from accord.worlds.facts import World, read_world
from accord.worlds.judge import judge
from accord.worlds.labelers import Labeler, answer, labelers
from accord.worlds.phrasing import UnknownPrompt

CLOCK_START = datetime(2000, 1, 1, tzinfo=UTC)  # simulated votes are not taken for recent ones
SECONDS_PER_VOTE = 60.0  # of the simulated clock, from one vote to the next
LEASE_SECONDS = 600.0


class Inputs(StageInputs):
    """What simulated labeling reads, and the store it writes."""

    published: Path  #: artifact of publish
    world: Path  #: artifact of world, or its world.json: what the labelers can look up
    store: str  #: the store that was published to


class Config(StageConfig):
    """Who answers; docs/stages/simulate_labelers.md says how they differ from each other."""

    seed: int = 0  #: of the labelers, the order on their screens and their answers
    labelers: int = Field(8, ge=1)  #: how many people
    careless: int = Field(1, ge=0)  #: of them, how many answer almost at random


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Answer until nothing is wanted; ``output/votes.json`` holds the digest of the votes."""
    if config.careless > config.labelers:
        raise InputError(
            f"`careless` = {config.careless} is more than `labelers` = {config.labelers}; lower it"
        )
    published = artifacts.read_json(input_file(inputs.published, "published.json"))
    wanted = published["votes_per_comparison"]
    if wanted > config.labelers:
        raise InputError(
            f"`labelers` = {config.labelers} cannot give {wanted} votes to a comparison, since "
            f"nobody answers twice; set `labelers` to {wanted} or more"
        )
    world = read_world(input_file(inputs.world, "world.json"))
    with open_store(inputs.store, power_safe=False) as store:  # made from a seed
        _answer_all(store, world, published["batch"], config)
        with store.reading() as session:
            labeled = list(export.labeled(session, batches=[published["batch"]]))
    _write(out, published["batch"], labeled, world)


def _answer_all(store: Store, world: World, batch: str, config: Config) -> None:
    people = labelers(config.seed, config.labelers, config.careless)
    with store.writing() as session:
        for person in people:
            roster.add(session, person.name)
        counts = export.counts(session, batches=[batch])
        still = queue.open_votes(session, [batch])
    if not counts.comparisons:
        raise InputError(f"the store holds no batch `{batch}`; publish it to this store first")
    votes = counts.votes
    with bar(votes + still, "simulated labelers", completed=votes) as advance:
        while _answer_one(store, world, batch, (people, votes), config.seed):
            votes += 1
            advance()
    with store.reading() as session:
        left = queue.open_votes(session, [batch])
    if left:
        raise InputError(
            f"{left} votes are still wanted and no simulated labeler may give them; "
            "raise `labelers`"
        )


def _answer_one(
    store: Store, world: World, batch: str, turn: tuple[Sequence[Labeler], int], seed: int
) -> bool:
    """One vote in one transaction, by the labeler whose turn it is; False if none has work."""
    people, votes = turn
    now = CLOCK_START + timedelta(seconds=SECONDS_PER_VOTE * votes)
    for offset in range(len(people)):
        person = people[(votes + offset) % len(people)]
        with store.writing() as session:
            shown = queue.next(
                session,
                person.name,
                now=now,
                lease_seconds=LEASE_SECONDS,
                seed=seed,
                batches=[batch],
            )
            if shown is not None:
                preference = _preference(world, person, *shown, seed=seed)
                seconds = timedelta(seconds=preference.seconds or 0)
                comparisons.record(session, preference, now=now + seconds)
                return True
    return False


def _preference(
    world: World, person: Labeler, comparison: Comparison, order: tuple[int, ...], *, seed: int
) -> Preference:
    try:
        return answer(world, person, comparison, order, seed=seed)
    except UnknownPrompt as error:
        raise InputError(
            f"comparison `{comparison.id}`: {error}; simulated labelers can only answer about "
            "the prompts of a world"
        ) from error


def _write(out: Path, batch: str, labeled: Sequence[LabeledComparison], world: World) -> None:
    preferences = [preference for one in labeled for preference in one.preferences]
    votes: dict[str, Any] = {
        "batch": batch,
        "comparisons": len(labeled),
        "votes": len(preferences),
        "labelers": sorted({preference.labeler for preference in preferences}),
        "votes_digest": export.digest_of(preferences),
    }
    artifacts.write_json(out / "output" / "votes.json", votes)
    truth = _against_the_truth(labeled, world)
    values = {
        "labels/comparisons": len(labeled),
        "labels/votes": len(preferences),
        "labels/labelers": len(votes["labelers"]),
        "labels/tie_rate": statistics.fmean(_is_tie(p) for p in preferences),
        "labels/first_place_rate": statistics.fmean(_first_won(p) for p in preferences),
        "labels/seconds": statistics.median(p.seconds or 0.0 for p in preferences),
    }
    if truth is not None:
        values["labels/truth_agreement"] = truth["value"]
    log = MetricsLog(out)
    log.truncate_to(-1)
    log.log(0, values)
    headline = {
        "votes": len(preferences),
        "labelers": len(votes["labelers"]),
        "truth_agreement": truth,
        "votes_digest": votes["votes_digest"][:8],
    }
    artifacts.write_headline(out, headline)


def _is_tie(preference: Preference) -> float:
    """Share of the pairs of a ranking that are ties."""
    pairs = list(combinations(preference.ranks, 2))
    return sum(a == b for a, b in pairs) / len(pairs)


def _first_won(preference: Preference) -> bool:
    """True if the response at the first place is ranked best, alone or not."""
    return preference.ranks[preference.shown_order[0]] == min(preference.ranks)


def _against_the_truth(
    labeled: Sequence[LabeledComparison], world: World
) -> dict[str, float] | None:
    """How often the better response was preferred, over decided pairs whose utilities differ."""
    right, clusters = [], []
    for one in labeled:
        prompt = one.comparison.prompt
        utilities = [judge(world, prompt, r.text).utility for r in one.comparison.responses]
        for preference in one.preferences:
            for i, j in combinations(range(len(utilities)), 2):
                rise, gap = utilities[i] - utilities[j], preference.ranks[j] - preference.ranks[i]
                if rise and gap:
                    right.append((rise > 0) == (gap > 0))
                    clusters.append(prompt.id)
    if not right:
        return None
    rate = clustered_rate(right, clusters)
    found = {"value": rate.mean, "low": rate.low, "high": rate.high}
    return {key: round(value, 6) for key, value in found.items()} | {"n": rate.n}
