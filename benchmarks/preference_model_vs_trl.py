"""Training a preference model: pairs per second and peak memory beside TRL's RewardTrainer.

    python benchmarks/preference_model_vs_trl.py [--pairs 256] [--repeats 3] [--hidden 256]

Needs ``trl`` and what it needs. Both train the same Llama on the same pairs of mixed length in
float32 with AdamW, from token ids, without checkpoints or evaluation; TRL without gradient
checkpointing, which it would otherwise pay for.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from side_by_side import END, PAD, compare, lengths, llama, measured, tokens
from transformers import AutoTokenizer, LlamaForSequenceClassification, PreTrainedTokenizerFast

from accord.data.tokenizers import train_tokenizer
from accord.models import scalar_head
from accord.runtime import preference_training
from accord.runtime.preference_items import Item, StoredItems
from accord.runtime.processor import place, prepare_processor
from accord.runtime.seeding import generator

BATCH = 16  # pairs per optimizer step
LEARNING_RATE = 1e-4


def pairs(count: int) -> list[tuple[list[int], list[int], list[int]]]:
    """Prompt, chosen and rejected response of each pair, the end of sequence included."""
    prompts = lengths(0, count, 90, least=8, most=400)
    responses = lengths(1, 2 * count, 60, least=3, most=250)
    return [
        (
            tokens(3 * i, prompts[i]),
            [*tokens(3 * i + 1, responses[2 * i]), END],
            [*tokens(3 * i + 2, responses[2 * i + 1]), END],
        )
        for i in range(count)
    ]


def model(hidden: int) -> LlamaForSequenceClassification:
    """Six layers, one label; drawn alike on both sides."""
    torch.manual_seed(0)
    config = llama(layers=6, hidden=hidden)
    config.num_labels = 1
    return LlamaForSequenceClassification(config)


def accord_side(count: int, hidden: int) -> dict[str, float]:
    """What the stage does between loading and evaluating."""
    prepare_processor()
    scalar = model(hidden).eval()
    place(scalar)
    scalar_head.initialise(scalar, random=generator(0))
    items = StoredItems()
    for prompt, chosen, rejected in pairs(count):
        items.append(Item(prompt, [chosen, rejected], [[0.0, 1.0], [0.0, 0.0]]))
    plan = preference_training.Plan(
        seed=0,
        epochs=1,
        batch_size=BATCH,
        microbatch_size=BATCH,
        learning_rate=LEARNING_RATE,
        schedule="linear",
        warmup=0.0,
        final_learning_rate=0.0,
        max_grad_norm=1.0,
        checkpoint_every=10**9,
    )
    with tempfile.TemporaryDirectory() as folder:
        return measured(
            lambda: preference_training.fit(
                preference_training.Heads(scalar), items, plan, out=Path(folder), evaluate=dict
            ),
            count,
        )


def trl_side(count: int, hidden: int) -> dict[str, float]:
    """RewardTrainer from token ids."""
    from datasets import Dataset  # noqa: PLC0415 - of this side only
    from trl import RewardConfig, RewardTrainer  # noqa: PLC0415

    rows = [
        {"chosen_ids": prompt + chosen, "rejected_ids": prompt + rejected}
        for prompt, chosen, rejected in pairs(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer(["some text"] * 3, 280).save_pretrained(folder)
        tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(folder)
        tokenizer.pad_token_id = PAD
        trainer = RewardTrainer(
            model=model(hidden),
            args=RewardConfig(
                output_dir=folder,
                per_device_train_batch_size=BATCH,
                num_train_epochs=1,
                learning_rate=LEARNING_RATE,
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
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.side is None:
        size = ["--pairs", str(given.pairs), "--hidden", str(given.hidden)]
        compare(__file__, ("accord", "trl"), repeats=given.repeats, arguments=size)
    else:
        side = accord_side if given.side == "accord" else trl_side
        print(json.dumps(side(given.pairs, given.hidden)))


if __name__ == "__main__":
    main()
