"""Which file an input means."""

import pytest

from accord.config import InputError
from accord.runtime.input_files import input_file


def test_a_file_is_itself_and_a_folder_is_searched_in_order(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("")
    assert input_file(tmp_path / "b.jsonl", "a.jsonl") == tmp_path / "b.jsonl"
    assert input_file(tmp_path, "b.jsonl", "a.jsonl") == tmp_path / "b.jsonl"
    assert input_file(tmp_path, "none.jsonl", "a.jsonl") == tmp_path / "a.jsonl"


def test_the_output_of_an_artifact_is_searched(tmp_path):
    (tmp_path / "output").mkdir()
    for name in ("config.json", "DONE.json", "output/a.jsonl"):
        (tmp_path / name).write_text("{}")
    assert input_file(tmp_path, "a.jsonl") == tmp_path / "output" / "a.jsonl"
    (tmp_path / "DONE.json").unlink()
    with pytest.raises(InputError, match="not finished"):
        input_file(tmp_path, "a.jsonl")


def test_nothing_to_be_found_is_said(tmp_path):
    with pytest.raises(InputError, match=r"holds no `a\.jsonl` or `b\.jsonl`"):
        input_file(tmp_path, "a.jsonl", "b.jsonl")
    with pytest.raises(InputError, match="no file or directory"):
        input_file(tmp_path / "none", "a.jsonl")
