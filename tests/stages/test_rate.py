"""The rate stage: planted policies are ranked, and every claim carries its uncertainty."""

import json
import random

import pytest

from accord.config import InputError
from accord.records import (
    Comparison,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    write_records,
)
from accord.runtime.artifacts import run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import rate

SKILL = {"base": -1.0, "sft": 0.0, "ppo_1": 1.0}


def comparison(number, policies):
    prompt = Prompt(id=f"p{number}", messages=(Message(role="user", content=f"question {number}"),))
    responses = tuple(
        Response(id=f"r{number}-{i}", prompt_id=prompt.id, text=f"answer {i}", policy=policy)
        for i, policy in enumerate(policies)
    )
    return Comparison(id=f"c{number}", prompt=prompt, responses=responses)


def preference(comparison, labeler, ranks, **fields):
    return Preference(
        id=f"v-{comparison.id}-{labeler}",
        comparison_id=comparison.id,
        labeler=labeler,
        ranks=ranks,
        **fields,
    )


def planted(seed, *, prompts=60, policies=tuple(SKILL), labelers=5, votes=3):
    """Rankings by noisy quality, with ties where qualities are close."""
    rng = random.Random(seed)
    labeled = []
    for number in range(prompts):
        one = comparison(number, policies)
        preferences = []
        for labeler in rng.sample(range(labelers), votes):
            quality = [SKILL[policy] + rng.gauss(0, 1) for policy in policies]
            ranks = tuple(1 + sum(other > mine + 0.3 for other in quality) for mine in quality)
            order = list(range(len(policies)))
            rng.shuffle(order)
            preferences.append(
                preference(
                    one, f"l{labeler}", ranks, shown_order=tuple(order), seconds=5.0 + labeler
                )
            )
        labeled.append(LabeledComparison(comparison=one, preferences=tuple(preferences)))
    return labeled


def collected(directory, labeled, test=10):
    directory.mkdir()
    write_records(directory / "comparisons-train.jsonl", labeled[test:])
    write_records(directory / "comparisons-test.jsonl", labeled[:test])
    return directory


def rated(comparisons, out, **config):
    run_stage(rate.run, rate.Config(**config), rate.Inputs(comparisons=comparisons), out)
    return json.loads((out / "output" / "ratings.json").read_text())


@pytest.fixture
def comparisons(tmp_path):
    return collected(tmp_path / "collect", planted(0))


def test_the_planted_order_comes_out(comparisons, tmp_path):
    ratings = rated(comparisons, tmp_path / "out")
    assert [row["name"] for row in ratings["ratings"]] == ["ppo_1", "sft", "base"]
    assert [(row["rank_low"], row["rank_high"]) for row in ratings["ratings"]] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    assert [(row["a"], row["b"]) for row in ratings["differences"]] == [
        ("base", "ppo_1"),
        ("base", "sft"),
        ("ppo_1", "sft"),
    ]
    assert all(row["low"] < row["difference"] < row["high"] for row in ratings["differences"])
    assert ratings["elo"]["ppo_1"] > ratings["elo"]["sft"] > ratings["elo"]["base"]
    assert min(ratings["elo_order_sd"].values()) > 0
    assert 0 <= ratings["elo_rankings_changed"] < 1
    assert ratings["groups"] == [["base", "ppo_1", "sft"]]
    assert [warned["code"] for warned in ratings["warnings"]] == ["few_clusters"]


def test_counts_and_both_files_are_read(comparisons, tmp_path):
    ratings = rated(comparisons, tmp_path / "out")
    assert (ratings["n_comparisons"], ratings["n_prompts"]) == (60, 60)
    assert (ratings["n_preferences"], ratings["n_votes"]) == (180, 540)
    assert ratings["n_labelers"] == len(ratings["labelers"]) == 5
    assert ratings["win_matrix"]["n"] == [[0, 180, 180], [180, 0, 180], [180, 180, 0]]
    assert sum(row["n"] for row in ratings["labelers"]) == 540
    assert sum(row["comparisons"] for row in ratings["labelers"]) == 180
    assert [row["seconds_median"] for row in ratings["labelers"]] == [5, 6, 7, 8, 9]


