"""The episode viewer and the alarms for reward hacking."""

import json
import re

import pytest

from accord.reports import build
from accord.reports.alarms import alarms
from accord.reports.episodes import shade, shades
from accord.reports.facts import Learning, gather
from accord.reports.hacking import RULES, signs
from accord.reports.read import Source, Stage, read_run

TOKEN = {
    "text": "hello",
    "logprob": -1.0,
    "ref_logprob": -3.0,
    "value": 0.25,
    "advantage": 1.5,
    "reward": -0.5,
}


def episode(update, **changes):
    line = {
        "schema": 1,
        "update": update,
        "prompt_id": "p1",
        "prompt": "Where is <b>Mira</b>?",
        "score": 1.25,
        "finished": True,
        "tokens": [TOKEN, TOKEN | {"text": "\n<script>", "logprob": -2.0, "advantage": -2.5}],
    }
    return json.dumps(line | changes) + "\n"


@pytest.fixture
def run_with_episodes(write_run):
    run = write_run()
    (folder,) = run.glob("*-ppo_2")
    lines = [episode(1), episode(1), episode(1), episode(7, finished=False, score=3.5)]
    (folder / "episodes.jsonl").write_text("".join(lines))
    return run


def test_every_token_is_shown_with_its_numbers_and_escaped(run_with_episodes):
    page = build(run_with_episodes).read_text(encoding="utf-8")
    section = page[page.index('<section id="episodes">') :]
    section = section[: section.index("</section>")]
    assert (
        section.count('<article class="episode">') == 3
    )  # two of the first update, all of the last
    assert "update 7 · score 3.5 · KL 3 nats · cut off at the token limit" in section
    # -1 - -3 = 2 nats and -2 - -3 = 1
    assert "log π −1, log π ref −3, KL 2, value 0.25, advantage 1.5, reward −0.5" in section
    assert "Where is &lt;b&gt;Mira&lt;/b&gt;?" in section
    assert "⏎&lt;script&gt;" in section
    assert "<script" not in page
    assert 'class="tok up-2"' in section
    assert 'class="tok down-3"' in section


def test_every_shade_has_a_colour_in_the_style(run_with_episodes):
    page = build(run_with_episodes).read_text(encoding="utf-8")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    for name in shades():
        assert f".{name}" in style


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "level"),
        (float("nan"), "level"),
        (0.1, "level"),
        (0.7, "up-1"),
        (-1.4, "down-2"),
        (99.0, "up-3"),
        (-99.0, "down-3"),
    ],
)
def test_shades_by_hand(value, name):
    assert shade(value) == name
    assert name in shades()


def test_broken_lines_cost_only_themselves(run_with_episodes):
    (folder,) = run_with_episodes.glob("*-ppo_2")
    with (folder / "episodes.jsonl").open("a") as file:
        file.write('{"update": "x", "tokens": 3}\n{"half": ')
    page = build(run_with_episodes).read_text(encoding="utf-8")
    assert page.count('<article class="episode">') == 3


def test_a_run_without_episodes_has_no_such_section(write_run):
    assert 'id="episodes"' not in build(write_run()).read_text(encoding="utf-8")


# Alarms

CALM = {
    "response/length": (20.0, 22.0),
    "response/repetition": (0.02, 0.05),
    "policy/entropy": (3.0, 2.0),
    "response/refusals": (0.1, 0.15),
    "objective/score_spread": (0.5, 0.6),
}
HACKED = {
    "response/length": (20.0, 45.0),
    "response/repetition": (0.02, 0.6),
    "policy/entropy": (3.0, 0.4),
    "response/refusals": (0.1, 0.9),
    "objective/score_spread": (0.5, 1.4),
}


def learned(ends):
    """Ten updates on a straight line from one value to the other."""
    series = {
        name: [(float(i), first + (last - first) * i / 9) for i in range(10)]
        for name, (first, last) in ends.items()
    }
    stage = Stage("ppo_1", "ppo", "09-ppo_1", {}, started=True, done=None, environment=None)
    return Learning(stage, Source("09-ppo_1/metrics.jsonl"), series)


def test_a_calm_run_has_no_sign():
    assert signs(learned(CALM)) == []


@pytest.mark.parametrize("metric", list(HACKED))
def test_each_planted_hack_is_noticed_and_named(metric):
    (sign,) = signs(learned(CALM | {metric: HACKED[metric]}))
    assert sign.metric == metric
    assert sign.text.startswith("ppo_1: ")
    assert set(HACKED) == set(RULES)


def test_answers_that_shrink_are_noticed_too():
    (sign,) = signs(learned({"response/length": (30.0, 8.0)}))
    assert sign.metric == "response/length"


def test_one_update_proves_nothing():
    short = learned(HACKED)
    one = {name: points[:1] for name, points in short.series.items()}
    assert signs(Learning(short.stage, short.source, one)) == []


def test_a_planted_hack_reaches_the_report(write_run):
    run = write_run()
    (folder,) = run.glob("*-ppo_1")
    lines = [
        {"step": i + 1, "response/repetition": 0.02 + 0.08 * i, "objective/score": float(i)}
        for i in range(10)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = [alarm.text for alarm in alarms(gather(read_run(run)), [])]
    (sign,) = [text for text in found if "pieces of three tokens" in text]
    assert sign.startswith("ppo_1: ")
    page = build(run).read_text(encoding="utf-8")
    assert "pieces of three tokens repeat" in page
