"""What one vote of each labeler should count, from how reliable they seem."""

from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 3.0  # times the average vote: one sharp labeler must not decide alone


def vote_weights(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Weights of labelers' votes with mean 1 over all votes.

        w_l ∝ (1 − careless_l) · max(0, discrimination_l),   at most 3 times the mean

    Under the model of ``reliability``, labeler l prefers by σ(k_l Δ), whose gradient in Δ at
    Δ = 0 is proportional to k_l; with probability ``careless`` they do not look at all.

    Args:
        rows: ``labeler_table.labeler_rows``, each with ``labeler`` and ``n``, and where the
            reliability model was fitted ``discrimination`` and ``careless``.

    Returns:
        The weight of each labeler with both numbers; empty when there is none, or when nobody
        counts.

    Source: weighting by the discrimination of item response theory; Chen et al. 2013, Crowd-BT,
    let the same parameter discount a labeler's votes.

    >>> vote_weights([{"labeler": "ann", "n": 3, "discrimination": 1.0, "careless": 0.0},
    ...               {"labeler": "bob", "n": 1, "discrimination": 1.0, "careless": 1.0}])
    {'ann': 1.3333333333333333, 'bob': 0.0}
    """
    known = [row for row in rows if row.get("discrimination") is not None and "careless" in row]
    raw = {row["labeler"]: (1 - row["careless"]) * max(0.0, row["discrimination"]) for row in known}
    votes = {row["labeler"]: row["n"] for row in known}
    total = sum(raw[name] * votes[name] for name in raw)
    if not total > 0:
        return {}
    mean = total / sum(votes.values())
    return {name: min(LARGEST, value / mean) for name, value in raw.items()}
