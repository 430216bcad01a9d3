"""Sampling: the right distribution, the right log-probabilities, and no influence of the batch."""

import math

import pytest
import torch

from accord.config import InputError
from accord.data.chat import decode_response
from accord.models import load, policy
from accord.models.trunk import trunk
from accord.records import Sampling
from accord.runtime import generate
from accord.runtime.generate import HuggingFaceGenerator, draw
from accord.runtime.seeding import generator

PROMPTS = [
    [5, 6, 7],
    [40, 41, 42, 43, 44, 45, 46],
    [5, 6, 7],
    [9],
    [60, 61],
    [5, 6, 8],
    [70, 71, 72, 73, 74],
]
EOS = 1


@pytest.fixture(params=["llama", "gpt2"])
def model_and_tokenizer(request, tiny_models):
    model, tokenizer = load.load_policy(tiny_models[request.param])
    return model.requires_grad_(False), tokenizer


@pytest.fixture
def talkative(model_and_tokenizer):
    """A model that ends every response after a few tokens."""
    model, tokenizer = model_and_tokenizer
    original = generate.unembed

    def ending(m, hidden):
        logits = original(m, hidden).clone()
        logits[:, EOS] += 4.0
        return logits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "unembed", ending)
        patch.setattr(policy, "unembed", ending)
        yield model, tokenizer


def recomputed(model, prompts, samples, temperature):
    rows = [p + r for p, r in zip(prompts, samples.responses, strict=True)]
    width = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    prompt_lengths = torch.tensor([len(p) for p in prompts])
    response_lengths = torch.tensor([len(r) for r in samples.responses])
    return policy.logprobs(model, tokens, prompt_lengths, response_lengths, temperature=temperature)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logprobs_are_those_of_the_training_forward(talkative, temperature):
    model, tokenizer = talkative
    sampling = Sampling(max_tokens=15, temperature=temperature)
    samples = HuggingFaceGenerator(model, tokenizer).sample(
        PROMPTS * 3, sampling, random=generator(0)
    )
    expected = recomputed(model, PROMPTS * 3, samples, temperature)
    assert len({len(response) for response in samples.responses}) > 3
    for row, logprobs in enumerate(samples.logprobs):
        assert torch.allclose(torch.tensor(logprobs), expected[row, : len(logprobs)], atol=1e-5)


