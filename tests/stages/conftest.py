"""Models that are small enough to be trained in a blink."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from accord.data.tokenizers import train_tokenizer
from accord.models.load import load_scalar_model, save_model
from accord.models.scalar_head import initialise, normalise
from accord.records import Message, Prompt, write_records

WORDS = ["red", "green", "blue", "cat", "dog", "sun", "moon", "tea"]


def prompt(number):
    text = " ".join(WORDS[: 1 + number % len(WORDS)])
    return Prompt(id=f"p{number}", messages=(Message(role="user", content=text),))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A tiny policy, a preference model whose scores vary, and prompts."""
    folder = tmp_path_factory.mktemp("models")
    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, 280)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy = AutoModelForCausalLM.from_config(config)
    save_model(policy, tokenizer, folder / "policy")
    random = torch.Generator().manual_seed(1)
    scorer, _ = load_scalar_model(folder / "policy", random=random)
    initialise(scorer, random=random)
    normalise(scorer, gain=3.0, bias=0.5)
    save_model(scorer, tokenizer, folder / "pm")
    for number in (2, 3):  # other preference models, which disagree with the first
        other, _ = load_scalar_model(folder / "policy", random=random)
        initialise(other, random=random)
        normalise(other, gain=3.0, bias=float(number))
        save_model(other, tokenizer, folder / f"pm-{number}")
    write_records(folder / "prompts-train.jsonl", [prompt(n) for n in range(12)])
    texts = [" ".join(WORDS[i : i + 4]) for i in range(6)]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (folder / "pretraining.jsonl").write_text(lines)
    return folder
