"""Distances of activations and how well they tell inputs apart: known answers C15, laws, twins."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis as scipy_mahalanobis

from accord.functional.outliers import (
    Gaussian,
    auroc,
    exposed_distance,
    fit_gaussian,
    mahalanobis,
    relative_mahalanobis,
)

KNOWN = Gaussian(torch.zeros(2).double(), torch.tensor([[1.0, 0.5], [0.5, 1.0]]).double())


def drawn(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("x", "distance", "relative"),
    [((1, 1), 4 / 3, -2 / 3), ((1, -1), 4, 2), ((2, 0), 16 / 3, 4 / 3)],
)
def test_distances_by_hand(x, distance, relative):
    point = torch.tensor([x], dtype=torch.float64)
    assert mahalanobis(point, KNOWN).item() == pytest.approx(distance)
    assert relative_mahalanobis(point, KNOWN).item() == pytest.approx(relative)


def test_a_gaussian_by_hand():
    found = fit_gaussian(torch.tensor([[0.0, 0.0], [2.0, 2.0]]), shrinkage=0.25)
    assert found.mean.tolist() == [1, 1]
    assert found.covariance.tolist() == [[1.0, 0.75], [0.75, 1.0]]


def test_distances_are_those_of_scipy():
    x = drawn(0, 40, 5)
    known = fit_gaussian(x, shrinkage=0.0)
    inverse = np.linalg.inv(np.cov(x.T.numpy(), bias=True))
    twin = [scipy_mahalanobis(row, x.mean(0), inverse) ** 2 for row in x.numpy()]
    assert mahalanobis(x, known).tolist() == pytest.approx(twin)


def test_the_mean_distance_of_the_fitted_inputs_is_their_number_of_activations():
    x = drawn(1, 50, 7)
    assert mahalanobis(x, fit_gaussian(x, shrinkage=0.0)).mean().item() == pytest.approx(7)


def test_a_change_of_basis_moves_no_distance():
    x, basis = drawn(2, 30, 3), drawn(3, 3, 3)
    straight = mahalanobis(x, fit_gaussian(x, shrinkage=0.0))
    turned = mahalanobis(x @ basis, fit_gaussian(x @ basis, shrinkage=0.0))
    torch.testing.assert_close(straight, turned)


def test_fewer_inputs_than_activations_still_give_a_distance():
    x = drawn(4, 5, 40)
    assert torch.isfinite(mahalanobis(drawn(5, 3, 40), fit_gaussian(x))).all()


def test_shifted_clusters_are_told_apart():
    """Outliers whose activations are correlated differently have no unusual single activation."""
    mixing = drawn(6, 8, 8)
    inliers = drawn(7, 400, 8) @ mixing
    spread = (inliers.var(dim=0)).sqrt()
    outliers = drawn(8, 200, 8) * spread  # the same spread of each, no correlation
    known = fit_gaussian(inliers[:200])
    far = auroc(mahalanobis(inliers[200:], known), mahalanobis(outliers, known))
    relative = auroc(
        relative_mahalanobis(inliers[200:], known), relative_mahalanobis(outliers, known)
    )
    assert far > 0.9
    assert relative > 0.9
    moved = inliers[200:] + 0.6 * mixing.sum(dim=0)
    shown = exposed_distance(moved[10:], known, moved[:10])
    blind = auroc(mahalanobis(inliers[200:], known), mahalanobis(moved[10:], known))
    seen = auroc(exposed_distance(inliers[200:], known, moved[:10]), shown)
    assert seen > blind + 0.1


def test_auroc_counts_pairs():
    inliers, outliers = drawn(9, 30).round(decimals=1), drawn(10, 20).round(decimals=1) + 0.3
    pairs = [
        1.0 if out > inside else 0.5 if out == inside else 0.0
        for out in outliers.tolist()
        for inside in inliers.tolist()
    ]
    assert auroc(inliers, outliers) == pytest.approx(sum(pairs) / len(pairs))
    assert auroc(inliers, outliers) + auroc(outliers, inliers) == pytest.approx(1)


def test_what_cannot_be_fitted_or_told_apart():
    with pytest.raises(ValueError, match="at least two inputs"):
        fit_gaussian(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="are the same"):
        fit_gaussian(torch.ones(4, 3))
    with pytest.raises(ValueError, match="at least one inlier"):
        auroc(torch.zeros(0), torch.zeros(2))
