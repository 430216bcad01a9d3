"""Sampling: responses, comparisons, and going on where it was stopped."""

from collections import Counter

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from accord.config import InputError, build, identity
from accord.data.tokenizers import train_tokenizer
from accord.models.load import save_model
from accord.records import Comparison, Message, Prompt, Response, read_records, write_records
from accord.runtime.artifacts import digest, read_json, run_stage
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.metrics import read_metrics
from accord.runtime.seeding import seeded_globals
from accord.stages import sample

SMALL = {"max_tokens": 6, "prompts": 10}
WORDS = ["red", "green", "blue", "cat", "dog", "sun", "moon", "tea"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two tiny policies with peaked distributions, and twelve prompts."""
    folder = tmp_path_factory.mktemp("inputs")
    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, 280)
    for seed, name in enumerate(("a", "b")):
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
            initializer_range=0.3,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        with seeded_globals(seed, "tiny"):
            save_model(LlamaForCausalLM(config), tokenizer, folder / name)
    prompts = [
        Prompt(id=f"p{i}", messages=[Message(role="user", content=WORDS[i % 8] * (1 + i % 3))])
        for i in range(12)
    ]
    write_records(folder / "prompts-train.jsonl", prompts)
    return sample.Inputs(policies={n: folder / n for n in ("a", "b")}, prompts=folder)


def sampled(inputs, out, **settings):
    config = build(sample.Config, SMALL | settings, where="[sample]")
    return run_stage(sample.run, config, inputs, out)


def responses(out):
    return read_records(out / "output" / "responses.jsonl", Response)


@pytest.fixture(scope="module")
def straight(inputs, tmp_path_factory):
    return sampled(inputs, tmp_path_factory.mktemp("straight") / "sample")


def outcome(out):
    return read_json(out / "DONE.json")["digest"], (out / "metrics.jsonl").read_bytes()


def test_every_policy_answers_every_prompt(straight, inputs):
    found = responses(straight)
    assert len(found) == 10 * 2 * 2
    assert set(Counter((r.prompt_id, r.policy) for r in found).values()) == {2}
    assert len({r.id for r in found}) == len(found)
    one = found[0]
    assert (one.policy, one.seed, one.sampling.max_tokens) == ("a", 0, 6)
    assert one.policy_digest == digest(inputs.policies["a"])
    assert read_json(straight / "DONE.json")["headline"]["responses"] == 40


def test_a_comparison_holds_all_responses_to_its_prompt(straight):
    comparisons = read_records(straight / "output" / "comparisons.jsonl", Comparison)
    by_prompt = {}
    for response in responses(straight):
        by_prompt.setdefault(response.prompt_id, []).append(response)
    assert len(comparisons) == 10
    for comparison in comparisons:
        assert list(comparison.responses) == by_prompt[comparison.prompt.id]


def test_the_statistics_are_those_of_the_responses(straight):
    for line, name in zip(read_metrics(straight), ("a", "b"), strict=True):
        mine = [r for r in responses(straight) if r.policy == name]
        assert line["sample/responses"] == len(mine) == 20
        assert line["sample/finished"] == sum(r.finished for r in mine) / 20
        assert line["sample/distinct"] == len({r.text for r in mine}) / 20


def test_equal_texts_are_no_comparison(inputs, tmp_path):
    both = inputs.model_copy(update={"policies": dict.fromkeys("xy", inputs.policies["a"])})
    out = sampled(both, tmp_path / "out", temperature=0.0, responses_per_policy=1)
    assert read_json(out / "DONE.json")["headline"]["comparisons"] == 0
    assert len(responses(out)) == 20


@pytest.mark.parametrize("calls", [0, 1, 3, 5])
def test_killed_and_resumed_equals_straight(inputs, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(sample, "CHUNK", 4)
    expected = outcome(sampled(inputs, tmp_path / "straight"))
    draw, done = HuggingFaceGenerator.sample, []

    def dies(self, prompts, sampling, *, random):
        if len(done) == calls:
            raise KeyboardInterrupt
        done.append(len(prompts))
        return draw(self, prompts, sampling, random=random)

    with monkeypatch.context() as killed:
        killed.setattr(HuggingFaceGenerator, "sample", dies)
        with pytest.raises(KeyboardInterrupt):
            sampled(inputs, tmp_path / "out")
        done.clear()
        calls = 6 - calls  # three chunks of each policy: what was done is not done again
        sampled(inputs, tmp_path / "out")
    assert len(done) == calls
    assert outcome(tmp_path / "out") == expected


CHANGES = {
    "seed": 1,
    "round": 2,
    "prompts": 9,
    "responses_per_policy": 3,
    "temperature": 0.5,
    "top_k": 2,
    "top_p": 0.5,
    "max_tokens": 5,
    "compare": False,
}


def test_every_field_is_known_to_these_tests():
    assert set(CHANGES) == set(identity(sample.Config()))
    assert set(sample.Config.model_fields) - set(CHANGES) == {"microbatch_size"}


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_every_field_changes_something(inputs, straight, tmp_path, field):
    out = sampled(inputs, tmp_path / "out", **{field: CHANGES[field]})
    assert outcome(out)[0] != outcome(straight)[0]
    if field != "compare":
        assert {r.text for r in responses(out)} != {r.text for r in responses(straight)}


def test_the_microbatch_size_changes_no_response(inputs, straight, tmp_path):
    out = sampled(inputs, tmp_path / "out", microbatch_size=3)
    assert outcome(out) == outcome(straight)


def test_another_policy_in_the_run_changes_no_response(inputs, straight, tmp_path):
    alone = inputs.model_copy(update={"policies": {"b": inputs.policies["b"]}})
    out = sampled(alone, tmp_path / "out")
    assert responses(out) == [r for r in responses(straight) if r.policy == "b"]


def test_prompts_are_all_taken_when_asked_for(inputs, tmp_path):
    out = sampled(inputs, tmp_path / "out", prompts=0, compare=False, responses_per_policy=1)
    assert [r.prompt_id for r in responses(out)] == [f"p{i}" for i in range(12)] * 2
    assert not (out / "output" / "comparisons.jsonl").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"responses_per_policy": 5}, "2 to 9 responses, not 10"),
        ({"max_tokens": 64}, "no prompt of .* fits"),
    ],
)
def test_settings_that_cannot_be(inputs, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        sampled(inputs, tmp_path / "out", **settings)


def test_inputs_that_cannot_be(inputs, tmp_path):
    with pytest.raises(InputError, match="`policies` is empty"):
        sampled(inputs.model_copy(update={"policies": {}}), tmp_path / "none")
    one = inputs.model_copy(update={"policies": {"a": inputs.policies["a"]}})
    with pytest.raises(InputError, match="2 to 9 responses, not 1"):
        sampled(one, tmp_path / "one", responses_per_policy=1)
    prompt = Prompt(id="same", messages=[Message(role="user", content="tea")])
    write_records(tmp_path / "twice.jsonl", [prompt, prompt])
    twice = inputs.model_copy(update={"prompts": tmp_path / "twice.jsonl"})
    with pytest.raises(InputError, match="two prompts have one id"):
        sampled(twice, tmp_path / "out")
