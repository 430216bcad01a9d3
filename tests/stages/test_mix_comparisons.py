"""Mixtures of comparisons: shares, weights, sizes, halves, leaks."""

import json

import pytest

from accord.config import InputError, build
from accord.records import (
    Comparison,
    Demonstration,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    read_records,
)
from accord.runtime.artifacts import read_json, run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import mix_comparisons


def write(path, name, number):
    rows = [
        {"prompt": f"{name} asks {n} about {n * 7} things", "chosen": "yes", "rejected": f"no {n}"}
        for n in range(number)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    for name, number in (("helpful", 200), ("harmless", 100)):
        write(folder / f"{name}.jsonl", name, number)
    return mix_comparisons.Inputs(
        comparisons={n: folder / f"{n}.jsonl" for n in ("helpful", "harmless")}
    )


def mixed(inputs, out, **settings):
    config = build(mix_comparisons.Config, settings, where="[test]")
    return run_stage(mix_comparisons.run, config, inputs, out)


def side(out, name):
    return read_records(out / "output" / f"comparisons-{name}.jsonl", LabeledComparison)


def kinds(records):
    found = [record.comparison.prompt.kind for record in records]
    return {kind: found.count(kind) for kind in sorted(set(found))}


def ids(records):
    return [record.comparison.id for record in records]


def test_without_shares_all_is_taken(inputs, tmp_path):
    out = mixed(inputs, tmp_path / "out")
    train, test = side(out, "train"), side(out, "test")
    report = read_json(out / "mixture.json")["sets"]
    assert len(train) + len(test) == 300
    assert 20 < len(test) < 70
    assert (
        report["helpful"]["train"] + report["helpful"]["test"] == report["helpful"]["read"] == 200
    )
    assert read_metrics(out)[0]["mix/train"] == len(train)


def test_shares_by_hand(inputs, tmp_path):
    out = mixed(inputs, tmp_path / "out", shares={"helpful": 3, "harmless": 1}, size=80)
    assert kinds(side(out, "train")) == {"harmless": 20, "helpful": 60}
    alone = mixed(inputs, tmp_path / "alone", shares={"harmless": 1}, size=50)
    assert kinds(side(alone, "train")) == {"harmless": 50}
    assert kinds(side(alone, "test")) == kinds(side(out, "test"))  # the test side stays


def test_what_was_put_first_is_demonstrated(inputs, tmp_path):
    out = mixed(inputs, tmp_path / "out", size=20)
    shown = read_records(out / "output" / "demonstrations.jsonl", Demonstration)
    first = []
    for one in side(out, "train"):
        for vote in one.preferences:
            if vote.ranks.count(1) == 1:
                text = one.comparison.responses[vote.ranks.index(1)].text
                first.append((one.comparison.prompt, text))
    assert shown
    assert [(one.prompt, one.response) for one in shown] == first  # one vote a comparison here


def test_most_votes_decide_what_is_demonstrated():
    prompt = Prompt(id="p", messages=[Message(role="user", content="?")])
    responses = [Response(id=text, prompt_id="p", policy="x", text=text) for text in "abc"]
    comparison = Comparison(id="c", prompt=prompt, responses=responses)

    def of(*ranks, **more):
        votes = [
            Preference(id=str(i), comparison_id="c", labeler="l", ranks=r, **more)
            for i, r in enumerate(ranks)
        ]
        return LabeledComparison(comparison=comparison, preferences=votes)

    several = [of((2, 1, 3), (1, 2, 3), (3, 1, 2)), of((1, 1, 2))]
    (found,) = mix_comparisons._demonstrations(several)
    assert (found.prompt, found.response) == (prompt, "b")
    attack = of((1, 2, 3), mode="red_team", polarity="harmful_first")
    (found,) = mix_comparisons._demonstrations([attack])
    assert found.response == "c"  # what was put last is the least harmful


def test_without_a_size_the_scarcer_set_decides(inputs, tmp_path):
    out = mixed(inputs, tmp_path / "out", shares={"helpful": 0.5, "harmless": 0.5})
    found = kinds(side(out, "train"))
    assert found["harmless"] == found["helpful"]
    assert found["harmless"] == read_json(out / "mixture.json")["sets"]["harmless"]["train"]
    assert found["harmless"] > 75


def test_a_smaller_mixture_is_part_of_a_larger_one(inputs, tmp_path):
    small, large = (mixed(inputs, tmp_path / str(n), size=n) for n in (40, 120))
    assert len(side(small, "train")) == 40
    assert set(ids(side(small, "train"))) < set(ids(side(large, "train")))
    other = mixed(inputs, tmp_path / "other", size=40, seed=1)
    assert set(ids(side(other, "train"))) != set(ids(side(small, "train")))


def test_weights_are_copies(inputs, tmp_path):
    """60 helpful once, 20 harmless two and a half times: about 50."""
    settings = {"shares": {"helpful": 3, "harmless": 1}, "size": 80}
    out = mixed(inputs, tmp_path / "out", **settings, weights={"harmless": 2.5})
    found = kinds(side(out, "train"))
    assert found["helpful"] == 60
    assert 44 <= found["harmless"] <= 56
    repeated = read_json(out / "mixture.json")["sets"]["harmless"]["repeated"]
    assert repeated == found["harmless"] - 20
    none = mixed(inputs, tmp_path / "none", **settings, weights={"harmless": 0})
    assert kinds(side(none, "train")) == {"helpful": 60}


def test_the_halves_share_no_prompt(inputs, tmp_path):
    first, second, whole = (
        mixed(inputs, tmp_path / half, half=half) for half in ("first", "second", "all")
    )
    one, two = set(ids(side(first, "train"))), set(ids(side(second, "train")))
    assert not one & two
    assert one | two == set(ids(side(whole, "train")))
    assert len(one) > 90 < len(two)
    assert ids(side(first, "test")) == ids(side(second, "test"))


def test_what_leaked_is_left_out_and_named(inputs, tmp_path):
    """A second set asks again what the first holds out, once word for word and once nearly."""
    held_out = side(mixed(inputs, tmp_path / "before"), "test")
    texts = [record.comparison.prompt.messages[0].content for record in held_out[:2]]
    folder = tmp_path / "again"
    folder.mkdir()
    rows = [texts[0].upper(), f"{texts[1]} here", "something new altogether"]
    for name, asked in (("train", rows), ("test", ["not asked before"])):
        lines = [{"prompt": text, "chosen": "yes", "rejected": "no"} for text in asked]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
        alone = mix_comparisons.Inputs(comparisons={"one": folder / f"{name}.jsonl"})
        made = mixed(alone, tmp_path / name, test_fraction=1e-9)
        (made / "output" / "comparisons-train.jsonl").rename(folder / f"comparisons-{name}.jsonl")
    both = mix_comparisons.Inputs(comparisons=inputs.comparisons | {"again": folder})
    report = read_json(mixed(both, tmp_path / "out", near_duplicate=0.7) / "mixture.json")
    assert (report["leaks"]["same"], report["leaks"]["near"]) == (1, 1)
    assert len(report["leaks"]["prompts"]) == 2
    assert report["sets"]["again"]["train"] == 1
    strict = read_json(mixed(both, tmp_path / "strict", near_duplicate=1.0) / "mixture.json")
    assert strict["leaks"]["near"] == 0


def test_test_comparisons_can_be_fewer(inputs, tmp_path):
    out = mixed(inputs, tmp_path / "out", most_test=5, test_fraction=0.3)
    assert kinds(side(out, "test")) == {"harmless": 5, "helpful": 5}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shares": {"helpfull": 1}}, "did you mean `helpful`"),
        ({"weights": {"helpful": -1}}, r"`weights.helpful` = -1.0 is below 0"),
        ({"shares": {"helpful": 0}}, "all `shares` are 0"),
        ({"size": 1000}, "`size` = 1000, but there are"),
        ({"size": 290, "shares": {"harmless": 1}}, "`harmless` has .* the mixture takes 290"),
        ({"weights": {"helpful": 0, "harmless": 0}}, "no training comparisons are left"),
    ],
)
def test_mixtures_that_cannot_be_made(inputs, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        mixed(inputs, tmp_path / "out", **settings)


def test_nothing_to_mix(tmp_path):
    with pytest.raises(InputError, match="no `comparisons` to mix"):
        mixed(mix_comparisons.Inputs(comparisons={}), tmp_path / "out")
