"""PPO beside TRL 1.12.0, the last release that had it: episodes a second and peak memory.

    python -m venv trl && trl/bin/pip install torch==2.13.0 transformers==5.23.0 trl==1.12.0
    python benchmarks/ppo_vs_trl.py --trl-python trl/bin/python

Both get the same random models of GPT-2's architecture (policy, reference, preference model, value
model), the same prompts of 32 tokens, responses of up to 64 tokens that end by end-of-sequence with
a mean of about 24, one batch of 32 episodes and 4 epochs an update. Every side is a process of its
own, and the sides take turns, so that whatever else the machine does meets all of them. `trl` is
TRL as it comes; `trl-tuned` sets what a user could: float32 products of "medium" precision and
eager attention. `shared` and `hydra` are Accord's layouts of docs/stages/ppo.md.
"""

import argparse
import itertools
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
SIZES = {  # layers, width, heads, vocabulary
    "tiny": (4, 128, 4, 1024),
    "small": (6, 384, 6, 8192),
}
PROMPT, RESPONSE, BATCH, EPOCHS = 32, 64, 32, 4
RANK = 8  # of adapters
MEAN_LENGTH = 24  # tokens of a response, end of sequence included, about
WARM = 1  # updates that are not counted
SIDES = {
    "trl": "TRL 1.12.0 as it comes, float32",
    "trl-tuned": "TRL 1.12.0, medium precision, eager attention",
    "separate": "Accord, separate models, float32",
    "separate-bf16": "Accord, separate models, bfloat16",
    "shared-bf16": "Accord, one trunk with adapters of rank 8, bfloat16",
    "hydra-bf16": "Accord, lower half frozen and computed once, bfloat16",
}


