"""Supervised fine-tuning: demonstrations per second and peak memory beside TRL's SFTTrainer.

    python benchmarks/sft_vs_trl.py [--demonstrations 384] [--repeats 3] [--hidden 256]

Needs ``trl`` and what it needs. Both train the same Llama on the same demonstrations of mixed
length, with the loss on responses only, in float32 with AdamW, from token ids, without checkpoints
or evaluation; TRL without gradient checkpointing, which it would otherwise pay for.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from side_by_side import END, PAD, compare, lengths, llama, measured, tokens
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from accord.data.collate import Sequences, bucketed, build
from accord.data.tokenizers import train_tokenizer
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import generator
from accord.runtime.supervised import Plan, fit

BATCH = 16  # demonstrations per optimizer step
LEARNING_RATE = 1e-4


def demonstrations(count: int) -> list[tuple[list[int], list[int]]]:
    """Prompt and response of each, the end of sequence included."""
    prompts = lengths(0, count, 60, least=8, most=300)
    responses = lengths(1, count, 90, least=3, most=400)
    return [
        (tokens(2 * i, prompts[i]), [*tokens(2 * i + 1, responses[i]), END]) for i in range(count)
    ]


def model(hidden: int) -> LlamaForCausalLM:
    """Six layers; drawn alike on both sides."""
    torch.manual_seed(0)
    return LlamaForCausalLM(llama(layers=6, hidden=hidden))


def accord_side(count: int, hidden: int) -> dict[str, float]:
    """What the stage does between loading and saving."""
    prepare_processor()
    policy = model(hidden).eval()
    place(policy)
    rows = demonstrations(count)

    def batch(numbers: Sequence[int]) -> Sequences:
        return build([rows[n][0] for n in numbers], [rows[n][1] for n in numbers], PAD)

    sizes = [len(prompt) + len(response) for prompt, response in rows]
    plan = Plan(
        seed=0,
        learning_rate=LEARNING_RATE,
        schedule="linear",
        warmup=0.0,
        final_learning_rate=0.0,
        betas=(0.9, 0.999),
        weight_decay=0.0,
        max_grad_norm=1.0,
        microbatch_size=BATCH,
        log_every=10,
        checkpoint_every=10**9,
    )
    with tempfile.TemporaryDirectory() as folder:
        steps = bucketed(sizes, BATCH, rng=generator(0))
        return measured(
            lambda: fit(policy, batch, steps, plan, held_out=[], out=Path(folder)), count
        )


def trl_side(count: int, hidden: int) -> dict[str, float]:
    """SFTTrainer from token ids."""
    from datasets import Dataset  # noqa: PLC0415 - of this side only
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    rows = [
        {
            "input_ids": prompt + response,
            "completion_mask": [0] * len(prompt) + [1] * len(response),
        }
        for prompt, response in demonstrations(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer(["some text"] * 3, 280).save_pretrained(folder)
        tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(folder)
        tokenizer.pad_token_id = PAD
        trainer = SFTTrainer(
            model=model(hidden),
            args=SFTConfig(
                output_dir=folder,
                per_device_train_batch_size=BATCH,
                num_train_epochs=1,
                learning_rate=LEARNING_RATE,
                completion_only_loss=True,
                gradient_checkpointing=False,
                bf16=False,
                use_cpu=True,
                save_strategy="no",
                report_to="none",
                logging_steps=10,
                disable_tqdm=True,
                max_length=None,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        return measured(trainer.train, count)


def main() -> None:
    """One side when asked for, else both by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=("accord", "trl"))
    parser.add_argument("--demonstrations", type=int, default=384)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.side is None:
        size = ["--demonstrations", str(given.demonstrations), "--hidden", str(given.hidden)]
        compare(__file__, ("accord", "trl"), repeats=given.repeats, arguments=size)
    else:
        side = accord_side if given.side == "accord" else trl_side
        print(json.dumps(side(given.demonstrations, given.hidden)))


if __name__ == "__main__":
    main()
