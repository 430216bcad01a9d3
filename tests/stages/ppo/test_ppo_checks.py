"""PPO refuses to start on broken ground, and says what is broken."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from accord.config import InputError
from accord.data.collate import build
from accord.data.tokenizers import train_tokenizer
from accord.models.load import load_policy, save_model
from accord.records import Message, Prompt, Sampling, write_records
from accord.runtime.artifacts import run_stage
from accord.runtime.episodes import prompts_of_update
from accord.runtime.scoring import close
from accord.stages import ppo
from accord.stages.ppo import checks
from accord.stages.ppo.checks import check_invariants
from accord.stages.ppo.rollout import read_prompts, values_of
from accord.stages.ppo.tools import load_tools

SAMPLING = Sampling(max_tokens=6)


def inputs_of(models, **others):
    given = {"policy": models / "policy", "preference_model": models / "pm", "prompts": models}
    return ppo.Inputs(**(given | others))


@pytest.fixture
def tools(models):
    return load_tools(inputs_of(models), microbatch_size=4)


@pytest.fixture
def pool(models, tools):
    return read_prompts(models, tools, max_tokens=SAMPLING.max_tokens)


def check(tools, pool, **others):
    return check_invariants(tools, pool, SAMPLING, **({"starts_at_reference": True} | others))


def refused(tools, pool, invariant):
    with pytest.raises(InputError, match=f"`{invariant}` does not hold"):
        check(tools, pool)


# Invariants


def test_sound_models_pass_and_the_measurements_are_kept(models, tools, pool, tmp_path):
    found = check(tools, pool)
    assert len(found) == 6
    assert found.pop("the score reads the end") > 0.01
    assert all(value < 1e-5 for value in found.values())
    config = ppo.Config(updates=1, rollout_batch_size=2, max_tokens=4)
    run_stage(ppo.run, config, inputs_of(models), tmp_path / "out")
    assert set(json.loads((tmp_path / "out/checks.json").read_text())) == set(found) | {
        "the score reads the end"
    }


def test_a_generator_that_samples_from_another_policy_is_refused(tools, pool):
    class Warm:
        def sample(self, prompts, sampling, *, random):
            warm = sampling.model_copy(update={"temperature": 1.1})
            return tools.generator.sample(prompts, warm, random=random)

    refused(replace(tools, generator=Warm()), pool, "ratio is 1")


def test_another_reference_is_refused_only_when_it_should_be_the_policy(tools, pool):
    with torch.no_grad():
        tools.ref_policy.get_output_embeddings().weight.mul_(1.01)
    refused(tools, pool, "KL to the reference is 0")
    assert "KL to the reference is 0" not in check(tools, pool, starts_at_reference=False)


class Scorer:
    """Scores that read something else than the end of the conversation."""

    def __init__(self, scorer, kind):
        self.scorer, self.kind = scorer, kind

    def score(self, sequences, finished):
        scores = self.scorer.score(sequences, finished)
        if self.kind == "last column":
            return scores + sequences.tokens[:, -1]
        if self.kind == "batch mates":
            return scores - scores.mean()
        if self.kind == "one before the end":
            last = sequences.lengths() - 2
            return sequences.tokens.gather(1, last[:, None]).squeeze(1).float()
        return torch.zeros_like(scores)


@pytest.mark.parametrize(
    ("kind", "invariant"),
    [
        ("last column", "padding does not matter"),
        ("batch mates", "batch mates do not matter"),
        ("one before the end", "the score reads the end"),
        ("constant", "the score reads the end"),
    ],
)
def test_scores_that_read_the_wrong_place_are_refused(tools, pool, kind, invariant):
    refused(replace(tools, scorers=(Scorer(tools.scorers[0], kind),)), pool, invariant)


def test_values_that_know_the_token_they_precede_are_refused(tools, pool, monkeypatch):
    def too_far(sequences, tools):
        """Read one column too far, as many have done."""
        return values_of(replace(sequences, prompt_lengths=sequences.prompt_lengths + 1), tools)

    def widened(sequences, tools):
        tokens = torch.cat([sequences.tokens, sequences.tokens[:, -1:]], dim=1)
        return too_far(replace(sequences, tokens=tokens), tools)

    monkeypatch.setattr(checks, "values_of", widened)
    with pytest.raises(InputError, match=r"values look back only|padding does not matter"):
        check(tools, pool)


def test_numbers_that_are_no_numbers_are_refused(tools, pool):
    with torch.no_grad():
        tools.value_model.score.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="does not hold"):
        check(tools, pool)


# Scores


def test_scores_are_those_of_plain_transformers_at_the_closing_token(models, tools):
    eos = tools.tokenizer.eos_token_id
    prompts = [[5, 6, 7], [8, 9], [10, 11, 12, 13]]
    responses = [[20, 21, eos], [30, 31, 32, 33], [40, eos]]
    finished = torch.tensor([True, False, True])
    (found,) = tools.scores(build(prompts, responses, 0), finished)
    model = AutoModelForSequenceClassification.from_pretrained(models / "pm")
    for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        end = [] if finished[row] else [eos]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *response, *end]])).logits
        assert found[row].item() == pytest.approx(logits.item() + model.config.score_bias, abs=1e-5)


def test_only_what_was_cut_off_is_closed():
    sequences = build([[5], [5, 6]], [[7, 1], [8]], 0)
    closed = close(sequences, torch.tensor([True, False]), eos_id=1, pad_id=0)
    assert closed.tokens.tolist() == [[5, 7, 1, 0], [5, 6, 8, 1]]
    assert closed.response_lengths.tolist() == [2, 2]
    assert close(sequences, torch.tensor([True, True]), eos_id=1, pad_id=0) is sequences


# Prompts


def test_every_prompt_comes_once_before_any_comes_twice(pool):
    seen = [
        prompt.id
        for update in range(1, 7)
        for prompt, _ in prompts_of_update(pool, 4, update, seed=0)
    ]
    names = sorted(prompt.id for prompt, _ in pool)
    assert len(pool) == 12
    assert sorted(seen[:12]) == names
    assert sorted(seen[12:]) == names
    assert seen[:12] != seen[12:]


def test_more_prompts_than_there_are_go_round(pool):
    drawn = [prompt.id for prompt, _ in prompts_of_update(pool, 30, 1, seed=0)]
    assert len(drawn) == 30
    assert len(set(drawn)) == 12


# What the user can get wrong


def test_prompts_that_leave_no_room_are_left_out_or_refused(models, tools, tmp_path):
    file = tmp_path / "prompts.jsonl"
    long = Prompt(id="long", messages=(Message(role="user", content="red " * 60),))
    short = Prompt(id="short", messages=(Message(role="user", content="red"),))
    write_records(file, [long, short])
    assert [p.id for p, _ in read_prompts(file, tools, max_tokens=6)] == ["short"]
    write_records(file, [long])
    with pytest.raises(InputError, match="leaves room for `max_tokens` = 6 in a context of 64"):
        read_prompts(file, tools, max_tokens=6)


def test_models_with_other_tokens_are_refused(models, tmp_path):
    policy, _ = load_policy(models / "policy")
    save_model(policy, train_tokenizer(["other words entirely"] * 9, 268), tmp_path / "other")
    for name in ("policy", "reference"):
        with pytest.raises(InputError, match="different tokenizers"):
            load_tools(inputs_of(models, **{name: tmp_path / "other"}), microbatch_size=1)


def test_a_policy_is_no_preference_model(models):
    with pytest.raises(InputError, match="language model"):
        load_tools(inputs_of(models, preference_model=models / "policy"), microbatch_size=1)


def test_a_reference_of_its_own_is_what_kl_is_measured_against(models, tmp_path):
    policy, tokenizer = load_policy(models / "policy")
    with torch.no_grad():
        policy.get_output_embeddings().weight.mul_(2)
    save_model(policy, tokenizer, tmp_path / "reference")
    config = ppo.Config(updates=1, rollout_batch_size=16, max_tokens=6)
    inputs = inputs_of(models, reference=tmp_path / "reference")
    run_stage(ppo.run, config, inputs, tmp_path / "out")
    (line,) = map(json.loads, (tmp_path / "out/metrics.jsonl").read_text().splitlines())
    assert line["objective/kl"] > 0.1
