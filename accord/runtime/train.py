"""One optimizer step: accumulate over microbatches, divide by the global count, clip, step.

    g = ∇ (Σ_microbatches Σ_items loss) / count,   g ← g · min(1, max_grad_norm / |g|)

Every loss function returns a value per token or per example; the only division is the one here,
by the count of the whole batch. The size of a microbatch can therefore change memory but not the
result, up to the order of float additions.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from accord.config import InputError
from accord.runtime.parallel import in_order

Schedule = Literal["constant", "linear", "cosine"]
Loss = Tensor | Callable[[], Tensor]
Gradients = list[Tensor | None]


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step found.

    Attributes:
        loss: the mean over the whole batch, before the step.
        grad_norm: the Euclidean norm of the gradient, before clipping.
        taken: False where ``may_step`` held the step back.
    """

    loss: float
    grad_norm: float
    taken: bool = True


def optimiser_step(
    optimizer: Optimizer,
    losses: Iterable[Loss],
    *,
    count: float,
    learning_rate: float,
    max_grad_norm: float,
    may_step: Callable[[], bool] | None = None,
) -> StepResult:
    """Take one step on the mean of a loss over a batch that comes in parts.

    Args:
        optimizer: its parameters get the gradient.
        losses: for each microbatch the SUM (not the mean) of its losses, or a function that
            computes it. Functions run in several threads at once, so they draw nothing at random
            and change nothing outside themselves. A generator keeps memory small.
        count: tokens or examples of the whole batch, by which the sum is divided. Callers whose
            loss has terms with different counts divide those themselves and give 1.
        learning_rate: for this step, in every parameter group; times its ``rate_scale``, if any.
        max_grad_norm: the gradient is scaled down to this Euclidean norm; infinity never clips.
        may_step: asked once all losses are computed; on False no weight changes.

    Raises:
        InputError: the loss or its gradient is not finite.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def differentiated(loss: Loss) -> tuple[float, Gradients]:
        share = (loss if isinstance(loss, Tensor) else loss()) / count
        # Not ``backward``: its sums in ``.grad`` would be shared by the threads.
        gradients = torch.autograd.grad(share, parameters, allow_unused=True)
        return float(share.detach()), list(gradients)

    total, whole = 0.0, Gradients()
    with torch.enable_grad():
        for share, gradients in in_order(differentiated, losses):
            total += share
            whole = _added(whole, gradients) if whole else gradients
    for parameter, gradient in zip(parameters, whole, strict=True):
        parameter.grad = _laid_out(gradient, parameter)
    grad_norm = float(nn.utils.clip_grad_norm_(parameters, max_grad_norm))
    if not (math.isfinite(total) and math.isfinite(grad_norm)):
        raise InputError(
            f"training diverged (loss `{total}`, gradient norm `{grad_norm}`); "
            "lower the learning rate"
        )
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("rate_scale", 1.0)
    taken = may_step is None or may_step()
    if taken:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return StepResult(total, grad_norm, taken)


def _added(a: Gradients, b: Gradients) -> Gradients:
    return [y if x is None else x if y is None else x + y for x, y in zip(a, b, strict=True)]


def _laid_out(gradient: Tensor | None, parameter: Tensor) -> Tensor | None:
    """The gradient with the strides of its parameter, which a fused optimizer relies on."""
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def microbatches(rows: list[int], size: int) -> Iterator[list[int]]:
    """Cut a list of rows into pieces of at most ``size``.

    >>> list(microbatches([5, 3, 8], 2))
    [[5, 3], [8]]
    """
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


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
