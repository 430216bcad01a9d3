"""Three memory layouts and two precisions, one algorithm."""

import copy
import shutil
from dataclasses import replace

import pytest
import torch

from accord.config import InputError
from accord.models import adapters, split
from accord.models.ensemble import save_heads
from accord.models.load import load_policy, load_scalar_model, save_model
from accord.models.scalar_head import initialise, normalise
from accord.models.trunk import trunk
from accord.runtime import processor
from accord.runtime.episodes import prompts_of_update
from accord.runtime.generate_copy import RefreshedGenerator
from accord.runtime.train import optimiser_step
from accord.stages import ppo
from accord.stages.ppo.checks import check_invariants
from accord.stages.ppo.joint import joint_losses
from accord.stages.ppo.losses import policy_losses, surrogate, value_losses
from accord.stages.ppo.reading import read
from accord.stages.ppo.rewards import evaluated
from accord.stages.ppo.rollout import logprobs_of, read_prompts, sample_episodes, values_of
from accord.stages.ppo.settings import Config, Inputs, Score
from accord.stages.ppo.tools import load_tools

LAYOUTS = {
    "separate": {"layout": "separate"},
    "shared_trunk": {"layout": "shared_trunk", "lora_rank": 4},
    "hydra": {"layout": "hydra", "frozen_layers": 1},
}
QUICK = {
    "updates": 2,
    "rollout_batch_size": 8,
    "minibatch_size": 4,
    "microbatch_size": 4,
    "max_tokens": 8,
    "temperature": 1.0,
    "learning_rate": 1e-2,
    "value_learning_rate": 2e-2,
}


@pytest.fixture(scope="session")
def judged(models, tmp_path_factory):
    """A preference model that is the policy with an adapter, beside the policy."""
    random = torch.Generator().manual_seed(3)
    judge, tokenizer = load_scalar_model(models / "policy", random=random)
    adapters.add_adapter(judge, "judge", rank=2, alpha=4.0, random=random)
    for weight in adapters.adapter_parameters(judge, "judge"):
        weight.data.copy_(torch.randn(weight.shape, generator=random) * 0.2)
    adapters.merge(judge)
    initialise(judge, random=random)
    normalise(judge, gain=3.0, bias=0.5)
    folder = tmp_path_factory.mktemp("judged")
    save_model(judge, tokenizer, folder)
    return folder


def inputs_of(models, judged, **more):
    return Inputs(
        policy=models / "policy",
        preference_model=judged,
        prompts=models / "prompts-train.jsonl",
        **more,
    )


def config_of(layout, precision="float32", **more):
    return Config(**(QUICK | more), models=LAYOUTS[layout] | {"precision": precision})


def loaded(models, judged, config):
    tools = load_tools(
        inputs_of(models, judged), microbatch_size=config.microbatch_size, models=config.models
    )
    return tools, read_prompts(models / "prompts-train.jsonl", tools, max_tokens=8)


def rollout_of(tools, pool, config):
    prompts = prompts_of_update(pool, 8, 1, seed=0)
    random = torch.Generator().manual_seed(0)
    episodes = sample_episodes(tools, prompts, ppo.sampling(config), random=random)
    return evaluated(episodes, config, tools, kl_coef=config.kl_coef)


def moved(tools):
    """Something for the policy to differ by from the reference."""
    with torch.no_grad():
        for parameter in tools.policy.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)


@pytest.mark.parametrize("layout", ["shared_trunk", "hydra"])
def test_the_reference_is_a_frozen_copy_to_the_bit(models, judged, layout):
    config = config_of(layout)
    tools, pool = loaded(models, judged, config)
    sequences = rollout_of(tools, pool, config).episodes.sequences
    frozen, _ = load_policy(models / "policy")
    wanted = logprobs_of(processor.place(frozen), sequences, tools, 1.0)
    torch.manual_seed(0)
    moved(tools)
    found = read(tools, sequences, temperature=1.0)
    assert torch.equal(found.ref_logprobs, wanted)
    assert float((found.logprobs - wanted).abs().max()) > 1e-2


