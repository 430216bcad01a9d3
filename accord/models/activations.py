"""What a layer of a model makes of whole texts: one vector a text.

Dimension key: see ``accord.models.trunk``.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.models.trunk import trunk


def last_states(
    model: PreTrainedModel,
    tokens: Int[Tensor, "B S"],
    lengths: Int[Tensor, " B"],
    *,
    depth: float,
) -> Float[Tensor, "B D"]:
    """The state of the residual stream at the last token of each text.

    Args:
        model: any causal model of transformers.
        tokens: right-padded token ids.
        lengths: tokens of each text, padding not counted.
        depth: share of the layers that have been passed, from 0, the embedding, to 1, all.

    Raises:
        ValueError: a text is empty, or the depth lies outside [0, 1].
    """
    if bool((lengths < 1).any()):
        raise ValueError("an empty text has no last token")
    if not 0 <= depth <= 1:
        raise ValueError(f"a depth of {depth} is no share of the layers; give one from 0 to 1")
    found = trunk(model)(input_ids=tokens, use_cache=False, output_hidden_states=True)
    layers = found.hidden_states  # the embedding first
    states: Tensor = layers[round(depth * (len(layers) - 1))]
    return states[torch.arange(tokens.shape[0], device=tokens.device), lengths - 1]
