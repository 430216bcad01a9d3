"""What samples, what scores, what is compared with: the models of a PPO run, and their loading."""

from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.models.load import context_length, eos_id, load_policy, load_scalar_model, pad_id
from accord.runtime.generate import Generator, HuggingFaceGenerator
from accord.runtime.model_source import locate
from accord.runtime.processor import place
from accord.runtime.scoring import PreferenceModelScorer, Scorer
from accord.stages.ppo.settings import Inputs


@dataclass(frozen=True)
class Tools:
    """Everything that an update uses and does not change, and the two models that it does.

    Attributes:
        policy: learns.
        value_model: learns.
        ref_policy: stays as it is.
        tokenizer: shared by all models.
        generator: samples from ``policy``.
        scorer: judges responses.
        microbatch_size: responses per forward pass.
    """

    policy: PreTrainedModel
    value_model: PreTrainedModel
    ref_policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    generator: Generator
    scorer: Scorer
    microbatch_size: int


def load_tools(inputs: Inputs, *, microbatch_size: int) -> Tools:
    """Load the four models.

    Raises:
        InputError: a model is missing or of another kind, or the models' tokens differ.
    """
    policy, tokenizer = load_policy(locate(inputs.policy))
    ref_policy, ref_tokenizer = load_policy(locate(inputs.reference or inputs.policy))
    model, pm_tokenizer = load_scalar_model(locate(inputs.preference_model))
    value_model, _ = load_scalar_model(locate(inputs.preference_model))
    for other, source in (
        (ref_tokenizer, inputs.reference),
        (pm_tokenizer, inputs.preference_model),
    ):
        if other.get_vocab() != tokenizer.get_vocab():
            raise InputError(
                f"`{source}` and `{inputs.policy}` have different tokenizers; PPO hands tokens "
                "from one to the other, so give models that grew from the same base"
            )
    for frozen in (ref_policy, model):
        frozen.requires_grad_(False)
    for each in (policy, value_model, ref_policy, model):
        place(each)
    end, padding = eos_id(tokenizer), pad_id(tokenizer)
    return Tools(
        policy=policy,
        value_model=value_model,
        ref_policy=ref_policy,
        tokenizer=tokenizer,
        generator=HuggingFaceGenerator(policy, tokenizer),
        scorer=PreferenceModelScorer(model, end, padding, microbatch_size),
        microbatch_size=microbatch_size,
    )


def longest_conversation(tools: Tools) -> int | None:
    """The most tokens that every model can read, or None when none states a limit."""
    models = [tools.policy, tools.value_model, tools.ref_policy]
    limits = [limit for model in models if (limit := context_length(model)) is not None]
    return min(limits, default=None)
