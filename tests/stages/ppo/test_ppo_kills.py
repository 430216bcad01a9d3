"""The short version of benchmarks/ppo_kills.py."""

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "ppo_kills.py"))


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path):
    SCRIPT["write_inputs"](tmp_path)
    found = SCRIPT["disturb"](tmp_path, kills=3, seed=1)
    assert found.kills == 3
    assert found.differing == []
    expected = SCRIPT["results"](tmp_path / "straight")
    assert set(expected) == set(SCRIPT["COMPARED"])
