"""Proximal policy optimisation against a preference model, with a KL penalty.

policy, preference_model, prompts  ->  policy            docs/stages/ppo.md
Follows Ziegler et al. 2019 (arXiv:1909.08593) and Ouyang et al. 2022 (arXiv:2203.02155); how it
differs is numbered in docs/stages/ppo.md.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from accord.functional.kl import next_kl_coef
from accord.models.adapters import plain
from accord.models.load import eos_id, save_model
from accord.records import Sampling
from accord.runtime import artifacts
from accord.runtime.averaging import AveragedWeights
from accord.runtime.checkpoints import TrainState
from accord.runtime.dashboard import Dashboard
from accord.runtime.episodes import EncodedPrompt, prompts_of_update
from accord.runtime.metrics import MetricsLog, read_metrics
from accord.runtime.processor import prepare_processor
from accord.runtime.seeding import generator
from accord.runtime.steps import steps_left
from accord.runtime.train import adam
from accord.stages.ppo.checks import check_invariants
from accord.stages.ppo.guards import check_rollout
from accord.stages.ppo.joint import joint_state, take_joint_steps
from accord.stages.ppo.logs import Logs
from accord.stages.ppo.pretraining import Texts, read_texts
from accord.stages.ppo.rewards import evaluated, measured
from accord.stages.ppo.rollout import (
    read_prompts,
    sample_episodes,
)
from accord.stages.ppo.settings import Config, Inputs
from accord.stages.ppo.tools import Tools, load_tools
from accord.stages.ppo.update import take_steps

CHECKPOINT_EVERY = 5  # updates: the most work that a crash undoes
SHOWN = {  # on a terminal, while it learns
    "objective/score": "score",
    "objective/reward": "reward",
    "objective/kl": "KL, nats",
    "objective/kl_coef": "kl_coef",
    "policy/entropy": "entropy",
    "response/length": "tokens each",
    "response/finished": "ended",
    "time/tokens_per_second": "tokens a second",
}


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Improve the policy for ``config.updates`` updates; go on where a checkpoint left off."""
    prepare_processor()
    tools = load_tools(inputs, microbatch_size=config.microbatch_size, models=config.models)
    pool = read_prompts(inputs.prompts, tools, max_tokens=config.max_tokens)
    texts = read_texts(config, inputs, tools)
    alike = inputs.reference in (None, inputs.policy)
    checks = check_invariants(tools, pool, sampling(config), starts_at_reference=alike)
    artifacts.write_json(out / "checks.json", checks)

    state = initial_state(tools, config)
    log, logs, dashboard = MetricsLog(out), Logs(out), Dashboard(SHOWN)
    for step in steps_left(
        state,
        out,
        total=config.updates,
        checkpoint_every=CHECKPOINT_EVERY,
        description="ppo",
        dashboard=dashboard,
    ):
        began = time.monotonic()
        values = update_once(state, step + 1, pool, config, tools, texts=texts, logs=logs)
        speed = _speed(values, config, time.monotonic() - began)
        log.log(step + 1, values)
        log.log_time(step + 1, speed)
        dashboard.show(values | speed)
    _save(state, tools, out / "output")
    artifacts.write_headline(out, _headline(read_metrics(out), config))


def initial_state(tools: Tools, config: Config) -> TrainState:
    """What changes from update to update, before the first."""
    if tools.layout != "separate":
        return joint_state(tools, config)
    models = {"policy": tools.policy, "value": tools.value_model}
    rates = {"policy": config.learning_rate, "value": config.value_learning_rate}
    betas = (config.optimizer.beta1, config.optimizer.beta2)
    optimizers = {
        name: adam(
            model.parameters(), learning_rate=rates[name], betas=betas, eps=config.optimizer.eps
        )
        for name, model in models.items()
    }
    scalars = {"kl_coef": config.kl_coef, "penalty_coef": config.loss.penalty_coef}
    state = TrainState(dict(models), optimizers, scalars=scalars)
    if config.optimizer.ema_decay is not None:
        state.models["average"] = AveragedWeights(tools.policy)
    return state


def sampling(config: Config) -> Sampling:
    """Plain sampling: a truncated distribution would not be the one that is scored."""
    return Sampling(temperature=config.temperature, max_tokens=config.max_tokens)


def update_once(
    state: TrainState,
    update: int,
    pool: list[EncodedPrompt],
    config: Config,
    tools: Tools,
    *,
    texts: Texts | None = None,
    logs: Logs | None = None,
) -> dict[str, float]:
    """One PPO update: sample, score, reward, estimate advantages, take steps.

    Args:
        state: models, optimizers and coefficients; changed.
        update: its number, counted from 1.
        pool: all prompts.
        config: hyperparameters.
        tools: what samples and what scores.
        texts: documents for PPO-ptx, if it is wanted.
        logs: where to write the responses, if anywhere.

    Returns:
        Metrics of the update; their units are in docs/stages/ppo.md.

    Raises:
        InputError: an invariant of ``guards`` does not hold; names it.
    """
    kl_coef = state.scalars["kl_coef"]
    prompts = prompts_of_update(pool, config.rollout_batch_size, update, seed=config.seed)
    random = generator(config.seed, "rollout", update)

    episodes = sample_episodes(tools, prompts, sampling(config), random=random)
    rollout = evaluated(episodes, config, tools, kl_coef=kl_coef)
    check_rollout(rollout, kl_coef=kl_coef, eos_id=eos_id(tools.tokenizer), update=update)
    metrics = measured(rollout, tools.tokenizer) | {"objective/kl_coef": kl_coef}
    steps = take_steps if tools.layout == "separate" else take_joint_steps
    metrics |= steps(state, rollout, config, tools, update=update, texts=texts)

    average = state.models.get("average")
    if isinstance(average, AveragedWeights) and config.optimizer.ema_decay is not None:
        average.add(tools.policy, decay=config.optimizer.ema_decay)
    if config.kl_control.target is not None:
        state.scalars["kl_coef"] = next_kl_coef(
            kl_coef,
            metrics["objective/kl"],
            target_kl=config.kl_control.target,
            horizon=config.kl_control.horizon,
            episodes=len(prompts),
        )
    if logs is not None:
        logs.write(update, rollout, tools.tokenizer)
    return metrics


def _save(state: TrainState, tools: Tools, directory: Path) -> None:
    """The policy as it is, or the average of its weights where there is one."""
    average = state.models.get("average")
    if isinstance(average, AveragedWeights):
        with average.in_place_of(tools.policy):
            save_model(plain(tools.policy), tools.tokenizer, directory)
    else:
        save_model(plain(tools.policy), tools.tokenizer, directory)


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
