"""Fits against R: BradleyTerry2, psychotools, sandwich and clubSandwich.

golden/golden.csv holds what R 4.2.2 found; golden/make_golden.R made it and says from what.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, gammaln

from accord.ratings import bradley_terry, few_clusters
from accord.ratings.cells import cells_of
from accord.ratings.covariance import sandwich
from accord.ratings.few_clusters import adjusted_sums, degrees_of_freedom
from accord.ratings.fit import fit
from accord.ratings.likelihood import gaps, gram
from accord.ratings.votes import from_columns, from_pairs

FOLDER = Path(__file__).parent / "golden"


def rows(name):
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


GOLDEN = rows("golden.csv")


def golden(chosen, quantity):
    """{(first, second) or first: value} of one quantity of one set."""
    return {
        (row["first"], row["second"]) if row["second"] else row["first"]: float(row["value"])
        for row in GOLDEN
        if (row["set"], row["quantity"]) == (chosen, quantity)
    }


def relative(fitted, reference):
    """Strengths and their standard errors relative to one policy, by name."""
    base = fitted.names.index(reference)
    found = {}
    for i, name in enumerate(fitted.names):
        contrast = np.zeros(len(fitted.names))
        contrast[i] += 1
        contrast[base] -= 1
        variance = contrast @ fitted.covariance @ contrast
        found[name] = (float(contrast @ fitted.strengths), float(np.sqrt(max(variance, 0))))
    return found


def assert_abilities(fitted, chosen, kind=""):
    abilities = golden(chosen, f"{kind}ability" if kind else "ability")
    errors = golden(chosen, f"{kind}se" if kind else "se")
    found = relative(fitted, next(iter(abilities)))
    for name, value in abilities.items():
        assert found[name] == pytest.approx((value, errors[name]), rel=2e-5, abs=1e-7)


def wins_of(chosen, quantity="wins"):
    table = golden(chosen, quantity)
    some = {pair: n for pair, n in table.items() if n}
    return from_pairs(
        [a for a, _ in some], [b for _, b in some], [1] * len(some), weight=list(some.values())
    )


def votes_of_labelers(*, ties=False, **more):
    found = [row for row in rows("votes.csv") if ties or row["winner"] != "tie"]
    column = {name: [row[name] for row in found] for name in found[0]}
    return from_columns(
        column["a"],
        column["b"],
        column["winner"],
        labeler=column["labeler"],
        prompt=column["prompt"],
        covariates={"length": [float(x) for x in column["length"]]},
        **more,
    )


@pytest.mark.parametrize("chosen", ["teams", "journals"])
def test_tables_of_wins(chosen):
    votes = wins_of(chosen)
    exact = fit(votes, prior_sd=None, cluster=())
    assert_abilities(exact, chosen)
    table = golden(chosen, "wins")
    ways = sum(  # the binomial coefficients that R's likelihood has in it
        gammaln(n + table[b, a] + 1) - gammaln(n + 1) - gammaln(table[b, a] + 1)
        for (a, b), n in table.items()
        if a < b
    )
    assert exact.log_likelihood + ways == pytest.approx(
        golden(chosen, "log_likelihood")[""], rel=1e-7
    )
    probit = fit(votes, "thurstone", prior_sd=None, cluster=())
    # R's errors are from the expected information, ours from the observed one.
    abilities = golden(chosen, "probit_ability")
    found = relative(probit, next(iter(abilities)))
    for name, value in abilities.items():
        assert found[name][0] == pytest.approx(value, rel=2e-5, abs=1e-7)


def baseball():
    home, away = golden("baseball", "home_wins"), golden("baseball", "away_wins")
    games = [(h, v, "a", n) for (h, v), n in home.items() if n]
    games += [(h, v, "b", n) for (h, v), n in away.items() if n]
    first, second, winner, number = zip(*games, strict=True)
    return from_columns(
        first,
        second,
        winner,
        weight=number,
        covariates={"home": [1.0] * len(games)},
    )


def test_baseball():
    assert_abilities(fit(baseball(), prior_sd=None, cluster=()), "baseball")


def test_baseball_with_the_advantage_of_home():
    exact = fit(baseball(), prior_sd=None, cluster=(), covariates=["home"])
    assert_abilities(exact, "baseball_home")
    assert exact.coefficients == pytest.approx(
        list(golden("baseball_home", "coefficient").values()), rel=1e-5
    )
    assert np.sqrt(np.diag(exact.coefficient_covariance)) == pytest.approx(
        list(golden("baseball_home", "coefficient_se").values()), rel=1e-5
    )


def regression(chosen):
    """The same fit as a dense logistic regression: fit, design, residuals, votes.

    Strengths are relative to p, as R's: columns are q, r, s, t and the covariate.
    """
    covariates = ["length"] if chosen == "votes_length" else []
    votes = votes_of_labelers()
    exact = fit(votes, prior_sd=None, cluster=("labeler",), covariates=covariates)
    design = (votes.a[:, None] == np.arange(1, 5)) * 1.0 - (votes.b[:, None] == np.arange(1, 5))
    beta = exact.strengths[1:] - exact.strengths[0]
    if covariates:
        design = np.column_stack([design, votes.covariate("length")])
        beta = np.append(beta, exact.coefficients)
    p = expit(design @ beta)
    return beta, design, p, votes


def assert_covariance(found, chosen, kind, **tolerance):
    labels = [*"qrst", "length"]
    for (first, second), value in golden(chosen, kind).items():
        i, j = labels.index(first), labels.index(second)
        assert found[i, j] == pytest.approx(value, **tolerance)


@pytest.mark.parametrize("chosen", ["votes", "votes_length"])
def test_sandwiches_of_votes(chosen):
    beta, design, p, votes = regression(chosen)
    assert beta == pytest.approx(list(golden(chosen, "coefficient").values()), rel=1e-5)
    bread = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    assert_covariance(bread, chosen, "model", rel=1e-5)
    scores = design * (votes.outcome - p)[:, None]
    ways = {"labeler": [votes.labeler], "prompt": [votes.prompt]}
    for kind, clusters in (*ways.items(), ("both", ways["labeler"] + ways["prompt"])):
        assert_covariance(sandwich(scores, bread, clusters), chosen, kind, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("chosen", ["votes", "votes_length"])
def test_model_covariance_of_votes(chosen):
    covariates = ["length"] if chosen == "votes_length" else []
    exact = fit(votes_of_labelers(), prior_sd=None, cluster=(), covariates=covariates)
    to_p = np.column_stack([-np.ones(4), np.eye(4)])
    if not covariates:
        assert_covariance(to_p @ exact.covariance @ to_p.T, chosen, "model", rel=1e-5)
    else:
        variance = golden(chosen, "model")["length", "length"]
        assert exact.coefficient_covariance[0, 0] == pytest.approx(variance, rel=1e-5)


def test_davidsons_ties():
    exact = fit(votes_of_labelers(ties=True), "davidson", prior_sd=None, cluster=())
    values, errors = golden("votes_ties", "coefficient"), golden("votes_ties", "se")
    found = relative(exact, "p")
    for name in "qrst":
        assert found[name] == pytest.approx((values[name], errors[name]), rel=1e-4)
    assert np.log(exact.tie) == pytest.approx(values["(undecided)"], rel=1e-4)


def by_labeler(chosen):
    """B Σ_g s̃_g s̃_gᵀ B relative to p, from ``adjusted_sums``."""
    _, design, p, votes = regression(chosen)
    covariates = ["length"] if chosen == "votes_length" else []
    cells = cells_of(votes, covariates=covariates, cluster=["labeler"])
    by = cells.clusterings["labeler"]
    exact = fit(votes, prior_sd=None, covariates=covariates)
    parameters = np.concatenate([exact.strengths, exact.coefficients * cells.scale])
    terms = bradley_terry.terms(gaps(cells, parameters))
    information = gram(cells, None, -(cells.counts * terms.by_gap_gap).sum(axis=0))
    bread = np.linalg.pinv(information, rcond=1e-10)
    full = np.column_stack([-design[:, :4].sum(axis=1), design[:, :4], design[:, 4:] / cells.scale])
    scores = full * (votes.outcome - p)[:, None]
    sums = np.stack([scores[votes.labeler == g].sum(axis=0) for g in range(by.number)])
    half = adjusted_sums(cells, by, terms, bread, sums) @ bread
    to_p = np.column_stack([-np.ones(4), np.eye(4)])
    contrast = np.zeros((4 + len(covariates), len(parameters)))
    contrast[:4, :5] = to_p
    contrast[4:, 5:] = np.diag(1 / cells.scale)
    return contrast @ half.T @ half @ contrast.T, by


@pytest.mark.parametrize("chosen", ["votes", "votes_length"])
def test_scores_adjusted_for_leverage(chosen, monkeypatch):
    """Bell and McCaffrey's formula vote by vote, and R's variances.

    The square root in it is not unique for votes of unequal information: clubSandwich takes the
    symmetric one of residuals in units of outcomes, ours is of standardized residuals.
    """
    monkeypatch.setattr(few_clusters, "LEVERAGE", 0.0)
    covariance, by = by_labeler(chosen)
    _, design, p, votes = regression(chosen)
    information = p * (1 - p)
    bread = np.linalg.inv(design.T @ (design * information[:, None]))
    meat = np.zeros_like(bread)
    for g in range(by.number):
        own = votes.labeler == g
        x = design[own] * np.sqrt(information[own])[:, None]
        values, vectors = np.linalg.eigh(np.eye(len(x)) - x @ bread @ x.T)
        root = (vectors / np.sqrt(values)) @ vectors.T
        score = x.T @ (root @ ((votes.outcome - p)[own] / np.sqrt(information[own])))
        meat += np.outer(score, score)
    assert covariance == pytest.approx(bread @ meat @ bread, rel=1e-6)
    variances = {(a, b): v for (a, b), v in golden(chosen, "cr2").items() if a == b}
    assert np.diag(covariance) == pytest.approx([*variances.values()], rel=0.03)
    # One number for all differences, close to Satterthwaite's for each.
    satterthwaite = [golden(chosen, "satterthwaite_df")[name] for name in "qrst"]
    assert degrees_of_freedom(by.cluster, by.weight) == pytest.approx(
        np.mean(satterthwaite), rel=0.12
    )
