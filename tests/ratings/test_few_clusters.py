"""Corrections for few labelers, and for labelers with very different numbers of votes.

The formula vote by vote and R's clubSandwich are in test_golden.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings import bradley_terry, davidson, few_clusters
from accord.ratings.cells import cells_of
from accord.ratings.few_clusters import adjusted_sums, degrees_of_freedom, effective_number
from accord.ratings.likelihood import gaps, gram
from accord.ratings.votes import from_columns, from_pairs


def summed(votes, model, parameters, covariates=()):
    """Sums of scores by labeler, the bread, and what ``adjusted_sums`` needs beside them."""
    cells = cells_of(votes, covariates=covariates, cluster=["labeler"])
    by = cells.clusterings["labeler"]
    terms = model.terms(gaps(cells, parameters), parameters[-1])
    second = [terms.by_gap_gap, terms.by_gap_tie, terms.by_tie_tie]
    whole = [-(cells.counts * part).sum(axis=0) for part in second if part is not None]
    bread = np.linalg.pinv(gram(cells, None, *whole), rcond=1e-10)
    sums = np.zeros((by.number, len(parameters)))
    for g, place, weight in zip(by.cluster, by.place, by.weight, strict=True):
        outcome, k = divmod(place, len(cells.a))
        sums[g, cells.a[k]] += weight * terms.by_gap[outcome, k]
        sums[g, cells.b[k]] -= weight * terms.by_gap[outcome, k]
        if terms.by_tie is not None:
            sums[g, -1] += weight * np.broadcast_to(terms.by_tie, (3, len(cells.a)))[outcome, k]
    return cells, by, terms, bread, sums


def two_policies(sizes):
    who = [f"l{g}" for g, n in enumerate(sizes) for _ in range(n)]
    return from_pairs(["x"] * len(who), ["y"] * len(who), [1, 0] * (len(who) // 2), labeler=who)


# by hand


def test_effective_number():
    assert effective_number(np.array([0, 0, 1, 1]), np.ones(4)) == 2
    # 8 votes and 1 + 1: 100 / 66
    assert effective_number(np.array([0, 1, 2]), np.array([8.0, 1.0, 1.0])) == pytest.approx(
        100 / 66
    )
    assert degrees_of_freedom(np.array([0, 1, 2]), np.array([8.0, 1.0, 1.0])) == 1


def test_a_labeler_with_three_quarters_of_the_votes():
    # Leverages 3/4 and 1/4: scores are enlarged by (1 − 3/4)^(−½) = 2 and (1 − 1/4)^(−½) = 1.1547.
    cells, by, terms, bread, sums = summed(two_policies([12, 4]), bradley_terry, np.zeros(2))
    sums[:] = [[3.0, -3.0], [-3.0, 3.0]]
    adjusted = adjusted_sums(cells, by, terms, bread, sums)
    assert adjusted == pytest.approx(np.array([[6.0, -6.0], [-3.4641016, 3.4641016]]))


def test_equal_labelers_are_corrected_as_usual():
    # Ten equal ones of leverage 1/10 each: (1 − 1/10)^(−½) = √(10/9), exactly G/(G − 1).
    cells, by, terms, bread, sums = summed(two_policies([12] * 10), bradley_terry, np.zeros(2))
    sums[:, 0] = np.arange(10) - 4.5
    sums[:, 1] = -sums[:, 0]
    adjusted = adjusted_sums(cells, by, terms, bread, sums)
    assert adjusted == pytest.approx(sums * math.sqrt(10 / 9))


# by law


@settings(max_examples=50)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(2, 5))
def test_effective_number_lies_between_one_and_all(sizes, times):
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    found = effective_number(cluster, np.ones(len(cluster)))
    assert 1 - 1e-9 <= found <= len(sizes) + 1e-9
    assert effective_number(cluster, np.full(len(cluster), float(times))) == pytest.approx(found)
    by_weight = effective_number(np.arange(len(sizes)), np.array(sizes, dtype=float))
    assert by_weight == pytest.approx(found)


@pytest.mark.parametrize("model", [bradley_terry, davidson])
def test_no_bias_when_votes_are_independent(model, monkeypatch):
    """E[s̃ s̃ᵀ] sums to the information: A_g (H_g − H_g B H_g) A_gᵀ = H_g for every labeler."""
    monkeypatch.setattr(few_clusters, "LEVERAGE", 0.0)
    rng = np.random.default_rng(0)
    sizes = [60, 25, 12, 6, 3]
    who = [f"l{g}" for g, n in enumerate(sizes) for _ in range(n)]
    pairs = [rng.choice(list("wxyz"), 2, replace=False) for _ in who]
    winner = rng.choice(["a", "tie", "b"], size=len(who))
    votes = from_columns([a for a, _ in pairs], [b for _, b in pairs], winner, labeler=who)
    parameters = np.array(
        [0.6, 0.2, -0.1, -0.7, 0.3] if model is davidson else [0.6, 0.2, -0.1, -0.7]
    )
    cells, by, terms, bread, _ = summed(votes, model, parameters)
    total = np.zeros_like(bread)
    for g in range(by.number):
        own = cells_of(votes.where(votes.labeler == g), cluster=["labeler"])
        at = model.terms(gaps(own, parameters), parameters[-1])
        second = [p for p in (at.by_gap_gap, at.by_gap_tie, at.by_tie_tie) if p is not None]
        information = gram(own, None, *(-(own.counts * part).sum(axis=0) for part in second))
        residual = information - information @ bread @ information
        sums = np.zeros((by.number, len(bread)))
        values, vectors = np.linalg.eigh(residual)
        for value, vector in zip(values, vectors.T, strict=True):  # E over directions, one by one
            sums[g] = vector * math.sqrt(max(value, 0.0))
            adjusted = adjusted_sums(cells, by, terms, bread, sums)[g]
            total += np.outer(adjusted, adjusted)
    assert bread @ total @ bread == pytest.approx(bread, abs=1e-8)


# edges


def test_small_leverages_are_the_average():
    cells, by, terms, bread, sums = summed(two_policies([2] * 40), bradley_terry, np.zeros(2))
    adjusted = adjusted_sums(cells, by, terms, bread, sums)
    assert adjusted == pytest.approx(sums * math.sqrt(40 / 39))


def test_very_many_parameters_are_left_alone(monkeypatch):
    monkeypatch.setattr(few_clusters, "MOST_PARAMETERS", 1)
    cells, by, terms, bread, sums = summed(two_policies([12, 4]), bradley_terry, np.zeros(2))
    assert adjusted_sums(cells, by, terms, bread, sums) == pytest.approx(sums * math.sqrt(2))


def test_who_alone_informs_a_direction_has_no_score_in_it():
    # Only l1 voted on z, so what it says fits exactly; nothing is divided by nothing.
    votes = from_pairs(
        ["x"] * 6 + ["y", "y"], ["y"] * 6 + ["z", "z"], [1, 0] * 4, labeler=["l0"] * 6 + ["l1"] * 2
    )
    cells, by, terms, bread, sums = summed(votes, bradley_terry, np.zeros(3))
    adjusted = adjusted_sums(cells, by, terms, bread, sums)
    assert np.isfinite(adjusted).all()
    assert adjusted == pytest.approx(np.zeros((2, 3)), abs=1e-6)


@pytest.mark.parametrize("weight", [np.zeros(2), np.array([])])
def test_no_votes_with_weight(weight):
    with pytest.raises(ValueError, match="no votes with weight"):
        effective_number(np.arange(len(weight)), weight)
