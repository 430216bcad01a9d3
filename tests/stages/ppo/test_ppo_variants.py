"""What PPO can do besides the clip: each variant is what its formula says, and all go together."""

import json
from dataclasses import replace

import pytest
import torch

from accord.config import InputError, build
from accord.data.collate import build as build_sequences
from accord.functional.ensembles import mean_minus_std
from accord.models import policy
from accord.models.load import load_policy
from accord.runtime.artifacts import digest, run_stage
from accord.runtime.metrics import read_metrics
from accord.runtime.seeding import generator
from accord.runtime.train import optimiser_step
from accord.stages import ppo
from accord.stages.ppo.losses import document_losses, policy_losses, surrogate
from accord.stages.ppo.pretraining import read_texts
from accord.stages.ppo.rewards import evaluated
from accord.stages.ppo.tools import load_tools

SMALL = {
    "updates": 3,
    "rollout_batch_size": 8,
    "minibatch_size": 4,
    "microbatch_size": 2,
    "max_tokens": 6,
    "learning_rate": 5e-3,
}


def inputs_of(models, **others):
    given = {"policy": models / "policy", "preference_model": models / "pm", "prompts": models}
    return ppo.Inputs(**(given | others))


def several(models):
    return inputs_of(models, more_preference_models=[models / "pm-2", models / "pm-3"])


def run(models, out, inputs=None, /, **settings):
    config = build(ppo.Config, SMALL | settings, where="[ppo]")
    run_stage(ppo.run, config, inputs or inputs_of(models), out)
    return read_metrics(out)


def rollout_of(models, config, tools):
    pool = ppo.read_prompts(models, tools, max_tokens=config.max_tokens)[:4]
    episodes = ppo.sample_episodes(tools, pool, ppo.sampling(config), random=generator(0, "test"))
    return evaluated(episodes, config, tools, kl_coef=config.kl_coef)


# PPO with a penalty


def test_a_high_penalty_holds_the_new_policy_near_the_old(models, tmp_path):
    far = {"learning_rate": 2e-2, "ppo_epochs": 4, "updates": 2}
    kl = {}
    for coef in (0.01, 30.0):
        loss = {"surrogate": "penalty", "penalty_coef": coef}
        lines = run(models, tmp_path / str(coef), loss=loss, **far)
        kl[coef] = lines[0]["policy/approx_kl"]
    assert kl[30.0] < kl[0.01] / 2


@pytest.mark.parametrize(("target", "factor"), [(1e-9, 2), (1e9, 0.5)])
def test_the_penalty_doubles_where_updates_go_too_far_and_halves_where_they_do_not(
    models, tmp_path, target, factor
):
    loss = {"surrogate": "penalty", "penalty_coef": 1.0, "penalty_target": target}
    lines = run(models, tmp_path / "out", loss=loss)
    assert [line["policy/penalty_coef"] for line in lines] == [1, factor, factor**2]
    assert all(line["policy/update_kl"] > 1e-9 for line in lines)


def test_nothing_holds_the_plain_surrogate(models, tmp_path):
    far = {"learning_rate": 2e-2, "ppo_epochs": 6, "updates": 1}
    (plain,) = run(models, tmp_path / "plain", loss={"surrogate": "plain"}, **far)
    (clip,) = run(models, tmp_path / "clip", loss={"clip_range": 0.05}, **far)
    assert plain["policy/approx_kl"] > clip["policy/approx_kl"]


# KL early stop


def test_no_step_is_taken_beyond_the_bound(models):
    """The weights after a vetoed step are those before it."""
    config = build(ppo.Config, SMALL | {"loss": {"max_update_kl": 1e-12}}, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=2)
    state = ppo.initial_state(tools, config)
    rollout = rollout_of(models, config, tools)
    ppo.take_steps(state, rollout, config, tools, update=1)
    after_one = [p.detach().clone() for p in tools.policy.parameters()]
    once = build(ppo.Config, SMALL | {"minibatch_size": 4, "ppo_epochs": 1}, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=2)
    state = ppo.initial_state(tools, once)
    ppo.take_steps(state, rollout, once, tools, update=1)
    for a, b in zip(after_one, tools.policy.parameters(), strict=True):
        assert torch.equal(a, b)


# PPO-ptx


def gradients(model, losses, count):
    """The gradient of a step of size 1 of plain descent, not clipped."""
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    optimiser_step(optimizer, losses, count=count, learning_rate=1.0, max_grad_norm=float("inf"))
    found = [b - p.detach() for b, p in zip(before, model.parameters(), strict=True)]
    with torch.no_grad():
        for p, b in zip(model.parameters(), before, strict=True):
            p.copy_(b)
    return found


