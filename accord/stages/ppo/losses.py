"""The losses of one minibatch, a microbatch at a time: of the policy, of documents, of values.

Every function yields callables that return a SUM; ``runtime.train.optimiser_step`` divides once
by the count of the whole minibatch.
"""

from collections.abc import Callable, Iterator
from functools import partial

from torch import Tensor
from transformers import PreTrainedModel

from accord.data.collate import Sequences
from accord.functional.ppo import (
    clipped_policy_loss,
    clipped_value_loss,
    penalised_policy_loss,
    unclipped_policy_loss,
)
from accord.models import policy, value_model
from accord.runtime.parallel import parts_by_length
from accord.runtime.processor import autocast
from accord.stages.ppo.rewards import Rollout
from accord.stages.ppo.settings import Config

Losses = Iterator[Callable[[], Tensor]]
Surrogate = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def surrogate(config: Config, *, penalty_coef: float) -> Surrogate:
    """The policy loss per token, a function of (logprobs, old_logprobs, advantages, mask)."""
    loss = config.loss
    ways: dict[str, Surrogate] = {
        "clip": partial(clipped_policy_loss, clip_range=loss.clip_range),
        "penalty": partial(penalised_policy_loss, penalty_coef=penalty_coef),
        "plain": unclipped_policy_loss,
    }
    return ways[loss.surrogate]


def policy_losses(
    model: PreTrainedModel,
    rollout: Rollout,
    rows: list[int],
    config: Config,
    *,
    loss: Surrogate,
    found: Tensor,
) -> Losses:
    """Of the policy; the log-probabilities are left in ``found``, [B T] nats."""

    def loss_of(part: list[int]) -> Tensor:
        sequences = rollout.episodes.sequences.select(part)
        lengths = sequences.prompt_lengths, sequences.response_lengths
        with autocast(config.models.precision):
            logprobs, entropy = policy.logprobs_and_entropy(
                model, sequences.tokens, *lengths, temperature=config.temperature
            )
        width = logprobs.shape[1]
        # Workers may compute microbatches side by side: their rows never meet.
        found[part, :width] = logprobs.detach()
        losses = loss(
            logprobs,
            rollout.episodes.logprobs[part, :width],
            rollout.advantages[part, :width],
            rollout.mask[part, :width],
        )
        return (losses - config.loss.entropy_coef * entropy).sum()

    for part in parts_by_length(rows, rollout.lengths, config.microbatch_size):
        yield partial(loss_of, part)


def document_losses(
    model: PreTrainedModel, documents: Sequences, config: Config, *, count: int, found: list[float]
) -> Losses:
    """Of documents, as PPO-ptx adds it to the policy's: coef · mean over tokens of −log p.

    The policy's loss is divided by the ``count`` of its own tokens, so this sum is multiplied by
    it and divided by the documents' tokens. The sums of −log p are left in ``found``, in nats.
    """
    share = config.pretraining.coef * count / int(documents.response_lengths.sum())

    def loss_of(part: list[int]) -> Tensor:
        rows = documents.select(part)
        lengths = rows.prompt_lengths, rows.response_lengths
        with autocast(config.models.precision):
            surprise = -policy.logprobs(model, rows.tokens, *lengths).sum()
        found.append(float(surprise.detach()))
        return share * surprise

    tokens = documents.lengths().tolist()
    for part in parts_by_length(range(len(tokens)), tokens, config.microbatch_size):
        yield partial(loss_of, part)


def value_losses(
    model: PreTrainedModel, rollout: Rollout, rows: list[int], config: Config
) -> Losses:
    """Of the value model."""

    def loss_of(part: list[int]) -> Tensor:
        sequences = rollout.episodes.sequences.select(part)
        lengths = sequences.prompt_lengths, sequences.response_lengths
        with autocast(config.models.precision):
            values = value_model.values(model, sequences.tokens, *lengths).float()
        width = values.shape[1]
        return clipped_value_loss(
            values,
            rollout.values[part, :width],
            rollout.returns[part, :width],
            rollout.mask[part, :width],
            value_clip_range=config.loss.value_clip_range,
        ).sum()

    for part in parts_by_length(rows, rollout.lengths, config.microbatch_size):
        yield partial(loss_of, part)
