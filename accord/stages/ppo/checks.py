"""What has to be true before the first step; a run that breaks any of it does not start.

    invariant                   what is measured
    ratio is 1                  |π_train / π_sample − 1| of sampled tokens
    KL to the reference is 0    |log π − log π_ref|, when the run starts at the reference
    padding does not matter     change of log-probabilities, values and scores by what fills rows
    batch mates do not matter   change of the same when every row is alone
    values look back only       change of values by the last token, which they all precede
    the score reads the end     change of scores by another last token, which must not be 0

What each has cost people who did not check: docs/stages/ppo.md.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from accord.config import InputError
from accord.data.collate import Sequences
from accord.models.load import eos_id
from accord.records import Sampling
from accord.runtime.episodes import EncodedPrompt, Episodes
from accord.runtime.seeding import generator
from accord.stages.ppo.guards import tolerance
from accord.stages.ppo.rollout import (
    logprobs_of,
    sample_episodes,
    values_of,
)
from accord.stages.ppo.tools import Tools

ROWS = 8  # responses that are looked at: to the shortest and to the longest prompts


@dataclass(frozen=True)
class Reading:
    """All that the models say about some responses; scores are of every preference model."""

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
    tools: Tools, pool: list[EncodedPrompt], sampling: Sampling, *, starts_at_reference: bool
) -> dict[str, float]:
    """Measure the invariants on a few sampled responses.

    Args:
        tools: the models, before any update.
        pool: prompts to choose from.
        sampling: as in training.
        starts_at_reference: whether policy and reference are the same model.

    Returns:
        What was measured, by invariant.

    Raises:
        InputError: an invariant does not hold; names it.
    """
    episodes = sample_episodes(tools, _some(pool), sampling, random=generator(0, "checks"))
    temperature = sampling.temperature
    reading = _read(tools, episodes, temperature)
    filled, other_end = _filled(episodes, eos_id(tools.tokenizer)), _other_end(tools, episodes)
    zero = {
        "ratio is 1": _largest((reading.logprobs - episodes.logprobs).expm1()),
        "padding does not matter": _read(tools, filled, temperature).distance(reading),
        "batch mates do not matter": _read_alone(tools, episodes, temperature).distance(reading),
        "values look back only": _largest(
            _read(tools, other_end, temperature).values - reading.values
        ),
    }
    if starts_at_reference:
        with tools.reference() as ref_policy:
            ref_logprobs = logprobs_of(ref_policy, episodes.sequences, tools, temperature)
        zero["KL to the reference is 0"] = _largest(reading.logprobs - ref_logprobs)
    allowed = tolerance(tools.precision)
    for invariant, found in zero.items():
        if not found <= allowed:
            raise _broken(invariant, f"it is off by {found:.2g}, and {allowed:g} is allowed")
    changed = (_read(tools, other_end, temperature).scores - reading.scores).abs()
    read_end = float(changed.amax(dim=1).min())  # of the model that notices least
    if not read_end > 0:
        raise _broken("the score reads the end", "another last token leaves all scores as they are")
    return zero | {"the score reads the end": read_end}


def _broken(invariant: str, found: str) -> InputError:
    return InputError(
        f"PPO does not start because `{invariant}` does not hold: {found}; "
        "look this invariant up in docs/stages/ppo.md"
    )


def _some(pool: list[EncodedPrompt]) -> list[EncodedPrompt]:
    """Short and long prompts, so that rows need padding."""
    ordered = sorted(pool, key=lambda prompt: len(prompt[1]))
    half = ROWS // 2
    return ordered[:half] + ordered[half:][-half:]


def _read(tools: Tools, episodes: Episodes, temperature: float) -> Reading:
    return Reading(
        logprobs_of(tools.policy, episodes.sequences, tools, temperature),
        values_of(episodes.sequences, tools),
        tools.scores(episodes.sequences, episodes.finished),
    )


def _read_alone(tools: Tools, episodes: Episodes, temperature: float) -> Reading:
    """The same, one row at a time."""
    sequences, finished = episodes.sequences, episodes.finished
    scores = [
        tools.scores(sequences.select([row]), finished[row : row + 1])
        for row in range(len(sequences))
    ]
    read = _read(replace(tools, microbatch_size=1), episodes, temperature)
    return replace(read, scores=torch.cat(scores, dim=1))


def _filled(episodes: Episodes, token: int) -> Episodes:
    """The same responses, rows filled up with another token than padding."""
    sequences = episodes.sequences
    tokens = sequences.tokens.masked_fill(~sequences.sequence_mask(), token)
    return replace(episodes, sequences=replace(sequences, tokens=tokens))


def _other_end(tools: Tools, episodes: Episodes) -> Episodes:
    """The same responses with another last token, which counts as their end."""
    sequences: Sequences = episodes.sequences
    last = (sequences.lengths() - 1)[:, None]
    another = (sequences.tokens.gather(1, last) + 1) % len(tools.tokenizer)
    tokens = sequences.tokens.scatter(1, last, another)
    finished = episodes.finished.new_ones(len(sequences))
    return replace(episodes, sequences=replace(sequences, tokens=tokens), finished=finished)


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max())
