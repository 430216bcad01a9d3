"""The study of preference pretraining: its run file, its summary by hand, and a whole one."""

import json

import pytest
from typer.testing import CliRunner

from accord.cli import app
from accord.config import InputError
from accord.studies.pmp import ARMS, Design, Sources, run_table, summary

SOURCES = Sources(target="hh.jsonl", public=("votes.jsonl",), model="builtin:base")


def test_the_run_file_by_hand():
    table = run_table(SOURCES, Design(sizes=(5, 9), seeds=2), "title")
    assert list(table)[:4] == ["run", "data", "pretraining_ranked", "pretraining_binary"]
    assert len(table) == 4 + 2 * 2 * (1 + 2 * len(ARMS))
    assert table["pretraining_binary"]["form"] == "binary"
    assert table["mix_9_1"] | {"inputs": None} == {
        "stage": "mix_comparisons",
        "inputs": None,
        "size": 9,
        "seed": 1,
    }
    assert table["model_none_5_0"]["inputs"]["model"] == "builtin:base"
    assert table["model_binary_5_0"]["inputs"]["model"] == "pretraining_binary"
    assert table["votes_ranked_9_1"]["inputs"] == {
        "preference_model": "model_ranked_9_1",
        "comparisons": {"target": "mix_9_1"},
    }


def test_settings_reach_every_stage_of_a_kind():
    design = Design(settings={"preference_model": {"epochs": 3}, "pretrain": {"layers": 2}})
    table = run_table(Sources("hh.jsonl", ("v.jsonl",), documents=("books",)), design, "title")
    assert table["language_model"]["layers"] == 2
    assert table["pretraining_ranked"]["inputs"]["model"] == "language_model"
    models = [value for value in table.values() if value.get("stage") == "preference_model"]
    assert len(models) == 3 * 3 * 3
    assert all(model["epochs"] == 3 for model in models)


@pytest.mark.parametrize(
    ("sources", "design", "message"),
    [
        (SOURCES, Design(seeds=1), "1 seeds say nothing about seeds"),
        (SOURCES, Design(sizes=()), "`sizes` are numbers"),
        (Sources("hh", ("v",)), Design(), "nothing to start from"),
        (Sources("hh", (), model="m"), Design(), "nothing to pretrain on"),
    ],
)
def test_studies_that_say_nothing(sources, design, message):
    with pytest.raises(InputError, match=message):
        run_table(sources, design, "title")


def test_a_summary_by_hand(tmp_path):
    """Four votes, two seeds: without pretraining 2 and 2 right, ranked 4 and 2, binary 2 and 3."""
    right = {"none": ((1, 1, 0, 0), (1, 1, 0, 0)), "ranked": ((1, 1, 1, 1), (1, 1, 0, 0)),
             "binary": ((1, 1, 0, 0), (1, 1, 1, 0))}  # fmt: skip
    folders = {}
    for arm, by_seed in right.items():
        for seed, votes in enumerate(by_seed):
            folder = tmp_path / f"votes_{arm}_7_{seed}"
            (folder / "output").mkdir(parents=True)
            lines = [
                json.dumps({"prompt": n, "margin": 1.0 if is_right else -1.0}) + "\n"
                for n, is_right in enumerate(votes)
            ]
            (folder / "output" / "votes.jsonl").write_text("".join(lines))
            folders[folder.name] = folder
    found = summary(folders, Design(sizes=(7,), seeds=2))
    (none,), (ranked,), (binary,) = (found["arms"][arm] for arm in ARMS)
    assert (none["accuracy"]["value"], none["gain"]) == (0.5, None)
    assert (ranked["accuracy"]["value"], ranked["gain"]["value"]) == (0.75, 0.25)
    assert binary["gain"]["value"] == 0.125
    wide, narrow = ranked["gain"], ranked["gain_of_these_seeds"]
    assert wide["low"] <= narrow["low"] < 0.25 < narrow["high"] <= wide["high"]
    assert wide["n"] == 8


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    words = ["four", "two", "far", "knows", "is", "what"]
    rows = [
        {"prompt": f"what is {words[n % 6]} and {words[n % 5]} {n}?", "chosen": "it is four",
         "rejected": f"far {words[n % 4]}"}
        for n in range(60)
    ]  # fmt: skip
    votes = [
        {"title": f"is it {words[n % 6]} {n}?", "answers": [
            {"score": 4, "text": "it is"}, {"score": 0, "text": "two far"}]}
        for n in range(30)
    ]  # fmt: skip
    for name, made in (("pairs", rows), ("votes", votes)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return folder


def test_a_whole_study_resumes_and_is_drawn(files, tiny_models, tmp_path):
    arguments = ["study", "pmp", "--target", str(files / "pairs.jsonl"), "--public",
                 str(files / "votes.jsonl"), "--model", str(tiny_models["llama"]), "--sizes",
                 "12", "--seeds", "2", "--out", str(tmp_path / "out"), "--set",
                 "preference_pretraining.test_fraction=0.3"]  # fmt: skip
    first = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    found = json.loads((tmp_path / "out" / "study.json").read_text())
    assert found["sizes"] == [12]
    for arm in ARMS:
        assert [row["size"] for row in found["arms"][arm]] == [12]
        assert all(0 <= row["accuracy"]["value"] <= 1 for row in found["arms"][arm])
    page = (tmp_path / "out" / "study.html").read_text()
    assert "Preference pretraining" in page
    assert "<script" not in page
    again = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert again.exit_code == 0
    assert json.loads((tmp_path / "out" / "study.json").read_text()) == found
    dry = CliRunner().invoke(app, [*arguments, "--dry-run"], catch_exceptions=False)
    assert dry.output.count("done") == 3 + 2 * 7


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--sizes", "many"], "are no numbers"), (["--set", "epochs=2"], "names a kind of stage")],
)
def test_what_was_typed_wrongly(files, tmp_path, more, message):
    arguments = ["study", "pmp", "--target", "x", "--public", "y", "--model", "z", "--out",
                 str(tmp_path), *more]  # fmt: skip
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 2
    assert message in found.output
