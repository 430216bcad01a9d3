"""Importing: real files become the records that every stage takes, and nothing held out leaks."""

import json

import pytest

from accord.config import InputError
from accord.data.splits import normalised
from accord.data.threads import opening
from accord.records import (
    Demonstration,
    LabeledComparison,
    Prompt,
    read_records,
)
from accord.runtime.artifacts import digest, run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import import_data

KINDS = {
    "demonstrations": Demonstration,
    "comparisons-train": LabeledComparison,
    "comparisons-test": LabeledComparison,
    "public-comparisons": LabeledComparison,
    "prompts-train": Prompt,
    "prompts-eval": Prompt,
}


ASKED = "A question about good beer, number"


def dialogue(number, answer):
    return f"\n\nHuman: {ASKED} {number} of many?\n\nAssistant: {answer}"


@pytest.fixture
def folder(tmp_path):
    hh = [
        {"chosen": dialogue(n, f"Sure, {n}."), "rejected": dialogue(n, f"No, you idiot {n} {n}.")}
        for n in range(200)
    ]
    asked = [
        {
            "title": f"{ASKED} {n} of many?" if n < 40 else f"Beer {n}?",
            "answers": [{"score": 2**k - 1, "text": f"answer {k}"} for k in range(5)],
        }
        for n in range(80)
    ]
    shown = [
        {"instruction": f"{ASKED} {n} of many?", "input": "", "output": f"Shown {n}."}
        for n in range(150, 250)
    ]
    for name, rows in (("hh", hh + hh[:3]), ("stackexchange", asked), ("shown", shown)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    (tmp_path / "book.txt").write_text("\n\n".join(f"Paragraph {n}." for n in range(40)))
    return tmp_path


def imported(folder, name="out", *, settings=None, **inputs):
    if not inputs:
        inputs = {
            "comparisons": [folder / "hh.jsonl"],
            "demonstrations": [folder / "shown.jsonl"],
            "public_comparisons": [folder / "stackexchange.jsonl"],
            "documents": [folder / "book.txt", folder / "hh.jsonl"],
            "prompts": [folder / "shown.jsonl"],
        }
    config = import_data.Config(**(settings or {}))
    return run_stage(import_data.run, config, import_data.Inputs(**inputs), folder / name)


def read(out, name):
    file = out / f"output/{name}.jsonl"
    return read_records(file, KINDS[name]) if file.is_file() else []


def openings(records):
    found = set()
    for record in records:
        if isinstance(record, LabeledComparison):
            found.add(normalised(opening(record.comparison.prompt)))
        else:
            prompt = record.prompt if isinstance(record, Demonstration) else record
            found.add(normalised(opening(prompt)))
    return found


def test_it_writes_what_a_world_writes(folder):
    out = imported(folder)
    assert {path.name for path in (out / "output").iterdir()} == {
        *(f"{name}.jsonl" for name in KINDS),
        "pretraining.jsonl",
    }
    assert len(read(out, "comparisons-train")) + len(read(out, "comparisons-test")) == 200
    (metrics,) = read_metrics(out)
    assert metrics["import/rows"] == 203 + 80 + 100 + 1 + 203 + 100
    assert metrics["left_out/duplicate"] >= 3
    assert metrics["import/prompts_train"] == len(read(out, "prompts-train"))


def test_nothing_held_out_is_trained_on(folder):
    out = imported(folder, settings={"test_fraction": 0.3})
    held_out = openings(read(out, "prompts-eval"))
    assert openings(read(out, "comparisons-test")) <= held_out
    assert 40 < len(held_out) < 110
    for name in ("comparisons-train", "demonstrations", "public-comparisons", "prompts-train"):
        assert read(out, name)
        assert not openings(read(out, name)) & held_out, name
    for line in (out / "output/pretraining.jsonl").read_text().splitlines():
        said = json.loads(line).get("messages", [{"content": ""}])[0]["content"]
        assert normalised(said) not in held_out


def test_the_pairs_of_a_question_are_limited(folder):
    beer = [folder / "stackexchange.jsonl"]
    out = imported(folder, settings={"pairs_per_question": 2}, public_comparisons=beer)
    assert len(read(out, "public-comparisons")) == 160
    out = imported(folder, "all", settings={"pairs_per_question": 99}, public_comparisons=beer)
    assert len(read(out, "public-comparisons")) == 800


def test_sizes_can_be_limited(folder):
    out = imported(folder, settings={"most_comparisons": 20, "most_prompts": 10})
    assert len(read(out, "comparisons-train")) == len(read(out, "comparisons-test")) == 20
    assert len(read(out, "prompts-train")) == len(read(out, "prompts-eval")) == 10


def test_the_fraction_and_the_seed_decide_the_split(folder):
    one = imported(folder, "one", settings={"seed": 1})
    two = imported(folder, "two", settings={"seed": 2})
    none = imported(folder, "none", settings={"test_fraction": 0})
    assert openings(read(one, "comparisons-test")) != openings(read(two, "comparisons-test"))
    assert read(none, "comparisons-test") == read(none, "prompts-eval") == []


def test_the_same_seed_writes_the_same_bytes(folder):
    assert digest(imported(folder, "one") / "output") == digest(imported(folder, "two") / "output")


def test_long_texts_are_cut(folder):
    book = [folder / "book.txt"]
    short = imported(folder, "short", settings={"document_characters": 30}, documents=book)
    long = imported(folder, "long", documents=book)
    counts = [read_metrics(out)[0]["import/documents"] for out in (short, long)]
    assert counts[0] > counts[1] == 1


def test_all_demonstrations_or_the_best(folder):
    hh = [folder / "hh.jsonl"]
    best = imported(folder, "best", demonstrations=hh)
    every = imported(folder, "all", settings={"best_demonstrations": False}, demonstrations=hh)
    texts = {d.response.split()[0] for d in read(best, "demonstrations")}
    assert texts == {"Sure,"}
    assert len(read(every, "demonstrations")) == 2 * len(read(best, "demonstrations"))


def test_baselines_say_what_a_preference_model_has_to_beat(folder):
    out = imported(folder)
    baselines = json.loads((out / "baselines.json").read_text())
    assert baselines["bag_of_words"]["value"] == 1.0
    assert baselines["longer_wins"]["value"] == 0.0
    assert baselines["bag_of_words"]["low"] < 1.0
    assert baselines["test_pairs"] == baselines["longer_wins"]["n"]
    assert json.loads((out / "headline.json").read_text())["bag_of_words"]["n"] > 20


def test_the_intervals_follow_the_confidence(folder):
    wide, narrow = (
        json.loads(
            (imported(folder, f"c{c}", settings={"confidence": c}) / "baselines.json").read_text()
        )["bag_of_words"]["low"]
        for c in (0.99, 0.5)
    )
    assert wide < narrow


def test_with_few_pairs_there_is_no_baseline(folder):
    out = imported(folder, settings={"most_comparisons": 5})
    assert json.loads((out / "baselines.json").read_text())["bag_of_words"] is None


def test_near_duplicates_are_listed(folder):
    listed = imported(folder, "listed", settings={"near_duplicate": 0.3})
    pairs = json.loads((listed / "near_duplicates.json").read_text())
    assert len(pairs) == read_metrics(listed)[0]["import/near_duplicates"] > 0
    assert set(pairs[0]) == {"train", "eval", "similarity"}
    strict = imported(folder, "strict", settings={"near_duplicate": 1.0})
    assert json.loads((strict / "near_duplicates.json").read_text()) == []


def test_answers_nobody_ranked_are_no_comparison(folder):
    out = imported(folder, comparisons=[folder / "shown.jsonl", folder / "hh.jsonl"])
    assert read_metrics(out)[0]["left_out/not_ranked"] == 100


def test_nothing_to_import(folder):
    with pytest.raises(InputError, match="nothing to import"):
        run_stage(import_data.run, import_data.Config(), import_data.Inputs(), folder / "out")