def test_a_response_ends_with_its_end_of_sequence_or_at_the_limit(talkative):
    model, tokenizer = talkative
    samples = HuggingFaceGenerator(model, tokenizer).sample(
        PROMPTS * 3, Sampling(max_tokens=6), random=generator(1)
    )
    assert len(samples.responses) == len(PROMPTS) * 3
    for response, finished in zip(samples.responses, samples.finished, strict=True):
        assert EOS not in response[:-1]
        assert finished == (response[-1] == EOS)
        assert finished or len(response) == 6
    assert {True, False} == set(samples.finished)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_batch_mates_and_cuts_change_nothing(talkative, rows):
    model, tokenizer = talkative
    sampling = Sampling(max_tokens=12, temperature=0.9, top_p=0.95)
    whole = HuggingFaceGenerator(model, tokenizer).sample(PROMPTS, sampling, random=generator(2))
    cut = HuggingFaceGenerator(model, tokenizer, max_rows=rows).sample(
        PROMPTS, sampling, random=generator(2)
    )
    assert whole.responses == cut.responses
    for a, b in zip(whole.logprobs, cut.logprobs, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_cuts_for_two_threads_change_nothing(talkative, monkeypatch):
    model, tokenizer = talkative
    sampling = Sampling(max_tokens=12)
    whole = HuggingFaceGenerator(model, tokenizer).sample(PROMPTS, sampling, random=generator(2))
    monkeypatch.setattr(generate, "WORTH_CUTTING", 2)
    cut = HuggingFaceGenerator(model, tokenizer).sample(PROMPTS, sampling, random=generator(2))
    assert whole.responses == cut.responses


def test_memory_limits_the_rows(talkative, monkeypatch):
    model, tokenizer = talkative
    sampling = Sampling(max_tokens=12)
    whole = HuggingFaceGenerator(model, tokenizer).sample(PROMPTS, sampling, random=generator(2))
    monkeypatch.setattr(generate, "CACHE_BYTES", 1)
    assert generate._rows_in_memory(model, 7, 12) == 1
    tight = HuggingFaceGenerator(model, tokenizer).sample(PROMPTS, sampling, random=generator(2))
    assert whole.responses == tight.responses


def test_the_same_generator_state_draws_the_same(model_and_tokenizer):
    model, tokenizer = model_and_tokenizer
    sampler, sampling = HuggingFaceGenerator(model, tokenizer), Sampling(max_tokens=8)
    first = sampler.sample(PROMPTS, sampling, random=generator(3))
    assert first == sampler.sample(PROMPTS, sampling, random=generator(3))
    assert first != sampler.sample(PROMPTS, sampling, random=generator(4))
    # Two rows with the same prompt have their own numbers.
    assert first.responses[0] != first.responses[2]


def test_no_global_random_state_is_touched(model_and_tokenizer):
    before = torch.random.get_rng_state()
    HuggingFaceGenerator(*model_and_tokenizer).sample(
        PROMPTS, Sampling(max_tokens=3), random=generator(0)
    )
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_matrix_precision_is_put_back(model_and_tokenizer):
    before = torch.get_float32_matmul_precision()
    sampler = HuggingFaceGenerator(*model_and_tokenizer)
    sampler.sample(PROMPTS, Sampling(max_tokens=3), random=generator(0))
    assert torch.get_float32_matmul_precision() == before


def test_temperature_zero_takes_the_likeliest_token(model_and_tokenizer):
    model, tokenizer = model_and_tokenizer
    samples = HuggingFaceGenerator(model, tokenizer).sample(
        PROMPTS, Sampling(max_tokens=6, temperature=0), random=generator(0)
    )
    for prompt, response in zip(PROMPTS, samples.responses, strict=True):
        ids = list(prompt)
        for token in response:
            assert token == int(model(torch.tensor([ids])).logits[0, -1].argmax())
            ids.append(token)
    assert all(value == 0 for row in samples.logprobs for value in row)


def test_cached_logits_are_the_uncached_ones(model_and_tokenizer, monkeypatch):
    """Every logit that a token was drawn from, against a forward pass without a cache."""
    model, tokenizer = model_and_tokenizer
    seen = []
    monkeypatch.setattr(
        generate,
        "draw",
        lambda logits, sampling, u: seen.append(logits) or draw(logits, sampling, u),
    )
    prompts = [[5, 6, 7], [8]]
    samples = HuggingFaceGenerator(model, tokenizer).sample(
        prompts, Sampling(max_tokens=8), random=generator(5)
    )
    for t, logits in enumerate(seen[: min(map(len, samples.responses))]):
        for row, prompt in enumerate(prompts):
            plain = model(torch.tensor([prompt + samples.responses[row][:t]])).logits[0, -1]
            assert torch.allclose(logits[row], plain, atol=1e-5)


def test_equal_prompts_are_prefilled_once(model_and_tokenizer, monkeypatch):
    model, tokenizer = model_and_tokenizer
    rows = []
    body = trunk(model)
    original = body.forward
    monkeypatch.setattr(
        body, "forward", lambda **given: rows.append(len(given["input_ids"])) or original(**given)
    )
    HuggingFaceGenerator(model, tokenizer).sample(
        [[5, 6, 7]] * 4 + [[8]] * 2, Sampling(max_tokens=2), random=generator(0)
    )
    assert rows[0] == 2
    assert rows[1] == 6


def test_finished_rows_cost_nothing(talkative, monkeypatch):
    model, tokenizer = talkative
    rows = []
    body = trunk(model)
    original = body.forward
    monkeypatch.setattr(
        body, "forward", lambda **given: rows.append(len(given["input_ids"])) or original(**given)
    )
    samples = HuggingFaceGenerator(model, tokenizer).sample(
        PROMPTS * 3, Sampling(max_tokens=12), random=generator(0)
    )
    steps = [sum(len(r) > t for r in samples.responses) for t in range(1, 12)]
    assert rows[1:] == [count for count in steps if count]


def whole(stream):
    """All pieces of a stream, and what it returns."""
    returned = []

    def through():
        returned.append((yield from stream))

    return list(through()), returned[0]


def test_streaming_gives_the_same_text_in_pieces(tiny_models):
    model, tokenizer = load.load_policy(tiny_models["llama"])
    sampler, sampling = HuggingFaceGenerator(model, tokenizer), Sampling(max_tokens=30)
    for seed in range(5):
        samples = sampler.sample([[5, 6]], sampling, random=generator(seed))
        pieces, finished = whole(sampler.stream([5, 6], sampling, random=generator(seed)))
        assert finished == samples.finished[0]
        assert "".join(pieces) == decode_response(tokenizer, samples.responses[0])
    assert len(pieces) > 3


def test_a_character_of_several_bytes_is_streamed_whole(tiny_models, monkeypatch):
    model, tokenizer = load.load_policy(tiny_models["llama"])
    script = tokenizer("é!")["input_ids"]
    assert len(script) == 3
    steps = iter([*script, tokenizer.convert_tokens_to_ids("Ã"), EOS])
    monkeypatch.setattr(
        generate, "draw", lambda *_: (torch.tensor([next(steps)]), torch.tensor([0.0]))
    )
    sampler = HuggingFaceGenerator(model, tokenizer)
    pieces, finished = whole(sampler.stream([5], Sampling(max_tokens=9), random=generator(0)))
    # The last, incomplete character is shown as what it decodes to.
    assert pieces == ["é", "!", "\ufffd"]
    assert finished  # its last token ends the sequence


def test_what_cannot_be_sampled(model_and_tokenizer):
    sampler = HuggingFaceGenerator(*model_and_tokenizer)
    for prompts in ([], [[5], []]):
        with pytest.raises(InputError, match="empty prompt"):
            sampler.sample(prompts, Sampling(), random=generator(0))
    with pytest.raises(InputError, match="exceed the model's context of 96 tokens"):
        sampler.sample([[5] * 90], Sampling(max_tokens=7), random=generator(0))
    assert sampler.sample([[5] * 90], Sampling(max_tokens=6), random=generator(0)).responses


def test_drawing_by_hand():
    """Probabilities .5, .25, .25: the number .5 is the first that draws the second token."""
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log().repeat(5, 1)
    uniforms = torch.tensor([0.0, 0.4999, 0.5001, 0.7501, 1 - 2**-53], dtype=torch.float64)
    tokens, logprobs = draw(logits, Sampling(), uniforms)
    assert tokens.tolist() == [0, 0, 1, 2, 2]
    assert logprobs.exp().tolist() == pytest.approx([0.5, 0.5, 0.25, 0.25, 0.25])


def test_a_token_of_probability_zero_is_never_drawn():
    logits = torch.tensor([[-math.inf, 0.0, -math.inf, 0.0, -math.inf]]).repeat(3, 1)
    uniforms = torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)
    tokens, logprobs = draw(logits, Sampling(), uniforms)
    assert tokens.tolist() == [1, 3, 3]
    assert torch.isfinite(logprobs).all()


def test_truncation_renormalises():
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()
    tokens, logprobs = draw(logits, Sampling(top_k=2), torch.tensor([0.9], dtype=torch.float64))
    assert tokens.tolist() == [1]
    assert logprobs.exp().tolist() == pytest.approx([3 / 7])
    tokens, logprobs = draw(logits, Sampling(top_p=0.4), torch.tensor([0.9], dtype=torch.float64))
    assert (tokens.tolist(), logprobs.tolist()) == ([0], [0.0])


def test_frequencies_are_the_probabilities():
    """Chi-square with 3 degrees of freedom: 16.27 is exceeded once in a thousand seeds."""
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    logits = probabilities.log().float().repeat(4000, 1) * 2
    uniforms = torch.rand(4000, generator=generator(0), dtype=torch.float64)
    tokens, _ = draw(logits, Sampling(temperature=2.0), uniforms)
    counts = torch.bincount(tokens, minlength=4).double()
    expected = 4000 * probabilities
    assert float(((counts - expected) ** 2 / expected).sum()) < 16.27