def test_the_gradient_of_ppo_ptx_is_that_of_both_terms_added(models):
    coef = 3.0
    config = build(ppo.Config, SMALL | {"pretraining": {"coef": coef}}, where="[ppo]")
    inputs = inputs_of(models, documents=models)
    tools = load_tools(inputs, microbatch_size=2)
    rollout, rows = rollout_of(models, config, tools), [0, 1, 2, 3]
    documents = read_texts(config, inputs, tools).draw(5, random=generator(0, "documents"))
    count, loss = int(rollout.mask.sum()), surrogate(config, penalty_coef=1.0)
    found = torch.zeros_like(rollout.episodes.logprobs)

    def of_policy():
        return policy_losses(tools.policy, rollout, rows, config, loss=loss, found=found)

    def of_documents():
        return document_losses(tools.policy, documents, config, count=count, found=[])

    both = gradients(tools.policy, [*of_policy(), *of_documents()], count)
    alone = gradients(tools.policy, [*of_policy()], count)
    # the mean next-token loss, by transformers' own cross-entropy over whole rows
    total, tokens = 0.0, 0
    for row in range(len(documents)):
        length = int(documents.lengths()[row])
        ids = documents.tokens[row : row + 1, :length]
        total = total + tools.policy(input_ids=ids, labels=ids).loss * (length - 1)
        tokens += length - 1
    tools.policy.zero_grad()
    (coef * total / tokens).backward()
    for sum_of_both, one, parameter in zip(both, alone, tools.policy.parameters(), strict=True):
        torch.testing.assert_close(sum_of_both, one + parameter.grad, atol=2e-5, rtol=1e-3)


def test_documents_are_not_unlearnt(models, tmp_path):
    inputs = inputs_of(models, documents=models)
    settings = {"updates": 6, "pretraining": {"coef": 5.0, "documents_per_response": 2}}
    run(models, tmp_path / "ptx", inputs, **settings)
    run(models, tmp_path / "plain", updates=6)
    losses = [document_loss(models, tmp_path / name / "output") for name in ("ptx", "plain")]
    assert losses[0] < losses[1] - 0.2
    first, *_, last = read_metrics(tmp_path / "ptx")
    assert last["pretraining/loss"] < first["pretraining/loss"] - 0.2


def document_loss(models, folder):
    model, tokenizer = load_policy(folder)
    texts = [json.loads(x)["text"] for x in (models / "pretraining.jsonl").read_text().splitlines()]
    rows = [tokenizer(text)["input_ids"] for text in texts]
    batch = build_sequences([r[:1] for r in rows], [r[1:] for r in rows], 0)
    with torch.no_grad():
        logprobs = policy.logprobs(
            model, batch.tokens, batch.prompt_lengths, batch.response_lengths
        )
    return -float(logprobs.sum() / batch.response_lengths.sum())


@pytest.mark.parametrize("given", ["coef", "documents"])
def test_documents_and_their_coefficient_come_together(models, tmp_path, given):
    settings = {"pretraining": {"coef": 1.0}} if given == "coef" else {}
    inputs = inputs_of(models) if given == "coef" else inputs_of(models, documents=models)
    with pytest.raises(InputError, match="give both for PPO-ptx, or neither"):
        run(models, tmp_path / "out", inputs, **settings)
    assert not (tmp_path / "out/config.json").exists()


# Averages


def test_the_output_is_the_average_of_the_weights_of_all_updates(models, tmp_path):
    """a_n = d^n a_0 + (1 − d) Σ d^(n−i) x_i, with what each update left as x_i."""
    decay = 0.6
    config = build(ppo.Config, SMALL | {"optimizer": {"ema_decay": decay}}, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=2)
    pool = ppo.read_prompts(models, tools, max_tokens=6)
    state = ppo.initial_state(tools, config)
    weights = [[p.detach().double() for p in tools.policy.parameters()]]
    weights[0] = [p.clone() for p in weights[0]]
    for update in (1, 2, 3):
        ppo.update_once(state, update, pool, config, tools)
        weights.append([p.detach().double().clone() for p in tools.policy.parameters()])
    expected = [
        decay**3 * a + (1 - decay) * (decay**2 * x1 + decay * x2 + x3)
        for a, x1, x2, x3 in zip(*weights, strict=True)
    ]
    run(models, tmp_path / "out", optimizer={"ema_decay": decay})
    saved, _ = load_policy(tmp_path / "out/output")
    for found, wanted in zip(saved.parameters(), expected, strict=True):
        torch.testing.assert_close(found.detach().double(), wanted, atol=1e-6, rtol=1e-5)
    for now, last in zip(tools.policy.parameters(), weights[3], strict=True):
        assert torch.equal(now.double(), last)  # the policy itself does not follow its average


# The critic


def test_the_critic_learns_alone_at_first(models):
    config = build(ppo.Config, SMALL | {"optimizer": {"critic_warmup": 1}}, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=2)
    pool = ppo.read_prompts(models, tools, max_tokens=6)
    state = ppo.initial_state(tools, config)

    def weights(model):
        return [p.detach().clone() for p in model.parameters()]

    policies, critics = [weights(tools.policy)], [weights(tools.value_model)]
    found = []
    for update in (1, 2):
        found.append(ppo.update_once(state, update, pool, config, tools))
        policies.append(weights(tools.policy))
        critics.append(weights(tools.value_model))

    def same(a, b):
        return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))

    assert same(policies[0], policies[1])
    assert not same(policies[1], policies[2])
    assert not same(critics[0], critics[1])
    assert [one["policy/steps"] for one in found] == [0, 4]


