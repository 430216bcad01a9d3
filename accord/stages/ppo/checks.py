"""What has to be true before the first step; a run that breaks any of it does not start.

    name                        what is measured
    ratio is 1                  |π_train / π_sample − 1| of sampled tokens
    KL to the reference is 0    |log π − log π_ref|, when the run starts at the reference
    padding does not matter     change of log-probabilities, values, scores by padding
    batch mates do not matter   change of the same by the other rows of a batch
    the score ends at EOS       change of scores by tokens after the end-of-sequence token
    the score reads EOS         change of scores by another last token; must not be 0
    values look back only       change of values by the token that they come before

Each has cost somebody a training run: see docs/stages/ppo.md.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from accord.config import InputError
from accord.data.collate import Sequences
from accord.records import Sampling
from accord.runtime.seeding import generator
from accord.stages.ppo.rollout import (
    EncodedPrompt,
    Episodes,
    logprobs_of,
    sample_episodes,
    values_of,
)
from accord.stages.ppo.tools import Tools, close
from accord.models.load import eos_id, pad_id

ROWS = 8  # responses that the checks look at
PADDING = 5  # columns of meaningless tokens that are added
TOLERANCE = 1e-4  # nats, score units or ratio; float32 rounding is near 1e-6


@dataclass(frozen=True)
class Reading:
    """Everything that models say about some responses."""

    logprobs: Tensor
    values: Tensor
    scores: Tensor

    def distance(self, other: "Reading") -> float:
        """The largest difference, nats or score units."""
        return max(
            _largest(self.logprobs - other.logprobs),
            _largest(self.values - other.values),
            _largest(self.scores - other.scores),
        )


def check_invariants(
    tools: Tools,
    pool: list[EncodedPrompt],
    *,
    temperature: float,
    max_tokens: int,
    starts_at_reference: bool,
) -> dict[str, float]:
    """Measure all invariants on a few sampled responses.

    Args:
        tools: the models, before any update.
        pool: prompts; the first few are used.
        temperature: of sampling.
        max_tokens: of a response.
        starts_at_reference: whether policy and reference are the same model.

    Returns:
        What was measured, by invariant.

    Raises:
        InputError: an invariant does not hold; names it.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    episodes = sample_episodes(tools, pool[:ROWS], sampling, random=generator(0, "checks"))
    reading = _read(tools, episodes.sequences, episodes, temperature)
    measured = {
        "ratio is 1": _largest((reading.logprobs - episodes.logprobs).expm1()),
        "padding does not matter": _padded(tools, episodes, temperature).distance(reading),
        "batch mates do not matter": _alone(tools, episodes, temperature).distance(reading),
        "the score ends at EOS": _largest(_scores_with_a_tail(tools, episodes) - reading.scores),
        "values look back only": _largest(
            _values_with_another_end(tools, episodes) - reading.values
        ),
    }
    if starts_at_reference:
        measured["KL to the reference is 0"] = _largest(
            reading.logprobs - _ref_logprobs(tools, episodes, temperature)
        )
    for invariant, found in measured.items():
        if not found <= TOLERANCE:
            raise InputError(_broken(invariant, f"off by {found:.2g}, more than {TOLERANCE:g}"))
    ...
    return measured
