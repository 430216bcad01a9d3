"""What the models say about the responses of a rollout, in each of three memory layouts.

    separate       policy, value model and reference each have all their weights
    shared_trunk   one frozen trunk; the policy, with the value head, is an adapter on it, the
                   preference model another, and the reference is the trunk with no adapter
    hydra          the lowest layers are frozen, shared, and computed once for a rollout; policy
                   (with the value head) and reference have upper layers of their own

Dimension key:
    B: responses of one update
    S: tokens of prompt and response, right-padded
    T: response tokens, right-padded
    D: hidden size
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from accord.data.collate import Sequences
from accord.functional.logprobs import token_logprobs
from accord.models import joint, split
from accord.models.joint import Heads, JointReading
from accord.models.policy import unembed
from accord.models.trunk import hidden_states, response_places, spread
from accord.runtime.parallel import in_order, parts_by_length
from accord.runtime.processor import autocast
from accord.stages.ppo.rollout import logprobs_of, values_of
from accord.stages.ppo.tools import Tools

R = TypeVar("R")


@dataclass(frozen=True)
class Readings:
    """What is known of a rollout before anything is learnt from it.

    Attributes:
        logprobs: [B T] nats, of the policy that learns; None where those of sampling hold.
        ref_logprobs: [B T] nats.
        values: [B T] score units.
        lower: [B S D] states after the frozen layers, which all later passes begin with; None
            without frozen layers.
    """

    logprobs: Tensor | None
    ref_logprobs: Tensor
    values: Tensor
    lower: Tensor | None = None


def read(tools: Tools, sequences: Sequences, *, temperature: float) -> Readings:
    """Ask every model what it says about the responses, with as few passes as there can be."""
    if tools.layout == "separate":
        recompute = tools.precision == "bfloat16"
        return Readings(
            logprobs_of(tools.policy, sequences, tools, temperature) if recompute else None,
            logprobs_of(tools.ref_policy, sequences, tools, temperature),
            values_of(sequences, tools),
        )
    if tools.layout == "shared_trunk":
        with tools.reference() as ref_policy:
            ref_logprobs = logprobs_of(ref_policy, sequences, tools, temperature)
        logprobs, values = _both(tools, sequences, None, temperature)
        return Readings(logprobs, ref_logprobs, values)
    lower = lower_states(tools, sequences)
    ref_logprobs = _from_lower(tools, tools.ref_policy, sequences, lower, temperature)
    logprobs, values = _both(tools, sequences, lower, temperature)
    return Readings(logprobs, ref_logprobs, values, lower)


def joint_reading(
    tools: Tools,
    part: Sequences,
    lower: Tensor | None,
    *,
    temperature: float,
    value_only: bool = False,
) -> JointReading:
    """Policy and value head on one pass over some rows; gradients flow if they are recorded."""
    with autocast(tools.precision):
        if lower is None:
            hidden = hidden_states(tools.policy, part.tokens, part.lengths())
        else:
            below = lower[:, : part.tokens.shape[1]]
            hidden = split.upper_states(
                tools.policy, below, part.lengths(), layers=tools.frozen_layers
            )
        lengths = part.prompt_lengths, part.response_lengths
        heads = Heads(tools.policy, tools.value_model)
        return joint.read(
            heads, hidden, part.tokens, *lengths, temperature=temperature, value_only=value_only
        )


def lower_states(tools: Tools, sequences: Sequences) -> Tensor:
    """[B S D] what the upper layers of policy and reference begin with; 0 at padding."""

    def compute(rows: list[int]) -> Tensor:
        with autocast(tools.precision):
            part = sequences.select(rows)
            return split.lower_states(
                tools.policy, part.tokens, part.lengths(), layers=tools.frozen_layers
            )

    shape = (*sequences.tokens.shape, tools.policy.config.get_text_config().hidden_size)
    table = torch.zeros(shape, device=sequences.tokens.device)
    for rows, found in _computed(compute, sequences, tools):
        table[rows, : found.shape[1]] = found.float()
    return table


def _from_lower(
    tools: Tools, model: PreTrainedModel, sequences: Sequences, lower: Tensor, temperature: float
) -> Tensor:
    """[B T] log-probabilities under a policy whose lower layers have been computed."""

    def compute(rows: list[int]) -> Tensor:
        part = sequences.select(rows)
        below = lower[rows, : part.tokens.shape[1]]
        places = response_places(part.prompt_lengths, part.response_lengths)
        with autocast(tools.precision):
            hidden = split.upper_states(model, below, part.lengths(), layers=tools.frozen_layers)
            logits = unembed(model, hidden[places.rows, places.columns])
        chosen = part.tokens[places.rows, places.columns + 1]
        found = token_logprobs(logits, chosen, temperature=temperature)
        return spread(found, places, part.response_lengths)

    table = torch.zeros(sequences.response_mask().shape, device=sequences.tokens.device)
    for rows, found in _computed(compute, sequences, tools):
        table[rows, : found.shape[1]] = found
    return table


def _both(
    tools: Tools, sequences: Sequences, lower: Tensor | None, temperature: float
) -> tuple[Tensor, Tensor]:
    """[B T] log-probabilities and [B T] values."""

    def compute(rows: list[int]) -> JointReading:
        below = None if lower is None else lower[rows]
        return joint_reading(tools, sequences.select(rows), below, temperature=temperature)

    logprobs = torch.zeros(sequences.response_mask().shape, device=sequences.tokens.device)
    values = torch.zeros_like(logprobs)
    for rows, found in _computed(compute, sequences, tools):
        logprobs[rows, : found.logprobs.shape[1]] = found.logprobs
        values[rows, : found.values.shape[1]] = found.values
    return logprobs, values


def _computed(
    compute: Callable[[list[int]], R], sequences: Sequences, tools: Tools
) -> Iterator[tuple[list[int], R]]:
    """A function of some rows, for all rows, those of similar length together; no gradients."""
    cut = parts_by_length(
        range(len(sequences)), sequences.lengths().tolist(), tools.microbatch_size
    )
    with torch.no_grad():
        yield from zip(cut, in_order(compute, cut), strict=True)
