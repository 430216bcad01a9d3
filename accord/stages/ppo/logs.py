"""What a run tried, written down: every response, and of a few every token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from transformers import PreTrainedTokenizerBase

from accord.records import Record
from accord.runtime.rollout_log import RolloutLog, UpdateLog
from accord.stages.ppo.rewards import Rollout

TRACED = 2  # episodes an update, of which every token is written down
DECIMALS = 5  # of nats and score units


class EpisodeToken(BaseModel):
    """One token of a response as PPO saw it; nats and score units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    logprob: float  #: of the policy that drew it
    ref_logprob: float  #: of the reference policy
    value: float  #: expected return before it
    advantage: float  #: whitened over the rollout
    reward: float  #: tax, and on the last token the score


class TracedEpisode(Record):
    """One response of one PPO update, token by token; a line of ``episodes.jsonl``."""

    update: int
    prompt_id: str
    prompt: str  #: the last message
    score: float  #: without the penalty
    finished: bool
    tokens: tuple[EpisodeToken, ...]


class Logs:
    """The files of a run that hold responses."""

    def __init__(self, out: Path) -> None:
        self._rollouts = RolloutLog(out)
        self._episodes = UpdateLog(out / "episodes.jsonl")

    def write(self, update: int, rollout: Rollout, tokenizer: PreTrainedTokenizerBase) -> None:
        """Write what an update has tried."""
        self._rollouts.append(
            update, rollout.episodes, rollout.scores, rollout.ref_logprobs, tokenizer
        )
        self._episodes.append(update, _episodes(update, rollout, tokenizer))


def _episodes(
    update: int, rollout: Rollout, tokenizer: PreTrainedTokenizerBase
) -> Iterator[dict[str, Any]]:
    """The first few of a rollout, whose order is random; records ``TracedEpisode``."""
    responses = rollout.token_ids()[:TRACED]
    parts = {
        "logprob": rollout.episodes.logprobs,
        "ref_logprob": rollout.ref_logprobs,
        "value": rollout.values,
        "advantage": rollout.advantages,
        "reward": rollout.rewards,
    }
    for row, ids in enumerate(responses):
        numbers = {name: table[row].tolist() for name, table in parts.items()}
        tokens = [
            EpisodeToken(
                text=str(tokenizer.decode([token])),
                **{name: round(values[t], DECIMALS) for name, values in numbers.items()},
            )
            for t, token in enumerate(ids)
        ]
        prompt = rollout.episodes.prompts[row]
        episode = TracedEpisode(
            update=update,
            prompt_id=prompt.id,
            prompt=prompt.messages[-1].content,
            score=round(float(rollout.scores[row]), DECIMALS),
            finished=bool(rollout.episodes.finished[row]),
            tokens=tuple(tokens),
        )
        yield episode.model_dump(mode="json", by_alias=True)