def make_world(folder: Path, size: str) -> None:
    """A policy, a preference model and prompts, the same for every side."""
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        GPT2Config,
        GPT2ForSequenceClassification,
        GPT2LMHeadModel,
        PreTrainedTokenizerFast,
    )

    layers, width, heads, vocabulary = SIZES[size]
    torch.manual_seed(0)
    words = ["<eos>", "<pad>", "<unk>", "Human:", "Assistant:"]
    words += [f"w{i}" for i in range(vocabulary - len(words))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    shape = {"n_layer": layers, "n_embd": width, "n_head": heads, "vocab_size": vocabulary}
    drops = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    config = GPT2Config(n_positions=PROMPT + RESPONSE + 8, **shape, **drops, **ends)
    policy = GPT2LMHeadModel(config)
    end_often(policy)
    policy.save_pretrained(folder / "policy")
    config.num_labels = 1
    judge = GPT2ForSequenceClassification(config)
    judge.transformer.load_state_dict(policy.transformer.state_dict())  # grown from the policy
    judge.save_pretrained(folder / "preference_model")
    for name in ("policy", "preference_model"):
        fast.save_pretrained(folder / name)
    picks = torch.randint(5, vocabulary, (4 * BATCH, PROMPT - 2)).tolist()
    with (folder / "prompts.jsonl").open("w", encoding="utf-8") as file:
        for number, row in enumerate(picks):
            text = " ".join(words[i] for i in row)
            prompt = {"id": str(number), "messages": [{"role": "user", "content": text}]}
            file.write(json.dumps({"schema": 1} | prompt) + "\n")


def end_often(policy: torch.nn.Module) -> None:
    """Shift the last norm along the end-of-sequence embedding until the mean length is right."""
    end = policy.transformer.wte.weight.data[0].clone()
    texts = torch.randint(5, policy.config.vocab_size, (16, PROMPT + RESPONSE))
    wanted, odds = 1 / MEAN_LENGTH, 0.0
    for _ in range(6):
        policy.transformer.ln_f.bias.data.copy_(end * odds / float(end @ end))
        with torch.no_grad():
            found = float(policy(texts).logits.softmax(-1)[:, PROMPT:, 0].mean())
        odds += math.log(wanted / (1 - wanted)) - math.log(found / (1 - found))


def accord_side(world: Path, side: str, updates: int) -> dict[str, object]:
    """Seconds of every update of ``accord ppo``'s own loop, and lengths."""
    sys.path.insert(0, str(ROOT))
    from accord.runtime.processor import prepare_processor  # noqa: PLC0415
    from accord.stages import ppo  # noqa: PLC0415
    from accord.stages.ppo.rollout import read_prompts  # noqa: PLC0415
    from accord.stages.ppo.settings import Config, Inputs  # noqa: PLC0415
    from accord.stages.ppo.tools import load_tools  # noqa: PLC0415

    prepare_processor()
    inputs = Inputs(
        policy=world / "policy",
        preference_model=world / "preference_model",
        prompts=world / "prompts.jsonl",
    )
    config = Config(
        updates=updates,
        rollout_batch_size=BATCH,
        minibatch_size=BATCH,
        microbatch_size=BATCH,
        ppo_epochs=EPOCHS,
        learning_rate=3e-6,
        value_learning_rate=3e-6,
        kl_coef=0.05,
        max_tokens=RESPONSE,
        missing_eos_penalty=1.0,
        models=models_of(world, side),
    )
    tools = load_tools(inputs, microbatch_size=config.microbatch_size, models=config.models)
    pool = read_prompts(inputs.prompts, tools, max_tokens=RESPONSE)
    state = ppo.initial_state(tools, config)
    seconds, lengths = [], []
    for update in range(1, updates + 1):
        began = time.perf_counter()
        metrics = ppo.update_once(state, update, pool, config, tools)
        seconds.append(time.perf_counter() - began)
        lengths.append(metrics["response/length"])
    return {"seconds": seconds, "lengths": lengths}


def models_of(world: Path, side: str) -> dict[str, object]:
    """The settings of a layout."""
    layout, _, precision = side.partition("-")
    more: dict[str, object] = {"precision": "bfloat16" if precision else "float32"}
    layers = json.loads((world / "policy" / "config.json").read_text(encoding="utf-8"))["n_layer"]
    if layout == "shared":
        more |= {"layout": "shared_trunk", "lora_rank": RANK}
    if layout == "hydra":
        more |= {"layout": "hydra", "frozen_layers": layers // 2}
    return more


def trl_settings(world: Path, updates: int) -> dict[str, object]:
    """The same hyperparameters, in TRL's words."""
    return {
        "output_dir": str(world / "trl"),
        "per_device_train_batch_size": BATCH,
        "gradient_accumulation_steps": 1,
        "num_mini_batches": 1,
        "num_ppo_epochs": EPOCHS,
        "local_rollout_forward_batch_size": BATCH,
        "total_episodes": BATCH * updates,
        "response_length": RESPONSE,
        "stop_token": "eos",
        "missing_eos_penalty": 1.0,
        "learning_rate": 3e-6,
        "temperature": 1.0,
        "num_sample_generations": 0,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": 0,
    }


def trl_side(world: Path, side: str, updates: int) -> dict[str, object]:
    """Seconds of every update of TRL's PPOTrainer, and lengths."""
    from datasets import Dataset  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        TrainerCallback,
    )
    from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer  # noqa: PLC0415

    tuned = {"attn_implementation": "eager"} if side == "trl-tuned" else {}
    if tuned:
        torch.set_float32_matmul_precision("medium")
    tokenizer = AutoTokenizer.from_pretrained(world / "policy", padding_side="left")
    rows = (world / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row)["messages"][0]["content"] for row in rows]
    ids = [tokenizer(f"Human: {text} Assistant:")["input_ids"] for text in texts]
    times, lengths, widths = [time.perf_counter()], [], []
    generate = ppo_trainer.batch_generation

    def counted(model, queries, *more):  # type: ignore[no-untyped-def]
        whole, logits = generate(model, queries, *more)
        said = whole[:, queries.shape[1] :]
        ends = (said == tokenizer.eos_token_id).float()
        until = torch.where(ends.any(1), ends.argmax(1) + 1, said.shape[1])
        lengths.append(float(until.float().mean()))
        widths.append(said.shape[1])
        return whole, logits

    ppo_trainer.batch_generation = counted

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **more):  # type: ignore[no-untyped-def]
            times.append(time.perf_counter())

    def loaded(kind, name, **more):  # type: ignore[no-untyped-def]
        return kind.from_pretrained(world / name, dtype=torch.float32, **tuned, **more)

    scalar = AutoModelForSequenceClassification
    trainer = PPOTrainer(
        args=PPOConfig(**trl_settings(world, updates)),
        processing_class=tokenizer,
        model=loaded(AutoModelForCausalLM, "policy"),
        ref_model=loaded(AutoModelForCausalLM, "policy"),
        reward_model=loaded(scalar, "preference_model", num_labels=1),
        value_model=loaded(scalar, "preference_model", num_labels=1),
        train_dataset=Dataset.from_dict({"input_ids": ids}),
        eval_dataset=Dataset.from_dict({"input_ids": ids[:BATCH]}),
        callbacks=[Clock()],
    )
    times[0] = time.perf_counter()
    trainer.train()
    seconds = [b - a for a, b in itertools.pairwise(times)]
    return {"seconds": seconds, "lengths": lengths, "widths": widths}


