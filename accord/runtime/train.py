"""One optimizer step: accumulate over microbatches, divide by the global count, clip, step.

    g = ∇ (Σ_microbatches Σ_items loss) / count,   g ← g · min(1, max_grad_norm / |g|)

Every loss function returns a value per token or per example; the only division is the one here,
by the count of the whole batch. The size of a microbatch can therefore change memory but not the
result, up to the order of float additions.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from accord.config import InputError
from accord.runtime.parallel import in_order

T = TypeVar("T")

Schedule = Literal["constant", "linear", "cosine"]
Gradients = list[Tensor | None]


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step found.

    Attributes:
        loss: the mean over the whole batch, before the step.
        grad_norm: the Euclidean norm of the gradient, before clipping.
        sums: what the loss function counted, added up over the parts.
    """

    loss: float
    grad_norm: float
    sums: dict[str, float]


LossOf = Callable[[T], tuple[Tensor, Mapping[str, float]]]


def optimiser_step(
    optimizer: Optimizer,
    loss_of: LossOf[T],
    parts: Iterable[T],
    *,
    count: float,
    learning_rate: float,
    max_grad_norm: float,
) -> StepResult:
    """Take one step on the mean of a loss over a batch that comes in parts.

    Args:
        optimizer: its parameters get the gradient.
        loss_of: gives the SUM (not the mean) of the losses of one part, and numbers to be added
            up beside it. It runs in several threads at once, so it draws nothing at random and
            changes nothing outside itself.
        parts: microbatches, for example from ``parallel.parts``.
        count: tokens or examples of the whole batch, by which the sum is divided. Callers whose
            loss has terms with different counts divide those themselves and give 1.
        learning_rate: for this step, in every parameter group.
        max_grad_norm: the gradient is scaled down to this Euclidean norm; infinity never clips.

    Raises:
        InputError: the loss or its gradient is not finite.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def gradient(part: T) -> tuple[float, Gradients, Mapping[str, float]]:
        loss, sums = loss_of(part)
        share = loss / count
        return float(share.detach()), _gradients(share, parameters), sums

    total, sums, whole = 0.0, dict[str, float](), Gradients()
    with torch.enable_grad():
        for loss, gradients, counted in in_order(gradient, parts):
            total += loss
            whole = gradients if not whole else _added(whole, gradients)
            for key, value in counted.items():
                sums[key] = sums.get(key, 0.0) + value
    for parameter, one in zip(parameters, whole, strict=True):
        parameter.grad = one
    grad_norm = float(nn.utils.clip_grad_norm_(parameters, max_grad_norm))
    if not (math.isfinite(total) and math.isfinite(grad_norm)):
        raise InputError(
            f"training diverged (loss `{total}`, gradient norm `{grad_norm}`); "
            "lower the learning rate"
        )
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return StepResult(total, grad_norm, sums)


def _gradients(loss: Tensor, parameters: list[Tensor]) -> Gradients:
    """Gradients without touching ``.grad``, which the threads would share."""
    return list(torch.autograd.grad(loss, parameters, allow_unused=True))


def _added(a: Gradients, b: Gradients) -> Gradients:
    return [y if x is None else x if y is None else x.add_(y) for x, y in zip(a, b, strict=True)]


def scheduled(
    peak: float, step: int, *, steps: int, schedule: Schedule, warmup: int = 0, floor: float = 0.0
) -> float:
    """The learning rate of a step.

        constant  peak
        linear    peak · (1 − (1 − floor) · p)
        cosine    peak · (floor + (1 − floor) · (1 + cos πp) / 2),   p = share of steps done

    Args:
        peak: the largest learning rate.
        step: steps already taken, 0 for the first.
        steps: steps in all.
        schedule: which of the three.
        warmup: steps over which the rate first rises linearly to the peak, included in ``steps``.
        floor: the final rate as a share of the peak.

    >>> [scheduled(1.0, s, steps=4, schedule="linear") for s in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    if schedule == "linear":
        return peak * (1 - (1 - floor) * done)
    if schedule == "cosine":
        return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)
    return peak


def adam(
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Optimizer:
    """Fused AdamW; weight decay only on matrices, since a norm's gain should not shrink.

    Source: Loshchilov and Hutter 2019, arXiv:1711.05101; eps is outside the square root and the
    moments are bias-corrected, as in torch.
    """
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},  # noqa: PLR2004
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},  # noqa: PLR2004
    ]
    filled = [group for group in groups if group["params"]]
    return AdamW(filled, lr=learning_rate, betas=betas, eps=eps, fused=True)


def count_parameters(model: nn.Module) -> int:
    """Numbers that the optimizer can change; tied weights count once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
