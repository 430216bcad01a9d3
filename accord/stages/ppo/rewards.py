"""Episodes to a rollout: scored, taxed by the distance from the reference, made advantages of.

Dimension key:
    M: preference models
    B: responses of one update
    T: response tokens, right-padded
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from accord.data.chat import decode_response
from accord.data.text_signs import is_refusal, repetition
from accord.functional.advantages import gae
from accord.functional.ensembles import disagreement, mean_minus_std, mean_score, worst_score
from accord.functional.kl import missing_eos, replaced_eos, token_rewards
from accord.functional.masking import masked_mean, row_sums, whiten
from accord.runtime.episodes import Episodes, objective
from accord.stages.ppo.reading import read
from accord.stages.ppo.settings import Config, Score
from accord.stages.ppo.tools import Tools


@dataclass(frozen=True)
class Rollout:
    """What an update learns from.

    Attributes:
        episodes: the responses; their ``logprobs`` are the old ones.
        mask: [B T] True on response tokens, the end-of-sequence token included.
        member_scores: [M B] score units, of every preference model.
        scores: [B] score units, all of them combined; no penalty is subtracted.
        ref_logprobs: [B T] nats, of the reference policy.
        values: [B T] score units, before the update.
        rewards: [B T] score units, as earned: before any whitening.
        advantages: [B T] whitened over the whole rollout.
        returns: [B T] score units; what the value model should have said.
        lower: [B S D] states after the frozen layers, where there are any.
        sampler_gap: mean |log π_train − log π_sample| of the sampled tokens, nats, where the policy
            that learns is not computed as the one that sampled; None where it is.
    """

    episodes: Episodes
    mask: Tensor
    member_scores: Tensor
    scores: Tensor
    ref_logprobs: Tensor
    values: Tensor
    rewards: Tensor
    advantages: Tensor
    returns: Tensor
    lower: Tensor | None = None
    sampler_gap: float | None = None

    def __len__(self) -> int:
        return len(self.mask)

    @property
    def lengths(self) -> list[int]:
        """Tokens of every row, prompt and response."""
        lengths: list[int] = self.episodes.sequences.lengths().tolist()
        return lengths

    def token_ids(self) -> list[list[int]]:
        """Each response as it was sampled, without padding."""
        rows = self.episodes.sequences.response_tokens().tolist()
        lengths = self.mask.sum(1).tolist()
        return [row[:length] for row, length in zip(rows, lengths, strict=True)]

    def logratio(self) -> Tensor:
        """[B T] log π − log π_ref of the sampled tokens, nats."""
        return self.episodes.logprobs - self.ref_logprobs


def evaluated(episodes: Episodes, config: Config, tools: Tools, *, kl_coef: float) -> Rollout:
    """Score the responses and estimate what each of their tokens was worth."""
    sequences, mask = episodes.sequences, episodes.sequences.response_mask()
    member_scores = tools.scores(sequences, episodes.finished)
    scores = combine(config.score)(member_scores)
    known = read(tools, sequences, temperature=config.temperature)
    ref_logprobs, values, gap = known.ref_logprobs, known.values, None
    if known.logprobs is not None:
        gap = float(masked_mean((known.logprobs - episodes.logprobs).abs(), mask))
        episodes = replace(episodes, logprobs=known.logprobs)

    cut_off = replaced_eos if config.score.missing_eos == "replace" else missing_eos
    penalised = cut_off(scores, episodes.finished, penalty=config.missing_eos_penalty)
    earned = token_rewards(penalised, episodes.logprobs, ref_logprobs, mask, kl_coef=kl_coef)
    rewards = earned
    if config.advantages.whiten_rewards:
        rewards = whiten(earned, mask, center=False)
    discounts = {"gamma": config.advantages.gamma, "gae_lambda": config.advantages.gae_lambda}
    advantages, returns = gae(rewards, values, mask, **discounts)
    return Rollout(
        episodes=episodes,
        mask=mask,
        member_scores=member_scores,
        scores=scores,
        ref_logprobs=ref_logprobs,
        values=values,
        rewards=earned,
        advantages=whiten(advantages, mask),
        returns=returns,
        lower=known.lower,
        sampler_gap=gap,
    )


def combine(score: Score) -> Callable[[Tensor], Tensor]:
    """How the scores of several preference models become one."""
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "mean": mean_score,
        "worst": worst_score,
        "mean_minus_std": partial(mean_minus_std, std_coef=score.std_coef),
    }
    return ways[score.combine]


def measured(rollout: Rollout, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
    """Metrics of a rollout, before anything is learnt from it."""
    earned = row_sums(rollout.rewards, rollout.mask)
    found = objective(rollout.episodes, rollout.scores, rollout.ref_logprobs, earned)
    responses = rollout.token_ids()
    found |= {
        "objective/score_spread": float(disagreement(rollout.member_scores).mean()),
        "response/repetition": fmean(repetition(ids) for ids in responses),
        "response/refusals": fmean(
            is_refusal(decode_response(tokenizer, ids)) for ids in responses
        ),
    }
    if rollout.sampler_gap is not None:
        found["policy/sampler_gap"] = rollout.sampler_gap
    return found
