"""One number per position: the head of preference models and value models.

The layout is that of transformers' sequence classification with one label, so that a saved
model loads without Accord. That layout has a weight and no bias. The normalisation

    score = gain · logit + bias

therefore lives in two places: the gain is multiplied into the head's weight, and the bias is
``score_bias`` in ``config.json``. The logit that transformers computes is the score less
this constant, and every difference of two scores is the same in both.

Dimension key: see ``accord.models.trunk``.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel


def head(model: PreTrainedModel) -> nn.Linear:
    """The linear map from a hidden state to one number.

    Raises:
        ValueError: the model has no such head.
    """
    layer = getattr(model, "score", None)
    if not isinstance(layer, nn.Linear) or layer.out_features != 1:
        raise ValueError("the model has no head that gives one number")
    return layer


def initialise(model: PreTrainedModel, *, random: torch.Generator) -> None:
    """Draw a fresh head: standard deviation 1/√(D+1), bias 0.

    Source: Ziegler et al. 2019, arXiv:1909.08593, released code, ``reward_model`` head. Stiennon
    et al. 2020 print 1/(D+1) as the *variance*; this is its square root.
    """
    weight = head(model).weight
    std = 1 / math.sqrt(weight.shape[1] + 1)
    drawn = torch.randn(weight.shape, generator=random, dtype=torch.float32) * std
    with torch.no_grad():
        weight.copy_(drawn)
    _write(model, gain=1.0, bias=0.0)


def zero(model: PreTrainedModel) -> None:
    """Make every output 0: the start of a value model that was no preference model before."""
    with torch.no_grad():
        head(model).weight.zero_()
    _write(model, gain=1.0, bias=0.0)


def outputs(model: PreTrainedModel, hidden: Float[Tensor, "*N D"]) -> Float[Tensor, "*N"]:
    """One number per hidden state, the bias included; score units."""
    numbers: Tensor = head(model)(hidden).squeeze(-1)
    return numbers + score_bias(model)


def score_bias(model: PreTrainedModel) -> float:
    """What is added to the head's output; 0 for a model that was never normalised."""
    return float(getattr(model.config, "score_bias", 0.0))


def score_gain(model: PreTrainedModel) -> float:
    """What the head's weight was multiplied by: score units per nat of log-odds."""
    return float(getattr(model.config, "score_gain", 1.0))


def normalise(model: PreTrainedModel, *, gain: float, bias: float) -> None:
    """Replace every score s by gain · s + bias, for good.

    Differences keep their sign, so that no preference changes. ``score_gain`` in
    ``config.json`` accumulates the gains: a difference divided by it is log-odds in nats again.

    Raises:
        ValueError: the gain is not a positive number, which would turn preferences around.
    """
    if not gain > 0 or not math.isfinite(gain) or not math.isfinite(bias):
        raise ValueError("the gain of a score must be positive and finite")
    with torch.no_grad():
        head(model).weight.mul_(gain)
    _write(model, gain=gain * score_gain(model), bias=gain * score_bias(model) + bias)


def unnormalise(model: PreTrainedModel) -> None:
    """Undo every ``normalise``: the head's output is log-odds in nats again, bias 0."""
    with torch.no_grad():
        head(model).weight.div_(score_gain(model))
    _write(model, gain=1.0, bias=0.0)


def _write(model: PreTrainedModel, *, gain: float, bias: float) -> None:
    model.config.score_gain = gain
    model.config.score_bias = bias
