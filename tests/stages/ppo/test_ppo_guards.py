"""A run that breaks an invariant stops, names it, and loses nothing of before."""

from dataclasses import replace

import pytest
import torch

from accord.config import InputError, build
from accord.models.load import eos_id
from accord.runtime.artifacts import digest, run_stage
from accord.runtime.metrics import read_metrics
from accord.runtime.seeding import generator
from accord.stages import ppo
from accord.stages.ppo.guards import check_first_ratio, check_rollout
from accord.stages.ppo.rewards import evaluated
from accord.stages.ppo.rollout import logprobs_of
from accord.stages.ppo.tools import load_tools

KL_COEF = 0.3
SETTINGS = {
    "updates": 4,
    "rollout_batch_size": 8,
    "minibatch_size": 4,
    "max_tokens": 6,
    "learning_rate": 1e-3,
}


def inputs_of(models):
    return ppo.Inputs(policy=models / "policy", preference_model=models / "pm", prompts=models)


@pytest.fixture(scope="module")
def tools(models):
    return load_tools(inputs_of(models), microbatch_size=8)


@pytest.fixture(scope="module")
def rollout(models, tools):
    """Sound: a reference that differs, responses that end and responses that are cut off."""
    with torch.no_grad():
        tools.ref_policy.get_output_embeddings().weight.mul_(1.3)
    config = ppo.Config(rollout_batch_size=40, max_tokens=8)
    pool = ppo.read_prompts(models, tools, max_tokens=8)
    prompts = ppo.prompts_of_update(pool, 40, 1, seed=0)
    episodes = ppo.sample_episodes(tools, prompts, ppo.sampling(config), random=generator(0, "x"))
    # half of them end after four tokens and half are cut off, so that rows have different lengths
    end = eos_id(tools.tokenizer)
    tokens = episodes.sequences.tokens.masked_fill(episodes.sequences.tokens == end, 5)
    lengths = torch.tensor([4, int(episodes.sequences.response_lengths.max())] * 20)
    width = int((episodes.sequences.prompt_lengths + lengths).max())
    tokens = torch.nn.functional.pad(tokens, (0, width - tokens.shape[1]), value=5)
    finished = torch.tensor([True, False] * 20)
    last = episodes.sequences.prompt_lengths + lengths - 1
    tokens[torch.arange(0, 40, 2), last[::2]] = end
    mask = torch.arange(8) < lengths[:, None]
    sequences = replace(episodes.sequences, tokens=tokens, response_lengths=lengths)
    logprobs = logprobs_of(tools.policy, sequences, tools, 1.0)
    episodes = replace(episodes, sequences=sequences, finished=finished, logprobs=logprobs * mask)
    return evaluated(episodes, config, tools, kl_coef=KL_COEF)


def check(tools, rollout):
    check_rollout(rollout, kl_coef=KL_COEF, eos_id=eos_id(tools.tokenizer), update=7)


def refused(tools, rollout, invariant):
    message = f"PPO stops in update 7 because `{invariant}` does not hold"
    with pytest.raises(InputError, match=message):
        check(tools, rollout)


def test_a_sound_rollout_passes(tools, rollout):
    check(tools, rollout)
    assert 0 < int(rollout.episodes.finished.sum()) < len(rollout)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["member_scores", "values", "rewards", "ref_logprobs"])
def test_a_number_that_is_not_finite_stops_the_run(tools, rollout, name, value):
    numbers = getattr(rollout, name).clone()
    numbers[0, 0] = value
    refused(tools, replace(rollout, **{name: numbers}), "numbers are finite")


def test_what_stands_at_padding_does_not_matter(tools, rollout):
    values = rollout.values.masked_fill(~rollout.mask, float("nan"))
    check(tools, replace(rollout, values=values))


def test_a_response_that_goes_on_after_its_end_stops_the_run(tools, rollout):
    sequences = rollout.episodes.sequences
    tokens = sequences.tokens.clone()
    tokens[1, sequences.prompt_lengths[1] + 1] = eos_id(tools.tokenizer)
    episodes = replace(rollout.episodes, sequences=replace(sequences, tokens=tokens))
    refused(tools, replace(rollout, episodes=episodes), "a response ends once")


@pytest.mark.parametrize("place", [-1, 1])
def test_a_score_one_place_off_stops_the_run(tools, rollout, place):
    tax = KL_COEF * rollout.logratio() * rollout.mask
    score = torch.roll(rollout.rewards + tax, place, dims=1)
    moved = replace(rollout, rewards=score - tax)
    refused(tools, moved, "the score stands on the last token")


