"""RLOO, GRPO and REINFORCE learn what they are paid for, and go on where they were stopped."""

import json
import math
from dataclasses import replace

import pytest
import torch

from accord.config import InputError, build
from accord.functional.kl import k2
from accord.functional.ppo import clipped_policy_loss
from accord.runtime import policy_gradient
from accord.runtime.artifacts import run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import grpo, reinforce, rloo

STAGES = {"rloo": rloo, "grpo": grpo, "reinforce": reinforce}
SMALL = {"updates": 2, "prompts_per_update": 4, "microbatch_size": 3, "max_tokens": 6}
GROUPED = {"responses_per_prompt": 2}

every_stage = pytest.mark.parametrize("kind", list(STAGES))


def settings_of(kind, **settings):
    return SMALL | ({} if kind == "reinforce" else GROUPED) | {"learning_rate": 5e-3} | settings


def run(kind, models, out, **settings):
    stage = STAGES[kind]
    config = build(stage.Config, settings_of(kind, **settings), where=f"[{kind}]")
    given = {"policy": models / "policy", "preference_model": models / "pm", "prompts": models}
    run_stage(stage.run, config, stage.Inputs(**given), out)
    return read_metrics(out)


class LikesEvenTokens:
    """A planted reward: the share of even token ids in a response, times a factor."""

    def __init__(self, factor):
        self.factor = factor

    def score(self, sequences, finished):
        even = (sequences.response_tokens() % 2 == 0) & sequences.response_mask()
        return even.sum(1) / sequences.response_lengths * self.factor


@pytest.fixture
def planted(monkeypatch):
    """Let the stages be judged by a rule."""

    def plant(factor):
        whole = policy_gradient.load_tools

        def load(sources, *, microbatch_size):
            tools = whole(sources, microbatch_size=microbatch_size)
            return replace(tools, scorer=LikesEvenTokens(factor))

        monkeypatch.setattr(policy_gradient, "load_tools", load)

    return plant


LEARNS = {
    "updates": 12,
    "prompts_per_update": 12,
    "microbatch_size": 64,
    "max_tokens": 5,
    "learning_rate": 1e-2,
    "missing_eos_penalty": 0.0,
    "kl_coef": 0.2,
}


def learns(kind):
    if kind == "reinforce":
        return LEARNS | {"prompts_per_update": 48}
    return LEARNS | {"responses_per_prompt": 4}


# Ziegler et al. once flipped the sign of reward and KL: the punishment would catch that.
@pytest.mark.parametrize(
    ("kind", "factor"), [("rloo", 4.0), ("grpo", 4.0), ("reinforce", 4.0), ("rloo", -4.0)]
)
def test_a_planted_reward_is_followed_and_a_punishment_avoided(
    kind, factor, models, planted, tmp_path
):
    planted(factor)
    scores = [line["objective/score"] for line in run(kind, models, tmp_path / "o", **learns(kind))]
    assert 1 < abs(scores[0]) < 3
    assert sum(scores[-3:]) / 3 > scores[0] + 0.4


@every_stage
def test_the_first_update_starts_where_the_policy_is(kind, models, tmp_path):
    first = run(kind, models, tmp_path / "out")[0]
    assert abs(first["objective/kl"]) < 1e-4
    assert first["policy/ratio_max"] == pytest.approx(1, abs=1e-4)
    assert first["policy/approx_kl"] < 1e-6
    assert 0 < first["policy/entropy"] < math.log(280)
    done = json.loads((tmp_path / "out/DONE.json").read_text())["headline"]
    assert done["score_first"] == first["objective/score"]
    assert done["n"] == (4 if kind == "reinforce" else 8)


@every_stage
def test_the_tax_is_in_the_reward_unless_it_is_in_the_loss(kind, models, tmp_path):
    for line in run(kind, models, tmp_path / "out", kl_coef=0.5, missing_eos_penalty=2.0):
        penalty = 2 * (1 - line["response/finished"])
        tax = 0.0 if kind == "grpo" else 0.5 * line["objective/kl"]
        expected = line["objective/score"] - tax - penalty
        assert line["objective/reward"] == pytest.approx(expected, abs=1e-4)


