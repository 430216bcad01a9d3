"""A prompt moves into the weights."""

import json
import math

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from accord.config import InputError, build
from accord.data.collate import build as rows_of
from accord.data.tokenizers import train_tokenizer
from accord.models.load import load_policy, save_model
from accord.records import Demonstration, Message, Prompt, write_records
from accord.runtime.artifacts import read_json, run_stage
from accord.runtime.metrics import read_metrics
from accord.runtime.seeding import seeded_globals
from accord.stages import context_distillation as stage

SMALL = {
    "exemplars": 2,
    "categories": 9,
    "context": 24,
    "batch_size": 8,
    "microbatch_size": 4,
    "learning_rate": 1e-2,
    "held_out_fraction": 0.2,
    "log_every": 2,
    "checkpoint_every": 3,
}
WORDS = ["red", "green", "blue", "cat", "dog", "sun", "moon", "tea"]


def document(number):
    return {"text": " ".join(WORDS[(number * 7 + i * i) % 8] for i in range(3 + number % 5))}


def demonstration(number):
    message = Message(role="user", content=WORDS[number])
    return Demonstration(
        prompt=Prompt(id=str(number), messages=[message]), response=WORDS[-1 - number]
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "documents.jsonl").write_text(
        "".join(json.dumps(document(i)) + "\n" for i in range(60)), encoding="utf-8"
    )
    write_records(folder / "demonstrations.jsonl", [demonstration(i) for i in range(4)])
    (folder / "prompt.txt").write_text("\n\nHuman: red\n\nAssistant: blue blue", encoding="utf-8")
    tokenizer = train_tokenizer([" ".join(WORDS), " " + " ".join(WORDS)] * 3, 290)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=96,
        initializer_range=0.2,  # so that a prompt makes a difference
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded_globals(0, "tiny"):
        save_model(LlamaForCausalLM(config), tokenizer, folder / "model")
    return stage.Inputs(model=folder / "model", prompt=folder, documents=folder / "documents.jsonl")


def distilled(inputs, out, **settings):
    config = build(stage.Config, SMALL | settings, where="[context_distillation]")
    return run_stage(stage.run, config, inputs, out)


def headline(out):
    return read_json(out / "DONE.json")["headline"]


@pytest.fixture(scope="module")
def straight(inputs, tmp_path_factory):
    return distilled(inputs, tmp_path_factory.mktemp("straight") / "out")


def test_the_policy_comes_to_behave_as_if_the_prompt_stood_there(inputs, tmp_path):
    out = distilled(inputs, tmp_path / "out", epochs=12, categories=200)
    found = headline(out)
    assert found["held_out_kl"] < 0.5 * found["held_out_kl_before"]
    student, tokenizer = load_policy(out / "output")
    model, _ = load_policy(inputs.model)
    config = build(stage.Config, SMALL, where="")
    behind = tokenizer(stage._prompt(config, inputs))["input_ids"]
    text = tokenizer("\n\nHuman: green sun tea")["input_ids"]
    with torch.no_grad():
        wanted = model(torch.tensor([behind + text])).logits[0, len(behind) :].log_softmax(-1)
        before = model(torch.tensor([text])).logits[0].log_softmax(-1)
        after = student(torch.tensor([text])).logits[0].log_softmax(-1)

    def kl(found):
        return float((wanted.exp() * (wanted - found)).sum(-1).mean())

    assert kl(after) < 0.6 * kl(before)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("prompt_length", [3, 40])
