"""A world, tiny policies in it, and a preference model, all without meaning."""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from accord.data.chat import render_prompt
from accord.data.tokenizers import train_tokenizer
from accord.models.load import load_scalar_model, save_model
from accord.models.scalar_head import initialise, normalise
from accord.records import write_records
from accord.worlds.answers import good
from accord.worlds.facts import generate
from accord.worlds.meaning import meaning
from accord.worlds.prompts import evaluation_prompts

PROMPTS = 12
MAX_TOKENS = 12


class Place:
    """Where everything lies, and the world that it is about."""

    def __init__(self, folder):
        self.folder = folder
        self.world = generate(0)
        self.prompts = evaluation_prompts(self.world, PROMPTS, 0)

    def good_answer(self, prompt):
        return good(self.world, meaning(prompt), random.Random(prompt.id))


def save_policy(tokenizer, folder, seed, context=160):
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=context,
        initializer_range=0.3,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save_model(AutoModelForCausalLM.from_config(config), tokenizer, folder)


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    here = Place(tmp_path_factory.mktemp("evaluate"))
    folder = here.folder
    (folder / "world.json").write_text(here.world.to_json())
    write_records(folder / "prompts-eval.jsonl", here.prompts)
    texts = [m.content for p in here.prompts for m in p.messages]
    tokenizer = train_tokenizer(texts, 400)
    save_policy(tokenizer, folder / "sft", 0)
    save_policy(tokenizer, folder / "same", 0)
    save_policy(tokenizer, folder / "ppo_1", 1)
    lengths = sorted(len(tokenizer(render_prompt(p))["input_ids"]) for p in here.prompts)
    save_policy(tokenizer, folder / "short", 2, context=lengths[PROMPTS // 2] + MAX_TOKENS)
    save_policy(train_tokenizer(texts, 300), folder / "foreign", 3)
    chooser = torch.Generator().manual_seed(1)
    model, _ = load_scalar_model(folder / "sft", random=chooser)
    initialise(model, random=chooser)
    normalise(model, gain=3.0, bias=0.5)
    save_model(model, tokenizer, folder / "pm")
    return here
