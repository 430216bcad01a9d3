"""Preference and value models: which state is read, how heads start, how scores are normalised."""

import math

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from accord.functional.preference import normalise
from accord.models import load, preference_model, scalar_head, value_model
from accord.models.policy import logprobs
from accord.models.trunk import hidden_states
from accord.runtime.seeding import generator

ROWS = [[5, 6, 7, 20, 1], [9, 1], [10, 11, 12, 13, 14, 15, 1]]
LENGTHS = torch.tensor([5, 2, 7])


def padded(rows=ROWS, *, pad=0, width=7):
    return torch.tensor([row + [pad] * (width - len(row)) for row in rows])


@pytest.fixture(params=["llama", "gpt2"])
def model(request, tiny_models):
    found, _ = load.load_scalar_model(tiny_models[request.param], random=generator(0, "head"))
    return found.requires_grad_(False)


def test_the_score_is_read_at_the_last_token(model):
    scores = preference_model.scores(model, padded(), LENGTHS)
    for row, tokens in enumerate(ROWS):
        last = hidden_states(model, torch.tensor([tokens]), torch.tensor([len(tokens)]))[
            0, -1
        ].double()
        by_hand = sum(float(h * w) for h, w in zip(last, model.score.weight[0], strict=True))
        assert scores[row] == pytest.approx(by_hand, abs=1e-5)


def test_padding_and_batch_mates_change_nothing(model):
    scores = preference_model.scores(model, padded(), LENGTHS)
    wide = preference_model.scores(model, padded(pad=30, width=12), LENGTHS)
    alone = [
        preference_model.scores(model, torch.tensor([row]), torch.tensor([len(row)]))[0]
        for row in ROWS
    ]
    assert torch.allclose(scores, wide, atol=1e-5)
    assert torch.allclose(scores, torch.stack(alone), atol=1e-5)


def test_an_empty_conversation_has_no_score(model):
    with pytest.raises(ValueError, match="empty conversation"):
        preference_model.scores(model, padded(), torch.tensor([5, 0, 7]))


def test_plain_transformers_gives_the_score_less_its_constant(model, tiny_tokenizer, tmp_path):
    scalar_head.normalise(model, gain=3.0, bias=-0.75)
    scores = preference_model.scores(model, padded(), LENGTHS)
    load.save_model(model, tiny_tokenizer, tmp_path)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    logits = plain(padded(pad=plain.config.pad_token_id)).logits.squeeze(1)
    assert torch.allclose(scores, logits + plain.config.score_bias, atol=1e-5)
    assert (plain.config.score_gain, plain.config.score_bias) == (3.0, -0.75)


@pytest.mark.parametrize("pad", ["eos", None])
def test_a_tokenizer_that_pads_with_its_end_of_sequence(tiny_models, tmp_path, pad):
    """transformers must find the same last token even then."""
    model, tokenizer = load.load_policy(tiny_models["gpt2"])
    tokenizer.pad_token = tokenizer.eos_token if pad else None
    load.save_model(model, tokenizer, tmp_path / "policy")
    scalar, tokenizer = load.load_scalar_model(tmp_path / "policy", random=generator(0))
    load.save_model(scalar, tokenizer, tmp_path / "scalar")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "scalar")
    logits = plain(padded(pad=plain.config.pad_token_id)).logits.squeeze(1)
    assert torch.allclose(preference_model.scores(scalar, padded(), LENGTHS), logits, atol=1e-5)


def test_values_are_read_before_each_token(model):
    prompts, responses = torch.tensor([3, 1, 2]), torch.tensor([2, 1, 5])
    values = value_model.values(model, padded(), prompts, responses)
    assert values.shape == (3, 5)
    for row, tokens in enumerate(ROWS):
        for t in range(int(responses[row])):
            before = tokens[: int(prompts[row]) + t]
            alone = preference_model.scores(
                model, torch.tensor([before]), torch.tensor([len(before)])
            )
            assert values[row, t] == pytest.approx(float(alone), abs=1e-5)
        assert values[row, int(responses[row]) :].abs().sum() == 0


