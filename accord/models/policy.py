"""Log-probabilities and entropies of given responses under a policy.

The unembedding, which costs as much as several layers, runs at response positions only.

Dimension key: see ``accord.models.trunk``; V is the vocabulary.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.functional.logprobs import entropy, token_logprobs
from accord.models.packed import documents_in_rows, fill_rows, packed_hidden_states
from accord.models.trunk import Places, hidden_states, response_places, spread


def unembed(model: PreTrainedModel, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
    """Logits of the next token from hidden states, as the model's own forward computes them.

    Three families of models change the logits after the unembedding: Gemma caps them softly,
    Cohere multiplies and Granite divides them. ``load.load_policy`` checks the result
    against the model's own.
    """
    untyped: Any = model
    logits: Tensor = untyped.get_output_embeddings()(hidden)
    scale = getattr(model.config, "logit_scale", None)
    if scale is not None:
        logits = logits * scale
    divisor = getattr(model.config, "logits_scaling", None)
    if divisor is not None:
        logits = logits / divisor
    cap = getattr(model.config, "final_logit_softcapping", None)
    if cap is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits


def logprobs(
    model: PreTrainedModel,
    tokens: Int[Tensor, "B S"],
    prompt_lengths: Int[Tensor, " B"],
    response_lengths: Int[Tensor, " B"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, "B T"]:
    """Log-probability of every response token given all that precedes it.

        log π(y_t | x, y_<t) = log softmax(logits / temperature)[y_t]

    Args:
        model: the policy.
        tokens: prompt and response of each row, right-padded.
        prompt_lengths: tokens of each prompt, at least 1.
        response_lengths: tokens of each response, the end-of-sequence token included.
        temperature: of the distribution that is scored; that of sampling, in PPO.

    Returns:
        Nats; 0 after the end of a response. T is the longest response.
    """
    places = response_places(prompt_lengths, response_lengths)
    logits, chosen = _choices(model, tokens, places)
    return spread(token_logprobs(logits, chosen, temperature=temperature), places, response_lengths)


def logprobs_and_entropy(
    model: PreTrainedModel,
    tokens: Int[Tensor, "B S"],
    prompt_lengths: Int[Tensor, " B"],
    response_lengths: Int[Tensor, " B"],
    *,
    temperature: float = 1.0,
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """``logprobs``, and the entropy of each distribution that a token was drawn from.

    Args:
        model: the policy.
        tokens: prompt and response of each row, right-padded.
        prompt_lengths: tokens of each prompt, at least 1.
        response_lengths: tokens of each response, the end-of-sequence token included.
        temperature: of the distribution that is scored; that of sampling, in PPO.

    Returns:
        logprobs: nats; 0 after the end of a response.
        entropy: nats; 0 after the end of a response.
    """
    places = response_places(prompt_lengths, response_lengths)
    logits, chosen = _choices(model, tokens, places)
    logprob = token_logprobs(logits, chosen, temperature=temperature)
    return (
        spread(logprob, places, response_lengths),
        spread(entropy(logits, temperature=temperature), places, response_lengths),
    )


def packed_logprobs(
    model: PreTrainedModel,
    tokens: Int[Tensor, "B S"],
    prompt_lengths: Int[Tensor, " B"],
    response_lengths: Int[Tensor, " B"],
) -> Float[Tensor, " N"]:
    """``logprobs`` of all response tokens in a row, with several sequences in one row of the model.

    Rows are as wide as the longest sequence and hold as many as fit; none sees another.

    Args:
        model: a policy that ``packed.can_pack``.
        tokens: prompt and response of each sequence, right-padded.
        prompt_lengths: tokens of each prompt, at least 1.
        response_lengths: tokens of each response, the end-of-sequence token included.

    Returns:
        Nats, one a response token, sequence after sequence.
    """
    lengths = (prompt_lengths + response_lengths).tolist()
    documents = [row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)]
    shares = fill_rows(lengths, max(lengths))
    rows, starts = documents_in_rows([[documents[i] for i in row] for row in shares], 0)
    hidden = packed_hidden_states(model, rows.to(tokens.device))
    home = torch.zeros(len(lengths), 2, dtype=torch.long)
    for number, (row, begins) in enumerate(zip(shares, starts, strict=True)):
        for document, begin in zip(row, begins, strict=True):
            home[document] = torch.tensor([number, begin])
    home = home.to(tokens.device)
    places = response_places(prompt_lengths, response_lengths)
    states = hidden[home[places.rows, 0], home[places.rows, 1] + places.columns]
    chosen = tokens[places.rows, places.columns + 1]
    return token_logprobs(unembed(model, states), chosen)


def _choices(
    model: PreTrainedModel, tokens: Int[Tensor, "B S"], places: Places
) -> tuple[Float[Tensor, "N V"], Int[Tensor, " N"]]:
    """Logits before every response token, and the token that was chosen."""
    hidden = hidden_states(model, tokens)[places.rows, places.columns]
    return unembed(model, hidden), tokens[places.rows, places.columns + 1]
