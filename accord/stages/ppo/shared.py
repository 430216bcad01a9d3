"""Models that share weights: loaded for the layouts ``shared_trunk`` and ``hydra``."""

from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel

from accord.config import InputError
from accord.models import adapters, scalar_head, split
from accord.models.adapter_difference import add_difference
from accord.models.load import load_scalar_model
from accord.models.trunk import trunk
from accord.runtime.model_source import locate
from accord.runtime.seeding import generator
from accord.stages.ppo.settings import Inputs, Models

POLICY, JUDGE = "policy", "preference_model"  # names of adapters


@dataclass(frozen=True)
class Loaded:
    """The models of a run; some of them hold the same tensors.

    Attributes:
        policy: learns.
        value_model: a head that learns, on the trunk of ``policy``.
        ref_policy: stays as it is.
        judges: the preference models.
        judge_adapters: the adapter with which each judge reads its trunk; None for its own trunk.
    """

    policy: PreTrainedModel
    value_model: PreTrainedModel
    ref_policy: PreTrainedModel
    judges: tuple[PreTrainedModel, ...]
    judge_adapters: tuple[str | None, ...]


def share_trunk(
    inputs: Inputs, models: Models, policy: PreTrainedModel, judges: list[PreTrainedModel]
) -> Loaded:
    """One frozen trunk with an adapter for the policy and one for each preference model.

    Raises:
        InputError: the reference is another model than the policy, or a preference model was not
            trained from it with adapters.
    """
    if inputs.reference not in (None, inputs.policy):
        raise InputError(
            'with the layout "shared_trunk" the reference is the policy as it was at first; leave '
            "`reference` out"
        )
    value_model = _on_trunk(inputs, models, policy, judges[0])
    names: list[str | None] = []
    for number, judge in enumerate(judges):
        name = JUDGE if number == 0 else f"{JUDGE}_{number + 1}"
        add_difference(policy, judge, name, rank=models.lora_rank)
        _set_trunk(judge, policy)
        judge.requires_grad_(False)
        names.append(name)
    policy.requires_grad_(False)  # a language head of its own, too: the reference uses it
    adapters.add_adapter(
        policy,
        POLICY,
        rank=models.lora_rank,
        alpha=models.lora_alpha,
        random=generator(0, "policy adapter"),
    )
    return Loaded(policy, value_model, policy, tuple(judges), tuple(names))


def freeze_lower(
    inputs: Inputs,
    models: Models,
    policy: PreTrainedModel,
    ref_policy: PreTrainedModel,
    judges: list[PreTrainedModel],
) -> Loaded:
    """Lower layers that policy, value head and reference share, and that never change.

    Raises:
        InputError: the architecture cannot be split, or the reference has other lower layers.
    """
    if not split.can_split(policy):
        raise InputError(
            f'the layout "hydra" does not know how to split `{policy.config.model_type}` models; '
            'use "separate" or "shared_trunk"'
        )
    layers = adapters.layer_stack(policy)
    if models.frozen_layers >= len(layers):
        raise InputError(
            f"`models.frozen_layers` = {models.frozen_layers} leaves none of {len(layers)} layers "
            "to train; give fewer"
        )
    value_model = _on_trunk(inputs, models, policy, judges[0])
    adapters.freeze_lower_layers(policy, models.frozen_layers)
    _share_frozen(policy, ref_policy)
    for frozen in (ref_policy, *judges):
        for parameter in frozen.parameters():
            parameter.requires_grad_(False)
    return Loaded(policy, value_model, ref_policy, tuple(judges), (None,) * len(judges))


def _on_trunk(
    inputs: Inputs, models: Models, policy: PreTrainedModel, judge: PreTrainedModel
) -> PreTrainedModel:
    """A value head on the policy's trunk: the preference model's, or one that says 0."""
    source = inputs.policy if models.value_from == "policy" else inputs.preference_model
    value_model, _ = load_scalar_model(locate(source), random=generator(0, "value head"))
    if models.value_from == "policy":
        scalar_head.zero(value_model)
    _set_trunk(value_model, policy)
    return value_model


def _set_trunk(model: PreTrainedModel, owner: PreTrainedModel) -> None:
    if model.config.model_type != owner.config.model_type:
        raise InputError(
            f"a `{model.config.model_type}` model cannot read the trunk of a "
            f"`{owner.config.model_type}` model; give a preference model that grew from the policy"
        )
    setattr(model, model.base_model_prefix, trunk(owner))


def _share_frozen(policy: PreTrainedModel, ref_policy: PreTrainedModel) -> None:
    """Make the reference hold the policy's own frozen tensors where they are equal."""
    theirs = dict(ref_policy.named_parameters())
    for path, parameter in policy.named_parameters():
        if parameter.requires_grad:
            continue
        other = theirs.get(path)
        if other is None or not bool((other == parameter).all()):
            raise InputError(
                f"reference and policy differ in `{path}`, below `models.frozen_layers`; they must "
                'grow from one model with these layers frozen, or use the layout "separate"'
            )
        owner, _, name = path.rpartition(".")
        module: Any = ref_policy.get_submodule(owner)
        module._parameters[name] = parameter
