"""Proximal policy optimisation against a preference model, with a KL penalty.

policy, preference_model, prompts  ->  policy            docs/stages/ppo.md
Follows Ziegler et al. 2019 (arXiv:1909.08593) and Ouyang et al. 2022 (arXiv:2203.02155); how it
differs is numbered in docs/stages/ppo.md.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from accord.functional.advantages import gae
from accord.functional.kl import missing_eos, next_kl_coef, token_rewards
from accord.functional.masking import row_sums, whiten
from accord.models.load import save_model
from accord.records import Sampling
from accord.runtime import artifacts
from accord.runtime.checkpoints import TrainState
from accord.runtime.episodes import EncodedPrompt, objective, prompts_of_update
from accord.runtime.metrics import MetricsLog, read_metrics
from accord.runtime.processor import prepare_processor
from accord.runtime.rollout_log import RolloutLog
from accord.runtime.seeding import generator
from accord.runtime.steps import steps_left
from accord.runtime.train import adam
from accord.stages.ppo.checks import check_invariants
from accord.stages.ppo.rollout import (
    Rollout,
    logprobs_of,
    read_prompts,
    sample_episodes,
    values_of,
)
from accord.stages.ppo.settings import Config, Inputs
from accord.stages.ppo.tools import Tools, load_tools
from accord.stages.ppo.update import take_clipped_steps

ADAM_BETAS = (0.9, 0.95)  # Ouyang et al. 2022, appendix C.4
ADAM_EPS = 1e-5  # "The N implementation details of RLHF with PPO"; TensorFlow's place for eps
CHECKPOINT_EVERY = 5  # updates: the most work that a crash undoes


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Improve the policy for ``config.updates`` updates; go on where a checkpoint left off."""
    prepare_processor()
    tools = load_tools(inputs, microbatch_size=config.microbatch_size)
    pool = read_prompts(inputs.prompts, tools, max_tokens=config.max_tokens)
    alike = inputs.reference in (None, inputs.policy)
    checks = check_invariants(tools, pool, sampling(config), starts_at_reference=alike)
    artifacts.write_json(out / "checks.json", checks)

    state = initial_state(tools, config)
    log, rollouts = MetricsLog(out), RolloutLog(out)
    for step in steps_left(
        state, out, total=config.updates, checkpoint_every=CHECKPOINT_EVERY, description="ppo"
    ):
        began = time.monotonic()
        values = update_once(state, step + 1, pool, config, tools, rollouts)
        log.log(step + 1, values)
        log.log_time(step + 1, _speed(values, config, time.monotonic() - began))
    save_model(tools.policy, tools.tokenizer, out / "output")
    artifacts.write_headline(out, _headline(read_metrics(out), config))


def initial_state(tools: Tools, config: Config) -> TrainState:
    """What changes from update to update, before the first."""
    models = {"policy": tools.policy, "value": tools.value_model}
    rates = {"policy": config.learning_rate, "value": config.value_learning_rate}
    optimizers = {
        name: adam(model.parameters(), learning_rate=rates[name], betas=ADAM_BETAS, eps=ADAM_EPS)
        for name, model in models.items()
    }
    return TrainState(dict(models), optimizers, scalars={"kl_coef": config.kl_coef})


def sampling(config: Config) -> Sampling:
    """Plain sampling: a truncated distribution would not be the one that is scored."""
    return Sampling(temperature=config.temperature, max_tokens=config.max_tokens)


def update_once(
    state: TrainState,
    update: int,
    pool: list[EncodedPrompt],
    config: Config,
    tools: Tools,
    rollouts: RolloutLog | None = None,
) -> dict[str, float]:
    """One PPO update: sample, score, reward, estimate advantages, take clipped steps.

    Args:
        state: models, optimizers and ``kl_coef``; changed.
        update: its number, counted from 1.
        pool: all prompts.
        config: hyperparameters.
        tools: what samples and what scores.
        rollouts: where to write the responses, if anywhere.

    Returns:
        Metrics of the update; their units are in docs/stages/ppo.md.
    """
    kl_coef = state.scalars["kl_coef"]
    prompts = prompts_of_update(pool, config.rollout_batch_size, update, seed=config.seed)
    random = generator(config.seed, "rollout", update)

    episodes = sample_episodes(tools, prompts, sampling(config), random=random)
    sequences, mask = episodes.sequences, episodes.sequences.response_mask()
    scores = tools.scorer.score(sequences, episodes.finished)
    ref_logprobs = logprobs_of(tools.ref_policy, sequences, tools, config.temperature)
    values = values_of(sequences, tools)

    penalised = missing_eos(scores, episodes.finished, penalty=config.missing_eos_penalty)
    rewards = token_rewards(penalised, episodes.logprobs, ref_logprobs, mask, kl_coef=kl_coef)
    earned = row_sums(rewards, mask)
    if config.advantages.whiten_rewards:
        rewards = whiten(rewards, mask, center=False)
    discounts = {"gamma": config.advantages.gamma, "gae_lambda": config.advantages.gae_lambda}
    advantages, returns = gae(rewards, values, mask, **discounts)
    rollout = Rollout(episodes, mask, values, whiten(advantages, mask), returns)

    metrics = objective(episodes, scores, ref_logprobs, earned) | {"objective/kl_coef": kl_coef}
    metrics |= take_clipped_steps(state, rollout, config, tools, update=update)
    if config.target_kl is not None:
        state.scalars["kl_coef"] = next_kl_coef(
            kl_coef,
            metrics["objective/kl"],
            target_kl=config.target_kl,
            horizon=config.kl_horizon,
            episodes=len(prompts),
        )
    if rollouts is not None:
        rollouts.append(update, episodes, scores, ref_logprobs, tools.tokenizer)
    return metrics


def _speed(values: dict[str, float], config: Config, seconds: float) -> dict[str, float]:
    tokens = values["response/length"] * config.rollout_batch_size
    return {"time/seconds_per_update": seconds, "time/tokens_per_second": tokens / seconds}


def _headline(lines: Sequence[dict[str, float]], config: Config) -> dict[str, float]:
    """Where the policy was at the last rollout, before the last update."""
    last = lines[-1]
    return {
        "updates": config.updates,
        "score_first": lines[0]["objective/score"],
        "score_last": last["objective/score"],
        "kl_last": last["objective/kl"],
        "n": config.rollout_batch_size,
    }
