"""Strengths from whole rankings, with ties: the model is in ``choices``.

The pairs of a ranking of K responses are K(K−1)/2 votes that are not independent; here the
ranking is one observation, and its information is counted once.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from accord.ratings.cells import (
    Clustering,
    by_policy,
    cells_of,
    clustering_of,
    demand_known,
    win_matrix,
)
from accord.ratings.choices import Choices, choices_of, has_maximum, likelihood, ranking_scores
from accord.ratings.covariance import inverse, sandwich, ways_of
from accord.ratings.fitted import PRIOR_SD, Fit, demand_prior, relative
from accord.ratings.newton import maximize
from accord.ratings.problems import graph_of, members, of_cycles, of_graph, of_leader, of_votes
from accord.ratings.votes import FloatArray, Ranking, from_rankings, numbered


def fit_rankings(
    rankings: Sequence[Ranking],
    *,
    prior_sd: float | None = PRIOR_SD,
    cluster: Sequence[str] = ("labeler", "prompt"),
) -> Fit:
    """Strengths that make whole rankings most likely, with their covariance.

        maximise  Σ log P(choice) − Σ_i θ_i² / (2 prior_sd²) − Σ_t (log δ_t)² / (2 prior_sd²)

    Args:
        rankings: each of at least two responses, ties allowed; those that found all bad are
            counted and say nothing about strengths.
        prior_sd: of the normal prior of each strength and each log δ, in nats; None is maximum
            likelihood.
        cluster: any of ``"labeler"`` and ``"prompt"``: within these rankings may depend on each
            other. Empty for independent rankings.

    Returns:
        The fit, with δ_2 in ``tie`` and all of them in ``ties``; ``votes`` counts the other
        responses that each policy was ranked with.

    Raises:
        ValueError: no rankings, a prior that is not positive, an unknown cluster, or
            ``prior_sd=None`` with rankings under which the likelihood has no maximum.

    Source: Turner, van Etten, Firth and Kosmidis 2020. Differs from it: a normal prior in place
    of a ghost response, and covariance by labeler and prompt.

    >>> three = [Ranking(("x", "y"), (1, 2))] * 3 + [Ranking(("x", "y"), (2, 1))]
    >>> exact = fit_rankings(three, prior_sd=None, cluster=())
    >>> print(round(2 * exact.strengths[0] * exact.points_per_unit, 2))
    190.85
    """
    demand_prior(prior_sd)
    votes = from_rankings(rankings)
    pairs = cells_of(votes, cluster=())
    rankings = [one for one in rankings if one.weight > 0 and not one.both_bad and _differ(one)]
    names, graph = pairs.names, graph_of(win_matrix(pairs))
    choices, sizes = choices_of(rankings, names)
    if prior_sd is None and not has_maximum(choices, len(names), len(sizes)):
        raise ValueError(
            "some policies always come before others, or ties are always or never given, so the "
            "likelihood has no maximum; give a `prior_sd`"
        )
    m, total = len(names), len(names) + len(sizes)
    precision = np.full(total, 0.0 if prior_sd is None else prior_sd**-2)
    level = np.zeros((total, total))
    level[:m, :m] = graph.group[:, None] == graph.group[None, :]
    climb = likelihood(choices, m, len(sizes))
    parameters, top = maximize(climb, np.zeros(total), precision, level)
    bread = inverse(top.information)
    clusterings = _clusterings(rankings, cluster)
    ways, degrees, of_clusters = ways_of(clusterings, cluster)
    covariance = bread
    if ways:
        scores = ranking_scores(choices, parameters, m, len(rankings))
        covariance = sandwich(scores, bread, [clusterings[way].cluster for way in ways])
    found = [*of_graph(names, graph), *of_votes(pairs), *of_clusters, *of_cycles(pairs, votes)]
    if by := clusterings.get("labeler"):
        without = partial(_without_leader, choices, by, parameters, m)
        found += of_leader(by, names, graph.group, parameters[:m], without)
    ties = dict(zip(sizes, np.exp(parameters[m:]).tolist(), strict=True))
    return Fit(
        names=names,
        strengths=parameters[:m],
        covariance=relative(covariance[:m, :m], graph.group, prior_sd),
        model_covariance=relative(bread[:m, :m], graph.group, prior_sd),
        groups=members(names, graph.group),
        votes=by_policy(pairs.a, pairs.b, pairs.counts.sum(axis=0), names),
        degrees_of_freedom=degrees,
        problems=tuple(found),
        log_likelihood=top.value,
        tie=ties.get(2),
        model="plackett_luce",
        both_bad=pairs.both_bad,
        ties=ties,
    )


def _differ(ranking: Ranking) -> bool:
    """False when all responses are of one policy: their order says nothing about it."""
    return len(set(ranking.names)) > 1


def _without_leader(
    choices: Sequence[Choices], by: Clustering, start: FloatArray, policies: int
) -> FloatArray:
    """Strengths without the rankings of the labeler who gave most."""
    others = [
        replace(one, weight=one.weight * (by.cluster[one.ranking] != by.leader_code))
        for one in choices
    ]
    climb = likelihood(others, policies, len(start) - policies)
    weak = np.full(len(start), PRIOR_SD**-2)
    return maximize(climb, start, weak)[0][:policies]


def _clusterings(rankings: Sequence[Ranking], cluster: Sequence[str]) -> dict[str, Clustering]:
    """Who gave each ranking, and on what."""
    demand_known(cluster)
    columns = {
        "labeler": [ranking.labeler for ranking in rankings],
        "prompt": [ranking.prompt for ranking in rankings],
        "vote": [""] * len(rankings),  # each its own
    }
    rows = np.arange(len(rankings))
    weight = np.array([ranking.weight for ranking in rankings], dtype=np.float64)
    found = {}
    for name in dict.fromkeys(cluster):
        names, codes = numbered(columns[name], name)
        found[name] = clustering_of(codes, rows, weight, names)
    return found