@every_stage
def test_rollouts_hold_every_response(kind, models, tmp_path):
    run(kind, models, tmp_path / "out")
    lines = [json.loads(x) for x in (tmp_path / "out/rollouts.jsonl").read_text().splitlines()]
    each = 4 if kind == "reinforce" else 8
    assert [line["update"] for line in lines] == [1] * each + [2] * each
    if kind != "reinforce":  # the responses to one prompt stand beside each other
        ids = [line["prompt_id"] for line in lines]
        assert ids[::2] == ids[1::2]


@every_stage
def test_killed_and_resumed_is_the_same_to_the_byte(kind, models, tmp_path, monkeypatch):
    straight = run(kind, models, tmp_path / "straight", updates=4)
    monkeypatch.setattr(policy_gradient, "CHECKPOINT_EVERY", 2)
    whole = policy_gradient.update_once

    def killed(state, update, *rest):
        found = whole(state, update, *rest)
        if update == 4:
            raise KeyboardInterrupt  # its rollout is already on the disk
        return found

    monkeypatch.setattr(policy_gradient, "update_once", killed)
    with pytest.raises(KeyboardInterrupt):
        run(kind, models, tmp_path / "killed", updates=4)
    monkeypatch.setattr(policy_gradient, "update_once", whole)
    assert run(kind, models, tmp_path / "killed", updates=4) == straight
    digests = [
        json.loads((tmp_path / name / "DONE.json").read_text())["digest"]
        for name in ("straight", "killed")
    ]
    assert digests[0] == digests[1]
    rollouts = [
        (tmp_path / name / "rollouts.jsonl").read_bytes() for name in ("straight", "killed")
    ]
    assert rollouts[0] == rollouts[1]


@every_stage
def test_the_microbatch_changes_memory_only(kind, models, tmp_path):
    plain = run(kind, models, tmp_path / "plain")
    other = run(kind, models, tmp_path / "other", microbatch_size=1)
    for a, b in zip(plain, other, strict=True):
        assert a == pytest.approx(b, rel=2e-3, abs=1e-4)


COMMON = [
    {"seed": 1},
    {"updates": 3},
    {"prompts_per_update": 3},
    {"learning_rate": 1e-4},
    {"max_grad_norm": 1e-3},
    {"kl_coef": 3.0},
    {"missing_eos_penalty": 0.0},
    {"temperature": 0.7},
    {"max_tokens": 5},
]
OWN = {
    "rloo": [{"responses_per_prompt": 3}],
    "grpo": [
        {"responses_per_prompt": 3},
        {"minibatch_size": 4},
        {"epochs": 2},
        {"clip_range": 1e-3},
        {"std_eps": 10.0},
    ],
    "reinforce": [{"baseline_decay": 0.0}],
}
CHANGES = [(kind, change) for kind in STAGES for change in [*COMMON, *OWN[kind]]]


