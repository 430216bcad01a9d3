"""How often 95% intervals cover when labelers differ in taste.

    python benchmarks/ratings_coverage.py [--seeds 1000] [--only NAME]

Simulates votes of labelers whose strengths differ from the common ones, fits them, and counts how
often the interval of a difference holds the difference that endless labelers would give. Prints
the table of ratings_coverage.md, which has a date and says what it means.
"""

import argparse
import time
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from accord.ratings import few_clusters
from accord.ratings.anytime import anytime_differences
from accord.ratings.fit import fit
from accord.ratings.ranks import simultaneous_ranks
from accord.ratings.tables import Difference, differences
from accord.ratings.votes import Votes

STRENGTH = np.linspace(0.75, -0.75, 6)  # nats; gaps of 52 to 261 points
NAMES = tuple("uvwxyz")
PAIRS = list(combinations(range(len(NAMES)), 2))


class World(NamedTuple):
    """What the votes are like."""

    spread: float = 1.0  #: times ``STRENGTH``
    taste_sd: float = 0.6  #: nats, of each labeler's strengths around the common ones
    tie: float = 0.0  #: Davidson's ν
    length: float = 0.0  #: nats per unit of log length ratio
    length_sd: float = 0.0  #: of labelers around it
    prompt_sd: float = 0.0  #: nats, of the strengths on each prompt around the common ones


class Case(NamedTuple):
    """A world, who votes in it, and how it is fitted."""

    name: str
    world: World
    shares: str  #: of the votes: equal, zipf (1/rank) or one (80% by one labeler)
    labelers: int
    votes: int
    model: str = "bradley_terry"
    covariates: tuple[str, ...] = ()
    prompts: int = 0  #: as many as votes when 0
    cluster: tuple[str, ...] = ("labeler",)

    @property
    def clusters(self) -> int:
        """How many there are of what is clustered by, the smaller number of two."""
        return min({"labeler": self.labelers, "prompt": self.prompts}[way] for way in self.cluster)


def simulated(
    rng: np.random.Generator, world: World, counts: np.ndarray, prompts: int = 0
) -> Votes:
    """So many votes of each labeler, on pairs and prompts at random."""
    labeler = np.repeat(np.arange(len(counts)), counts)
    n = len(labeler)
    a = rng.integers(len(NAMES), size=n)
    b = (a + rng.integers(1, len(NAMES), size=n)) % len(NAMES)
    strength = world.spread * STRENGTH
    taste = strength + world.taste_sd * rng.normal(size=(len(counts), len(NAMES)))
    # Better policies write longer, so an uncontrolled fit mixes the two up.
    length = 0.8 * rng.normal(size=n) + 0.3 * (strength[a] - strength[b])
    liking = world.length + world.length_sd * rng.normal(size=len(counts))
    gap = taste[labeler, a] - taste[labeler, b] + liking[labeler] * length
    prompt = np.arange(n)
    if prompts or world.prompt_sd:
        prompt = rng.integers(prompts, size=n) if prompts else prompt
        on_prompt = world.prompt_sd * rng.normal(size=(prompts or n, len(NAMES)))
        gap = gap + on_prompt[prompt, a] - on_prompt[prompt, b]
    half = gap / 2
    draw = rng.uniform(size=n) * (np.exp(half) + np.exp(-half) + world.tie)
    outcome = np.select([draw < np.exp(half), draw < np.exp(half) + world.tie], [1.0, 0.5], 0.0)
    return Votes(
        names=NAMES,
        labelers=tuple(f"l{g:05d}" for g in range(len(counts))),
        prompts=tuple(f"p{g:05d}" for g in range(prompts)),
        a=a,
        b=b,
        outcome=outcome,
        labeler=labeler,
        prompt=prompt,
        unit=np.arange(n),
        a_first=np.full(n, np.nan),
        weight=np.ones(n),
        covariates={"length": length},
    )


def counts_of(case: Case) -> np.ndarray:
    """Votes of each labeler."""
    rank = np.arange(1, case.labelers + 1)
    share = {
        "equal": np.ones(case.labelers),
        "zipf": 1 / rank,
        "one": np.where(rank == 1, 4.0 * max(case.labelers - 1, 1), 1.0),
    }[case.shares]
    return np.maximum(1, np.round(case.votes * share / share.sum())).astype(int)


def truth(case: Case, labelers: int = 50_000) -> np.ndarray:
    """Differences in points that the model finds with very many labelers of 40 votes each."""
    votes = simulated(np.random.default_rng(2026), case.world, np.full(labelers, 40))
    endless = fit(votes, case.model, cluster=(), covariates=case.covariates)
    gaps = [endless.strengths[i] - endless.strengths[j] for i, j in PAIRS]
    return np.array(gaps) * endless.points_per_unit


class Counts(NamedTuple):
    """Shares of simulations."""

    clustered: float  #: single intervals that cover
    usual: float  #: those with the usual G/(G − 1) and G − 1 degrees of freedom
    independent: float  #: those that take votes as independent
    ranks: float  #: all rank ranges hold at once; of equal policies: no order is shown
    anytime: float
    width: float  #: points, of clustered intervals, median
    se: float  #: of the first share, simulations being the units


