"""The cluster bootstrap: fit again and again to labelers and prompts drawn with replacement.

Slower than the sandwich and nearly always the same; it is here to check it, and for those who
want the spread of something that is no sum, such as a rank.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from accord.ratings.cells import Cells, cells_of, sums_at, win_matrix
from accord.ratings.covariance import ways_of
from accord.ratings.fit import fit
from accord.ratings.fitted import PRIOR_SD, Fit, relative
from accord.ratings.pair_models import MODELS, climb, prior_in_units
from accord.ratings.problems import graph_of
from accord.ratings.votes import FloatArray, IntArray, Votes


class Bootstrap(NamedTuple):
    """A fit whose covariance is that of the draws, and the draws."""

    fit: Fit  #: give it to ``tables`` for intervals of differences
    strengths: FloatArray  #: [draws, policies], mean 0 in each group


def cluster_bootstrap(
    votes: Votes,
    model: str = "bradley_terry",
    *,
    draws: int = 200,
    seed: int = 0,
    prior_sd: float = PRIOR_SD,
    cluster: Sequence[str] = ("labeler",),
    covariates: Sequence[str] = (),
) -> Bootstrap:
    """Strengths of resampled clusters.

        draw G clusters with replacement, fit to all their votes; repeat
        two ways: a vote weighs (times its labeler was drawn) · (times its prompt was drawn)

    Args:
        votes: pairwise votes.
        model: as for ``fit``.
        draws: number of resamples.
        seed: of the resampling.
        prior_sd: as for ``fit``; a prior there must be, since a resample may leave out every
            loss of a policy.
        cluster: ``"labeler"``, ``"prompt"`` or both.
        covariates: as for ``fit``.

    Returns:
        The fit with the covariance of the draws in place of the clustered one, and the draws.
        For a percentile interval of a difference give ``percentile_interval`` the difference of
        two columns.

    Raises:
        ValueError: as ``fit``; also no clustering with at least two clusters, or fewer than
            two draws.

    Source: Davison and Hinkley 1997, section 3.8 (whole clusters); Owen 2007, "The pigeonhole
    bootstrap", for two ways, which is conservative.

    >>> from accord.ratings.votes import from_pairs
    >>> people = [f"l{i // 2}" for i in range(40)]
    >>> even = from_pairs(["x"] * 40, ["y"] * 40, [1, 0] * 20, labeler=people)
    >>> cluster_bootstrap(even, draws=20).strengths.shape
    (20, 2)
    """
    fitted = fit(votes, model, prior_sd=prior_sd, cluster=cluster, covariates=covariates)
    cells = cells_of(votes, covariates=covariates, cluster=cluster)
    ways, _, _ = ways_of(cells.clusterings, cluster)
    if not ways or draws < 2:  # noqa: PLR2004 - a spread needs two
        raise ValueError("a bootstrap needs two clusters to draw from, and two draws")
    group = graph_of(win_matrix(cells)).group
    rng = np.random.default_rng(seed)
    m, start, drawn = len(cells.names), None, []
    for _ in range(draws):
        resampled = _resampled(cells, ways, rng)
        parameters, _ = climb(resampled, MODELS[model], group, prior_sd, start)
        start = parameters if start is None else start
        drawn.append(_centered(parameters[:m], group))
    strengths = np.array(drawn)
    spread = np.atleast_2d(np.cov(strengths.T))
    alone = prior_in_units(MODELS[model], prior_sd)
    return Bootstrap(replace(fitted, covariance=relative(spread, group, alone)), strengths)


def _resampled(cells: Cells, ways: Sequence[str], rng: np.random.Generator) -> Cells:
    rows = cells.clusterings[ways[0]]
    weight = rows.weight
    for way in ways:
        clustering = cells.clusterings[way]
        picks = rng.integers(clustering.number, size=clustering.number)
        times = np.bincount(picks, minlength=clustering.number)
        weight = weight * times[clustering.cluster]
    return replace(cells, counts=sums_at(rows.place, weight, cells.counts.shape))


def _centered(strengths: FloatArray, group: IntArray) -> FloatArray:
    return np.asarray(strengths - (np.bincount(group, strengths) / np.bincount(group))[group])
