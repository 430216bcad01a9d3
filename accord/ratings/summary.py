"""A fit as plain numbers, lists and dictionaries: what is written to JSON and drawn.

Nothing here compares policies of different groups, and each warning comes with what to do.
"""

import math
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise, repeat
from typing import Any

import numpy as np

from accord.ratings.anytime import anytime_differences
from accord.ratings.cells import Cells, cells_of
from accord.ratings.fitted import Fit
from accord.ratings.influence import fewest_votes, one_labeler_decides
from accord.ratings.power import votes_to_separate
from accord.ratings.problems import Problem
from accord.ratings.ranks import p_best
from accord.ratings.tables import (
    Rating,
    differences,
    effects,
    ratings_table,
    win_probability_matrix,
)
from accord.ratings.votes import FloatArray, Votes

MOST_PAIRED = 150  # policies whose every pair is listed; 5,000 would make 12 million rows
MOST_SEARCHED = 200_000  # votes among which the few that flip the top are searched for
ADVICE = {
    "disconnected": "let labelers compare policies of different groups, or rate each alone",
    "unplayed": "compare it with another policy",
    "unbeaten": "collect votes against its strongest rivals; until then read its lower end",
    "winless": "collect votes against its weakest rivals; until then read its upper end",
    "separated": "collect votes between the sets; until then only their order is known",
    "all_ties": "nothing can be said; ask for a choice, or compare more different policies",
    "one_labeler": "ask more people: the result is this labeler's taste",
    "one_prompt": "use more prompts: the result is about this one",
    "few_clusters": "ask more of them; ten are a beginning, thirty are good",
    "unknown_labelers": "write down who votes, in the column `labeler`",
    "dominant_labeler": "ask others, or limit how many votes one labeler gives",
    "one_labeler_decides": "ask others about these two: the lead is this labeler's taste",
    "intransitive": "no single scale fits: read the votes pair by pair",
    "missing_covariate": "fill the column, or do not control for it",
    "constant_covariate": "leave it out: where nothing varies nothing can be learned",
    "careless_labelers": "look at their votes before leaving them out: `accord agreement` has each",
    "nobody_twice": "give some comparisons to several labelers, and name `labeler` and `prompt`",
    "mixed_criteria": "rate each on its own with `--by criterion`",
}
MOST_SIMULATED = 1_000  # policies whose probability of being best is simulated
Refit = Callable[[Votes], Fit]


def rating_summary(
    votes: Votes | Cells, fit: Fit, confidence: float = 0.95, *, refit: Refit | None = None
) -> dict[str, Any]:
    """Everything that one fit says, for people and programs.

    Args:
        votes: that were fitted, or their counts, which cannot show the few votes that decide.
        fit: of them.
        confidence: of every interval.
        refit: the same fit of other votes, to find the few votes, or the one labeler, that decide
            who leads.

    Returns:
        ``model``, ``confidence``, ``n_votes``, ``n_both_bad``, ``tie_rate``, ``tie``, ``groups``,
        ``warnings``, ``ratings``, ``differences``, ``covariates``, ``to_separate``, ``flip`` and
        ``win_matrix``. Of more than 150 policies ``differences`` and ``win_matrix`` have the 150
        with the highest ratings, and ``p_best`` of more than 1,000 is None.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: the functions of ``tables``, ``ranks``, ``anytime``, ``power`` and ``influence``.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> three_to_one = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> found = rating_summary(three_to_one, fit(three_to_one, prior_sd=None, cluster=()))
    >>> found["n_votes"], [row["name"] for row in found["ratings"]]
    (4, ['x', 'y'])
    """
    cells = cells_of(votes, cluster=()) if isinstance(votes, Votes) else votes
    rows = ratings_table(fit, confidence)
    loss, tie, win = cells.counts.sum(axis=1).tolist()
    flip, problems = None, list(fit.problems)
    if isinstance(votes, Votes) and refit is not None and len(votes) <= MOST_SEARCHED:
        flip = fewest_votes(votes, fit, refit)
        problems += _decider(votes, fit, refit, confidence)
    first = {row.name for row in sorted(rows, key=lambda row: -row.rating)[:MOST_PAIRED]}
    chosen = [name for name in fit.names if name in first]
    return {
        "model": fit.model,
        "confidence": confidence,
        "n_votes": len(votes) if isinstance(votes, Votes) else round(loss + tie + win),
        "tie_rate": tie / (loss + tie + win) if loss + tie + win else 0.0,
        "tie": fit.tie,
        "groups": [list(group) for group in fit.groups],
        "warnings": [warning(problem) for problem in problems],
        "ratings": _ratings(fit, rows),
        "differences": _differences(fit, confidence, chosen),
        "covariates": [asdict(effect) for effect in effects(fit, confidence)],
        "to_separate": _to_separate(fit, rows, confidence),
        "flip": None
        if flip is None
        else {
            "top": flip.top,
            "rival": flip.rival,
            "votes": len(flip.votes),
            "share": flip.share,
            "message": flip.message,
        },
        "win_matrix": win_matrix(cells, fit, chosen),
    }


