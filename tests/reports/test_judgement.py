"""What the report claims and warns of: the rules, on runs whose answer is known."""

import json

import pytest

from accord.reports.alarms import alarms, standing
from accord.reports.claims import claims, find_gap
from accord.reports.facts import gather
from accord.reports.picks import side_by_side
from accord.reports.policies import Policies
from accord.reports.read import read_run
from accord.reports.schemas import LabelerRow
from accord.reports.story import headline, key_numbers


def facts_of(run):
    return gather(read_run(run))


def edit(run, pattern, change):
    """Change one JSON file of a run by a function."""
    (path,) = run.glob(pattern)
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edit_scores(run, change):
    edit(run, "*-evaluate/output/scores.json", lambda scores: change(rows_of(scores)))


def rows_of(scores):
    return {(row["policy"], row["temperature"]): row for row in scores["policies"]}


def warnings_of(run):
    facts = facts_of(run)
    return [alarm.text for alarm in alarms(facts, claims(facts))]


def verdicts_of(run):
    return {claim.text: claim.verdict for claim in claims(facts_of(run))}


@pytest.mark.parametrize(
    ("win", "verdict", "sentence"),
    [
        (0.74, "supported", "the policy’s answers beat SFT’s in 74.0% of decided comparisons"),
        (0.51, "not shown", "no gain over SFT can be claimed"),
        (0.30, "refuted", "the policy’s answers are worse than SFT’s: they win 30.0%"),
    ],
)
def test_the_interval_decides_what_is_claimed(write_run, win, verdict, sentence):
    run = write_run(win=win)
    assert verdicts_of(run)["Round 2 gives better answers than SFT, temperature 1"] == verdict
    assert sentence in headline(facts_of(run)).sentence


def test_a_gain_whose_interval_includes_one_half_is_warned_of(write_run):
    assert not [text for text in warnings_of(write_run()) if "better answers" in text]
    found = warnings_of(write_run(win=0.51))
    assert (
        "“Round 2 gives better answers than SFT, temperature 1” is not supported: "
        "the interval includes 50% (51.0%, interval 46.9–55.1%)." in found
    )


def test_a_loss_is_said_outright(write_run):
    found = warnings_of(write_run(win=0.30))
    assert any(t.startswith("Round 2 gives worse answers than SFT, temperature 1 (") for t in found)


def test_the_first_claim_is_the_one_of_the_headline(write_run):
    facts = facts_of(write_run())
    assert claims(facts)[0].estimate == headline(facts).main


def test_every_round_is_also_held_against_the_one_before_it(write_run):
    found = verdicts_of(write_run())
    assert found["Round 2 gives better answers than Round 1, temperature 1"] == "supported"
    assert found["Labelers prefer Round 1 to SFT"] == "supported"


def test_without_a_decided_comparison_nothing_can_be_judged(write_run):
    run = write_run()

    def tie(rows):
        nothing = {"wins": 0, "losses": 0, "ties": 960, "decided": 0.5}
        rows["ppo_2", 1.0]["win_rate"] |= nothing

    edit_scores(run, tie)
    facts = facts_of(run)
    assert claims(facts)[0].verdict == "no interval"
    assert claims(facts)[0].warning.endswith("cannot be judged: every comparison is a tie.")
    assert headline(facts).support == "Every comparison is a tie."


def test_who_judged_is_said(write_run):
    run = write_run()
    assert headline(facts_of(run)).judged_by == "the world’s written-down truth"
    assert not [text for text in warnings_of(run) if text.startswith("No person and no truth")]
    edit(run, "*-evaluate/output/scores.json", lambda s: s.update(by="preference_model"))
    found = headline(facts_of(run))
    assert "not by people" in found.judged_by
    assert "the preference model prefers the policy’s answers to SFT’s in 74.0%" in found.sentence
    assert verdicts_of(run)["Round 2 scores above SFT, temperature 1"] == "supported"
    assert [text for text in warnings_of(run) if text.startswith("No person and no truth")]


