"""What a run tried, written down."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from accord.runtime.rollout_log import RolloutLog
from accord.stages.ppo.rewards import Rollout


class Logs:
    """The files of a run that hold responses."""

    def __init__(self, out: Path) -> None:
        self._rollouts = RolloutLog(out)

    def write(self, update: int, rollout: Rollout, tokenizer: PreTrainedTokenizerBase) -> None:
        """Write what an update has tried."""
        self._rollouts.append(
            update, rollout.episodes, rollout.scores, rollout.ref_logprobs, tokenizer
        )