def test_the_loss_against_slow_loops_in_float64(inputs, start, prompt_length):
    """Short prompts are read once a text, long ones once a microbatch."""
    model, _ = load_policy(inputs.model)
    student, _ = load_policy(inputs.model)
    with torch.no_grad():
        student.lm_head.weight.mul_(0.7)
    prompt = [int(t) for t in torch.randint(5, 280, (prompt_length,))]
    texts = [[9] * start + text for text in ([10, 11, 12, 13], [14, 15], [16, 17, 18, 19, 20, 1])]
    teacher = stage.Teacher(model, prompt, start, 9)
    taken = 1 + start
    rows = rows_of([t[:taken] for t in texts], [t[taken:] for t in texts], 0)
    found = float(teacher.loss(student, rows, "float32").detach())
    expected = 0.0
    for text in texts:
        whole = torch.tensor([prompt + text[start:]])
        with torch.no_grad():
            p = model(whole).logits[0].double().softmax(-1).tolist()
            q = student(torch.tensor([text])).logits[0].double().softmax(-1).tolist()
        for column in range(taken - 1, len(text) - 1):
            of_teacher, of_student = p[len(prompt) + column - start], q[column]
            best = sorted(range(len(of_teacher)), key=lambda k: -of_teacher[k])[:9]
            for k in best:
                expected += of_teacher[k] * math.log(of_teacher[k] / of_student[k])
            rest = 1 - sum(of_teacher[k] for k in best)
            expected += rest * math.log(rest / (1 - sum(of_student[k] for k in best)))
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_teacher_does_not_differ_from_itself_with_an_empty_prompt(inputs):
    model, _ = load_policy(inputs.model)
    rows = rows_of([[10], [11]], [[12, 13, 1], [14, 1]], 0)
    assert float(stage.Teacher(model, [], 0, 9).loss(model, rows, "float32").detach()) < 1e-5


@pytest.mark.parametrize(
    "setting",
    [
        {"seed": 1},
        {"exemplars": 1},
        {"categories": 2},
        {"context": 8},
        {"epochs": 2},
        {"batch_size": 4},
        {"learning_rate": 1e-3},
        {"warmup": 0.5},
        {"final_learning_rate": 0.5},
        {"weight_decay": 0.5},
        {"max_grad_norm": 0.01},
        {"held_out_fraction": 0.4},
        {"precision": "bfloat16"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_changes_something(inputs, straight, tmp_path, setting):
    out = distilled(inputs, tmp_path / "out", **setting)
    assert weights(out) != weights(straight)


def weights(out):
    return (out / "output" / "model.safetensors").read_bytes()


def test_log_every_is_the_distance_of_lines(inputs, straight, tmp_path):
    often = distilled(inputs, tmp_path / "out", log_every=1)
    assert len(read_metrics(often)) > len(read_metrics(straight))


def test_microbatches_change_nothing_but_memory(inputs, straight, tmp_path):
    out = distilled(inputs, tmp_path / "out", microbatch_size=2)
    assert headline(out)["held_out_kl"] == pytest.approx(
        headline(straight)["held_out_kl"], abs=1e-4
    )


def test_a_prompt_may_be_plain_text(inputs, straight, tmp_path):
    given = inputs.model_copy(update={"prompt": inputs.prompt / "prompt.txt"})
    out = distilled(given, tmp_path / "out")
    assert headline(out)["prompt_tokens"] != headline(straight)["prompt_tokens"]
    assert weights(out) != weights(straight)


def test_what_cannot_be_distilled_is_said(inputs, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text(" \n", encoding="utf-8")
    given = inputs.model_copy(update={"prompt": empty})
    with pytest.raises(InputError, match="is empty; there is nothing to distil"):
        distilled(given, tmp_path / "a")
    long = tmp_path / "long.txt"
    long.write_text("red " * 200, encoding="utf-8")
    given = inputs.model_copy(update={"prompt": long})
    with pytest.raises(InputError, match="of the model's 96 tokens; shorten it"):
        distilled(given, tmp_path / "b")
    strange = tmp_path / "strange.txt"
    strange.write_bytes(b"\xff\xfe red")
    given = inputs.model_copy(update={"prompt": strange})
    with pytest.raises(InputError, match="cannot read the prompt"):
        distilled(given, tmp_path / "c")
    with pytest.raises(InputError, match="leave no rest"):
        distilled(inputs, tmp_path / "d", categories=5000)
    one = tmp_path / "one.jsonl"
    one.write_text('{"text": "red"}\n', encoding="utf-8")
    given = inputs.model_copy(update={"documents": one})
    with pytest.raises(InputError, match="holds too few texts"):
        distilled(given, tmp_path / "e")
