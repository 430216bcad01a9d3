"""Next-token loss over chosen tokens: demonstrations, documents, preferred responses.

Dimension key:
    B: sequences in the batch
    S: tokens of a sequence, right-padded
    V: vocabulary
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from accord.functional.logprobs import token_logprobs


def next_token_loss(
    logits: Float[Tensor, "B S V"], tokens: Int[Tensor, "B S"], mask: Bool[Tensor, "B S"]
) -> Float[Tensor, "B S-1"]:
    """Negative log-likelihood of every token, given the tokens before it.

        loss_s = − log p(x_{s+1} | x_1 … x_s)

    Args:
        logits: the model's output at every position.
        tokens: the sequence itself.
        mask: True on the tokens to be learnt: on the response and its end-of-sequence token,
            or on a whole document. The first token has nothing before it and never counts.

    Returns:
        Loss in nats; entry s belongs to token s + 1. 0 where that token is outside the mask.
        Divide its sum by the number of True entries of ``mask[:, 1:]`` in the whole batch.

    Source: Radford et al. 2018; Ouyang et al. 2022, arXiv:2203.02155, section 3.5.

    >>> import torch
    >>> next_token_loss(torch.zeros(1, 2, 4), torch.tensor([[0, 3]]), torch.tensor([[True, True]]))
    tensor([[1.3863]])
    """
    loss = -token_logprobs(logits[:, :-1], tokens[:, 1:])
    return loss.masked_fill(~mask[:, 1:], 0)