@pytest.mark.parametrize("layout", ["shared_trunk", "hydra"])
def test_a_shared_reading_is_that_of_separate_models(models, judged, layout):
    config = config_of(layout)
    tools, pool = loaded(models, judged, config)
    torch.manual_seed(1)
    moved(tools)
    sequences = rollout_of(tools, pool, config).episodes.sequences
    found = read(tools, sequences, temperature=0.7)
    torch.testing.assert_close(found.logprobs, logprobs_of(tools.policy, sequences, tools, 0.7))
    torch.testing.assert_close(found.values, values_of(sequences, tools))


def test_preference_scores_come_from_one_trunk(models, judged):
    separate, pool = loaded(models, judged, config_of("separate"))
    shared, _ = loaded(models, judged, config_of("shared_trunk"))
    episodes = rollout_of(separate, pool, config_of("separate")).episodes
    given = episodes.sequences, episodes.finished
    torch.testing.assert_close(shared.scores(*given), separate.scores(*given), atol=1e-4, rtol=1e-4)
    judge = shared.scorers[0].scorer.model
    assert trunk(judge) is trunk(shared.policy) is trunk(shared.value_model)


def test_hydra_shares_its_lower_layers_and_computes_them_once(models, judged, monkeypatch):
    config = config_of("hydra")
    tools, pool = loaded(models, judged, config)
    shared = [
        name
        for (name, one), other in zip(
            tools.policy.named_parameters(), tools.ref_policy.parameters(), strict=True
        )
        if one is other
    ]
    assert any("layers.0" in name for name in shared)
    assert not any("layers.1" in name for name in shared)
    passes, lower_states = [], split.lower_states
    monkeypatch.setattr(
        split,
        "lower_states",
        lambda model, tokens, lengths, **more: (
            passes.append(len(tokens)) or lower_states(model, tokens, lengths, **more)
        ),
    )
    state = ppo.initial_state(tools, config)
    ppo.update_once(state, 1, pool, config, tools)
    assert sum(passes) == config.rollout_batch_size


def test_a_joint_step_has_the_gradient_of_both_losses(models, judged):
    """In the hydra, whose policy has ordinary weights; entropy and value clipping are on."""
    config = config_of("hydra", loss={"entropy_coef": 0.1, "value_coef": 0.3})
    tools, pool = loaded(models, judged, config)
    rollout = rollout_of(tools, pool, config)
    rows, loss = list(range(8)), surrogate(config, penalty_coef=1.0)
    trained = [p for p in tools.policy.parameters() if p.requires_grad]

    def gradient(losses):
        total = sum(one() for one in losses)
        return torch.autograd.grad(total, trained, allow_unused=True)

    scratch = torch.zeros_like(rollout.episodes.logprobs)
    joint = joint_losses(tools, rollout, rows, config, loss=loss, found=scratch, value_sums=[])
    together = gradient(joint)
    of_policy = gradient(
        policy_losses(tools.policy, rollout, rows, config, loss=loss, found=scratch)
    )
    of_values = gradient(value_losses(tools.value_model, rollout, rows, config))
    for one, other, both in zip(of_policy, of_values, together, strict=True):
        wanted = (0 if one is None else one) + 0.3 * (0 if other is None else other)
        torch.testing.assert_close(both, wanted, atol=2e-5, rtol=1e-4)


class LikesEvenTokens:
    """A planted reward, between 0 and 4."""

    def score(self, sequences, finished):
        even = (sequences.response_tokens() % 2 == 0) & sequences.response_mask()
        return even.sum(1) / sequences.response_lengths * 4