@pytest.fixture(scope="module")
def plain(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return {kind: run(kind, models, folder / kind, **often(kind)) for kind in STAGES}


def often(kind):
    """Enough steps for every setting to matter: a clip needs a second, a baseline a third."""
    return {"updates": 4} if kind == "reinforce" else {"epochs": 3} if kind == "grpo" else {}


@pytest.mark.parametrize(("kind", "change"), CHANGES, ids=str)
def test_every_setting_changes_something(kind, change, models, plain, tmp_path):
    assert run(kind, models, tmp_path / "out", **(often(kind) | change)) != plain[kind]


@every_stage
def test_no_setting_is_forgotten(kind):
    named = {name for change in [*COMMON, *OWN[kind]] for name in change}
    assert named | {"microbatch_size"} == set(STAGES[kind].Config.model_fields)


def test_the_loss_of_grpo_is_the_surrogate_and_k2(models, tmp_path, monkeypatch):
    """Trap 12: a k3 in the loss would pull towards KL(reference ‖ policy)."""
    seen = []
    whole = policy_gradient.Rollout.tokens

    def tokens(self, rows, logprobs):
        found = whole(self, rows, logprobs)
        seen.append(found)
        return found

    monkeypatch.setattr(policy_gradient.Rollout, "tokens", tokens)
    settings = {"updates": 1, "kl_coef": 0.3, "minibatch_size": 4, "epochs": 2}
    (line,) = run("grpo", models, tmp_path / "out", **settings)
    losses, counts = [], []
    for found in seen:
        surrogate = clipped_policy_loss(
            found.logprobs, found.old_logprobs, found.advantages, found.mask, clip_range=0.2
        )
        tax = 0.3 * k2(found.logprobs - found.ref_logprobs)
        losses.append(float((surrogate + tax)[found.mask].sum().detach()))
        counts.append(int(found.mask.sum()))
    # two minibatches in each of two epochs, two microbatches each
    steps = [sum(losses[i : i + 2]) / sum(counts[i : i + 2]) for i in range(0, len(losses), 2)]
    assert len(steps) == line["policy/steps"] == 4
    assert line["policy/loss"] == pytest.approx(sum(steps) / 4, abs=1e-5)


def test_k2_has_the_gradient_of_the_kl_and_k3_that_of_the_other_kl():
    logits = torch.tensor([0.4, -1.0, 0.3], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    probs = logits.softmax(0)

    def gradient(value):
        return torch.autograd.grad(value, logits, retain_graph=True)[0]

    forward = gradient((probs * (probs / ref).log()).sum())
    backward = gradient((ref * (ref / probs).log()).sum())
    logratio = logits.log_softmax(0) - ref.log()
    weights = probs.detach()  # samples come from the policy, and carry no gradient
    third = torch.expm1(-logratio) + logratio
    torch.testing.assert_close(gradient((weights * k2(logratio)).sum()), forward)
    torch.testing.assert_close(gradient((weights * third).sum()), backward)
    assert (forward - backward).abs().max() > 0.01


def test_the_baseline_is_of_earlier_updates(models, tmp_path, monkeypatch):
    seen = []
    whole = policy_gradient.Rollout.tokens

    def tokens(self, rows, logprobs):
        seen.append(self.advantages)
        return whole(self, rows, logprobs)

    monkeypatch.setattr(policy_gradient.Rollout, "tokens", tokens)
    lines = run("reinforce", models, tmp_path / "out", updates=3, baseline_decay=0.25)
    found = [float(advantages.mean()) for advantages in seen[::2]]  # two microbatches an update
    first, second, third = (line["objective/reward"] for line in lines)
    baselines = [first, first, 0.25 * first + 0.75 * second]
    expected = [r - b for r, b in zip((first, second, third), baselines, strict=True)]
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_policy_that_samples_otherwise_than_it_trains_is_stopped(
    models, planted, tmp_path, monkeypatch
):
    """Trap 7: dropout, another precision or a stale copy would show here."""
    whole = policy_gradient.sample_episodes

    def stale(*args, **named):
        episodes = whole(*args, **named)
        return replace(episodes, logprobs=episodes.logprobs * 1.1)

    monkeypatch.setattr(policy_gradient, "sample_episodes", stale)
    with pytest.raises(InputError, match="`ratio is 1` does not hold"):
        run("rloo", models, tmp_path / "out")


def test_models_of_two_tokenizers_are_refused(models, tiny_models, tmp_path):
    config = build(rloo.Config, settings_of("rloo"), where="[rloo]")
    inputs = rloo.Inputs(
        policy=models / "policy",
        preference_model=models / "pm",
        prompts=models,
        reference=tiny_models["llama"],
    )
    with pytest.raises(InputError, match="have different tokenizers"):
        run_stage(rloo.run, config, inputs, tmp_path / "out")
