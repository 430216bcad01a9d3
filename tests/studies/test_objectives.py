"""The study of what learns from comparisons: its run file, and a whole one."""

import json

import pytest
from typer.testing import CliRunner

from accord.cli import app
from accord.config import InputError
from accord.studies.objectives import ARMS, run_table
from accord.studies.pmp import Design, Sources

SOURCES = Sources(target="hh.jsonl", public=(), model="builtin:base")


def test_the_run_file_by_hand():
    settings = {"preference_model": {"loss": {"lm_coef": 0.1}}, "sft": {"epochs": 2}}
    table = run_table(SOURCES, Design(sizes=(5,), seeds=2, settings=settings), "title")
    assert list(table)[:3] == ["run", "data", "mix_5_0"]
    assert len(table) == 2 + 2 * (1 + 2 * len(ARMS))
    assert table["model_ranked_5_0"] == {
        "stage": "preference_model",
        "inputs": {"model": "builtin:base", "comparisons": "mix_5_0"},
        "loss": {"lm_coef": 0.1},
        "seed": 0,
    }
    assert table["model_binary_5_1"]["loss"] == {"lm_coef": 0.1, "kind": "binary"}
    assert table["model_imitation_5_1"] == {
        "stage": "sft",
        "inputs": {"model": "builtin:base", "demonstrations": "mix_5_1"},
        "held_out_fraction": 0.0,
        "epochs": 2,
        "seed": 1,
    }
    assert table["votes_imitation_5_1"]["inputs"] == {
        "policy": "model_imitation_5_1",
        "comparisons": {"target": "mix_5_1"},
    }


def test_a_study_without_a_start_says_nothing():
    with pytest.raises(InputError, match="nothing to start from"):
        run_table(Sources("hh.jsonl", ()), Design(), "title")


def test_a_whole_study_is_drawn(tiny_models, tmp_path):
    words = ["four", "two", "far", "knows", "is", "what"]
    rows = [
        {"prompt": f"what is {words[n % 6]} and {words[n % 5]} {n}?", "chosen": "it is four",
         "rejected": f"far {words[n % 4]}"}
        for n in range(40)
    ]  # fmt: skip
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    arguments = ["study", "objectives", "--target", str(pairs), "--model",
                 str(tiny_models["llama"]), "--sizes", "12", "--seeds", "2", "--out", str(out),
                 "--set", "sft.learning_rate=0.01"]  # fmt: skip
    first = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    found = json.loads((out / "study.json").read_text())
    assert set(found["arms"]) == set(ARMS)
    assert found["arms"]["imitation"][0]["gain"] is None
    assert found["arms"]["ranked"][0]["gain"]["n"] > 0
    page = (out / "study.html").read_text()
    assert "What it adds to imitation" in page
    assert "accord study objectives" in page
    dry = CliRunner().invoke(app, [*arguments, "--dry-run"], catch_exceptions=False)
    assert dry.output.count("done") == 1 + 2 * 7
    keys = [
        [json.loads(line)["prompt"] for line in file.read_text().splitlines()]
        for file in sorted(out.glob("*votes_ranked_12_*/output/votes.jsonl"))
    ]
    assert len(keys) == 2
    assert sorted(keys[0]) == sorted(keys[1])  # one prompt has one key, whatever the seed
    assert keys[0] != keys[1]
