"""The study of the frontier is a run that can be planned, at about equal cost for all."""

from typer.testing import CliRunner

from accord import cli, pipeline
from accord.cli.frontier_study import METHODS, frontier_table


def test_every_seed_has_runs_of_its_own(tmp_path):
    table = frontier_table(2)
    planned = pipeline.plan(table, tmp_path, title="frontier")
    steps = {step.name: step for step in planned.steps}
    for method in METHODS:
        assert [steps[f"{method}_{n}"].config.seed for n in (1, 2)] == [1, 2]
    assert steps["dpo_2"].written["comparisons"] == "best_of_n_2"
    assert steps["rejection_sampling_1"].kind == "sft"
    assert set(steps["evaluate"].inputs.policies) == {
        "sft",
        *(f"{method}_{n}" for method in METHODS for n in (1, 2)),
    }
    assert set(steps["evaluate"].inputs.rollouts) == {
        f"{method}_{n}" for method in ("ppo", "rloo", "grpo", "reinforce") for n in (1, 2)
    }
    assert set(steps["frontier"].inputs.draws) == {"draws_1", "draws_2"}


def test_the_methods_may_cost_about_the_same():
    """Passes over a conversation, as docs/concepts/frontier.md counts them."""
    table = frontier_table(1)
    ppo, best = table["ppo_1"], table["best_of_n_1"]
    passes = {"ppo": ppo["updates"] * ppo["rollout_batch_size"] * 16}
    for name, responses in (("rloo", 4), ("grpo", 4), ("reinforce", 1)):
        run = table[f"{name}_1"]
        passes[name] = run["updates"] * run["prompts_per_update"] * responses * 6
    draws = best["prompts"] * best["n"] * 2
    passes["rejection_sampling"] = draws + best["prompts"] * 3 * 2
    passes["dpo"] = draws + best["prompts"] * 8
    assert all(abs(found - 9216) < 0.06 * 9216 for found in passes.values()), passes


def test_a_setting_is_for_every_seed(tmp_path):
    words = ["study", "frontier", "--out", str(tmp_path / "o"), "--seeds", "2", "--dry-run"]
    done = CliRunner().invoke(cli.app, [*words, "--set", "rloo.kl_coef=0.3"])
    assert done.exit_code == 0, done.output
    for number in (1, 2):
        text = done.output[done.output.index(f"[rloo_{number}]") :]
        assert "kl_coef = 0.3" in text[: text.index("\n[")]
    assert not (tmp_path / "o").exists()


def test_an_unknown_method_is_refused(tmp_path):
    words = ["study", "frontier", "--out", str(tmp_path), "--set", "pqo.kl_coef=1"]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 2
