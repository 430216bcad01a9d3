"""The preference model (often called reward model): one score per conversation.

The score is read at the last token, which is the end-of-sequence token that closes every
conversation ("end-of-context token", Bai et al. 2022, arXiv:2204.05862, appendix A).

Dimension key: see ``accord.models.trunk``.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.functional.logprobs import token_logprobs
from accord.models import scalar_head
from accord.models.policy import unembed
from accord.models.trunk import hidden_states, response_places, spread


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
    hidden = hidden_states(model, tokens, lengths)
    rows = torch.arange(tokens.shape[0], device=tokens.device)
    return scalar_head.outputs(model, hidden[rows, lengths - 1])


def states_and_logprobs(
    model: PreTrainedModel,
    language_model: PreTrainedModel,
    tokens: Int[Tensor, "B S"],
    lengths: Int[Tensor, " B"],
    better: Int[Tensor, " L"],
) -> tuple[Float[Tensor, "B D"], Float[Tensor, "L T"]]:
    """Last states of all conversations and next-token log-probabilities of some, in one pass.

    Args:
        model: a scalar model.
        language_model: a language model on the same trunk (``load.load_both_heads``).
        tokens: whole conversations, each closed by the end-of-sequence token, right-padded.
        lengths: tokens of each conversation, padding not counted.
        better: the rows whose tokens are to be learnt; none may be given twice.

    Returns:
        states: what the head sees at the last token of each conversation.
        logprobs: nats, of every token of those rows but the first; 0 at padding.
    """
    hidden = hidden_states(model, tokens, lengths)
    rows = torch.arange(tokens.shape[0], device=tokens.device)
    # A document is a response to its own first token.
    after_first = lengths[better] - 1
    places = response_places(torch.ones_like(after_first), after_first)
    chosen = tokens[better[places.rows], places.columns + 1]
    logits = unembed(language_model, hidden[better[places.rows], places.columns])
    logprobs = spread(token_logprobs(logits, chosen), places, after_first)
    return hidden[rows, lengths - 1], logprobs
