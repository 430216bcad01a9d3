"""PPO reaches the optimum that is known in closed form (C13).

A language of four words whose sentences have up to two: every response can be listed, so that the
policy that is best for a reward under a KL penalty, π* ∝ π_ref · exp(r / kl_coef), is known, and
what a trained policy reaches of its objective is computed over all responses, not sampled.
"""

import itertools
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from accord.config import build
from accord.data.collate import build as collate
from accord.functional.optimal import objective, optimal_objective
from accord.models import policy as policies
from accord.models.load import load_scalar_model, save_model
from accord.models.scalar_head import initialise
from accord.records import Message, Prompt
from accord.stages import ppo
from accord.stages.ppo.tools import load_tools

END, PAD, VOCABULARY, LONGEST, KL_COEF = 0, 1, 6, 2, 0.5
PROMPTS = [[2, 3], [4, 5, 2]]
ENDED = [
    [*words, END] for k in range(LONGEST) for words in itertools.product(range(1, 6), repeat=k)
]
RESPONSES = [*ENDED, *(list(words) for words in itertools.product(range(1, 6), repeat=LONGEST))]
POOL = [
    (Prompt(id=f"p{i}", messages=(Message(role="user", content="x"),)), prompt)
    for i, prompt in enumerate(PROMPTS)
]


class Table:
    """A reward for every response to every prompt, drawn from a normal distribution."""

    def __init__(self, seed):
        random = torch.Generator().manual_seed(seed)
        shape = len(PROMPTS), len(RESPONSES)
        self.rewards = torch.randn(shape, generator=random, dtype=torch.float64)
        self._places = {
            (*prompt, *response): (i, j)
            for i, prompt in enumerate(PROMPTS)
            for j, response in enumerate(RESPONSES)
        }

    def score(self, sequences, finished):
        lengths = sequences.lengths().tolist()
        rows = zip(sequences.tokens.tolist(), lengths, strict=True)
        places = [self._places[tuple(row[:length])] for row, length in rows]
        return torch.tensor([float(self.rewards[place]) for place in places])


def written(folder, seed):
    """A policy and a scalar model for the values to start from."""
    words = ["<|end|>", "<|pad|>", "a", "b", "c", "d"]
    numbered = WordLevel({word: i for i, word in enumerate(words)}, unk_token="a")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(numbered), eos_token=words[END], pad_token=words[PAD]
    )
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        initializer_range=0.2,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = AutoModelForCausalLM.from_config(config)
    save_model(policy, tokenizer, folder / "policy")
    random = torch.Generator().manual_seed(seed)
    scalar, _ = load_scalar_model(folder / "policy", random=random)
    initialise(scalar, random=random)
    save_model(scalar, tokenizer, folder / "pm")


def probabilities(model):
    """[prompts, responses], of a policy, over all responses."""
    found = []
    for prompt in PROMPTS:
        batch = collate([prompt] * len(RESPONSES), RESPONSES, PAD)
        lengths = batch.prompt_lengths, batch.response_lengths
        with torch.no_grad():
            found.append(policies.logprobs(model, batch.tokens, *lengths).sum(1).double().exp())
    return torch.stack(found)


def share_reached(before, after, table):
    """What was gained of all that can be gained, from where the policy started."""
    start = float(objective(before, before, table.rewards, kl_coef=KL_COEF).mean())
    best = float(optimal_objective(before, table.rewards, kl_coef=KL_COEF).mean())
    got = float(objective(after, before, table.rewards, kl_coef=KL_COEF).mean())
    assert start < got < best
    return (got - start) / (best - start)


def ppo_reaches(folder, seed, **settings):
    written(folder, seed)
    given = {
        "seed": seed,
        "updates": 60,
        "rollout_batch_size": 128,
        "minibatch_size": 64,
        "microbatch_size": 128,
        "learning_rate": 1e-2,
        "value_learning_rate": 1e-2,
        "kl_coef": KL_COEF,
        "missing_eos_penalty": 0.0,
        "max_tokens": LONGEST,
    }
    config = build(ppo.Config, given | settings, where="[ppo]")
    inputs = ppo.Inputs(policy=folder / "policy", preference_model=folder / "pm", prompts=folder)
    tools = load_tools(inputs, microbatch_size=config.microbatch_size)
    table = Table(seed)
    tools = replace(tools, scorers=(table,))
    before = probabilities(tools.policy)
    assert before.sum(1).tolist() == pytest.approx([1, 1], abs=1e-5)  # all responses are listed
    state = ppo.initial_state(tools, config)
    for update in range(1, config.updates + 1):
        ppo.update_once(state, update, POOL, config, tools)
    return share_reached(before, probabilities(tools.policy), table)


def test_ppo_reaches_the_optimum(tmp_path):
    assert ppo_reaches(tmp_path, 1) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_ppo_reaches_the_optimum_from_every_seed(seed, tmp_path):
    assert ppo_reaches(tmp_path, seed) > 0.95
