"""What a policy has cost, in tokens that went through a model of its size.

    cost = forward tokens + 2 · backward tokens

A forward pass over a token takes about 2 operations for each weight and a backward pass about 4
(Kaplan et al. 2020, arXiv:2001.08361, section 2.1), whatever the model is called: policy,
reference, value and preference model count alike here, for they are of one size. Prompts count
with their responses, padding does not.

    sampling, scoring, reference, values     1 forward pass each
    a step of a policy or a value model      1 forward and 1 backward pass
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.chat import encode_prompts, encode_responses
from accord.records import Demonstration, LabeledComparison, Prompt, read_records
from accord.runtime.artifacts import read_json


@dataclass(frozen=True)
class Cost:
    """Tokens through models."""

    forward: float
    backward: float

    @property
    def total(self) -> float:
        """Forward-equivalent tokens."""
        return self.forward + 2 * self.backward

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.forward + other.forward, self.backward + other.backward)


def cost_of(artifact: Path, tokenizer: PreTrainedTokenizerBase) -> Cost:
    """What it took to make a policy from the one it started from, its data included.

    Args:
        artifact: of ppo, rloo, grpo, reinforce, dpo, or of sft on the picks of best_of_n.
        tokenizer: of the policy.

    Raises:
        InputError: the artifact is of none of these stages.
    """
    config, inputs = read_json(artifact / "config.json"), read_json(artifact / "inputs.json")
    if (artifact / "rollouts.jsonl").is_file():
        return _of_rollouts(artifact, config, inputs, tokenizer)
    if "demonstrations" in inputs:
        source = Path(inputs["demonstrations"]["path"])
        tokens = _demonstrated(source, tokenizer) * (1 - config["held_out_fraction"])
        passes = config["epochs"]
        return _of_draws(source, tokenizer) + Cost(passes * tokens, passes * tokens)
    if "comparisons" in inputs and "beta" in config:
        source = Path(inputs["comparisons"]["path"])
        tokens, passes = _compared(source, tokenizer), config["epochs"]
        return _of_draws(source, tokenizer) + Cost(2 * passes * tokens, passes * tokens)
    raise InputError(
        f"cannot tell what `{artifact}` has cost; give ppo, rloo, grpo, reinforce, dpo or sft"
    )


def _of_rollouts(
    artifact: Path, config: dict[str, Any], inputs: dict[str, Any], tokenizer: Any
) -> Cost:
    """Sampled, scored, compared with the reference, and learnt from."""
    tokens = 0
    prompts: dict[str, int] = {}
    with (artifact / "rollouts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            tried = json.loads(line)
            name = tried["prompt_id"]
            if name not in prompts:
                prompt = Prompt.model_validate(tried["prompt"])
                prompts[name] = len(encode_prompts(tokenizer, [prompt])[0])
            tokens += prompts[name] + tried["length"]
    judges = 1 + len(inputs.get("more_preference_models") or [])
    if "value_learning_rate" not in config:
        epochs = config.get("epochs", 1)
        return Cost((2 + judges + epochs) * tokens, epochs * tokens)
    steps = 2 * config["ppo_epochs"]  # of the policy and of the value model
    return Cost((3 + judges + steps) * tokens, steps * tokens)


def _of_draws(source: Path, tokenizer: Any) -> Cost:
    """What best_of_n drew and scored; nothing where the data came from elsewhere."""
    file = source / "output" / "draws.jsonl"
    if not file.is_file():
        return Cost(0, 0)
    asked = _prompts_of(source, tokenizer)
    tokens = 0
    for line in file.read_text(encoding="utf-8").splitlines():
        drawn = json.loads(line)
        tokens += len(drawn["lengths"]) * asked.get(drawn["prompt_id"], 0) + sum(drawn["lengths"])
    return Cost(2 * tokens, 0)


def _prompts_of(source: Path, tokenizer: Any) -> dict[str, int]:
    """Tokens of each prompt that best_of_n was given."""
    given = Path(read_json(source / "inputs.json")["prompts"]["path"])
    file = given if given.is_file() else given / "output" / "prompts-train.jsonl"
    prompts = read_records(file, Prompt)
    encoded = encode_prompts(tokenizer, prompts)
    return {prompt.id: len(ids) for prompt, ids in zip(prompts, encoded, strict=True)}


def _demonstrated(source: Path, tokenizer: Any) -> int:
    folder = source / "output" if (source / "output").is_dir() else source
    file = folder / "demonstrations.jsonl" if folder.is_dir() else folder
    shown = read_records(file, Demonstration)
    return _tokens(tokenizer, [(one.prompt, one.response) for one in shown])


def _compared(source: Path, tokenizer: Any) -> int:
    folder = source / "output" if (source / "output").is_dir() else source
    compared = read_records(folder / "comparisons-train.jsonl", LabeledComparison)
    return _tokens(
        tokenizer,
        [(c.comparison.prompt, r.text) for c in compared for r in c.comparison.responses],
    )


def _tokens(tokenizer: Any, pairs: Sequence[tuple[Prompt, str]]) -> int:
    asked = encode_prompts(tokenizer, [prompt for prompt, _ in pairs])
    said = encode_responses(tokenizer, [text for _, text in pairs])
    return _length(asked) + _length(said)


def _length(rows: Iterable[Sequence[int]]) -> int:
    return sum(len(row) for row in rows)