def test_a_kind_of_prompt_that_got_worse_is_warned_of(write_run):
    run = write_run()

    def lose(rows):
        worse = {"decided": 0.2, "decided_low": 0.1, "decided_high": 0.3}
        rows["ppo_2", 1.0]["by_kind"]["fact"]["win_rate"] |= worse

    assert not [text for text in warnings_of(run) if text.startswith("On ")]
    edit_scores(run, lose)
    (found,) = [text for text in warnings_of(run) if text.startswith("On ")]
    assert found.startswith("On fact prompts Round 2 is worse than SFT: it wins 20.0%")


def test_the_proxy_alone_is_no_gain(write_run):
    run = write_run(win=0.51)
    sees = {"decided": 0.9, "decided_low": 0.87, "decided_high": 0.93}
    edit_scores(run, lambda rows: rows["ppo_2", 1.0]["win_rate_by_score"].update(sees))
    assert any("but the truth does not show that it is better" in t for t in warnings_of(run))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("length", {"mean": 40.0}, "2.5 times as long"),
        ("length", {"mean": 4.0}, "0.3 times as long"),
        ("finished", {"rate": 0.61}, "Only 61.0% of the answers of Round 2 end by themselves"),
    ],
)
def test_side_effects_are_warned_of(write_run, field, value, words):
    run = write_run()
    assert not [text for text in warnings_of(run) if words in text]
    edit_scores(run, lambda rows: rows["ppo_2", 1.0].update({field: value}))
    assert [text for text in warnings_of(run) if words in text]


def test_a_truth_that_falls_while_the_proxy_rises_is_warned_of(write_run):
    run = write_run()

    def overdo(scores):
        for place, point in enumerate(p for p in scores["curve"] if p["run"] == "ppo_2"):
            point |= {"score": 0.1 * place, "truth_hhh": 0.7 - 0.03 * max(0, place - 8)}

    assert not [text for text in warnings_of(run) if "optimised too far" in text]
    edit(run, "*-evaluate/output/scores.json", overdo)
    (found,) = [text for text in warnings_of(run) if "optimised too far" in text]
    assert found.startswith("In ppo_2 the preference model’s score went on rising")


def test_a_preference_model_is_held_against_text_rules_and_the_ceiling(write_run):
    run = write_run()
    assert not [t for t in warnings_of(run) if t.startswith("preference_model_2")]
    edit(
        run,
        "*-preference_model_2/evaluation.json",
        lambda e: e.update(longer_wins={"value": 0.73, "n": 900}),
    )
    assert any("“the longer one” (73.0%)" in text for text in warnings_of(run))
    edit(
        run,
        "*-preference_model_2/evaluation.json",
        lambda e: e.update(ceiling={"accuracy": 0.6, "high": 0.65}),
    )
    assert any("more accurate than the labelers’ own agreement" in t for t in warnings_of(run))


def test_warnings_of_the_ratings_are_passed_on(write_run):
    run = write_run()
    problem = {"code": "disconnected", "message": "two groups were never compared"}
    edit(run, "*-rate_2/output/ratings.json", lambda r: r.update(warnings=[problem]))
    assert "Ratings: two groups were never compared." in warnings_of(run)


def row(name, agreement, half=0.03):
    return LabelerRow(
        labeler=name, agreement=agreement, low=agreement - half, high=agreement + half
    )


def test_careless_labelers_stand_out_and_the_others_do_not():
    people = [row("a", 0.78), row("b", 0.76), row("c", 0.74), row("d", 0.52), row("e", 0.70)]
    # The median of d's others is .75: the middle between it and a coin is .625.
    assert [standing(one, people) for one in people] == ["", "", "", "guessing", "below"]
    assert standing(row("alone", 0.2), [row("alone", 0.2)]) == ""
    unknown = LabelerRow(labeler="f", low=0.0, high=1.0)
    assert standing(unknown, [*people, unknown]) == ""


def test_the_careless_labeler_of_a_run_is_named(write_run):
    assert any(text.startswith("labeler-5 hardly agrees") for text in warnings_of(write_run()))


