"""Reinforcement learning from a preference model without a value model: one loop, several methods.

    sample K responses to each prompt → score → tax by KL → advantages → one or a few steps

What tells RLOO, GRPO and REINFORCE apart is a ``Method``: how rewards become advantages, and the
loss of a token. A response is one action, so that all its tokens have its advantage.

Dimension key:
    N: prompts of one update
    K: responses to each
    B: responses in the batch, N · K, those to one prompt beside each other
    T: response tokens, right-padded
"""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.collate import shuffled
from accord.functional.kl import missing_eos, token_rewards
from accord.functional.masking import row_sums
from accord.functional.ppo import approx_kl
from accord.models import policy as policies
from accord.models.load import (
    context_length,
    eos_id,
    load_policy,
    load_scalar_model,
    pad_id,
    save_model,
)
from accord.records import Sampling
from accord.runtime import artifacts
from accord.runtime.checkpoints import TrainState
from accord.runtime.episodes import (
    EncodedPrompt,
    Episodes,
    logprobs_of,
    objective,
    prompts_of_update,
    read_prompts,
    sample_episodes,
)
from accord.runtime.generate import Generator, HuggingFaceGenerator
from accord.runtime.metrics import MetricsLog, read_metrics
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.parallel import parts_by_length
from accord.runtime.processor import place, prepare_processor
from accord.runtime.rollout_log import RolloutLog
from accord.runtime.scoring import PreferenceModelScorer, Scorer
from accord.runtime.seeding import generator
from accord.runtime.steps import steps_left
from accord.runtime.train import adam, microbatches, optimiser_step, scheduled

ADAM_BETAS = (0.9, 0.95)  # as PPO here: Ouyang et al. 2022, appendix C.4
ADAM_EPS = 1e-5
WARMUP = 0.1  # share of the updates over which the learning rate rises, as PPO here
CHECKPOINT_EVERY = 5  # updates: the most work that a crash undoes
TOLERANCE = 1e-3  # of the ratio before the first step, which is 1 but for rounding

Trace = defaultdict[str, list[float]]  #: metrics of the optimizer steps, one entry a step


@dataclass(frozen=True)
class Plan:
    """How to learn; units and sources are in the stages' configs."""

    seed: int
    updates: int
    prompts_per_update: int
    responses_per_prompt: int
    microbatch_size: int
    learning_rate: float
    max_grad_norm: float
    kl_coef: float  #: in the reward; 0 where the loss has it
    missing_eos_penalty: float
    temperature: float
    max_tokens: int
    minibatch_size: int = 0  #: responses per optimizer step; 0 takes the whole rollout
    epochs: int = 1

    def sampling(self) -> Sampling:
        """Plain sampling: a truncated distribution would not be the one that is scored."""
        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens)


@dataclass(frozen=True)
class Tokens:
    """What the loss of some responses is made of.

    Attributes:
        logprobs: [B T] under the policy that learns, with gradient.
        old_logprobs: [B T] under the policy that sampled.
        ref_logprobs: [B T] under the reference.
        advantages: [B T] every token has that of its response.
        mask: [B T] True on response tokens, the end-of-sequence token included.
    """

    logprobs: Tensor
    old_logprobs: Tensor
    ref_logprobs: Tensor
    advantages: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Method:
    """What tells one method from another.

    Attributes:
        name: of the stage.
        advantages: rewards [N K] in score units, and the numbers that are kept from update to
            update (changed), to advantages [N K].
        loss: [B T] of each token, to be minimised, 0 outside the mask.
    """

    name: str
    advantages: Callable[[Tensor, dict[str, float]], Tensor]
    loss: Callable[[Tokens], Tensor]


@dataclass(frozen=True)
class Sources:
    """What a stage of this kind reads."""

    policy: ModelSource
    preference_model: Path
    prompts: Path
    reference: ModelSource | None


@dataclass(frozen=True)
class Tools:
    """The policy that learns, and everything that does not change."""

    policy: PreTrainedModel
    ref_policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    generator: Generator
    scorer: Scorer
    context: int | None  #: the most tokens that every model can read


