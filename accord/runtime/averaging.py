"""A moving average of a model's weights, kept beside the model."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from accord.functional.averages import moving_average


class AveragedWeights(nn.Module):
    """The average of every weight that a model trains; a module, so that checkpoints hold it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for number, weight in enumerate(_trained(model)):
            self.register_buffer(f"weight_{number}", weight.detach().clone())

    @torch.no_grad()
    def add(self, model: nn.Module, *, decay: float) -> None:
        """Take the model's weights of now into the average."""
        for average, weight in zip(self.buffers(), _trained(model), strict=True):
            average.copy_(moving_average(average, weight, decay=decay))

    @contextmanager
    def in_place_of(self, model: nn.Module) -> Iterator[None]:
        """For a block, the model has the averaged weights; then its own again."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    @torch.no_grad()
    def _exchange(self, model: nn.Module) -> None:
        for average, weight in zip(self.buffers(), _trained(model), strict=True):
            own = weight.detach().clone()
            weight.copy_(average)
            average.copy_(own)


def _trained(model: nn.Module) -> list[Tensor]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