def one_side(world: Path, side: str, updates: int, threads: int) -> None:
    """Run one side in this process and print what it took."""
    torch.set_num_threads(threads)
    found = (trl_side if side.startswith("trl") else accord_side)(world, side, updates)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = resource.getrusage(resource.RUSAGE_SELF)
    print("RESULT " + json.dumps(found | {"peak_mib": peak, "cpu": spent.ru_utime}))


def measured(python: str, world: Path, side: str, updates: int, threads: int) -> dict[str, object]:
    """Run one side in a process of its own."""
    command = [python, __file__, "--world", str(world), "--side", side]
    command += ["--updates", str(updates), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise SystemExit(f"{side} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found: dict[str, object] = json.loads(lines[0].removeprefix("RESULT "))
    return found


def roof(threads: int, dtype: torch.dtype) -> float:
    """Measured products, GFLOP/s, at the shape of the small model's widest layer."""
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("medium")
    a, b = torch.randn(3072, 384, dtype=dtype), torch.randn(384, 1536, dtype=dtype)
    speeds = []
    for _ in range(30):
        began = time.perf_counter()
        a @ b
        speeds.append(2 * 3072 * 384 * 1536 / (time.perf_counter() - began) / 1e9)
    return statistics.median(speeds)


def nominal_flops(side: str, size: str, length: float) -> float:
    """Floating-point operations that an update of Accord's cannot do without, attention left out.

    Two a weight and token forwards, four more backwards, two of those where the weight is not
    trained; heads at response tokens; padding none; lower layers of hydra once.
    """
    layers, width, _, vocabulary = SIZES[size]
    body = 12.0 * layers * width**2 * BATCH * (PROMPT + length)
    head = float(vocabulary * width) * BATCH * length
    policy = 2 * (body + head)  # one forward pass
    scored = policy + 2 * body  # sampling; the preference model
    if side.startswith("hydra"):
        upper = body / 2 + head  # the unembedding is the embedding, which is frozen
        return scored + body + 2 * upper * 2 + EPOCHS * (6 * body / 2 + 4 * head)
    if side.startswith("shared"):
        return scored + 2 * policy + EPOCHS * 2 * policy
    return scored + policy + 2 * body + EPOCHS * 3 * (policy + 2 * body)


def compare(args: argparse.Namespace) -> None:
    """All sides in turn, then one table."""
    sides = [side for side in args.sides.split(",") if side]
    print(
        f"size {args.size}, {args.threads} threads, {args.updates} updates x {args.rounds} rounds"
    )
    roofs = {"float32": torch.float32, "bf16": torch.bfloat16}
    most = {name: roof(args.threads, dtype) for name, dtype in roofs.items()}
    print(", ".join(f"roof {name} {speed:.0f} GFLOP/s" for name, speed in most.items()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder)
        make_world(world, args.size)
        runs: dict[str, list[dict[str, object]]] = {side: [] for side in sides}
        for _ in range(args.rounds):
            for side in sides:
                python = args.trl_python if side.startswith("trl") else sys.executable
                runs[side].append(measured(python, world, side, args.updates, args.threads))
                print(f"{side}: {json.dumps(runs[side][-1])}", file=sys.stderr, flush=True)
    print(
        f"{'side':<14}{'s/update':>10}{'best':>8}{'eps/s':>8}{'x TRL':>7}{'peak MiB':>10}  length"
        "  of the roof"
    )
    first = None
    for side in sides:
        seconds = [s for run in runs[side] for s in run["seconds"][WARM:]]  # type: ignore[index]
        median, best = statistics.median(seconds), min(seconds)
        first = first or median
        peak = max(float(run["peak_mib"]) for run in runs[side])  # type: ignore[arg-type]
        lengths = [x for run in runs[side] for x in run["lengths"]]  # type: ignore[attr-defined]
        length = statistics.fmean(lengths)
        share = "-"
        if not side.startswith("trl"):
            done = nominal_flops(side, args.size, length) / median / 1e9
            share = f"{done / most['bf16' if side.endswith('bf16') else 'float32']:.0%}"
        print(
            f"{side:<14}{median:>10.2f}{best:>8.2f}{BATCH / median:>8.2f}{first / median:>7.2f}"
            f"{peak:>10.0f}{length:>8.1f}{share:>13}"
        )


def main() -> None:
    """Parse and dispatch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--updates", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trl-python", default=sys.executable)
    parser.add_argument("--world", type=Path)
    parser.add_argument("--side")
    args = parser.parse_args()
    if args.side:
        one_side(args.world, args.side, args.updates, args.threads)
    else:
        compare(args)


if __name__ == "__main__":
    main()
