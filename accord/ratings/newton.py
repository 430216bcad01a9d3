"""Newton's method for a penalised log-likelihood, small and dense or large and sparse.

Every fit of this package ends here: the model gives value, gradient and information of its
parameters, this adds the normal prior and climbs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

from accord.ratings.votes import FloatArray

MAX_ITERATIONS = 200
CONVERGED = 1e-12  # in log-likelihood; the error left is about its square
MAX_STALLED = 3  # steps in a row that rise by no more than rounding
MAX_HALVINGS = 60  # then the step is below rounding
MAX_CONJUGATE = 500  # conjugate gradients within one Newton step


class Curve(NamedTuple):
    """A log-likelihood at one point."""

    value: float
    gradient: FloatArray  #: [parameters]
    information: Any  #: minus the second derivatives, [parameters, parameters]; array or Graph


@dataclass(frozen=True, eq=False)
class Graph:
    """Information of many strengths that are compared two by two, and of few other parameters.

    [[diag(diagonal) + off,  edge], [edgeᵀ, …]],   the last rows of ``edge`` being the corner
    """

    off: Any  #: csr [strengths, strengths]; entries of one place may be stored apart
    diagonal: FloatArray  #: [strengths]
    edge: FloatArray  #: [parameters, other parameters]

    def __matmul__(self, x: FloatArray) -> FloatArray:
        m = len(self.diagonal)
        strengths = self.diagonal * x[:m] + self.off @ x[:m] + self.edge[:m] @ x[m:]
        return np.concatenate([strengths, self.edge.T @ x])

    def plus(self, precision: FloatArray) -> "Graph":
        """With a diagonal added, [parameters]."""
        m, edge = len(self.diagonal), self.edge.copy()
        edge[m:][np.diag_indices(edge.shape[1])] += precision[m:]
        return replace(self, diagonal=self.diagonal + precision[:m], edge=edge)

    def whole_diagonal(self) -> FloatArray:
        """[parameters]."""
        m = len(self.diagonal)
        own = self.diagonal + np.asarray(self.off.diagonal())
        return np.concatenate([own, np.diag(self.edge[m:])])

    def toarray(self) -> FloatArray:
        """[parameters, parameters], dense."""
        m, size = len(self.diagonal), len(self.edge)
        whole = np.zeros((size, size))
        whole[:m, :m] = self.off.toarray()
        whole[np.arange(m), np.arange(m)] += self.diagonal
        whole[:, m:] = self.edge
        whole[m:, :m] = self.edge[:m].T
        return whole


Objective = Callable[[FloatArray], Curve]


def maximize(
    log_likelihood: Objective, start: FloatArray, precision: FloatArray, level: Any = 0.0
) -> tuple[FloatArray, Curve]:
    """The most likely parameters under independent normal priors with mean 0.

        maximise  ℓ(x) − ½ Σ_i precision_i x_i²   by   x ← x + H⁻¹ g,  halved until ℓ rises

    Args:
        log_likelihood: value, gradient and information of the votes at a point.
        start: where to begin, [parameters].
        precision: 1 / variance of each parameter's prior, [parameters]; 0 for none.
        level: added to a dense information to fix what the votes leave open, such as the mean
            of the strengths; must not move the maximum.

    Returns:
        The maximum, and the curve there: the value without the prior, the gradient and the
        information with it (and with ``level``).

    Raises:
        ValueError: no convergence.

    Source: Nocedal and Wright 2006, algorithms 3.2 (modified Newton) and 7.1 (conjugate
    gradients within it).

    >>> def normal(x):  # two observations, 1 and 3, with variance 1
    ...     return Curve(-((1 - x[0]) ** 2 + (3 - x[0]) ** 2) / 2, 4 - 2 * x, 2 * np.eye(1))
    >>> maximize(normal, np.zeros(1), np.zeros(1))[0]
    array([2.])
    """

    def penalized(x: FloatArray) -> tuple[float, float, FloatArray, Any]:
        value, gradient, information = log_likelihood(x)
        cost = float(precision @ (x * x)) / 2
        if isinstance(information, Graph):
            information = information.plus(precision)
        else:
            information = information + np.diag(precision) + level
        return value - cost, value, gradient - precision * x, information

    x, stalled = start, 0
    total, value, gradient, information = penalized(x)
    for _ in range(MAX_ITERATIONS):
        step = _step(information, gradient)
        decrement = float(step @ gradient)
        rounding = 1e-13 * (1 + abs(total))
        found = penalized(x + step)
        for _ in range(MAX_HALVINGS):
            if found[0] >= total - rounding:
                break
            step = step / 2
            found = penalized(x + step)
        # Weights that differ by many orders of magnitude leave a gradient of pure rounding.
        stalled = stalled + 1 if found[0] - total <= rounding else 0
        x = x + step
        total, value, gradient, information = found
        if decrement < CONVERGED * (1 + 1e-4 * abs(total)) or stalled == MAX_STALLED:
            return x, Curve(value, gradient, information)
    raise ValueError("the fit did not converge; give a smaller `prior_sd`")


def _step(information: Any, gradient: FloatArray) -> FloatArray:
    """An ascent direction: Newton's where the information is positive definite."""
    if isinstance(information, Graph):
        return _conjugate_gradients(information, gradient)
    ridge, size = 0.0, max(float(np.abs(np.diag(information)).mean()), 1e-12)
    while True:
        try:
            factor = linalg.cho_factor(information + ridge * np.eye(len(gradient)))
        except linalg.LinAlgError:  # not concave here: lean towards the gradient
            ridge = max(4 * ridge, 1e-3 * size)
            continue
        return np.asarray(linalg.cho_solve(factor, gradient))


def _conjugate_gradients(information: Graph, gradient: FloatArray) -> FloatArray:
    """H⁻¹ g, or the best so far when H turns out not to be positive definite."""
    scale = np.maximum(information.whole_diagonal(), 1e-300)
    x = np.zeros_like(gradient)
    residual = gradient
    scaled = residual / scale
    direction = scaled
    size = float(residual @ scaled)
    goal = 1e-24 * size
    for _ in range(MAX_CONJUGATE):
        if size <= goal:
            break
        image = information @ direction
        curvature = float(direction @ image)
        if curvature <= 0:
            return x if x.any() else scaled
        x = x + size / curvature * direction
        residual = residual - size / curvature * image
        scaled = residual / scale
        size, before = float(residual @ scaled), size
        direction = scaled + size / before * direction
    return x
