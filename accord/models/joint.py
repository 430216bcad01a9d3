"""Policy and value model on one trunk, read in one pass.

Dimension key: see ``accord.models.trunk``.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.functional.logprobs import entropy, token_logprobs
from accord.models import scalar_head
from accord.models.policy import unembed
from accord.models.trunk import response_places, spread


@dataclass(frozen=True)
class Heads:
    """What reads the trunk: a language model and a scalar model on the same one."""

    policy: PreTrainedModel
    value_model: PreTrainedModel


@dataclass(frozen=True)
class JointReading:
    """What both heads say about the response tokens of a batch.

    Attributes:
        logprobs: [B T] nats; 0 after the end of a response.
        entropy: [B T] nats, of the distributions that the tokens were drawn from; 0 there too.
        values: [B T] score units, before each token; 0 there too.
    """

    logprobs: Tensor
    entropy: Tensor
    values: Tensor


def read(
    heads: Heads,
    hidden: Float[Tensor, "B S D"],
    tokens: Int[Tensor, "B S"],
    prompt_lengths: Int[Tensor, " B"],
    response_lengths: Int[Tensor, " B"],
    *,
    temperature: float = 1.0,
    value_only: bool = False,
) -> JointReading:
    """Log-probabilities, entropies and values from the same states.

    Args:
        heads: of the trunk that ``hidden`` comes from.
        hidden: the trunk's output for ``tokens``.
        tokens: prompt and response of each row, right-padded.
        prompt_lengths: tokens of each prompt, at least 1.
        response_lengths: tokens of each response, the end-of-sequence token included.
        temperature: of the distribution that is scored; that of sampling, in PPO.
        value_only: gradients of the values stop at the head, so that the trunk does not learn
            from them.

    Returns:
        Numbers equal to those of ``policy.logprobs_and_entropy`` and ``value_model.values``.
    """
    places = response_places(prompt_lengths, response_lengths)
    states = hidden[places.rows, places.columns]
    logits = unembed(heads.policy, states)
    chosen = tokens[places.rows, places.columns + 1]
    below_value = states.detach() if value_only else states
    values = scalar_head.outputs(heads.value_model, below_value).float()

    def table(numbers: Tensor) -> Tensor:
        return spread(numbers, places, response_lengths)

    with torch.autocast(hidden.device.type, enabled=False):
        return JointReading(
            table(token_logprobs(logits, chosen, temperature=temperature)),
            table(entropy(logits, temperature=temperature)),
            table(values),
        )
