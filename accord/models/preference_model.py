"""The preference model (often called reward model): one score per conversation.

The score is read at the last token, which is the end-of-sequence token that closes every
conversation ("end-of-context token", Bai et al. 2022, arXiv:2204.05862, appendix A).

Dimension key: see ``accord.models.trunk``.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.models import scalar_head
from accord.models.trunk import hidden_states


def scores(
    model: PreTrainedModel, tokens: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """The score of each conversation.

    Args:
        model: a scalar model.
        tokens: whole conversations, each closed by the end-of-sequence token, right-padded.
        lengths: tokens of each conversation, padding not counted.

    Returns:
        Score units. Only differences mean anything; divided by the model's ``score_gain``,
        a difference is the log-odds in nats that people prefer the first.

    Raises:
        ValueError: a conversation is empty.
    """
    if bool((lengths < 1).any()):
        raise ValueError("cannot score an empty conversation")
    hidden = hidden_states(model, tokens)
    rows = torch.arange(tokens.shape[0], device=tokens.device)
    return scalar_head.outputs(model, hidden[rows, lengths - 1])
