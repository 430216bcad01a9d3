"""One step of a preference model under every loss, and what stops a run before it writes."""

import copy
import json
import random
import shutil
from typing import get_args

import pytest
import torch

from accord.config import InputError, build
from accord.models.load import load_scalar_model
from accord.records import (
    Comparison,
    Demonstration,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    write_records,
)
from accord.runtime import preference_training
from accord.runtime.artifacts import run_stage
from accord.runtime.preference_items import Answer, Item
from accord.runtime.preference_losses import Kind, Loss, TieParameter, learns_ties
from accord.runtime.preference_training import Heads, Part, Plan
from accord.runtime.seeding import generator
from accord.stages import preference_model, sft


def item(number, rng):
    """Two or three responses, one or two answers with their weights, a rating left out."""
    k = 2 + number % 2
    ranks = [tuple(rng.sample(range(1, k + 1), k)), (1, *[1] * (k - 2), 2)][: 1 + number % 3 // 2]
    wins = [[float(sum(r[i] < r[j] for r in ranks)) for j in range(k)] for i in range(k)]
    return Item(
        prompt=[rng.randrange(4, 40) for _ in range(1 + number)],
        responses=[[rng.randrange(4, 40), *[7] * j, 1] for j in range(k)],
        wins=wins,
        answers=tuple(Answer(r, rng.randrange(1, 5), 0.5 + number) for r in ranks),
        ratings=(float("nan") if number == 3 else 2.0, *[float(rng.randrange(5))] * (k - 1)),
    )


ITEMS = [item(number, random.Random(number)) for number in range(7)]


@pytest.fixture(scope="module")
def fresh(tiny_models):
    return load_scalar_model(tiny_models["llama"], random=generator(0))[0]


def stepped(fresh, kind, size):
    """All weights after a step of plain gradient descent, and what the step said."""
    loss = Loss(kind=kind)
    heads = Heads(copy.deepcopy(fresh), tie=TieParameter() if learns_ties(loss) else None)
    plan = Plan(
        seed=0,
        epochs=1,
        batch_size=len(ITEMS),
        microbatch_size=size,
        learning_rate=1.0,
        schedule="constant",
        warmup=0.0,
        final_learning_rate=1.0,
        max_grad_norm=1e9,
        checkpoint_every=1,
        loss=loss,
    )
    # Adam's first step has the same length whatever the gradient's, and would hide its scale
    descent = torch.optim.SGD(heads.trained().parameters(), lr=1.0)
    found = preference_training._step(heads, Part(ITEMS), plan, descent, 1.0)
    return heads.trained().state_dict(), found


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_microbatch_size_changes_no_step_of_any_loss(fresh, kind):
    whole, said = stepped(fresh, kind, len(ITEMS))
    assert said["train/grad_norm"] > 1e-3
    for size in (1, 3):
        weights, found = stepped(fresh, kind, size)
        assert found == pytest.approx(said, rel=1e-4, abs=1e-6)
        for name, weight in weights.items():
            torch.testing.assert_close(weight, whole[name], rtol=1e-4, atol=1e-5, msg=name)


def comparison(number):
    prompt = Prompt(id=f"p{number}", messages=(Message(role="user", content=f"{number} what?"),))
    responses = tuple(
        Response(id=f"{number}-{text}", prompt_id=prompt.id, text=text, policy="sft")
        for text in ("good", "far")
    )
    vote = Preference(id=f"v{number}", comparison_id=f"c{number}", labeler="ann", ranks=(1, 2))
    return LabeledComparison(
        comparison=Comparison(id=f"c{number}", prompt=prompt, responses=responses),
        preferences=(vote,),
    )


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparisons")
    made = [comparison(number) for number in range(20)]
    write_records(folder / "comparisons-train.jsonl", made[:16])
    write_records(folder / "comparisons-test.jsonl", made[16:])
    return folder


def test_a_diverged_loss_is_named_and_nothing_is_half_written(tiny_models, comparisons, tmp_path):
    inputs = preference_model.Inputs(model=tiny_models["llama"], comparisons=comparisons)
    settings = {"batch_size": 4, "microbatch_size": 4, "learning_rate": 1e30}
    config = build(preference_model.Config, settings, where="[preference_model]")
    with pytest.raises(InputError, match=r"training diverged .*lower the learning rate"):
        run_stage(preference_model.run, config, inputs, tmp_path / "pm")
    assert not any((tmp_path / "pm" / "output").iterdir())
    for name in ("evaluation.json", "DONE.json"):
        assert not (tmp_path / "pm" / name).exists(), name


@pytest.mark.parametrize("stage", [preference_model, sft], ids=["preference_model", "sft"])
def test_a_tokenizer_without_an_end_of_sequence_is_named(tiny_models, comparisons, tmp_path, stage):
    model = tmp_path / "endless"
    shutil.copytree(tiny_models["llama"], model)
    settings = json.loads((model / "tokenizer_config.json").read_text())
    del settings["eos_token"]
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    prompt = Prompt(id="p", messages=(Message(role="user", content="what is two?"),))
    file = tmp_path / "demonstrations.jsonl"
    write_records(file, [Demonstration(prompt=prompt, response="two")])
    given = {"comparisons": comparisons} if stage is preference_model else {"demonstrations": file}
    config = build(stage.Config, {}, where="[stage]")
    with pytest.raises(InputError, match="endless` has no end-of-sequence token; set its"):
        run_stage(stage.run, config, stage.Inputs(model=model, **given), tmp_path / "out")
    assert not any((tmp_path / "out" / "output").iterdir())
