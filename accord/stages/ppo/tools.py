"""What samples, what scores, what is compared with: the models of a PPO run, and their loading."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.collate import Sequences
from accord.functional.ensembles import mean_score
from accord.models import adapters, scalar_head
from accord.models.adapters import Precision
from accord.models.ensemble import Ensemble, heads_of
from accord.models.load import context_length, eos_id, load_policy, load_scalar_model, pad_id
from accord.runtime.ensemble_scoring import EnsembleScorer, member_scores
from accord.runtime.generate import Generator, HuggingFaceGenerator
from accord.runtime.generate_copy import RefreshedGenerator
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import place
from accord.runtime.scoring import AdapterScorer, PreferenceModelScorer, Scorer
from accord.runtime.seeding import generator
from accord.stages.ppo.settings import Inputs, Layout, Models
from accord.stages.ppo.shared import Loaded, freeze_lower, share_trunk


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
        layout: which of the models share weights; see ``reading``.
        frozen_layers: in the layout ``hydra``, the lowest layers that all share.
        precision: of matrix products.
    """

    policy: PreTrainedModel
    value_model: PreTrainedModel
    ref_policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    generator: Generator
    scorers: tuple[Scorer, ...]
    microbatch_size: int
    layout: Layout = "separate"
    frozen_layers: int = 0
    precision: Precision = "float32"

    @contextmanager
    def reference(self) -> Iterator[PreTrainedModel]:
        """The policy to stay close to, for a block: a model, or the shared trunk as it is."""
        if self.layout == "shared_trunk":
            with adapters.using(self.policy, None):
                yield self.policy
        else:
            yield self.ref_policy

    def scores(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[M B] what each member of each scorer says; see ``Scorer.score``."""
        found = [member_scores(scorer, sequences, finished) for scorer in self.scorers]
        return torch.cat(found)


def load_tools(inputs: Inputs, *, microbatch_size: int, models: Models | None = None) -> Tools:
    """Load the four models, or more where several preference models judge.

    Raises:
        InputError: a model is missing or of another kind, or the models' tokens differ.
    """
    models = models or Models()
    policy, tokenizer = load_policy(locate(inputs.policy))
    judges, heads = [], []
    for source in (inputs.preference_model, *inputs.more_preference_models):
        judge, pm_tokenizer = load_scalar_model(locate(source))
        _refuse_other_tokens(pm_tokenizer, source, tokenizer, inputs.policy)
        judges.append(judge)
        heads.append(heads_of(judge, locate(source)).clone())  # before anything is moved
    if models.layout == "shared_trunk":
        loaded = share_trunk(inputs, models, policy, judges)
    else:
        ref_policy, ref_tokenizer = load_policy(locate(inputs.reference or inputs.policy))
        _refuse_other_tokens(ref_tokenizer, inputs.reference, tokenizer, inputs.policy)
        loaded = (
            freeze_lower(inputs, models, policy, ref_policy, judges)
            if models.layout == "hydra"
            else _separate(inputs, models, policy, ref_policy, judges)
        )
    for each in (loaded.policy, loaded.value_model, loaded.ref_policy, *loaded.judges):
        place(each)
    return Tools(
        policy=loaded.policy,
        value_model=loaded.value_model,
        ref_policy=loaded.ref_policy,
        tokenizer=tokenizer,
        generator=_sampler(loaded.policy, tokenizer, models),
        scorers=_scorers(loaded, heads, tokenizer, microbatch_size, models.precision),
        microbatch_size=microbatch_size,
        layout=models.layout,
        frozen_layers=models.frozen_layers if models.layout == "hydra" else 0,
        precision=models.precision,
    )


def _separate(
    inputs: Inputs,
    models: Models,
    policy: PreTrainedModel,
    ref_policy: PreTrainedModel,
    judges: list[PreTrainedModel],
) -> Loaded:
    value_model = _load_value_model(inputs, models)
    for frozen in (ref_policy, *judges):
        frozen.requires_grad_(False)
    return Loaded(policy, value_model, ref_policy, tuple(judges), (None,) * len(judges))


def _sampler(
    policy: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, models: Models
) -> Generator:
    """The policy itself; in bfloat16 a copy that decodes with weights of half the size."""
    if models.precision == "bfloat16":
        return RefreshedGenerator(policy, tokenizer, dtype=torch.bfloat16)
    return HuggingFaceGenerator(policy, tokenizer)


def _scorers(
    loaded: Loaded,
    heads: Sequence[Tensor],
    tokenizer: PreTrainedTokenizerBase,
    microbatch_size: int,
    precision: Precision,
) -> tuple[Scorer, ...]:
    end, padding = eos_id(tokenizer), pad_id(tokenizer)
    found: list[Scorer] = []
    for judge, adapter, members in zip(loaded.judges, loaded.judge_adapters, heads, strict=True):
        scorer: PreferenceModelScorer | EnsembleScorer
        if len(members) > 1:
            ensemble = Ensemble([judge], [members])
            scorer = EnsembleScorer(ensemble, mean_score, end, padding, microbatch_size, precision)
        else:
            scorer = PreferenceModelScorer(judge, end, padding, microbatch_size, precision)
        found.append(scorer if adapter is None else AdapterScorer(scorer, adapter))
    return tuple(found)


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
    kinds = PreferenceModelScorer | EnsembleScorer | AdapterScorer
    judges = [judge.model for judge in tools.scorers if isinstance(judge, kinds)]
    models = [tools.policy, tools.value_model, tools.ref_policy, *judges]
    limits = [limit for model in models if (limit := context_length(model)) is not None]
    return min(limits, default=None)
