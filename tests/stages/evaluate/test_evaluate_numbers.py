"""Rows, curves and claims of an evaluation, from made-up answers."""

import json
import math
from types import SimpleNamespace

import pytest

from accord.config import InputError
from accord.records import Message, Prompt
from accord.stages.evaluate.answers import Answer
from accord.stages.evaluate.claims import unsupported
from accord.stages.evaluate.curve import curve_of
from accord.stages.evaluate.summary import Policy, Reading, row, win_rate
from accord.stages.evaluate.truth import Judged, Truth, load_truth, outcome
from accord.worlds.judge import Verdict

BY_TRUTH = Reading("truth", 0.95)


def verdict(utility, hhh=False):
    return Verdict(utility / 6, 1.0, 1.0, False, utility, hhh, "")


def policy(name, utilities, *, scores=None, kinds="f", temperature=1.0, kl=0.5):
    """One answer a prompt, of the given utilities."""
    scores = scores or utilities
    return Policy(
        name,
        temperature,
        tuple(
            Judged(
                Answer(f"p{i}", 0, f"{name} {i}", 3, True, kl, score),
                kinds[i % len(kinds)],
                verdict(utility, utility == 6),
            )
            for i, (utility, score) in enumerate(zip(utilities, scores, strict=True))
        ),
    )


# win rates


def test_a_win_rate_by_hand():
    mine = policy("new", [6, 6, 3, 5, 4.0])
    rate = win_rate(mine, policy("old", [5, 5, 4, 5, 4 + 1e-12]), BY_TRUTH)
    assert (rate["wins"], rate["losses"], rate["ties"], rate["n"]) == (2, 1, 2, 5)
    assert rate["decided"] == pytest.approx(2 / 3)
    assert rate["half_ties"] == pytest.approx(0.6)
    assert (rate["against"], rate["by"]) == ("old", "truth")


def test_the_judge_decides():
    mine, other = policy("new", [6, 6], scores=[1, 1]), policy("old", [5, 5], scores=[2, 2])
    assert win_rate(mine, other, BY_TRUTH)["wins"] == 2
    assert win_rate(mine, other, Reading("preference_model", 0.9))["losses"] == 2
    assert win_rate(mine, other, Reading(None, 0.9)) is None
    assert win_rate(mine, None, BY_TRUTH) is None


def test_only_answers_to_one_prompt_meet():
    other = policy("old", [1] * 5)
    few = policy("new", [2] * 3)
    assert win_rate(few, other, BY_TRUTH)["wins"] == win_rate(other, few, BY_TRUTH)["losses"] == 3
    assert win_rate(Policy("new", 1.0, ()), other, BY_TRUTH) is None


@pytest.mark.parametrize(
    ("mine", "other", "expected"), [(1, 0, 1), (0, 1, 0), (1, 1, 0.5), (1, 1 + 1e-10, 0.5)]
)
def test_outcomes(mine, other, expected):
    assert outcome(mine, other) == expected


# rows


def test_a_row_by_hand():
    found = row(policy("new", [6, 6, 3, 6], kinds="fh"), None, None, BY_TRUTH)
    assert found["truth"]["hhh"]["rate"] == 0.75
    assert found["truth"]["utility"]["mean"] == 5.25
    assert found["truth"]["garbled"]["rate"] == 0
    assert found["kl"]["mean"] == 0.5
    assert found["length"]["mean"] == 3
    assert found["finished"]["rate"] == 1
    assert found["finished"]["low"] < 1
    assert found["by_kind"]["f"]["hhh"]["rate"] == 0.5
    assert found["by_kind"]["h"]["utility"]["mean"] == 6
    assert found["win_rate"] is found["win_rate_previous"] is None


def test_a_missing_measure_is_not_averaged_over_the_rest():
    found = row(policy("new", [6, 6], kl=None), None, None, BY_TRUTH)
    assert found["kl"] is None


def test_answers_without_a_kind_or_a_verdict():
    bare = Policy("new", 0.0, (Judged(Answer("p", 0, "x", 1, True, None), "", None),))
    found = row(bare, bare, bare, Reading(None, 0.95))
    assert found["truth"] is found["score"] is found["win_rate_by_score"] is None
    assert found["by_kind"] == {}


# claims


def rows_of(*policies, baseline="sft"):
    base = next(p for p in policies if p.name == baseline)
    return [
        row(p, None if p is base else base, previous, BY_TRUTH)
        for previous, p in zip((None, *policies), policies, strict=False)
    ]


def test_supported_claims_say_nothing():
    found = rows_of(policy("base", [1] * 30), policy("sft", [3] * 30), policy("ppo_1", [6] * 30))
    assert unsupported(found, "sft") == []


def test_a_gain_that_is_not_shown():
    (text,) = unsupported(rows_of(policy("sft", [3] * 4), policy("ppo_1", [6, 6, 6, 1])), "sft")
    assert text.startswith(
        "`ppo_1` is not shown to beat `sft`, sampled at temperature 1: wins 75.0%"
    )
    assert "of 4 decided duels, interval" in text


def test_a_loss_is_called_a_loss():
    texts = unsupported(
        rows_of(policy("sft", [3] * 30, temperature=0), policy("ppo_1", [1] * 30, temperature=0)),
        "sft",
    )
    assert len(texts) == 1
    assert texts[0].startswith("`ppo_1` is worse than `sft`, decoded greedily: wins 0.0% of 30")


def test_what_comes_before_the_baseline_is_claimed_to_be_worse():
    (text,) = unsupported(rows_of(policy("base", [5, 1, 5, 5]), policy("sft", [3] * 4)), "sft")
    assert text.startswith("`sft` is not shown to beat `base`")
    assert "wins 25.0% of 4" in text


