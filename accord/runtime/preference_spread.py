"""Is an ensemble of preference models unsure where it is wrong?

Members that disagree about a pair should be wrong about it more often, and the probability that is
averaged over them should be better calibrated than that of their mean score.
"""

from collections.abc import Sequence
from typing import Any

import torch

from accord.data.preferences import pair_votes
from accord.functional import preference
from accord.functional.ensembles import averaged_probability, disagreement
from accord.ratings import intervals
from accord.records import LabeledComparison
from accord.runtime.preference_evaluation import Reading

GROUPS = 3  # of votes, by how far the members disagree


def evaluate_spread(
    comparisons: Sequence[LabeledComparison],
    scores: Sequence[Sequence[Sequence[float]]],
    reading: Reading,
) -> dict[str, Any]:
    """What the disagreement of members is worth, on held-out votes.

    Args:
        comparisons: held-out comparisons.
        scores: of each response of each comparison, one a member, nats.
        reading: how.

    Returns:
        ``members``; ``spread``, the mean standard deviation of the margin over members, nats;
        ``log_loss`` and ``ece`` of the probability averaged over members; ``error_auroc``, the
        probability that a vote which the mean score gets wrong has the larger spread than one
        which it gets right (None where all are right, or all wrong); and ``by_spread``,
        the accuracy in thirds of the votes, the surest third first.
    """
    margins, clusters = [], []
    for labeled, rows in zip(comparisons, scores, strict=True):
        prompt = "\0".join(message.content for message in labeled.comparison.prompt.messages)
        for vote in pair_votes(labeled, minimum_strength=reading.minimum_strength):
            better, worse = torch.tensor(rows[vote.better]), torch.tensor(rows[vote.worse])
            margins.append((better - worse).double())
            clusters.append(prompt)
    table = torch.stack(margins, dim=1)  # [M votes]
    mean, wide = table.mean(dim=0), disagreement(table)
    right = (mean > 0).double() + 0.5 * (mean == 0).double()
    probability = averaged_probability(table)
    promised = torch.maximum(probability, 1 - probability)
    agreed = (probability > 0.5).double() + 0.5 * (probability == 0.5).double()  # noqa: PLR2004 - a coin
    return {
        "members": table.shape[0],
        "spread": float(wide.mean()),
        "log_loss": float(-probability.clamp(min=1e-12).log().mean()),
        "ece": float(
            preference.expected_calibration_error(promised, agreed, bins=2 * reading.bins)
        ),
        "error_auroc": _auroc(wide[right < 1], wide[right == 1]),
        "by_spread": _by_spread(wide, right, clusters, reading),
    }


def _auroc(wrong: torch.Tensor, right: torch.Tensor) -> float | None:
    """P(spread of a wrong one > spread of a right one), equal ones counting half."""
    if not len(wrong) or not len(right):
        return None
    ordered = right.sort().values
    below = torch.searchsorted(ordered, wrong)
    up_to = torch.searchsorted(ordered, wrong, right=True)
    return float((below + up_to).double().mean() / (2 * len(right)))


def _by_spread(
    wide: torch.Tensor, right: torch.Tensor, clusters: Sequence[str], reading: Reading
) -> list[dict[str, Any]]:
    order = wide.argsort(stable=True).tolist()
    groups = []
    for number in range(GROUPS):
        low, high = (len(order) * (number + i) // GROUPS for i in range(2))
        rows = order[low:high]
        if rows:
            found = intervals.clustered_rate(
                right[rows].numpy(), [clusters[i] for i in rows], reading.confidence
            )
            groups.append(
                {
                    "from": float(wide[rows[0]]),
                    "to": float(wide[rows[-1]]),
                    "value": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "n": found.n,
                }
            )
    return groups