@dataclass(frozen=True)
class Rollout:
    """What an update learns from."""

    episodes: Episodes
    mask: Tensor
    ref_logprobs: Tensor
    advantages: Tensor  #: [B]

    def __len__(self) -> int:
        return len(self.mask)

    def tokens(self, rows: list[int], logprobs: Tensor) -> Tokens:
        """What the loss of some responses is made of, given what the policy says of them now."""
        width = logprobs.shape[1]
        mask = self.mask[rows, :width]
        return Tokens(
            logprobs,
            self.episodes.logprobs[rows, :width],
            self.ref_logprobs[rows, :width],
            self.advantages[rows, None].expand(mask.shape),
            mask,
        )


def learn(method: Method, plan: Plan, sources: Sources, out: Path) -> None:
    """Improve a policy for ``plan.updates`` updates; go on where a checkpoint left off.

    ``out`` gets the policy in ``output/``, ``rollouts.jsonl`` and ``metrics.jsonl``.
    """
    prepare_processor()
    tools = load_tools(sources, microbatch_size=plan.microbatch_size)
    pool = read_prompts(
        sources.prompts, tools.tokenizer, context=tools.context, max_tokens=plan.max_tokens
    )
    state = initial_state(tools, plan)
    log, rollouts = MetricsLog(out), RolloutLog(out)
    for step in steps_left(
        state,
        out,
        total=plan.updates,
        checkpoint_every=CHECKPOINT_EVERY,
        description=method.name,
    ):
        began = time.monotonic()
        values = update_once(state, step + 1, pool, plan, method, tools, rollouts)
        log.log(step + 1, values)
        log.log_time(step + 1, {"time/seconds_per_update": time.monotonic() - began})
    save_model(tools.policy, tools.tokenizer, out / "output")
    lines = read_metrics(out)
    artifacts.write_headline(
        out,
        {
            "updates": plan.updates,
            "score_first": lines[0]["objective/score"],
            "score_last": lines[-1]["objective/score"],
            "kl_last": lines[-1]["objective/kl"],
            "n": plan.prompts_per_update * plan.responses_per_prompt,
        },
    )


def load_tools(sources: Sources, *, microbatch_size: int) -> Tools:
    """Load the three models.

    Raises:
        InputError: a model is missing or of another kind, or the models' tokens differ.
    """
    policy, tokenizer = load_policy(locate(sources.policy))
    ref_policy, ref_tokenizer = load_policy(locate(sources.reference or sources.policy))
    judge, judge_tokenizer = load_scalar_model(locate(sources.preference_model))
    for other, source in (
        (ref_tokenizer, sources.reference),
        (judge_tokenizer, sources.preference_model),
    ):
        if other.get_vocab() != tokenizer.get_vocab():
            raise InputError(
                f"`{source}` and `{sources.policy}` have different tokenizers; tokens go from one "
                "to the other, so give models that grew from the same base"
            )
    for frozen in (ref_policy, judge):
        frozen.requires_grad_(False)
    for each in (policy, ref_policy, judge):
        place(each)
    limits = [context_length(model) for model in (policy, ref_policy, judge)]
    end, padding = eos_id(tokenizer), pad_id(tokenizer)
    return Tools(
        policy=policy,
        ref_policy=ref_policy,
        tokenizer=tokenizer,
        generator=HuggingFaceGenerator(policy, tokenizer),
        scorer=PreferenceModelScorer(judge, end, padding, microbatch_size),
        context=min((limit for limit in limits if limit is not None), default=None),
    )


def initial_state(tools: Tools, plan: Plan) -> TrainState:
    """What changes from update to update, before the first."""
    optimizer = adam(
        tools.policy.parameters(),
        learning_rate=plan.learning_rate,
        betas=ADAM_BETAS,
        eps=ADAM_EPS,
    )
    return TrainState({"policy": tools.policy}, {"policy": optimizer})


