"""The dashboard shows numbers on a terminal and nothing anywhere else."""

import io

from rich.console import Console

from accord.runtime.dashboard import Dashboard, sparkline

NAMES = {"objective/kl": "KL", "policy/entropy": "entropy", "never/logged": "never"}


def work(console):
    dashboard = Dashboard(NAMES, console)
    with dashboard.bar(3, "ppo", completed=1) as advance:
        for kl in (0.5, 2.25):
            dashboard.show({"objective/kl": kl, "policy/entropy": 3.0, "other": 1.0})
            advance()


def test_nothing_is_printed_where_there_is_no_terminal():
    file = io.StringIO()
    work(Console(file=file, force_terminal=False))
    assert file.getvalue() == ""


def test_a_terminal_sees_progress_and_the_latest_numbers():
    file = io.StringIO()
    work(Console(file=file, force_terminal=True, width=100))
    shown = file.getvalue().split("ppo")[-1]
    assert "3/3" in shown
    assert "KL" in shown
    assert "2.25" in shown
    assert "▁█" in shown
    assert "entropy" in shown
    assert "never" not in shown


def test_a_sparkline_by_hand():
    assert sparkline([0, 7, 3.5]) == "▁█▄"
    assert sparkline([2, 2]) == "▁▁"
    assert sparkline([1, float("inf"), 0]) == "█·▁"
    assert sparkline([]) == ""
