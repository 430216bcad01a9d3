"""The value model: the expected return before each response token.

Dimension key: see ``accord.models.trunk``.
"""

from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.models import scalar_head
from accord.models.trunk import hidden_states, response_places, spread


def values(
    model: PreTrainedModel,
    tokens: Int[Tensor, "B S"],
    prompt_lengths: Int[Tensor, " B"],
    response_lengths: Int[Tensor, " B"],
) -> Float[Tensor, "B T"]:
    """V(s_t), the value of the state *before* response token t.

    Args:
        model: a scalar model.
        tokens: prompt and response of each row, right-padded.
        prompt_lengths: tokens of each prompt, at least 1.
        response_lengths: tokens of each response, the end-of-sequence token included.

    Returns:
        Score units; 0 after the end of a response. T is the longest response.
    """
    places = response_places(prompt_lengths, response_lengths)
    lengths = prompt_lengths + response_lengths
    hidden = hidden_states(model, tokens, lengths)[places.rows, places.columns]
    return spread(scalar_head.outputs(model, hidden), places, response_lengths)
