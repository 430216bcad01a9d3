"""The likelihood that all models of pairwise votes share, on counts by cell.

    gap = θ_a − θ_b + Σ_c β_c x_c,    ℓ = Σ_{o,k} n_{o,k} log P_o(gap_k, τ)

A model says only what the three outcomes are worth at a gap, in ``Terms``; everything that
follows from it (gradient, information, scores of votes) is here, once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from accord.ratings.cells import Cells, by_policy
from accord.ratings.newton import Curve, Graph, Objective
from accord.ratings.votes import FloatArray, IntArray

DENSE = 1_200  # up to so many policies the information is a dense matrix


class Terms(NamedTuple):
    """Log-probabilities of loss, tie and win [3, K] with their derivatives."""

    log_p: FloatArray
    by_gap: FloatArray
    by_gap_gap: FloatArray
    by_tie: FloatArray | None = None  #: by the tie parameter τ; None in models without one
    by_gap_tie: FloatArray | None = None
    by_tie_tie: FloatArray | None = None


TermsOf = Callable[[FloatArray, float], Terms]  # of gaps [K] and the tie parameter


class Layout(NamedTuple):
    """The places of a sparse matrix of policies by policies, row by row."""

    cell: IntArray  #: which cell each entry comes from
    columns: IntArray
    starts: IntArray  #: of the rows


def half_wins(win: tuple[FloatArray, ...], loss: tuple[FloatArray, ...]) -> Terms:
    """Terms of a model without ties: a tie counts as half a win and half a loss.

    Args:
        win: log-probability of a win of a at the gaps with its two derivatives, each [K].
        loss: the same of a win of b at minus the gaps, by minus the gap.

    Returns:
        The terms.
    """
    (win_log, win_slope, win_curve), (loss_log, loss_slope, loss_curve) = win, loss

    def three(of_loss: FloatArray, of_win: FloatArray) -> FloatArray:
        return np.stack([of_loss, (of_loss + of_win) / 2, of_win])

    return Terms(
        three(loss_log, win_log), three(-loss_slope, win_slope), three(loss_curve, win_curve)
    )


def parameters_of(cells: Cells, *, has_tie: bool) -> int:
    """How many parameters: strengths, coefficients of covariates and the tie parameter."""
    return len(cells.names) + len(cells.covariates) + int(has_tie)


def gaps(cells: Cells, parameters: FloatArray) -> FloatArray:
    """θ_a − θ_b + Σ_c β_c x_c of each cell, [K]."""
    m, c = len(cells.names), len(cells.covariates)
    gap = parameters[cells.a] - parameters[cells.b]
    return gap + cells.x @ parameters[m : m + c] if c else gap


def objective(cells: Cells, terms_of: TermsOf, *, has_tie: bool) -> Objective:
    """Log-likelihood, gradient and information as a function of the parameters.

    Args:
        cells: the votes.
        terms_of: the model.
        has_tie: whether the last parameter is the model's tie parameter.

    Returns:
        What ``newton.maximize`` climbs.
    """
    counts, layout = cells.counts, layout_of(cells)

    def at(parameters: FloatArray) -> Curve:
        terms = terms_at(cells, terms_of, parameters, has_tie=has_tie)
        by_gap = _sums(counts, terms.by_gap)
        by_tie = None if terms.by_tie is None else float((counts * terms.by_tie).sum())
        second = [-_sums(counts, terms.by_gap_gap)]
        if terms.by_gap_tie is not None and terms.by_tie_tie is not None:
            second += [-_sums(counts, terms.by_gap_tie), -_sums(counts, terms.by_tie_tie)]
        value = float((counts * terms.log_p).sum())
        return Curve(value, _gradient(cells, by_gap, by_tie), gram(cells, layout, *second))

    return at


def terms_at(cells: Cells, terms_of: TermsOf, parameters: FloatArray, *, has_tie: bool) -> Terms:
    """What one vote of each outcome in each cell says at the given parameters."""
    return terms_of(gaps(cells, parameters), float(parameters[-1]) if has_tie else 0.0)


def layout_of(cells: Cells) -> Layout | None:
    """Where the cells go in a sparse matrix; None when it is small enough to be dense."""
    m = len(cells.names)
    if m <= DENSE:
        return None
    rows, columns = np.concatenate([cells.a, cells.b]), np.concatenate([cells.b, cells.a])
    order = np.argsort(rows, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=m))])
    return Layout(order % max(len(cells.a), 1), columns[order], starts)


def gram(
    cells: Cells,
    layout: Layout | None,
    gap_gap: FloatArray,
    gap_tie: FloatArray | None = None,
    tie_tie: FloatArray | None = None,
) -> Any:
    """Σ_k of the outer products of each cell's design row, weighted.

        Σ_k [d_k; 1] [h_k  m_k; m_k  t_k] [d_k; 1]ᵀ,   d_k = e_a − e_b and the covariates

    Args:
        cells: the design.
        layout: from ``layout_of``.
        gap_gap: h, [K].
        gap_tie: m, [K]; None in models without a tie parameter.
        tie_tie: t, [K].

    Returns:
        [parameters, parameters], an array up to ``DENSE`` policies and a ``Graph`` above.
    """
    m, c = len(cells.names), len(cells.covariates)
    size = m + c + (gap_tie is not None)
    edge = np.zeros((size, size - m))  # the columns of what is not a strength
    for i in range(c):
        weighted = gap_gap * cells.x[:, i]
        edge[:m, i] = _difference(cells, weighted)
        edge[m : m + c, i] = cells.x.T @ weighted
    if gap_tie is not None and tie_tie is not None:
        edge[:m, -1] = _difference(cells, gap_tie)
        edge[m : m + c, -1] = edge[-1, :c] = cells.x.T @ gap_tie
        edge[-1, -1] = tie_tie.sum()
    if layout is not None:
        entries = (-gap_gap[layout.cell], layout.columns, layout.starts)
        diagonal = by_policy(cells.a, cells.b, gap_gap, cells.names)
        return Graph(sparse.csr_array(entries, shape=(m, m)), diagonal, edge)
    off = np.bincount(cells.a * m + cells.b, gap_gap, minlength=m * m).reshape(m, m)
    off = off + off.T
    whole = np.zeros((size, size))
    whole[:m, :m] = np.diag(off.sum(axis=1)) - off
    whole[:, m:] = edge
    whole[m:, :m] = edge[:m].T
    return whole


def _sums(counts: FloatArray, terms: FloatArray) -> FloatArray:
    return np.asarray((counts * terms).sum(axis=0))


def _difference(cells: Cells, amount: FloatArray) -> FloatArray:
    """Σ_k amount_k (e_a − e_b), [policies]."""
    m = len(cells.names)
    return np.asarray(
        np.bincount(cells.a, amount, minlength=m) - np.bincount(cells.b, amount, minlength=m)
    )


def _gradient(cells: Cells, by_gap: FloatArray, by_tie: float | None) -> FloatArray:
    parts = [_difference(cells, by_gap), cells.x.T @ by_gap]
    if by_tie is not None:
        parts.append(np.array([by_tie]))
    return np.concatenate(parts)