def test_a_value_model_that_starts_at_zero(model):
    scalar_head.normalise(model, gain=2.0, bias=1.0)
    scalar_head.zero(model)
    values = value_model.values(model, padded(), torch.tensor([3, 1, 2]), torch.tensor([2, 1, 5]))
    assert values.abs().sum() == 0


def test_a_fresh_head_has_the_published_spread(model):
    """1/√(32 + 1) = 0.17408; of 20 heads of 32 weights the estimate is within 3/√(2·640)."""
    weights = []
    for seed in range(20):
        scalar_head.initialise(model, random=generator(seed))
        weights.append(scalar_head.head(model).weight.flatten().clone())
    std = float(torch.cat(weights).std())
    assert std == pytest.approx(0.17408, rel=3 / math.sqrt(2 * 640))
    assert abs(float(torch.cat(weights).mean())) < 3 * 0.17408 / math.sqrt(640)
    assert scalar_head.score_bias(model) == 0


def test_mean_two_and_std_four_become_zero_and_one(model):
    """C8 of the literature: gain .25, bias -.5."""
    raw = preference_model.scores(model, padded(), LENGTHS)
    scalar_head.normalise(model, gain=4.0 / float(raw.std(correction=0)), bias=0.0)
    scaled = preference_model.scores(model, padded(), LENGTHS)
    scalar_head.normalise(model, gain=1.0, bias=2.0 - float(scaled.mean()))
    gain, bias = normalise(2.0, 4.0)
    assert (gain, bias) == (0.25, -0.5)
    scalar_head.normalise(model, gain=gain, bias=bias)
    scores = preference_model.scores(model, padded(), LENGTHS)
    assert float(scores.mean()) == pytest.approx(0, abs=1e-5)
    assert float(scores.std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert scores.argsort().tolist() == raw.argsort().tolist()


def test_a_difference_over_the_gain_is_nats_again(model):
    raw = preference_model.scores(model, padded(), LENGTHS)
    scalar_head.normalise(model, gain=3.0, bias=1.0)
    scalar_head.normalise(model, gain=0.5, bias=-2.0)
    assert (scalar_head.score_gain(model), scalar_head.score_bias(model)) == (1.5, -1.5)
    scores = preference_model.scores(model, padded(), LENGTHS)
    assert torch.allclose((scores[0] - scores[1]) / 1.5, raw[0] - raw[1], atol=1e-5)
    scalar_head.unnormalise(model)
    assert torch.allclose(preference_model.scores(model, padded(), LENGTHS), raw, atol=1e-5)
    assert (scalar_head.score_gain(model), scalar_head.score_bias(model)) == (1.0, 0.0)


@pytest.mark.parametrize("gain", [0.0, -1.0, math.inf, math.nan])
def test_a_gain_that_would_turn_preferences_around(model, gain):
    with pytest.raises(ValueError, match="positive and finite"):
        scalar_head.normalise(model, gain=gain, bias=0.0)


def test_a_policy_has_no_scalar_head(tiny_models):
    policy, _ = load.load_policy(tiny_models["llama"])
    with pytest.raises(ValueError, match="no head that gives one number"):
        scalar_head.head(policy)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_scores_and_logprobs_in_one_pass(tiny_models, architecture):
    scalar, language, _ = load.load_both_heads(tiny_models[architecture], random=generator(0))
    better = torch.tensor([2, 0])
    with torch.no_grad():
        states, found = preference_model.states_and_logprobs(
            scalar, language, padded(), LENGTHS, better
        )
        scores = scalar_head.outputs(scalar, states)
        assert torch.equal(scores, preference_model.scores(scalar, padded(), LENGTHS))
        ones = torch.ones(2, dtype=torch.long)
        expected = logprobs(language, padded()[better], ones, LENGTHS[better] - 1)
    assert torch.allclose(found, expected, atol=1e-5)
    assert found.shape == (2, 6)