def usual(votes: Votes, case: Case) -> tuple[Difference, ...]:
    """Differences without the corrections of ``few_clusters``."""
    corrected = few_clusters.LEVERAGE
    few_clusters.LEVERAGE = np.inf  # no labeler is adjusted but by G/(G − 1)
    try:
        found = fit(votes, case.model, cluster=case.cluster, covariates=case.covariates)
    finally:
        few_clusters.LEVERAGE = corrected
    return differences(replace(found, degrees_of_freedom=case.clusters - 1.0))


def measured(case: Case, seeds: int, endless: int = 50_000) -> Counts:
    """Coverage over seeds 0, 1, ...; ``endless`` labelers say what is true."""
    gaps, counts = truth(case, endless), counts_of(case)
    rows = []
    for seed in range(seeds):
        votes = simulated(np.random.default_rng(seed), case.world, counts, case.prompts)
        found = fit(votes, case.model, cluster=case.cluster, covariates=case.covariates)
        alone = replace(found, covariance=found.model_covariance, degrees_of_freedom=np.inf)
        single = differences(found)
        tables = (single, differences(alone), anytime_differences(found), usual(votes, case))
        held = [
            np.mean([r.low <= t <= r.high for r, t in zip(table, gaps, strict=True)])
            for table in tables
        ]
        ranks = simultaneous_ranks(found, draws=500, seed=seed)
        if case.world.spread:
            together = all(low <= i <= high for i, (_, low, high) in enumerate(ranks, start=1))
        else:
            together = all(high - low == len(NAMES) - 1 for _, low, high in ranks)
        rows.append((*held, together, np.median([r.high - r.low for r in single])))
    table = np.array(rows, dtype=float)
    mean = table.mean(axis=0)
    return Counts(
        clustered=mean[0],
        independent=mean[1],
        anytime=mean[2],
        usual=mean[3],
        ranks=mean[4],
        width=float(np.median(table[:, 5])),
        se=float(table[:, 0].std() / np.sqrt(seeds)),
    )


def cases() -> list[Case]:
    """What the page reports."""
    sizes = ((10, 2000), (20, 2000), (50, 2000))
    plain, ties = World(), World(tie=0.8)
    length = World(length=0.5, length_sd=0.3)
    found = []
    for shares in ("equal", "zipf"):
        for g, n in sizes:
            found.append(Case("bradley_terry", plain, shares, g, n))
            found.append(Case("thurstone", plain, shares, g, n, model="thurstone"))
            found.append(Case("davidson", ties, shares, g, n, model="davidson"))
            found.append(Case("length-controlled", length, shares, g, n, covariates=("length",)))
    found += [
        Case("bradley_terry", World(taste_sd=0.0), "equal", 20, 2000),
        Case("bradley_terry", World(taste_sd=0.3), "equal", 20, 2000),
        Case("bradley_terry", plain, "equal", 5, 1000),
        Case("bradley_terry", plain, "one", 10, 2000),
        Case("bradley_terry", plain, "zipf", 500, 20_000),
    ]
    for shares in ("equal", "zipf"):
        for g in (10, 30):
            found.append(Case("equal policies", World(spread=0.0), shares, g, 2000))
    return [*found, *of_prompts()]


def of_prompts() -> list[Case]:
    """Models that are good at different prompts, and labelers of differing taste beside that."""
    of_prompt, both = World(taste_sd=0.0, prompt_sd=0.6), World(prompt_sd=0.6)
    by_prompt = [
        Case("by prompt", of_prompt, "equal", 50, 2000, prompts=prompts, cluster=("prompt",))
        for prompts in (20, 100)
    ]
    sizes = (("equal", 10, 20), ("equal", 20, 50), ("equal", 30, 500), ("zipf", 20, 100))
    return by_prompt + [
        Case("by both", both, shares, g, 2000, prompts=prompts, cluster=("labeler", "prompt"))
        for shares, g, prompts in sizes
    ]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000, help="simulations a row")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    chosen = parser.parse_args()
    head = ["fit", "clusters", "votes", "taste sd", "independent", "usual", "clustered"]
    print(f"| {' | '.join([*head, 'width', 'ranks', 'anytime'])} |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    start = time.perf_counter()
    for case in cases():
        if chosen.only not in case.name:
            continue
        c = measured(case, chosen.seeds)
        prompts = f", {case.prompts} prompts" if case.prompts else ""
        print(
            f"| {case.name} | {case.labelers} {case.shares}{prompts} | {case.votes} "
            f"| {case.world.taste_sd:g} | {100 * c.independent:.1f} | {100 * c.usual:.1f} "
            f"| **{100 * c.clustered:.1f}** ± {100 * c.se:.1f} | {c.width:.0f} "
            f"| {100 * c.ranks:.1f} | {100 * c.anytime:.1f} |",
            flush=True,
        )
    print(f"\n{chosen.seeds} seeds a row, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