def test_the_win_matrix_by_hand(tmp_path):
    # Two votes for x, one tie: 2.5 of 3. Two answers of x to one prompt are not a game.
    one = comparison(0, ("x", "y", "x"))
    votes = [
        preference(one, who, ranks)
        for who, ranks in (("k", (1, 2, 3)), ("l", (1, 1, 3)), ("m", (1, 2, 3)))
    ]
    file = tmp_path / "comparisons.jsonl"
    write_records(file, [LabeledComparison(comparison=one, preferences=tuple(votes))])
    ratings = rated(file, tmp_path / "out")
    matrix = ratings["win_matrix"]
    assert matrix["names"] == ["x", "y"]
    assert matrix["n"] == [[0, 6], [6, 0]]
    # First x against y: 1, 1/2, 1. Second x: 0, 0, 0.
    assert matrix["observed"] == [[None, round(2.5 / 6, 6)], [round(3.5 / 6, 6), None]]
    assert ratings["agreement"]["raw"] == pytest.approx((1 / 3 + 1 + 1) / 3, abs=1e-6)


def test_agreement_and_its_ceiling(comparisons, tmp_path):
    found = rated(comparisons, tmp_path / "out")["agreement"]
    assert 0 < found["raw_low"] < found["raw"] < found["raw_high"] < 1
    assert found["raw_n"] == 180
    assert found["alpha_low"] < found["krippendorff_alpha"] < found["alpha_high"]
    assert 0.5 < found["ceiling_low"] <= found["ceiling"] <= found["ceiling_high"] < 1
    assert found["decided_pairs"] <= 540


def test_nobody_judged_twice(tmp_path):
    ratings = rated(collected(tmp_path / "c", planted(1, votes=1)), tmp_path / "out")
    assert ratings["agreement"] is None
    assert all(row["agreement"] is None for row in ratings["labelers"])
    assert "agree on" not in (tmp_path / "out/output/ratings.md").read_text()
    assert "agreement/raw" not in read_metrics(tmp_path / "out")[0]


def test_only_ties_have_no_ceiling(tmp_path):
    one = comparison(0, ("x", "y"))
    votes = tuple(preference(one, who, (1, 1)) for who in "kl")
    file = tmp_path / "comparisons.jsonl"
    write_records(file, [LabeledComparison(comparison=one, preferences=votes)])
    found = rated(file, tmp_path / "out")["agreement"]
    assert (found["raw"], found["krippendorff_alpha"], found["ceiling"]) == (1, None, None)


def test_one_policy_is_not_an_error(tmp_path):
    labeled = planted(2, policies=("sft", "sft"))
    ratings = rated(collected(tmp_path / "c", labeled), tmp_path / "out")
    assert [(row["name"], row["rating"]) for row in ratings["ratings"]] == [("sft", 0)]
    assert ratings["differences"] == []
    assert ratings["elo"] == ratings["elo_order_sd"] == {"sft": 0}
    assert ratings["elo_rankings_changed"] == 0
    assert ratings["agreement"]["raw"] > 0


def test_how_far_elo_depends_on_the_order_is_said(tmp_path):
    circle = [("x", "y"), ("y", "z"), ("z", "x")] * 7
    labeled = [
        LabeledComparison(comparison=c, preferences=(preference(c, f"l{i}", (1, 2)),))
        for i, c in enumerate(comparison(i, pair) for i, pair in enumerate(circle))
    ]
    ratings = rated(collected(tmp_path / "c", labeled), tmp_path / "out", elo_step=32)
    assert ratings["elo_rankings_changed"] > 0.7  # nobody is better: any order may come out
    assert {round(sd) for sd in ratings["elo_order_sd"].values()} <= {11, 12, 13}
    page = (tmp_path / "out" / "output" / "ratings.md").read_text(encoding="utf-8")
    assert "Elo is a ticker: in 200 random orders" in page


def test_both_bad_is_no_game(tmp_path):
    one, two = comparison(0, ("x", "y")), comparison(1, ("x", "y"))
    bad = preference(two, "l0", (1, 1), tie="both_bad")
    labeled = [
        LabeledComparison(comparison=one, preferences=(preference(one, "l0", (1, 2)),)),
        LabeledComparison(comparison=two, preferences=(bad,)),
    ]
    ratings = rated(collected(tmp_path / "c", labeled, test=1), tmp_path / "out")
    assert {row["name"]: row["both_bad"] for row in ratings["ratings"]} == {"x": 1, "y": 1}
    assert ratings["elo"]["x"] == 8  # one game, half of the step of 16
    assert ratings["tie_rate"] == 0