def test_a_value_model_from_the_policy_says_0_at_first(models):
    config = build(ppo.Config, SMALL | {"models": {"value_from": "policy"}}, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=2, models=config.models)
    assert float(rollout_of(models, config, tools).values.abs().max()) == 0
    trunk = tools.value_model.base_model.state_dict()
    for name, weight in tools.policy.base_model.state_dict().items():
        assert torch.equal(trunk[name], weight)
    plain = load_tools(inputs_of(models), microbatch_size=2)
    assert float(rollout_of(models, config, plain).values.abs().max()) > 0.1


# Several preference models


def test_every_way_to_combine_scores_is_what_it_says(models):
    tools = load_tools(several(models), microbatch_size=2)
    ways = {
        "mean": lambda s: s.mean(0),
        "worst": lambda s: s.min(0).values,
        "mean_minus_std": lambda s: mean_minus_std(s, std_coef=0.5),
    }
    for name, expected in ways.items():
        config = build(
            ppo.Config, SMALL | {"score": {"combine": name, "std_coef": 0.5}}, where="[ppo]"
        )
        rollout = rollout_of(models, config, tools)
        alone = [
            replace(tools, scorers=(s,)).scores(
                rollout.episodes.sequences, rollout.episodes.finished
            )[0]
            for s in tools.scorers
        ]
        assert torch.equal(rollout.member_scores, torch.stack(alone))
        torch.testing.assert_close(rollout.scores, expected(torch.stack(alone)))
    assert float((alone[0] - alone[1]).abs().max()) > 0.1


def test_the_spread_of_several_is_logged_and_that_of_one_is_0(models, tmp_path):
    assert run(models, tmp_path / "several", several(models))[0]["objective/score_spread"] > 0.1
    assert run(models, tmp_path / "one")[0]["objective/score_spread"] == 0


# All together

EVERYTHING = {
    "updates": 4,
    "kl_control": {"target": 0.05, "horizon": 50.0},
    "advantages": {"whiten_rewards": True},
    "loss": {
        "surrogate": "penalty",
        "penalty_target": 1e-3,
        "entropy_coef": 0.01,
        "max_update_kl": 0.5,
    },
    "optimizer": {"schedule": "cosine", "critic_warmup": 1, "ema_decay": 0.9},
    "pretraining": {"coef": 1.0, "documents_per_response": 1},
    "score": {"combine": "worst"},
    "models": {"value_from": "policy"},
}


def test_all_of_it_works_together_and_resumes_to_the_byte(models, tmp_path, monkeypatch):
    inputs = several(models).model_copy(update={"documents": models})
    lines = run(models, tmp_path / "straight", inputs, **EVERYTHING)
    assert len({line["objective/kl_coef"] for line in lines}) > 1
    assert len({line["policy/penalty_coef"] for line in lines}) > 1
    assert lines[0]["policy/steps"] == 0
    assert all(line["pretraining/loss"] > 0 for line in lines[1:])
    monkeypatch.setattr(ppo, "CHECKPOINT_EVERY", 2)
    whole = ppo.update_once

    def killed(state, update, *rest, **named):
        if update == 4:
            raise KeyboardInterrupt
        return whole(state, update, *rest, **named)

    monkeypatch.setattr(ppo, "update_once", killed)
    with pytest.raises(KeyboardInterrupt):
        run(models, tmp_path / "killed", inputs, **EVERYTHING)
    monkeypatch.setattr(ppo, "update_once", whole)
    run(models, tmp_path / "killed", inputs, **EVERYTHING)
    for name in ("output", "metrics.jsonl", "rollouts.jsonl"):
        assert digest(tmp_path / "killed" / name) == digest(tmp_path / "straight" / name)


@pytest.mark.parametrize(
    "changed",
    [
        {"pretraining": {"coef": 2.0}},
        {"pretraining": {"documents_per_response": 2}},
        {"pretraining": {"context": 3}},
        {"optimizer": {"ema_decay": 0.5}},
        {"loss": {"penalty_coef": 5.0}},
        {"loss": {"penalty_target": 1.0}},
        {"score": {"combine": "mean_minus_std"}},
        {"score": {"combine": "mean_minus_std", "std_coef": 0.1}},
    ],
    ids=str,
)
def test_every_setting_of_a_variant_changes_something(models, everything, tmp_path, changed):
    settings = {**EVERYTHING, "updates": 3}
    for table, values in changed.items():
        settings[table] = settings[table] | values
    inputs = several(models).model_copy(update={"documents": models})
    run(models, tmp_path / "out", inputs, **settings)
    assert digest(tmp_path / "out/output") != everything


@pytest.fixture(scope="module")
def everything(models, tmp_path_factory):
    """What the run with everything on leaves, three updates long."""
    out = tmp_path_factory.mktemp("everything") / "out"
    inputs = several(models).model_copy(update={"documents": models})
    run(models, out, inputs, **(EVERYTHING | {"updates": 3}))
    return digest(out / "output")
