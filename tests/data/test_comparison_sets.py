"""Sets of comparisons from any place, BIG-bench tasks, the sections of RewardBench."""

import json

import pytest

from accord.config import InputError
from accord.data.comparison_sets import REWARD_BENCH, read_comparisons, section_weights
from accord.data.sources import threads
from accord.data.threads import Tally, prompt_of
from accord.records import LabeledComparison, Message, write_records

PAIR = {"prompt": "Hi", "chosen": "Good", "rejected": "Bad"}
TASK = {
    "name": "hhh_alignment",
    "examples": [
        {"input": "Hi", "target_scores": {"Bad": 0, "Good": 1}},
        {"input": "Well?", "target_scores": {"Yes": 0.5, "No": 0.5, "Perhaps": 1}},
    ],
}


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ranks(labeled):
    (vote,) = labeled.preferences
    texts = [response.text for response in labeled.comparison.responses]
    return dict(zip(texts, vote.ranks, strict=True))


def test_a_file_and_a_folder_of_records(tmp_path):
    file = written(tmp_path / "pairs.jsonl", PAIR, PAIR | {"rejected": ""})
    tally = Tally()
    (one,) = read_comparisons(file, "test", tally)
    assert ranks(one) == {"Good": 1, "Bad": 2}
    assert tally == {"rows": 2, "left_out/empty": 1}
    folder = tmp_path / "collected"
    folder.mkdir()
    for side in ("train", "test"):
        write_records(folder / f"comparisons-{side}.jsonl", [one] * (2 if side == "train" else 1))
    assert len(read_comparisons(folder, "train", Tally())) == 2
    assert len(read_comparisons(folder, "test", Tally())) == 1
    (folder / "comparisons-test.jsonl").rename(folder / "comparisons.jsonl")
    assert len(read_comparisons(folder, "test", Tally())) == 1


def test_a_big_bench_task(tmp_path):
    """A task is one object with its examples; equal points are a tie."""
    file = tmp_path / "task.json"
    file.write_text(json.dumps(TASK))
    first, second = read_comparisons(file, "test", Tally())
    assert ranks(first) == {"Good": 1, "Bad": 2}
    assert ranks(second) == {"Perhaps": 1, "Yes": 2, "No": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "x"}', "no list of `examples`"),
        ('{"name": ', "is not JSON"),
        ('{"examples": [{"input": "Hi", "target_scores": {"A": 1}}]}', "two answers or more"),
        ('{"examples": [{"input": "Hi", "target_scores": {"A": "1", "B": 2}}]}', "example 1"),
    ],
)
def test_a_broken_task_is_named(tmp_path, text, message):
    file = tmp_path / "task.json"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        list(threads(file, Tally()))


def test_nothing_ranked_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no answers that somebody ranked"):
        read_comparisons(written(tmp_path / "prompts.jsonl", {"prompt": "Hi"}), "test", Tally())


def test_reward_bench_rows(tmp_path):
    file = written(tmp_path / "rb.jsonl", PAIR | {"subset": "hep-go", "id": 3})
    (one,) = read_comparisons(file, "test", Tally())
    assert one.comparison.prompt.kind == "hep-go"
    assert isinstance(one, LabeledComparison)
    assert (
        one.comparison.prompt.messages == prompt_of([Message(role="user", content="Hi")]).messages
    )


def test_sections_by_hand():
    """Four code examples: each of the two of maths weighs two."""
    kinds = ["math-prm", "hep-go", "hep-go", "donotanswer", "hep-js", "math-prm", "hep-js", "else"]
    assert section_weights(kinds) == {
        "Reasoning": [2, 1, 1, 0, 1, 2, 1, 0],
        "Safety": [0, 0, 0, 1, 0, 0, 0, 0],
    }
    assert section_weights(["math-prm"]) == {"Reasoning": [1]}
    assert section_weights(["helpful", ""]) == {}


def test_reward_bench_has_23_subsets_in_4_sections():
    assert len(REWARD_BENCH) == 4
    assert sum(map(len, REWARD_BENCH.values())) == 23
