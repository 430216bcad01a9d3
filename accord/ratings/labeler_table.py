"""What is known of the labelers, as plain numbers: how far they agree, and each one's habits."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from accord.ratings import agreement
from accord.ratings.agreement import ANSWERS, SWAPPED
from accord.ratings.alpha import alpha_interval
from accord.ratings.intervals import Estimate
from accord.ratings.kappa import cohen_kappa, cross_table, fleiss_kappa
from accord.ratings.ranking_agreement import ranking_agreement
from accord.ratings.reliability import LabelerReliability, Trait, fit_reliability
from accord.ratings.votes import FloatArray, Ranking, Votes

DRAWS = 200  # bootstrap resamples
MOST_MODELLED = 100_000  # votes up to which each labeler's habits are fitted
TWO = 2


def agreement_summary(
    votes: Votes,
    confidence: float = 0.95,
    *,
    strength: FloatArray | None = None,
    rankings: Sequence[Ranking] = (),
    seed: int = 0,
) -> dict[str, Any] | None:
    """How far labelers agree, in every usual measure.

        Fleiss' and Cohen's kappa count every vote as given and turned round, since the two
        responses have no natural order; ordinal alpha is of −strength … 0 (a tie) … +strength,
        also counted both ways

    Args:
        votes: pairwise votes.
        confidence: of the intervals, which resample labelers and prompts; that of ordinal alpha
            resamples labelers.
        strength: how much better the winner is, a number above 0; NaN where not known.
        rankings: the rankings that the votes came from, if any.
        seed: of the resampling.

    Returns:
        ``raw``, ``krippendorff_alpha``, ``ordinal_alpha``, ``self`` and, of rankings of three or
        more, ``tau_x`` and ``ranking_alpha``, each with ``low`` and ``high``; ``fleiss_kappa``,
        with two labelers ``cohen_kappa``, and ``ceiling``. What the votes cannot show is None.
        None when nobody judged what somebody else judged.

    Source: the functions called; the turn as in ``agreement.preference_alpha``.

    >>> from accord.ratings.votes import from_pairs
    >>> said, who, what = [1, 0, 1, 0], ["k", "k", "l", "l"], ["p", "q", "p", "q"]
    >>> found = agreement_summary(from_pairs(["x"] * 4, ["y"] * 4, said, labeler=who, prompt=what))
    >>> found["raw"], found["fleiss_kappa"], found["cohen_kappa"], found["ordinal_alpha"]
    (1.0, 1.0, 1.0, None)
    """
    try:
        raw = agreement.raw_agreement(votes, confidence, draws=DRAWS, seed=seed)
    except ValueError:
        return None
    alpha = agreement.preference_alpha(votes, confidence, draws=DRAWS, seed=seed)
    return (
        _estimate("raw", raw)
        | _estimate("krippendorff_alpha", alpha, "alpha")
        | _kappas(votes)
        | _ordinal(votes, strength, confidence, seed)
        | _of_rankings(rankings, confidence, seed)
        | _self(votes, confidence)
        | _ceiling(votes)
    )


def labeler_rows(votes: Votes, confidence: float = 0.95) -> list[dict[str, Any]]:
    """Each labeler's agreement with the others and, of up to 100,000 votes, each one's habits.

    Args:
        votes: pairwise votes; those of unknown labelers have no row.
        confidence: of the intervals.

    Returns:
        What ``agreement.labeler_summary`` says, then ``discrimination``, ``side_bias``,
        ``length_taste``, ``tie_threshold``, each with ``_low`` and ``_high``, and ``careless``.

    Source: ``agreement.labeler_summary`` and ``reliability.fit_reliability``.

    >>> from accord.ratings.votes import from_pairs
    >>> rows = labeler_rows(from_pairs(["x"] * 2, ["y"] * 2, [1, 0], labeler=["k", "l"]))
    >>> [(row["labeler"], row["n"]) for row in rows]
    [('k', 1), ('l', 1)]
    """
    rows = [asdict(row) for row in agreement.labeler_summary(votes, confidence)]
    usable = (votes.a != votes.b) & (votes.weight > 0) & ~votes.both_bad
    if not rows or len(votes) > MOST_MODELLED or not usable.any():
        return rows
    habits = {
        one.labeler: _habits(one)
        for one in fit_reliability(votes.where(usable), confidence=confidence).labelers
    }
    return [row | habits.get(row["labeler"], {}) for row in rows]


def _estimate(name: str, found: Estimate | None, ends: str = "") -> dict[str, float | None]:
    ends = ends or name
    if found is None:
        return {name: None, f"{ends}_low": None, f"{ends}_high": None, f"{ends}_n": None}
    return {
        name: found.mean,
        f"{ends}_low": found.low,
        f"{ends}_high": found.high,
        f"{ends}_n": found.n,
    }


def _kappas(votes: Votes) -> dict[str, float | None]:
    said = np.rint(2 * votes.outcome).astype(np.int64)
    said = np.where(votes.both_bad, ANSWERS.index("both_bad"), said)
    unit = np.unique(votes.unit, return_inverse=True)[1]
    counts = np.zeros((int(unit.max()) + 1, len(ANSWERS)))
    np.add.at(counts, (unit, said), 1.0)
    found: dict[str, float | None] = {
        "fleiss_kappa": fleiss_kappa(np.concatenate([counts, counts[:, SWAPPED]])),
        "cohen_kappa": None,
    }
    if len(votes.labelers) == TWO and int(votes.labeler.max()) < TWO:
        turned = np.array(SWAPPED)[said]
        units = np.concatenate([unit, unit + len(counts)])
        who, values = np.tile(votes.labeler, 2), np.concatenate([said, turned])
        found["cohen_kappa"] = cohen_kappa(cross_table(units, who, values, first=0, second=1))
    return found


def _ordinal(
    votes: Votes, strength: FloatArray | None, confidence: float, seed: int
) -> dict[str, float | None]:
    nothing = _estimate("ordinal_alpha", None)
    if strength is None:
        return nothing
    signed = np.where(votes.outcome == 0.5, 0.0, (2 * votes.outcome - 1) * strength)  # noqa: PLR2004 - a tie
    known = ~np.isnan(signed) & ~votes.both_bad
    if not (known & (signed != 0)).any():
        return nothing
    unit, value, who = votes.unit[known], signed[known], votes.labeler[known]
    twin = unit + int(votes.unit.max()) + 1  # the same votes turned round
    try:
        found = alpha_interval(
            np.concatenate([unit, twin]),
            np.concatenate([value, -value]),
            np.tile(who, 2),
            metric="ordinal",
            by=("labeler",),
            confidence=confidence,
            draws=DRAWS,
            seed=seed,
        )
    except ValueError:
        return nothing  # of no two responses two strengths are known
    return _estimate("ordinal_alpha", found._replace(n=found.n // 2))


def _of_rankings(
    rankings: Sequence[Ranking], confidence: float, seed: int
) -> dict[str, float | None]:
    whole = [ranking for ranking in rankings if len(ranking.ranks) > TWO]
    try:
        found = ranking_agreement(whole, confidence, draws=DRAWS, seed=seed) if whole else None
    except ValueError:
        found = None  # nobody ranked what somebody else ranked
    return _estimate("tau_x", found.tau_x if found else None) | _estimate(
        "ranking_alpha", found.alpha if found else None
    )


def _self(votes: Votes, confidence: float) -> dict[str, float | None]:
    try:
        return _estimate("self", agreement.self_agreement(votes, confidence))
    except ValueError:
        return _estimate("self", None)


def _ceiling(votes: Votes) -> dict[str, float | None]:
    try:
        found = agreement.accuracy_ceiling(votes)
    except ValueError:
        return {"ceiling": None}  # every vote that could be compared with another's is a tie
    return {
        "ceiling": found.accuracy,
        "ceiling_low": found.low,
        "ceiling_high": found.high,
        "decided": found.agreement,
        "decided_pairs": found.n_pairs,
    }


def _habits(one: LabelerReliability) -> dict[str, float | None]:
    traits: dict[str, Trait | None] = {
        "discrimination": one.discrimination,
        "side_bias": one.side_bias,
        "length_taste": one.length_taste,
        "tie_threshold": one.tie_threshold,
    }
    found: dict[str, float | None] = {"careless": one.careless}
    for name, trait in traits.items():
        value, low, high = (None,) * 3 if trait is None else (trait.value, trait.low, trait.high)
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found
