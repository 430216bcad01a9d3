"""What samples, what scores, what is compared with: the models of a PPO run, and their loading."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.collate import Sequences
from accord.models import scalar_head
from accord.models.load import context_length, eos_id, load_policy, load_scalar_model, pad_id
from accord.runtime.generate import Generator, HuggingFaceGenerator
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import place
from accord.runtime.scoring import PreferenceModelScorer, Scorer
from accord.runtime.seeding import generator
from accord.stages.ppo.settings import Inputs, Models


@dataclass(frozen=True)
class Tools:
    """Everything that an update uses and does not change, and the two models that it does.

    Attributes:
        policy: learns.
        value_model: learns.
        ref_policy: stays as it is.
        tokenizer: shared by all models.
        generator: samples from ``policy``.
        scorers: judge responses, each on its own.
        microbatch_size: responses per forward pass.
    """

    policy: PreTrainedModel
    value_model: PreTrainedModel
    ref_policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    generator: Generator
    scorers: tuple[Scorer, ...]
    microbatch_size: int

    def scores(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[M B] what each of the M scorers says; see ``Scorer.score``."""
        return torch.stack([scorer.score(sequences, finished) for scorer in self.scorers])


def load_tools(inputs: Inputs, *, microbatch_size: int, models: Models | None = None) -> Tools:
    """Load the four models, or more where several preference models judge.

    Raises:
        InputError: a model is missing or of another kind, or the models' tokens differ.
    """
    policy, tokenizer = load_policy(locate(inputs.policy))
    ref_policy, ref_tokenizer = load_policy(locate(inputs.reference or inputs.policy))
    _refuse_other_tokens(ref_tokenizer, inputs.reference, tokenizer, inputs.policy)
    judges = []
    for source in (inputs.preference_model, *inputs.more_preference_models):
        judge, pm_tokenizer = load_scalar_model(locate(source))
        _refuse_other_tokens(pm_tokenizer, source, tokenizer, inputs.policy)
        judges.append(judge)
    value_model = _load_value_model(inputs, models or Models())
    for frozen in (ref_policy, *judges):
        frozen.requires_grad_(False)
    for each in (policy, value_model, ref_policy, *judges):
        place(each)
    end, padding = eos_id(tokenizer), pad_id(tokenizer)
    return Tools(
        policy=policy,
        value_model=value_model,
        ref_policy=ref_policy,
        tokenizer=tokenizer,
        generator=HuggingFaceGenerator(policy, tokenizer),
        scorers=tuple(
            PreferenceModelScorer(judge, end, padding, microbatch_size) for judge in judges
        ),
        microbatch_size=microbatch_size,
    )


def _load_value_model(inputs: Inputs, models: Models) -> PreTrainedModel:
    """From the preference model; or from the policy, with a head that says 0 everywhere."""
    if models.value_from == "preference_model":
        return load_scalar_model(locate(inputs.preference_model))[0]
    model, _ = load_scalar_model(locate(inputs.policy), random=generator(0, "value head"))
    scalar_head.zero(model)
    return model


def _refuse_other_tokens(
    tokenizer: PreTrainedTokenizerBase,
    source: ModelSource | None,
    of_policy: PreTrainedTokenizerBase,
    policy: ModelSource,
) -> None:
    if tokenizer.get_vocab() != of_policy.get_vocab():
        raise InputError(
            f"`{source}` and `{policy}` have different tokenizers; PPO hands tokens "
            "from one to the other, so give models that grew from the same base"
        )


def longest_conversation(tools: Tools) -> int | None:
    """The most tokens that every model can read, or None when none states a limit."""
    judges = [judge.model for judge in tools.scorers if isinstance(judge, PreferenceModelScorer)]
    models = [tools.policy, tools.value_model, tools.ref_policy, *judges]
    limits = [limit for model in models if (limit := context_length(model)) is not None]
    return min(limits, default=None)
