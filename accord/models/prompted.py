"""What a policy expects of texts that stand behind a common prompt, which is computed once.

Dimension key: see ``accord.models.trunk``.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.models.packed import can_pack, packed_hidden_states, sharing_pays, with_shared_prompts
from accord.models.policy import unembed
from accord.models.trunk import Places, hidden_states


def prompted_logits(
    model: PreTrainedModel,
    prompt: Sequence[int],
    tokens: Int[Tensor, "B S"],
    lengths: Int[Tensor, " B"],
    places: Places,
) -> Float[Tensor, "N V"]:
    """Logits at some places of texts, as if each text stood behind the prompt.

        logits(prompt, x_1 … x_column),   of x_{column+1}

    Args:
        model: a policy.
        prompt: token ids that stand before each text.
        tokens: the texts, right-padded.
        lengths: tokens of each text, padding not counted.
        places: where in the texts.
    """
    texts = [row[:n] for row, n in zip(tokens.tolist(), lengths.tolist(), strict=True)]
    width = int(model.config.get_text_config().hidden_size)
    if sharing_pays([len(prompt)], [list(map(len, texts))], width) and can_pack(model):
        rows, (ends,) = with_shared_prompts([prompt], [texts], 0)
        states = packed_hidden_states(model, rows.to(tokens.device))[0]
        begins = torch.tensor(ends, device=tokens.device) + 1 - lengths
        return unembed(model, states[begins[places.rows] + places.columns])
    before = torch.tensor(prompt, dtype=torch.long, device=tokens.device).expand(len(texts), -1)
    states = hidden_states(model, torch.cat([before, tokens], dim=1), lengths + len(prompt))
    return unembed(model, states[places.rows, places.columns + len(prompt)])