def warning(problem: Problem) -> dict[str, str]:
    """A problem with what to do about it."""
    return problem._asdict() | {"advice": ADVICE.get(problem.code, "")}


def win_matrix(cells: Cells, fit: Fit, names: list[str] | None = None) -> dict[str, Any]:
    """Row against column: votes, the observed win rate with a tie as half a win, the fitted one.

    Args:
        cells: counts of the votes.
        fit: of them.
        names: the policies wanted, in their order; all when left out.

    Returns:
        ``names``, ``observed``, ``fitted`` and ``n``; observed is NaN where nobody compared the
        two, fitted is NaN across groups.

    Source: none needed; counting.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0.5])
    >>> win_matrix(cells_of(votes), fit(votes))["observed"][0][1]
    0.875
    """
    number, (loss, tie, win) = len(fit.names), cells.counts
    index = {name: i for i, name in enumerate(fit.names)}
    part = np.array([index[name] for name in (fit.names if names is None else names)])
    place = np.full(number, -1)
    place[part] = np.arange(len(part))
    a, b = place[cells.a], place[cells.b]
    kept = (a >= 0) & (b >= 0)
    size = len(part)

    def table(of_a: FloatArray, of_b: FloatArray) -> FloatArray:
        keys = np.concatenate([(a * size + b)[kept], (b * size + a)[kept]])
        sums = np.bincount(keys, np.concatenate([of_a[kept], of_b[kept]]), size**2)
        return sums.astype(np.float64).reshape(size, size)

    wins = table(win + tie / 2, loss + tie / 2)
    games = wins + wins.T
    observed = np.divide(wins, games, out=np.full_like(wins, math.nan), where=games > 0)
    return {
        "names": [fit.names[i] for i in part.tolist()],
        "observed": observed.tolist(),
        "fitted": win_probability_matrix(fit)[np.ix_(part, part)].tolist(),
        "n": games.tolist(),
    }


def _ratings(fit: Fit, rows: tuple[Rating, ...]) -> list[dict[str, Any]]:
    simulated = p_best(fit).tolist() if len(fit.names) <= MOST_SIMULATED else repeat(None)
    best: dict[str, float | None] = dict(zip(fit.names, simulated, strict=False))
    bad = np.zeros(len(fit.names)) if not len(fit.both_bad) else fit.both_bad
    both_bad = dict(zip(fit.names, bad.tolist(), strict=True))
    return [
        asdict(row)
        | {
            "p_best": best[row.name],
            "both_bad": both_bad[row.name],
            "both_bad_rate": both_bad[row.name] / max(row.votes + both_bad[row.name], 1e-300),
        }
        for row in rows
    ]


def _differences(fit: Fit, confidence: float, names: list[str]) -> list[dict[str, Any]]:
    peeking = {}
    if len(fit.names) <= MOST_PAIRED:
        peeking = {
            (row.a, row.b): {"anytime_low": row.low, "anytime_high": row.high}
            for row in anytime_differences(fit, confidence)
        }
    return [
        asdict(row)
        | {"p_a_better": row.p_value / 2 if row.difference < 0 else 1 - row.p_value / 2}
        | peeking.get((row.a, row.b), {})
        for row in differences(fit, confidence, among=names)
    ]


def _decider(votes: Votes, fit: Fit, refit: Refit, confidence: float) -> list[Problem]:
    """The one labeler behind a lead that the intervals show; an open lead rests on everybody."""
    top, second = _ahead(fit)
    lead = differences(fit, confidence, among=sorted({top, second}))
    if not lead or lead[0].low <= 0 <= lead[0].high:
        return []
    found = one_labeler_decides(votes, fit, refit)
    return [] if found is None else [Problem(found.code, found.message)]


def _ahead(fit: Fit) -> list[str]:
    """The first two of the largest group; the first twice when it is alone."""
    group = max(fit.groups, key=len)
    return (sorted(group, key=lambda name: -fit.strengths[fit.names.index(name)]) * 2)[:2]


def _to_separate(fit: Fit, rows: tuple[Rating, ...], confidence: float) -> list[dict[str, Any]]:
    """Neighbours of one group whose order the votes leave open."""
    found = []
    if len(fit.names) <= MOST_PAIRED:
        for one, other in pairwise(rows):
            if one.group == other.group:
                needed = votes_to_separate(fit, one.name, other.name, confidence=confidence)
                if needed.status != "separated":
                    found.append(asdict(needed))
    return found
