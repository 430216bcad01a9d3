"""Log-probabilities of tokens, entropy, and the truncation of a distribution for sampling.

All numbers are natural logarithms (nats). Half-precision logits are raised to float32 first,
because a sum over a large vocabulary loses what the KL penalty is made of.

Dimension key:
    *B: any leading dimensions, usually responses and their tokens
    V: vocabulary
    N: tokens of a batch in one row
    D: hidden size
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def token_logprobs(
    logits: Float[Tensor, "*B V"], tokens: Int[Tensor, "*B"], *, temperature: float = 1.0
) -> Float[Tensor, "*B"]:
    """Log-probability of each token under the distribution that was sampled from.

        log p(a) = z_a / T − log Σ_v exp(z_v / T)

    Args:
        logits: z, one row per token, from the position before the token.
        tokens: the tokens a that were chosen.
        temperature: T > 0, which divides the logits, not the log-probabilities.

    Returns:
        Log-probabilities in nats, float32 or wider; −∞ for a token whose logit is −∞.

    Raises:
        ValueError: the temperature is not positive.

    Source: detail 4 of "The N implementation details of RLHF with PPO", and
    openai/lm-human-preferences, lm_human_preferences/language/sample.py.

    >>> token_logprobs(torch.tensor([[0., 0.]]), torch.tensor([1])).exp()
    tensor([0.5000])
    """
    scaled = _scaled(logits, temperature)
    return scaled.gather(-1, tokens.unsqueeze(-1)).squeeze(-1) - scaled.logsumexp(dim=-1)


def token_logprobs_from_hidden(
    hidden: Float[Tensor, "N D"],
    unembedding: Float[Tensor, "V D"],
    tokens: Int[Tensor, "N"],
    *,
    temperature: float = 1.0,
    chunk: int = 1024,
) -> Float[Tensor, "N"]:
    """``token_logprobs`` of a large vocabulary without ever holding all N × V logits.

        logits = hidden · unembeddingᵀ, computed for ``chunk`` tokens at a time and, when
        gradients are wanted, once more in the backward pass

    Args:
        hidden: last hidden state at the position before each token.
        unembedding: the output matrix, one row per token of the vocabulary.
        tokens: the tokens that were chosen.
        temperature: T > 0, which divides the logits.
        chunk: tokens at a time, at least 1; memory only, it cannot change the result by more
            than float rounding.

    Returns:
        Log-probabilities in nats.

    Raises:
        ValueError: the temperature or the chunk is not positive.

    >>> token_logprobs_from_hidden(torch.ones(1, 2), torch.zeros(4, 2), torch.tensor([3])).exp()
    tensor([0.2500])
    """
    if chunk < 1:
        raise ValueError(f"chunk is `{chunk}`; give at least 1 token at a time")

    parts = []
    for start in range(0, max(len(tokens), 1), chunk):
        end = start + chunk
        piece = (hidden[start:end], unembedding, tokens[start:end], temperature)
        if torch.is_grad_enabled():
            parts.append(
                checkpoint(_unembedded, *piece, use_reentrant=False, preserve_rng_state=False)
            )
        else:
            parts.append(_unembedded(*piece))
    return torch.cat(parts)


def entropy(logits: Float[Tensor, "*B V"], *, temperature: float = 1.0) -> Float[Tensor, "*B"]:
    """Entropy of each distribution.

        H = − Σ_v p_v log p_v,     p = softmax(z / T)

    Args:
        logits: z; −∞ stands for a token that cannot be drawn.
        temperature: T > 0, which divides the logits.

    Returns:
        Entropy in nats, between 0 and log V.

    Raises:
        ValueError: the temperature is not positive.

    >>> entropy(torch.tensor([[0., 0.]]))
    tensor([0.6931])
    """
    logprobs = torch.log_softmax(_scaled(logits, temperature), dim=-1)
    probs = logprobs.exp()
    # 0 · log 0 is 0 in an entropy but not a number in floating point.
    return -(probs * logprobs.masked_fill(probs == 0, 0)).sum(dim=-1)


def filter_logits(
    logits: Float[Tensor, "*B V"], *, top_k: int = 0, top_p: float = 1.0
) -> Float[Tensor, "*B V"]:
    """Cut a distribution off for sampling; apply the temperature before.

        top_k keeps the k likeliest tokens; of these, top_p keeps the fewest likeliest ones
        whose probability together is at least p

    Args:
        logits: already divided by the temperature.
        top_k: how many tokens may be drawn; 0 keeps all.
        top_p: probability to keep, in (0, 1]; 1 keeps all.

    Returns:
        The same logits with −∞ where a token cannot be drawn. At least one token is left. Of
        equal logits the one with the lower token id counts as the likelier.

    Raises:
        ValueError: top_k is negative or top_p is not in (0, 1].

    Source: Holtzman et al. 2019, arXiv:1904.09751 (top_p).

    >>> filter_logits(torch.tensor([1., 3., 2.]), top_k=2)
    tensor([-inf, 3., 2.])
    """
    if top_k < 0 or not 0 < top_p <= 1:
        raise ValueError(
            f"top_k is `{top_k}` and top_p `{top_p}`; give top_k ≥ 0 and 0 < top_p ≤ 1"
        )
    if top_k == 0 and top_p == 1:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    if top_k > 0:
        place = torch.arange(logits.shape[-1], device=logits.device)
        ordered = ordered.masked_fill(place >= top_k, -torch.inf)
    probs = ordered.softmax(dim=-1)
    likelier = probs.cumsum(dim=-1) - probs  # probability of the tokens before this one
    # The likeliest token is kept by name: rounding must not empty the distribution.
    likelier[..., 0] = 0
    ordered = ordered.masked_fill(likelier >= top_p, -torch.inf)
    return torch.empty_like(logits).scatter_(-1, order, ordered)


def _unembedded(hidden: Tensor, unembedding: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    """``token_logprobs`` of one chunk; its logits live only as long as this call."""
    return token_logprobs(hidden @ unembedding.T, tokens, temperature=temperature)


def _scaled(logits: Tensor, temperature: float) -> Tensor:
    """Logits over temperature, in float32 or wider."""
    if temperature <= 0:
        raise ValueError(f"temperature is `{temperature}`; give a positive number")
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return wide if temperature == 1 else wide / temperature
