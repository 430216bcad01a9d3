"""The decode loop and the scoring functions on architectures besides Llama and GPT-2."""

import pytest
import torch
import transformers

from accord.models import load, policy
from accord.records import Sampling
from accord.runtime import generate
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.seeding import generator

PROMPTS = [[5, 6, 7], [8], [40, 41, 42, 43, 44], [9, 10, 11]]
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
FEW_HEADS = SMALL | {"num_key_value_heads": 2, "head_dim": 8}
ARCHITECTURES = {
    "gpt_neox": ("GPTNeoX", SMALL),
    "qwen2": ("Qwen2", FEW_HEADS),
    "qwen3": ("Qwen3", FEW_HEADS),
    "phi": ("Phi", SMALL),
    "mistral": ("Mistral", FEW_HEADS | {"sliding_window": None}),
    # These do not share a batch between lengths: a window, ALiBi, and soft caps with a window.
    "mistral with a window": ("Mistral", FEW_HEADS | {"sliding_window": 4}),
    "bloom": ("Bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "gemma2": ("Gemma2", FEW_HEADS | {"sliding_window": 4, "final_logit_softcapping": 2.0}),
}


@pytest.fixture(params=list(ARCHITECTURES))
def model_and_tokenizer(request, tiny_tokenizer, tmp_path):
    name, settings = ARCHITECTURES[request.param]
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tiny_tokenizer) + 1, **settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{name}ForCausalLM")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    load.save_model(model, tiny_tokenizer, tmp_path)
    loaded, tokenizer = load.load_policy(tmp_path)
    return loaded.requires_grad_(False), tokenizer


def test_sampled_and_recomputed_logprobs_agree(model_and_tokenizer):
    model, tokenizer = model_and_tokenizer
    sampling = Sampling(max_tokens=10)
    samples = HuggingFaceGenerator(model, tokenizer).sample(PROMPTS, sampling, random=generator(0))
    alone = HuggingFaceGenerator(model, tokenizer, max_rows=1).sample(
        PROMPTS, sampling, random=generator(0)
    )
    assert samples.responses == alone.responses
    for prompt, response, logprobs in zip(
        PROMPTS, samples.responses, samples.logprobs, strict=True
    ):
        found = policy.logprobs(
            model,
            torch.tensor([prompt + response]),
            torch.tensor([len(prompt)]),
            torch.tensor([len(response)]),
        )
        assert found[0].tolist() == pytest.approx(logprobs, abs=1e-5)


def test_which_architectures_share_a_batch_between_lengths(model_and_tokenizer, request):
    alone = request.node.callspec.params["model_and_tokenizer"].split()[-1]
    assert generate._is_ragged(model_and_tokenizer[0]) == (
        alone not in ("window", "bloom", "gemma2")
    )