@pytest.mark.parametrize(
    ("layout", "precision", "rate", "rise"),
    [
        ("hydra", "bfloat16", 1e-2, 0.6),
        pytest.param("separate", "bfloat16", 1e-2, 0.6, marks=pytest.mark.slow),
        pytest.param("hydra", "float32", 1e-2, 0.6, marks=pytest.mark.slow),
        # adapters can do little with a random trunk
        pytest.param("shared_trunk", "float32", 3e-2, 0.12, marks=pytest.mark.slow),
    ],
)
def test_a_known_reward_is_learnt(models, judged, layout, precision, rate, rise):
    """The share of even token ids."""
    config = config_of(
        layout, precision, updates=12, rollout_batch_size=32, minibatch_size=16,
        kl_coef=0.05, missing_eos_penalty=0.0, ppo_epochs=2, learning_rate=rate,
    )  # fmt: skip
    tools, pool = loaded(models, judged, config)
    tools = replace(tools, scorers=(LikesEvenTokens(),))
    state = ppo.initial_state(tools, config)
    scores = [
        ppo.update_once(state, update, pool, config, tools)["objective/score"]
        for update in range(1, 13)
    ]
    assert sum(scores[-3:]) / 3 > rise + sum(scores[:3]) / 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_microbatches_change_nothing(models, judged, layout):
    found = []
    for size in (8, 3):
        config = config_of(layout, microbatch_size=size)
        tools, pool = loaded(models, judged, config)
        ppo.update_once(ppo.initial_state(tools, config), 1, pool, config, tools)
        found.append(adapters.plain_weights(tools.policy))
    for name, weight in found[0].items():
        torch.testing.assert_close(weight, found[1][name], atol=3e-4, rtol=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_invariants_hold_in_every_layout(models, judged, layout, precision):
    config = config_of(layout, precision)
    tools, pool = loaded(models, judged, config)
    assert check_invariants(tools, pool, ppo.sampling(config), starts_at_reference=True)


def test_bfloat16_says_how_far_the_sampler_is(models, judged):
    config = config_of("separate", "bfloat16")
    tools, pool = loaded(models, judged, config)
    metrics = ppo.update_once(ppo.initial_state(tools, config), 1, pool, config, tools)
    assert 0 < metrics["policy/sampler_gap"] < 0.1
    exact = config_of("separate")
    tools, pool = loaded(models, judged, exact)
    metrics = ppo.update_once(ppo.initial_state(tools, exact), 1, pool, exact, tools)
    assert "policy/sampler_gap" not in metrics


def test_the_sampler_in_bfloat16_turns_positions_by_exact_angles(models):
    policy, tokenizer = load_policy(models / "policy")
    copied = RefreshedGenerator(policy, tokenizer, dtype=torch.bfloat16)._copy
    assert {parameter.dtype for parameter in copied.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in policy.parameters()} == {torch.float32}
    angles = policy.model.rotary_emb.inv_freq
    assert not torch.equal(angles.bfloat16().float(), angles)
    assert torch.equal(copied.model.rotary_emb.inv_freq, angles)


@pytest.mark.parametrize("layout", ["shared_trunk", "hydra"])
def test_what_is_saved_is_the_policy_and_only_what_learns_changed(models, judged, tmp_path, layout):
    ppo.run(config_of(layout), inputs_of(models, judged), tmp_path)
    saved, _ = load_policy(tmp_path / "output")
    before, _ = load_policy(models / "policy")
    changed = {
        name
        for (name, new), old in zip(saved.named_parameters(), before.parameters(), strict=True)
        if not torch.equal(new, old)
    }
    assert changed
    if layout == "hydra":
        trained = ("model.layers.1.", "model.norm.", "lm_head.")
        assert all(name.startswith(trained) for name in changed)
    else:
        assert all(name.endswith("proj.weight") for name in changed)


def test_the_value_head_alone_learns_at_first(models, judged):
    config = config_of("hydra", optimizer={"critic_warmup": 1, "warmup": 0.0})
    tools, pool = loaded(models, judged, config)
    before = copy.deepcopy(adapters.plain_weights(tools.policy))
    head = next(iter(tools.value_model.score.parameters())).clone()
    state = ppo.initial_state(tools, config)
    metrics = ppo.update_once(state, 1, pool, config, tools)
    assert metrics["policy/steps"] == 0
    assert metrics.keys().isdisjoint({"policy/loss", "policy/grad_norm", "policy/ratio_max"})
    assert {"value/loss", "value/grad_norm"} <= metrics.keys()
    assert all(torch.equal(w, before[n]) for n, w in adapters.plain_weights(tools.policy).items())
    assert not torch.equal(next(iter(tools.value_model.score.parameters())), head)
    ppo.update_once(state, 2, pool, config, tools)
    assert any(
        not torch.equal(w, before[n]) for n, w in adapters.plain_weights(tools.policy).items()
    )


def test_an_update_that_went_too_far_ends(models, judged):
    config = config_of("shared_trunk", ppo_epochs=3, loss={"max_update_kl": 1e-9})
    tools, pool = loaded(models, judged, config)
    state = ppo.initial_state(tools, config)
    ppo.update_once(state, 1, pool, config, tools)
    assert ppo.update_once(state, 2, pool, config, tools)["policy/steps"] < 6


def test_the_value_head_has_a_rate_of_its_own(models, judged):
    config = config_of("hydra")
    tools, _ = loaded(models, judged, config)
    optimizer = ppo.initial_state(tools, config).optimizers["policy"]
    optimiser_step(
        optimizer,
        [sum(p.sum() for group in optimizer.param_groups for p in group["params"])],
        count=1,
        learning_rate=1e-3,
        max_grad_norm=1.0,
    )
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3, 1e-3, 2e-3]