def test_a_kl_below_0_beyond_chance_stops_the_run(tools, rollout):
    """As when top-k cuts the sampling and the full distribution is scored."""
    refs = (rollout.episodes.logprobs + 0.3) * rollout.mask
    tax = KL_COEF * (rollout.logratio() - (rollout.episodes.logprobs - refs)) * rollout.mask
    wrong = replace(rollout, ref_logprobs=refs, rewards=rollout.rewards + tax)
    refused(tools, wrong, "KL to the reference is not negative")


def test_a_kl_below_0_by_chance_does_not(tools, rollout):
    noise = torch.randn(rollout.mask.shape, generator=torch.Generator().manual_seed(0))
    noise = noise - noise[rollout.mask].mean() - 0.02
    refs = (rollout.episodes.logprobs - noise) * rollout.mask
    tax = KL_COEF * (rollout.logratio() - (rollout.episodes.logprobs - refs)) * rollout.mask
    chance = replace(rollout, ref_logprobs=refs, rewards=rollout.rewards + tax)
    assert float((chance.logratio() * chance.mask).sum()) < 0
    check(tools, chance)


def test_a_first_ratio_off_1_stops_the_run():
    old = torch.tensor([[-1.0, -2.0]])
    check_first_ratio(old + 1e-6, old, update=3)
    with pytest.raises(InputError, match="update 3 because `ratio is 1` does not hold"):
        check_first_ratio(old + 1e-3, old, update=3)
    with pytest.raises(InputError, match="`ratio is 1`"):
        check_first_ratio(old * float("nan"), old, update=3)


def run(models, out, **settings):
    config = build(ppo.Config, SETTINGS | settings, where="[ppo]")
    run_stage(ppo.run, config, inputs_of(models), out)
    return read_metrics(out)


def test_a_run_that_breaks_in_the_middle_keeps_what_it_had_and_goes_on_when_mended(
    models, tmp_path, monkeypatch
):
    run(models, tmp_path / "straight")
    monkeypatch.setattr(ppo, "CHECKPOINT_EVERY", 2)
    whole, broken = ppo.evaluated, tmp_path / "broken"

    def poisoned(episodes, config, tools, **named):
        rollout = whole(episodes, config, tools, **named)
        if len(read_metrics(broken)) < 3:
            return rollout
        return replace(rollout, scores=rollout.scores, member_scores=rollout.member_scores / 0)

    monkeypatch.setattr(ppo, "evaluated", poisoned)
    with pytest.raises(InputError, match="update 4 because `numbers are finite` does not hold"):
        run(models, broken)
    assert (broken / "checkpoints/000002/COMPLETE").is_file()
    monkeypatch.setattr(ppo, "evaluated", whole)
    run(models, broken)
    for name in ("output", "metrics.jsonl", "rollouts.jsonl"):
        assert digest(broken / name) == digest(tmp_path / "straight" / name)


def test_no_weight_changes_when_the_first_ratio_is_off(models, monkeypatch):
    """As when dropout, another precision or another engine made the old log-probabilities."""
    config = build(ppo.Config, SETTINGS, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=8)
    pool = ppo.read_prompts(models, tools, max_tokens=6)
    state = ppo.initial_state(tools, config)
    before = [p.detach().clone() for p in tools.policy.parameters()]
    sample = ppo.sample_episodes

    def drifted(*args, **named):
        episodes = sample(*args, **named)
        mask = episodes.sequences.response_mask()
        return replace(episodes, logprobs=episodes.logprobs + 0.01 * mask)

    monkeypatch.setattr(ppo, "sample_episodes", drifted)
    with pytest.raises(InputError, match="`ratio is 1` does not hold"):
        ppo.update_once(state, 1, pool, config, tools)
    for a, b in zip(before, tools.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_diverged_loss_is_said_in_a_sentence(models, monkeypatch):
    config = build(ppo.Config, SETTINGS, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=8)
    pool = ppo.read_prompts(models, tools, max_tokens=6)
    state = ppo.initial_state(tools, config)
    whole = ppo.evaluated
    monkeypatch.setattr(
        ppo, "evaluated", lambda *a, **k: replace(r := whole(*a, **k), returns=r.returns * 1e30)
    )
    with pytest.raises(InputError, match="training diverged"):
        ppo.update_once(state, 1, pool, config, tools)