def test_a_gap_turns_its_sign_and_its_interval_with_its_direction(write_run):
    facts = facts_of(write_run())
    one, other = find_gap(facts, "ppo_1", "sft"), find_gap(facts, "sft", "ppo_1")
    assert (one.value, one.low, one.high) == (120.0, 82.0, 158.0)
    assert (other.value, other.low, other.high) == (-120.0, -158.0, -82.0)
    assert find_gap(facts, "sft", "nobody") is None


def test_the_numbers_beside_the_headline_have_their_sources(write_run):
    found = key_numbers(facts_of(write_run()))
    assert [one.name for one in found] == [
        "decided wins against SFT",
        "answers helpful, honest and harmless",
        "Elo points, Round 1 over SFT",
        "of held-out votes predicted",
        "preferences collected",
    ]
    assert found[-1].text.replace("\u202f", "") == "3480"  # 600 of them only in the first


# The votes of a run


def test_a_vote_counts_once_however_often_it_was_collected(write_run):
    run = write_run()
    one = facts_of(run).collected
    assert (one.votes, one.comparisons, one.labelers) == (3480, 1160, 8)
    assert [name for name, _ in one.sources] == ["collect_1", "collect_2"]
    assert one.digest == ""
    for path in run.glob("*-collect_2/output/comparisons-*"):
        path.unlink()
    first = facts_of(run).collected
    assert (first.votes, first.comparisons) == (1800, 600)
    assert [name for name, _ in first.sources] == ["collect_1"]


def test_without_the_comparisons_the_last_collection_counts_itself(write_run):
    run = write_run()
    for path in run.glob("*-collect_*/output/comparisons-*"):
        path.write_text('{"preferences": 3}\n[]\n')
    one = facts_of(run).collected
    assert (one.votes, one.comparisons, one.labelers) == (2880, 960, 8)
    for path in run.glob("*-collect_*/output/votes.json"):
        path.unlink()
    assert facts_of(run).collected is None


# Before and after


def test_prompts_are_drawn_without_looking_at_the_answers(write_run):
    one = side_by_side(facts_of(write_run()))
    other = side_by_side(facts_of(write_run(text="Something else entirely.")))
    assert [pick.turns for pick in one.by_kind] == [pick.turns for pick in other.by_kind]
    assert [pick.kind for pick in one.by_kind] == sorted({p.kind for p in one.by_kind})
    assert len(one.by_kind) == 8


def test_losses_are_always_shown_and_counted(write_run):
    found = side_by_side(facts_of(write_run()))
    assert found.better + found.worse + found.same == found.total == 160
    assert found.worse > 4
    assert len(found.losses) == 4
    for pick in found.losses:
        before, after = pick.answers[0], pick.answers[-1]
        assert (before.policy, after.policy) == ("sft", "ppo_2")
        assert after.utility < before.utility
        assert after.change == "worse"


def test_long_answers_are_cut_and_say_so(write_run):
    found = side_by_side(facts_of(write_run(text="word " * 500)))
    assert all(answer.cut and len(answer.text) == 1200 for answer in found.by_kind[0].answers)


# Names of policies


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["ppo_2", "base", "ppo_1", "sft"], ["Base", "SFT", "Round 1", "Round 2"]),
        (["ppo", "sft"], ["SFT", "RLHF"]),
        (["round_1", "sft", "round_2"], ["SFT", "Round 1", "Round 2"]),
        (["gpt2", "ppo"], ["gpt2", "RLHF"]),
    ],
)
def test_policies_come_in_the_order_in_which_they_are_made(write_run, names, labels):
    found = list(Policies(read_run(write_run(stages=0)), names))
    assert [policy.label for policy in found] == labels
    assert len({policy.tone for policy in found}) == len(found)


def test_rounds_have_their_own_colours_in_every_run(write_run):
    run = read_run(write_run(stages=0))
    assert Policies(run, ["sft", "ppo_1"])["ppo_1"].tone == "tone-2"
    assert Policies(run, ["base", "sft", "ppo_1", "ppo_2"])["ppo_1"].tone == "tone-2"
    assert Policies(run, [])["ppo_3"].label == "Round 3"
