"""The transformer under every head, and the places in a batch that the heads read.

Sequences are right-padded and attention is causal, so that padding can never reach an earlier
position: no attention mask is needed, position ids are 0..S-1, and lengths say what counts.

Dimension key:
    B: sequences in the batch
    S: tokens of prompt and response, right-padded
    T: response tokens of the longest response
    N: response tokens of all sequences together
    D: hidden size
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from accord.models.unpadded import can_unpad, layout_of, run_unpadded

WORTH_UNPADDING = 0.9  # share of real tokens above which laying them out costs more than it saves


def trunk(model: PreTrainedModel) -> nn.Module:
    """The part of a model below its head, shared by policies and scalar models."""
    body: nn.Module = getattr(model, model.base_model_prefix)
    return body


def hidden_states(
    model: PreTrainedModel, tokens: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
) -> Float[Tensor, "B S D"]:
    """What the head of ``model`` sees, one vector a position, after the final normalisation.

    Padding is not computed where there is much of it and the model can do without (``unpadded``).

    Args:
        model: any causal model of transformers.
        tokens: right-padded token ids.
        lengths: tokens of each row, padding not counted.

    Returns:
        One vector a position; those at padding mean nothing.
    """
    return states_of(model, trunk(model), tokens, lengths)


def states_of(
    model: PreTrainedModel,
    body: nn.Module,
    table: Int[Tensor, "B S"] | Float[Tensor, "B S D"],
    lengths: Int[Tensor, " B"],
) -> Float[Tensor, "B S D"]:
    """``hidden_states`` of a part of a trunk, which reads tokens or the states below it.

    Args:
        model: whose trunk it is.
        body: the part.
        table: right-padded.
        lengths: tokens of each row, padding not counted.
    """
    full = table.shape[0] * table.shape[1]
    if 0 < int(lengths.sum()) <= WORTH_UNPADDING * full and can_unpad(trunk(model)):
        return run_unpadded(body, table, layout_of(lengths, table.shape[1]))
    given = {"inputs_embeds" if table.is_floating_point() else "input_ids": table}
    hidden: Tensor = body(**given, use_cache=False).last_hidden_state
    return hidden


@dataclass(frozen=True)
class Places:
    """Where the response tokens of a batch stand, response after response.

    The state before response token t is read at column prompt + t - 1; the token itself stands
    one column further. (Reading one too far is the oldest mistake of the trade.)
    """

    rows: Int[Tensor, " N"]  #: sequence of each response token
    steps: Int[Tensor, " N"]  #: t, its number within the response
    columns: Int[Tensor, " N"]  #: column of the state from which it was chosen


def response_places(
    prompt_lengths: Int[Tensor, " B"], response_lengths: Int[Tensor, " B"]
) -> Places:
    """List the response tokens of a batch.

    Args:
        prompt_lengths: tokens of each prompt, at least 1.
        response_lengths: tokens of each response, the end-of-sequence token included.

    Raises:
        ValueError: a prompt is empty, so that nothing precedes its first response token.
    """
    if bool((prompt_lengths < 1).any()):
        raise ValueError("every prompt needs at least one token before its response")
    longest = int(response_lengths.max()) if response_lengths.numel() else 0
    steps = torch.arange(longest, device=response_lengths.device)
    rows, step = (steps < response_lengths[:, None]).nonzero(as_tuple=True)
    return Places(rows, step, prompt_lengths[rows] + step - 1)


def spread(
    values: Float[Tensor, " N"], places: Places, response_lengths: Int[Tensor, " B"]
) -> Float[Tensor, "B T"]:
    """Lay out one number a response token as a right-padded table; 0 at padding."""
    width = int(response_lengths.max()) if response_lengths.numel() else 0
    table = values.new_zeros(response_lengths.shape[0], width)
    return table.index_put((places.rows, places.steps), values)
