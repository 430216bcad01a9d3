"""Log-probabilities of given responses: right places, right temperature, no leak of padding."""

import math
from types import SimpleNamespace

import pytest
import torch

from accord.models import load, policy, trunk

PROMPTS = [[5, 6, 7, 8], [9], [10, 11, 12, 13, 14, 15, 16]]
RESPONSES = [[20, 21, 1], [22, 1], [23, 24, 25, 26, 1]]


def batch(prompts, responses, *, pad=0, width=0):
    rows = [p + r for p, r in zip(prompts, responses, strict=True)]
    width = max(width, *(len(row) for row in rows))
    tokens = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    return (
        tokens,
        torch.tensor([len(p) for p in prompts]),
        torch.tensor([len(r) for r in responses]),
    )


@pytest.fixture(params=["llama", "gpt2"])
def model(request, tiny_models):
    return load.load_policy(tiny_models[request.param])[0].requires_grad_(False)


def test_the_state_before_a_token_is_one_column_to_its_left():
    places = trunk.response_places(torch.tensor([2, 1]), torch.tensor([1, 2]))
    assert places.rows.tolist() == [0, 1, 1]
    assert places.steps.tolist() == [0, 0, 1]
    assert places.columns.tolist() == [1, 0, 1]


def test_numbers_are_laid_out_left_aligned_with_zeros_behind():
    lengths = torch.tensor([1, 2])
    places = trunk.response_places(torch.tensor([2, 1]), lengths)
    table = trunk.spread(torch.tensor([7.0, 8.0, 9.0]), places, lengths)
    assert table.tolist() == [[7.0, 0.0], [8.0, 9.0]]


def test_no_rows_at_all():
    none = torch.zeros(0, dtype=torch.long)
    places = trunk.response_places(none, none)
    assert trunk.spread(torch.zeros(0), places, none).shape == (0, 0)


def test_an_empty_prompt_is_refused():
    with pytest.raises(ValueError, match="at least one token before its response"):
        trunk.response_places(torch.tensor([0]), torch.tensor([2]))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_twin_one_token_at_a_time(model, temperature):
    """Run each row alone, without padding, and read the distribution before every token."""
    found, entropies = policy.logprobs_and_entropy(
        model, *batch(PROMPTS, RESPONSES), temperature=temperature
    )
    for row, (prompt, response) in enumerate(zip(PROMPTS, RESPONSES, strict=True)):
        for t, token in enumerate(response):
            logits = model(torch.tensor([prompt + response[:t]])).logits[0, -1].double()
            weights = [math.exp(z) for z in (logits / temperature).tolist()]
            probabilities = [w / sum(weights) for w in weights]
            assert found[row, t] == pytest.approx(math.log(probabilities[token]), abs=2e-5)
            expected = -sum(p * math.log(p) for p in probabilities)
            assert entropies[row, t] == pytest.approx(expected, abs=2e-5)
        assert found[row, len(response) :].abs().sum() == 0
        assert entropies[row, len(response) :].abs().sum() == 0


def test_logprobs_are_those_of_logprobs_and_entropy(model):
    both, _ = policy.logprobs_and_entropy(model, *batch(PROMPTS, RESPONSES), temperature=0.7)
    assert torch.equal(both, policy.logprobs(model, *batch(PROMPTS, RESPONSES), temperature=0.7))


def test_padding_and_batch_mates_change_nothing(model):
    whole = policy.logprobs(model, *batch(PROMPTS, RESPONSES))
    wide = policy.logprobs(model, *batch(PROMPTS, RESPONSES, pad=30, width=20))
    assert torch.allclose(whole, wide, atol=1e-5)
    for row in range(len(PROMPTS)):
        alone = policy.logprobs(model, *batch([PROMPTS[row]], [RESPONSES[row]]))
        assert torch.allclose(whole[row, : alone.shape[1]], alone[0], atol=1e-5)


def test_a_later_token_never_changes_an_earlier_logprob(model):
    before = policy.logprobs(model, *batch(PROMPTS, RESPONSES))
    changed = [[*response[:-1], 40] for response in RESPONSES]
    after = policy.logprobs(model, *batch(PROMPTS, changed))
    for row, response in enumerate(RESPONSES):
        last = len(response) - 1
        assert torch.allclose(before[row, :last], after[row, :last], atol=1e-6)
        assert before[row, last] != after[row, last]


def test_logits_are_computed_at_response_positions_only(model, monkeypatch):
    seen = []
    original = policy.unembed
    monkeypatch.setattr(
        policy, "unembed", lambda m, hidden: seen.append(hidden.shape[0]) or original(m, hidden)
    )
    policy.logprobs(model, *batch(PROMPTS, RESPONSES))
    assert seen == [sum(len(response) for response in RESPONSES)]


def test_gradients_reach_every_layer(model):
    model.requires_grad_(True)
    policy.logprobs(model, *batch(PROMPTS, RESPONSES)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"logit_scale": 0.5}, 1.0),
        ({"logits_scaling": 4.0}, 0.5),
        ({"final_logit_softcapping": 2.0}, 2 * math.tanh(1)),
        ({}, 2.0),
    ],
)
def test_what_some_families_do_to_their_logits(settings, expected):
    fake = SimpleNamespace(
        config=SimpleNamespace(**settings), get_output_embeddings=lambda: lambda hidden: hidden
    )
    # Without the type check, which wants a real model.
    unembed = getattr(policy.unembed, "__wrapped__", policy.unembed)
    result = unembed(fake, torch.tensor([[2.0]]))
    assert float(result) == pytest.approx(expected)