def test_each_is_compared_with_the_one_before():
    found = rows_of(
        policy("sft", [1] * 30), policy("ppo_1", [3] * 30), policy("ppo_2", [3, 3, 4] * 10)
    )
    assert unsupported(found, "sft") == []  # 10 wins of 10 decided duels
    found = rows_of(policy("sft", [1] * 9), policy("ppo_1", [3] * 9), policy("ppo_2", [3] * 9))
    assert [t.partition(":")[0] for t in unsupported(found, "sft")] == [
        "`ppo_2` is not shown to beat `ppo_1`, sampled at temperature 1"
    ]


def test_a_kind_that_got_worse():
    found = rows_of(
        policy("sft", [3] * 80, kinds="fffh"), policy("ppo_1", [6, 6, 6, 1] * 20, kinds="fffh")
    )
    (text,) = unsupported(found, "sft")
    assert text.startswith("`ppo_1` is worse than `sft` on `h` prompts: wins 0.0% of 20 decided")


def test_a_gain_that_only_the_preference_model_sees():
    found = rows_of(
        policy("sft", [3] * 30, scores=[0] * 30),
        policy("ppo_1", [2, 4] * 15, scores=[1] * 30),
    )
    texts = unsupported(found, "sft")
    assert texts[0].startswith("`ppo_1` is not shown to beat `sft`")
    assert texts[1].startswith("the preference model prefers `ppo_1` to `sft` (wins 100.0% of 30")


# the truth


def test_a_text_is_judged_once(place, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "accord.stages.evaluate.truth.judge", lambda *args: calls.append(args) or "verdict"
    )
    truth, prompt = Truth(place.world), place.prompts[0]
    assert truth.verdict(prompt, "x") == truth.verdict(prompt, "x") == "verdict"
    assert len(calls) == 1


def test_no_world_no_truth(tmp_path):
    assert load_truth(None) is None
    (tmp_path / "world.json").write_text("{}")
    with pytest.raises(InputError, match="not a world"):
        load_truth(tmp_path)


# the curve


class Lengths:
    """A truth that likes long texts."""

    def verdict(self, prompt, text):
        return SimpleNamespace(utility=float(len(text)), hhh=len(text) > 2)


def rollouts(folder, updates, **changes):
    lines = []
    for update in range(1, updates + 1):
        for i in range(4):
            prompt = Prompt(id=f"p{i}", messages=(Message(role="user", content="q"),))
            line = {
                "update": update,
                "prompt_id": prompt.id,
                "prompt": prompt.model_dump(mode="json", by_alias=True),
                "text": "x" * update,
                "score": update + i,
                "kl": 0.1 * update,
                "length": 2,
                "finished": True,
            }
            lines.append(json.dumps(line | changes) + "\n")
    folder.mkdir(exist_ok=True)
    (folder / "rollouts.jsonl").write_text("".join(lines))
    return folder


def test_a_curve_by_hand(tmp_path):
    points = curve_of("ppo_1", rollouts(tmp_path / "r", 3), Lengths(), points=9, confidence=0.95)
    assert [(p["run"], p["update"], p["n"]) for p in points] == [("ppo_1", u, 4) for u in (1, 2, 3)]
    assert [p["score"] for p in points] == [2.5, 3.5, 4.5]
    assert [p["kl"] for p in points] == pytest.approx([0.1, 0.2, 0.3])
    assert [p["truth_utility"] for p in points] == [1, 2, 3]
    assert [p["truth_hhh"] for p in points] == [0, 0, 1]
    assert all(p["score_low"] < p["score"] < p["score_high"] for p in points)
    assert points[2]["truth_hhh_low"] < 1


def test_updates_are_grouped_evenly(tmp_path):
    folder = rollouts(tmp_path / "r", 7)
    points = curve_of("r", folder / "rollouts.jsonl", None, points=3, confidence=0.95)
    assert [(p["update"], p["n"]) for p in points] == [(2, 8), (5, 12), (7, 8)]
    assert [p["score"] for p in points] == [3.0, 5.5, 8.0]
    assert {p["truth_utility"] for p in points} == {p["truth_hhh"] for p in points} == {None}


def test_rollouts_that_are_none(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"has no `rollouts.jsonl`"):
        curve_of("r", empty, None, points=3, confidence=0.95)
    (empty / "rollouts.jsonl").write_text("")
    with pytest.raises(InputError, match="is empty"):
        curve_of("r", empty, None, points=3, confidence=0.95)
    for number, change in enumerate(({"kl": "much"}, {"prompt": {"id": "p"}}, {"score": None})):
        folder = rollouts(tmp_path / f"bad{number}", 1, **change)
        with pytest.raises(InputError, match="line 1 is no rollout"):
            curve_of("r", folder, None, points=3, confidence=0.95)
    lines = rollouts(tmp_path / "bytes", 1) / "rollouts.jsonl"
    lines.write_bytes(b"\n".join([*lines.read_bytes().splitlines()[:2], b'{"update": "\xff"}']))
    with pytest.raises(InputError, match="line 3 is no rollout: 'utf-8' codec can't decode"):
        curve_of("r", lines.parent, None, points=3, confidence=0.95)


def test_one_prompt_has_no_interval_of_a_mean(tmp_path):
    folder = rollouts(tmp_path / "r", 1)
    first = (folder / "rollouts.jsonl").read_text().splitlines()[0]
    (folder / "rollouts.jsonl").write_text(first + "\n")
    (point,) = curve_of("r", folder, Lengths(), points=3, confidence=0.95)
    assert math.isinf(point["kl_low"])