def update_once(
    state: TrainState,
    update: int,
    pool: list[EncodedPrompt],
    plan: Plan,
    method: Method,
    tools: Tools,
    rollouts: RolloutLog | None = None,
) -> dict[str, float]:
    """One update: sample, score, reward, estimate advantages, take steps.

    Args:
        state: model, optimizer and the method's own numbers; changed.
        update: its number, counted from 1.
        pool: all prompts.
        plan: how.
        method: advantages and loss.
        tools: what samples and what scores.
        rollouts: where to write the responses, if anywhere.

    Returns:
        Metrics of the update; their units are on the stages' pages.
    """
    groups = prompts_of_update(pool, plan.prompts_per_update, update, seed=plan.seed)
    asked = [prompt for prompt in groups for _ in range(plan.responses_per_prompt)]
    episodes = sample_episodes(
        tools.generator,
        asked,
        plan.sampling(),
        random=generator(plan.seed, "rollout", update),
        padding=pad_id(tools.tokenizer),
    )
    mask = episodes.sequences.response_mask()
    scores = tools.scorer.score(episodes.sequences, episodes.finished)
    ref_logprobs = logprobs_of(
        tools.ref_policy,
        episodes.sequences,
        temperature=plan.temperature,
        microbatch_size=plan.microbatch_size,
    )
    penalised = missing_eos(scores, episodes.finished, penalty=plan.missing_eos_penalty)
    rewards = token_rewards(penalised, episodes.logprobs, ref_logprobs, mask, kl_coef=plan.kl_coef)
    earned = row_sums(rewards, mask)
    grouped = earned.view(plan.prompts_per_update, plan.responses_per_prompt)
    advantages = method.advantages(grouped, state.scalars)
    rollout = Rollout(episodes, mask, ref_logprobs, advantages.reshape(-1))

    metrics = objective(episodes, scores, ref_logprobs, earned) | {
        "objective/advantage_std": float(advantages.std(correction=0)),
        "objective/told_apart": float((grouped.amax(1) > grouped.amin(1)).float().mean()),
    }
    metrics |= _take_steps(state.optimizers["policy"], rollout, plan, method, tools, update=update)
    if rollouts is not None:
        rollouts.append(update, episodes, scores, ref_logprobs, tools.tokenizer)
    return metrics


def _take_steps(
    optimizer: Optimizer, rollout: Rollout, plan: Plan, method: Method, tools: Tools, *, update: int
) -> dict[str, float]:
    """Learn from one rollout; means over the steps."""
    rate = scheduled(
        plan.learning_rate,
        update - 1,
        steps=plan.updates,
        schedule="linear",
        warmup=round(WARMUP * plan.updates),
    )
    trace: Trace = defaultdict(list)
    for epoch in range(plan.epochs):
        random = generator(plan.seed, "minibatches", update, epoch)
        order = shuffled(len(rollout), rng=random)
        for rows in microbatches(order, plan.minibatch_size or len(rollout)):
            found = torch.zeros_like(rollout.episodes.logprobs)
            done = optimiser_step(
                optimizer,
                _losses(rollout, rows, plan, method, tools, found),
                count=int(rollout.mask[rows].sum()),
                learning_rate=rate,
                max_grad_norm=plan.max_grad_norm,
            )
            old, mask = rollout.episodes.logprobs[rows], rollout.mask[rows]
            moved = (found[rows] - old).abs().max().exp()
            if not trace["policy/loss"] and not float(moved) - 1 <= TOLERANCE:
                raise InputError(
                    f"`{method.name}` stops because `ratio is 1` does not hold: before the first "
                    f"step of update {update} the policy gives a token {float(moved):.3g} times "
                    "the probability that it was sampled with"
                )
            trace["policy/loss"].append(done.loss)
            trace["policy/grad_norm"].append(done.grad_norm)
            trace["policy/approx_kl"].append(float(approx_kl(found[rows], old, mask)))
            trace["policy/ratio_max"].append(float(moved))
    return {name: fmean(steps) for name, steps in trace.items()} | {
        "policy/ratio_max": trace["policy/ratio_max"][0],
        "policy/steps": len(trace["policy/loss"]),
        "policy/learning_rate": rate,
    }


def _losses(
    rollout: Rollout, rows: list[int], plan: Plan, method: Method, tools: Tools, found: Tensor
) -> Iterator[Callable[[], Tensor]]:
    """Summed loss of each microbatch; the log-probabilities are left in ``found``."""
    lengths = rollout.episodes.sequences.lengths().tolist()

    def loss_of(part: list[int]) -> Tensor:
        sequences = rollout.episodes.sequences.select(part)
        logprobs = policies.logprobs(
            tools.policy,
            sequences.tokens,
            sequences.prompt_lengths,
            sequences.response_lengths,
            temperature=plan.temperature,
        )
        # Workers may compute microbatches side by side: their rows never meet.
        found[part, : logprobs.shape[1]] = logprobs.detach()
        return method.loss(rollout.tokens(part, logprobs)).sum()

    for part in parts_by_length(rows, lengths, plan.microbatch_size):
        yield functools.partial(loss_of, part)
