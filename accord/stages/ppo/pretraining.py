"""Documents for PPO-ptx, whose gradient is added to the policy's so that nothing is unlearnt.

Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.5 and appendix C.4.
"""

from dataclasses import dataclass

import torch

from accord.config import InputError
from accord.data.collate import Sequences, build
from accord.data.encode import Documents, encode_documents, read_documents
from accord.models.load import context_length, pad_id
from accord.runtime.input_files import input_file
from accord.stages.ppo.settings import Config, Inputs
from accord.stages.ppo.tools import Tools


@dataclass(frozen=True)
class Texts:
    """Documents as tokens, to draw from."""

    documents: Documents
    pad_id: int
    device: torch.device

    def draw(self, count: int, *, random: torch.Generator) -> Sequences:
        """Some of them, each equally likely and again possible, as a prompt of one token each."""
        rows = torch.randint(len(self.documents), (count,), generator=random).tolist()
        pieces = [self.documents[row].tolist() for row in rows]
        batch = build([p[:1] for p in pieces], [p[1:] for p in pieces], self.pad_id)
        return batch.to(self.device)


def read_texts(config: Config, inputs: Inputs, tools: Tools) -> Texts | None:
    """The documents, or None where they play no part.

    Raises:
        InputError: ``pretraining.coef`` and ``documents`` are not given together, or there is
            no text.
    """
    if (config.pretraining.coef > 0) != (inputs.documents is not None):
        raise InputError(
            f"`pretraining.coef` is {config.pretraining.coef:g} and `documents` is "
            f"`{inputs.documents}`; give both for PPO-ptx, or neither"
        )
    if inputs.documents is None:
        return None
    texts = list(read_documents(input_file(inputs.documents, "pretraining.jsonl")))
    context = min(config.pretraining.context, context_length(tools.policy) or 10**9)
    documents = encode_documents(tools.tokenizer, texts, context=context)
    if not len(documents):
        raise InputError(f"`{inputs.documents}` holds no text; give other documents")
    return Texts(documents, pad_id(tools.tokenizer), tools.policy.device)
