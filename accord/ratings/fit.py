"""One door to all models of pairwise votes: strengths on one scale, with honest intervals.

model           P(a is better)                                     ties
bradley_terry   σ(gap)                                             half a win for each
thurstone       Φ(gap)                                             half a win for each
davidson        e^(gap/2) / (e^(gap/2) + ν + e^(−gap/2))           ν
rao_kupper      σ(gap − log κ)                                     κ

Only differences mean anything, so the strengths of each connected group of policies have mean 0
and nothing is ever said about two policies that no chain of votes connects. Rankings that are not
to be broken into pairs are rated by ``plackett_luce``.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from accord.ratings import problems
from accord.ratings.cells import OUTCOMES, Cells, by_policy, cells_of, tie_matrix, win_matrix
from accord.ratings.covariance import clustered, ways_of
from accord.ratings.fitted import PRIOR_SD, Fit, demand_prior, relative
from accord.ratings.likelihood import terms_at
from accord.ratings.pair_models import MODELS, PairModel, bread_of, climb, prior_in_units
from accord.ratings.plackett_luce import fit_rankings
from accord.ratings.problems import Graph, Problem, graph_of, members
from accord.ratings.votes import FloatArray, IntArray, Ranking, Votes, from_rankings

FLAT = 1e8  # variance of an effect in units of that of one informative vote

__all__ = ["MODELS", "PRIOR_SD", "Fit", "Problem", "fit"]


def fit(
    votes: Votes | Cells | Sequence[Ranking],
    model: str = "bradley_terry",
    *,
    prior_sd: float | None = PRIOR_SD,
    cluster: Sequence[str] = ("labeler", "prompt"),
    covariates: Sequence[str] = (),
    both_bad_is_tie: bool = False,
) -> Fit:
    """Strengths that make the votes most likely, with their covariance.

        maximise  Σ_v w_v log P(outcome_v | gap_v) − Σ_i θ_i² / (2 s²),
        gap_v = θ_a − θ_b + Σ_c β_c x_vc

    The prior sd s is ``prior_sd`` nats in points of the model; the logarithm of a tie parameter
    has the same in nats, a coefficient has s / (root mean square of its covariate).

    Args:
        votes: pairwise votes, their counts from ``Tally``, or rankings. Votes between two
            responses of one policy are left out.
        model: ``"bradley_terry"``, ``"thurstone"``, ``"davidson"`` or ``"rao_kupper"``; for
            rankings also ``"plackett_luce"``, the others take all pairs of each.
        prior_sd: of the normal prior of each strength, in nats. None is maximum likelihood.
        cluster: any of ``"labeler"`` and ``"prompt"``: within these votes may depend on each
            other. ``"vote"`` for independent votes of which the model need not be true, empty
            for independent votes of which it is.
        covariates: of the votes, such as ``"side"`` and ``"length"``, whose effect is taken out
            of the strengths: a strength is what a policy has where the covariates are 0.
        both_bad_is_tie: count "both are bad" as a tie instead of leaving it out.

    Returns:
        The fit. Half wins shrink strengths where ties are common: they answer "what is the
        expected outcome"; a model with ties answers "who wins a decided vote".

    Raises:
        ValueError: an unknown model, cluster or covariate, a model that does not fit the votes,
            a prior that is not positive, or ``prior_sd=None`` with votes under which the
            likelihood has no maximum.

    Source: Bradley and Terry 1952, Thurstone 1927, Davidson 1970, Rao and Kupper 1967; existence
    of the maximum: Ford 1957; covariance: ``covariance``.

    >>> from accord.ratings.votes import from_pairs
    >>> three_to_one = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> for model in ("bradley_terry", "thurstone"):
    ...     exact = fit(three_to_one, model, prior_sd=None)
    ...     print(round(2 * exact.strengths[0] * exact.points_per_unit, 2))
    190.85
    190.77
    """
    demand_prior(prior_sd)
    if model == "plackett_luce":
        if isinstance(votes, Votes | Cells) or covariates:
            raise ValueError(
                "`plackett_luce` takes rankings and no covariates; for votes use `davidson`"
            )
        return fit_rankings(votes, prior_sd=prior_sd, cluster=cluster)
    if model not in MODELS:
        raise ValueError(f"unknown model `{model}`; known: {', '.join(MODELS)}, plackett_luce")
    if isinstance(votes, Cells):
        if tuple(covariates) not in ((), votes.covariates):
            raise ValueError("the votes were counted with other covariates")
        return _fit_cells(votes, None, model, prior_sd, cluster)
    votes = votes if isinstance(votes, Votes) else from_rankings(votes)
    cells = cells_of(votes, covariates=covariates, cluster=cluster, both_bad_is_tie=both_bad_is_tie)
    return _fit_cells(cells, votes, model, prior_sd, cluster)


def _fit_cells(
    cells: Cells,
    votes: Votes | None,
    model: str,
    prior_sd: float | None,
    cluster: Sequence[str],
) -> Fit:
    chosen, graph = MODELS[model], graph_of(win_matrix(cells))
    if prior_sd is None:
        _demand_a_maximum(cells, graph, has_tie=chosen.tie_of is not None)
    parameters, top = climb(cells, chosen, graph.group, prior_sd)
    bread = bread_of(top, graph.group)
    if prior_sd is None:
        _demand_information(cells, bread)
    ways, degrees, of_clusters = ways_of(cells.clusterings, cluster)
    covariance = bread
    if ways:
        terms = terms_at(cells, chosen.terms, parameters, has_tie=chosen.tie_of is not None)
        covariance = clustered(cells, terms, bread, ways)
    m, c = len(cells.names), len(cells.covariates)
    found = [
        *problems.of_graph(cells.names, graph),
        *problems.of_votes(cells),
        *of_clusters,
        *problems.of_cycles(cells, votes),
    ]
    if "labeler" in cells.clusterings:
        found += problems.of_leader(
            cells.clusterings["labeler"],
            cells.names,
            graph.group,
            parameters[:m],
            lambda: _without_leader(cells, chosen, graph.group, parameters),
        )
    alone = prior_in_units(chosen, prior_sd or PRIOR_SD)
    effects = np.ix_(range(m, m + c), range(m, m + c))
    per_unit = np.outer(1 / cells.scale, 1 / cells.scale)
    return Fit(
        names=cells.names,
        strengths=parameters[:m],
        covariance=relative(covariance[:m, :m], graph.group, alone),
        model_covariance=relative(bread[:m, :m], graph.group, alone),
        groups=members(cells.names, graph.group),
        votes=by_policy(cells.a, cells.b, cells.counts.sum(axis=0), cells.names),
        degrees_of_freedom=degrees,
        problems=tuple(found),
        log_likelihood=top.value,
        tie=chosen.tie_of(parameters[-1]) if chosen.tie_of else None,
        model=model,
        points_per_unit=chosen.points_per_unit,
        covariates=cells.covariates,
        coefficients=parameters[m : m + c] / cells.scale,
        coefficient_covariance=covariance[effects] * per_unit,
        coefficient_model_covariance=bread[effects] * per_unit,
        both_bad=cells.both_bad,
    )


def _demand_a_maximum(cells: Cells, graph: Graph, *, has_tie: bool) -> None:
    """Raise unless maximum likelihood exists."""
    if len(set(graph.piece.tolist())) > len(set(graph.group.tolist())):
        raise ValueError(
            "some policies always beat others, so the likelihood has no maximum; give a `prior_sd`"
        )
    if has_tie:
        loss, _, win = cells.counts
        decided = win_matrix(replace(cells, counts=np.stack([loss, np.zeros_like(win), win])))
        ties = tie_matrix(cells)
        if not (ties.nnz and problems.ties_are_bounded(decided, ties)):
            raise ValueError("the likelihood of ν has no maximum; give a `prior_sd`")


def _demand_information(cells: Cells, bread: FloatArray) -> None:
    """Raise when the effect of a covariate ran away: the climb ends, far out, where ℓ is flat."""
    m = len(cells.names)
    variances = np.diag(bread)[m : m + len(cells.covariates)]
    for name, variance in zip(cells.covariates, variances.tolist(), strict=True):
        if variance * float(cells.counts.sum()) > FLAT:
            raise ValueError(
                f"the effect of `{name}` has no maximum likelihood: it settles some votes for "
                "certain; give a `prior_sd`"
            )


def _without_leader(
    cells: Cells, model: PairModel, group: IntArray, parameters: FloatArray
) -> FloatArray:
    """Strengths without the votes of the labeler who gave most."""
    by = cells.clusterings["labeler"]
    mine = by.cluster == by.leader_code
    theirs = np.bincount(by.place[mine], by.weight[mine], minlength=cells.counts.size)
    rest = replace(cells, counts=np.maximum(cells.counts - theirs.reshape(OUTCOMES, -1), 0.0))
    return climb(rest, model, group, PRIOR_SD, parameters)[0][: len(cells.names)]