def test_groups_are_not_compared(tmp_path):
    apart = planted(3, policies=("base", "sft"))
    other = [comparison(100 + i, ("x", "y")) for i in range(10)]
    labeled = apart + [
        LabeledComparison(comparison=c, preferences=(preference(c, "l0", (1 + i % 2, 2 - i % 2)),))
        for i, c in enumerate(other)
    ]
    ratings = rated(collected(tmp_path / "c", labeled), tmp_path / "out")
    assert ratings["groups"] == [["base", "sft"], ["x", "y"]]
    assert "disconnected" in [warned["code"] for warned in ratings["warnings"]]
    assert [(row["a"], row["b"]) for row in ratings["differences"]] == [("base", "sft"), ("x", "y")]
    assert ratings["win_matrix"]["fitted"][0][2] is None


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ({"seed": 1}, "elo_order_sd"),
        ({"model": "davidson"}, "tie"),
        ({"confidence": 0.5}, "ratings"),
        ({"elo_step": 4}, "elo"),
        ({"prior_sd": 0.2}, "ratings"),
        ({"cluster": []}, "warnings"),
        ({"control": ["side"]}, "covariates"),
    ],
)
def test_every_setting_changes_something(comparisons, tmp_path, setting, changed):
    plain, other = rated(comparisons, tmp_path / "a"), rated(comparisons, tmp_path / "b", **setting)
    assert plain[changed] != other[changed]


def test_davidson_says_how_often_equals_tie(comparisons, tmp_path):
    ratings = rated(comparisons, tmp_path / "out", model="davidson", prior_sd=0)
    assert ratings["tie"] > 0
    assert ratings["tie_rate"] > 0.1


def test_whole_rankings_find_the_planted_order(comparisons, tmp_path):
    ratings = rated(comparisons, tmp_path / "out", model="plackett_luce")
    assert [row["name"] for row in ratings["ratings"]] == ["ppo_1", "sft", "base"]


def test_labelers_have_habits(comparisons, tmp_path):
    ratings = rated(comparisons, tmp_path / "out")
    for row in ratings["labelers"]:
        assert 0 < row["discrimination_low"] < row["discrimination"] < row["discrimination_high"]
        assert row["careless"] < 0.5
    assert ratings["agreement"]["tau_x"] > 0  # of whole rankings


def test_same_seed_same_bytes(comparisons, tmp_path):
    for name in "ab":
        rated(comparisons, tmp_path / name)
    for file in ("output/ratings.json", "output/ratings.md", "metrics.jsonl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_metrics_headline_and_page(comparisons, tmp_path):
    rated(comparisons, tmp_path / "out")
    (line,) = read_metrics(tmp_path / "out")
    assert line["ratings/votes"] == 540
    assert line["ratings/groups"] == 1
    assert 0 < line["agreement/raw"] < line["agreement/ceiling"] < 1
    done = json.loads((tmp_path / "out" / "DONE.json").read_text())
    assert done["headline"]["best"] == "ppo_1"
    assert done["headline"]["low"] < done["headline"]["rating"] < done["headline"]["high"]
    page = (tmp_path / "out" / "output" / "ratings.md").read_text()
    assert "| ppo_1 | " in page
    assert "few_clusters" in page


def test_an_interrupted_run_logs_once(comparisons, tmp_path):
    out = tmp_path / "out"
    (out / "output").mkdir(parents=True)
    (out / "metrics.jsonl").write_text('{"step": 0, "ratings/votes": 1}\n{"step"')
    rated(comparisons, out)
    assert len(read_metrics(out)) == 1


def test_a_perfect_record_without_prior_is_refused(tmp_path):
    one = comparison(0, ("x", "y"))
    file = tmp_path / "comparisons.jsonl"
    labeled = LabeledComparison(comparison=one, preferences=(preference(one, "k", (1, 2)),))
    write_records(file, [labeled])
    with pytest.raises(InputError, match="no maximum; give a `prior_sd`"):
        rated(file, tmp_path / "out", prior_sd=0)
    ratings = rated(file, tmp_path / "other")
    assert {warned["code"] for warned in ratings["warnings"]} >= {"unbeaten", "winless"}


def test_nothing_to_rate(tmp_path):
    (tmp_path / "blank.jsonl").write_text("\n")
    with pytest.raises(InputError, match="no rankings: there is nothing to rate"):
        rated(tmp_path / "blank.jsonl", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="give a collect artifact"):
        rated(empty, tmp_path / "out")
