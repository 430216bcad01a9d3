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
    logits, chosen = _choices(model, tokens, prompt_lengths + response_lengths, places)
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
    logits, chosen = _choices(model, tokens, prompt_lengths + response_lengths, places)
    logprob = token_logprobs(logits, chosen, temperature=temperature)
    return (
        spread(logprob, places, response_lengths),
        spread(entropy(logits, temperature=temperature), places, response_lengths),
    )


def _choices(
    model: PreTrainedModel, tokens: Int[Tensor, "B S"], lengths: Int[Tensor, " B"], places: Places
) -> tuple[Float[Tensor, "N V"], Int[Tensor, " N"]]:
    """Logits before every response token, and the token that was chosen."""
    hidden = hidden_states(model, tokens, lengths)[places.rows, places.columns]
    return unembed(model, hidden), tokens[places.rows, places.columns + 1]
