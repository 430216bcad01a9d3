"""The adapter that turns one model into another which was trained from it with LoRA.

    W_other − W = (alpha / rank) · B A,     by singular values; exact up to that rank

So a preference model that was trained with adapters and saved as an ordinary model, for plain
transformers to load, needs no trunk of its own beside the policy that it grew from.

Source: Eckart and Young 1936; the form of the adapter is that of Hu et al. 2021, arXiv:2106.09685.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from accord.config import InputError
from accord.models import adapters
from accord.models.trunk import trunk

TOLERANCE = 1e-4  # of the difference's largest entry; float32 leaves about 1e-7
ROUNDING = torch.finfo(torch.float32).eps  # of the weights' largest entry, as they were saved


def add_difference(model: PreTrainedModel, other: PreTrainedModel, name: str, *, rank: int) -> None:
    """Give ``model`` an adapter with which its trunk computes what the trunk of ``other`` does.

    Args:
        model: changed in place; adapters that it has stay.
        other: of the same architecture, without adapters.
        name: of the new adapter, which is active afterwards.
        rank: at least that with which ``other`` was trained.

    Raises:
        InputError: ``other`` is not ``model`` with an adapter of this rank on its linear maps.
    """
    theirs = dict(trunk(other).named_parameters())
    ours = {
        path.replace(".base_layer", ""): weight
        for path, weight in trunk(model).named_parameters()
        if ".lora_" not in path
    }
    if ours.keys() != theirs.keys() or any(ours[p].shape != theirs[p].shape for p in ours):
        raise _another("it is of another architecture")
    adapters.add_adapter(model, name, rank=rank, alpha=float(rank), random=torch.Generator())
    adapted = {f"{path}.weight": layer for path, layer in _adapted(model)}
    for path, weight in ours.items():
        difference = theirs[path].detach() - weight.detach()
        if path not in adapted:
            if bool(difference.abs().max() > 0):
                raise _another(f"`{path}` differs, which no adapter reaches")
            continue
        layer = adapted[path]
        wanted = difference.T if layer.fan_in_fan_out else difference
        down, up = factors(wanted, rank=rank)
        rest = float((up @ down - wanted).abs().max())
        if rest > TOLERANCE * _largest(wanted) + ROUNDING * _largest(theirs[path]):
            raise _another(f"`{path}` differs by more than an adapter of rank {rank} can")
        with torch.no_grad():
            layer.lora_A[name].weight.copy_(down)
            layer.lora_B[name].weight.copy_(up)


def factors(
    matrix: Float[Tensor, "O I"], *, rank: int
) -> tuple[Float[Tensor, "R I"], Float[Tensor, "O R"]]:
    """The two matrices of the given rank whose product is nearest to a matrix.

        U S Vᵀ = matrix;     up = U √S,   down = √S Vᵀ,   of the largest singular values

    Args:
        matrix: what up @ down shall be.
        rank: inner size; more than the matrix has is filled up with zeros.

    Returns:
        down, then up.

    >>> down, up = factors(torch.tensor([[3., 0.], [0., 0.]]), rank=1)
    >>> (up @ down).round()
    tensor([[3., 0.],
            [0., 0.]])
    """
    left, sizes, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    kept = min(rank, len(sizes))
    roots = sizes[:kept].sqrt()
    down = matrix.new_zeros(rank, matrix.shape[1])
    up = matrix.new_zeros(matrix.shape[0], rank)
    down[:kept] = (roots[:, None] * right[:kept]).to(matrix.dtype)
    up[:, :kept] = (left[:, :kept] * roots).to(matrix.dtype)
    return down, up


def _adapted(model: PreTrainedModel) -> list[tuple[str, Any]]:
    return [
        (path, module)
        for path, module in trunk(model).named_modules()
        if isinstance(module, nn.Module) and hasattr(module, "lora_A")
    ]


def _largest(matrix: Tensor) -> float:
    return float(matrix.detach().abs().max())


def _another(why: str) -> InputError:
    return InputError(
        f"the preference model is not the policy with an adapter: {why}; train it from this policy "
        'with `trained.lora_rank`, or use the layout "separate" or "hydra"'
    )