@pytest.fixture(scope="module")
def after_one_update(models, judged):
    """Weights after one update, by settings of ``models`` and ``loss``."""

    def weights(of_models, **more):
        config = Config(**(QUICK | more), models=of_models)
        tools, pool = loaded(models, judged, config)
        ppo.update_once(ppo.initial_state(tools, config), 1, pool, config, tools)
        return torch.cat([w.flatten() for w in adapters.plain_weights(tools.policy).values()])

    return weights


@pytest.mark.parametrize(
    ("layout", "settings", "more"),
    [
        ("shared_trunk", {"lora_rank": 5}, {}),
        ("shared_trunk", {"lora_alpha": 32.0}, {}),
        ("shared_trunk", {"value_from": "policy"}, {}),
        ("shared_trunk", {}, {"loss": {"value_coef": 0.9}}),
        ("hydra", {"precision": "bfloat16"}, {}),
        ("separate", {"precision": "bfloat16"}, {}),
    ],
)
def test_every_setting_changes_something(after_one_update, layout, settings, more):
    plain = after_one_update(LAYOUTS[layout])
    assert not torch.equal(plain, after_one_update(LAYOUTS[layout] | settings, **more))


@pytest.mark.parametrize(
    ("settings", "more", "message"),
    [
        ({"layout": "shared_trunk"}, {"preference_model": "pm"}, None),
        ({"layout": "shared_trunk", "lora_rank": 1}, {}, "more than an adapter of rank 1"),
        ({"layout": "shared_trunk"}, {"reference": "policy/../policy"}, "reference is the policy"),
        ({"layout": "hydra", "frozen_layers": 2}, {}, "leaves none of 2 layers"),
    ],
)
def test_layouts_that_do_not_fit(models, judged, settings, more, message):
    inputs = inputs_of(models, judged)
    inputs = inputs.model_copy(update={name: models / path for name, path in more.items()})
    config = Config(**QUICK, models=settings)
    if message is None:  # equal trunks: an adapter of nothing
        load_tools(inputs, microbatch_size=4, models=config.models)
        return
    with pytest.raises(InputError, match=message):
        load_tools(inputs, microbatch_size=4, models=config.models)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_head_of_an_ensemble_is_asked(models, judged, tmp_path, layout):
    folder = tmp_path / "ensemble"
    shutil.copytree(judged, folder)
    judge, _ = load_scalar_model(folder)
    own = judge.score.weight.detach()
    apart = torch.tensor([[1.0], [0.5], [1.5]])
    save_heads(apart * own, folder)  # their mean is the head of the model
    plain_tools, pool = loaded(models, judged, config_of(layout))
    tools, _ = loaded(models, folder, config_of(layout))
    random = torch.Generator().manual_seed(0)
    prompts = prompts_of_update(pool, 8, 1, seed=0)
    episodes = sample_episodes(plain_tools, prompts, ppo.sampling(config_of(layout)), random=random)
    given = episodes.sequences, episodes.finished
    found, alone = tools.scores(*given), plain_tools.scores(*given)
    assert found.shape == (3, 8)
    torch.testing.assert_close(found.mean(0), alone[0], atol=1e-4, rtol=1e-4)
    bias = float(judge.config.score_bias)
    torch.testing.assert_close(found - bias, apart * (alone - bias), atol=1e-3, rtol=1e-3)
    score = {"combine": "worst"}
    config = config_of(layout).model_copy(update={"score": Score(**score)})
    rollout = evaluated(episodes, config, tools, kl_coef=0.1)
    torch.testing.assert_close(rollout.scores, found.min(0).values, atol=1e-5, rtol=1e-5)
