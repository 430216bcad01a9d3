"""metrics.jsonl and timings.jsonl."""

import json
import math

from accord.runtime.metrics import MetricsLog, read_metrics


def lines(path):
    return path.read_text().splitlines()


def test_lines_are_written_in_one_way(tmp_path):
    log = MetricsLog(tmp_path)
    log.log(1, {"b/y": 2.0 / 3, "a/x": 3})
    log.log(2, {"a/x": math.nan, "b/y": 123456789.0})
    assert lines(tmp_path / "metrics.jsonl") == [
        '{"step": 1, "a/x": 3, "b/y": 0.666667}',
        '{"step": 2, "a/x": null, "b/y": 123457000.0}',
    ]
    assert read_metrics(tmp_path)[0] == {"step": 1, "a/x": 3, "b/y": 0.666667}


def test_timings_are_kept_apart(tmp_path):
    MetricsLog(tmp_path).log_time(1, {"time/seconds": 2.5})
    assert not (tmp_path / "metrics.jsonl").exists()
    assert json.loads((tmp_path / "timings.jsonl").read_text()) == {"step": 1, "time/seconds": 2.5}


def test_truncation_drops_what_comes_after(tmp_path):
    log = MetricsLog(tmp_path)
    for step in range(4):
        log.log(step, {"a/x": step})
    log.truncate_to(2)
    assert [line["step"] for line in read_metrics(tmp_path)] == [0, 1, 2]
    log.truncate_to(-1)
    assert read_metrics(tmp_path) == []


def test_a_line_that_a_crash_cut_off_is_dropped(tmp_path):
    log = MetricsLog(tmp_path)
    log.log(1, {"a/x": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "a/')
    log.truncate_to(5)
    log.log(2, {"a/x": 2})
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2]


def test_nothing_logged_is_nothing(tmp_path):
    MetricsLog(tmp_path).truncate_to(0)
    assert read_metrics(tmp_path) == []
