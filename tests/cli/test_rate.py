"""`accord rate` and `accord agreement`: from a file of votes to a table, JSON and a page."""

import json
import math
import random

import pytest
from typer.testing import CliRunner

from accord import cli
from accord.data import vote_files
from accord.ratings import summary

STRENGTH = {"best": 1.0, "middle": 0.0, "worst": -1.0}


def accord_command(*words):
    result = CliRunner().invoke(cli.app, [str(word) for word in words], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def planted(number=600, *, seed=0, names=STRENGTH, **more):
    """Votes of a crowd that sees the planted order, ties and both-bad among them."""
    rng = random.Random(seed)
    rows = []
    for i in range(number):
        a, b = rng.sample(list(names), 2)
        p = 1 / (1 + math.exp(STRENGTH.get(b, 0.0) - STRENGTH.get(a, 0.0)))
        winner = "both_bad" if i % 50 == 0 else "tie" if i % 10 == 0 else "ab"[rng.random() > p]
        row = {"a": a, "b": b, "winner": winner, "labeler": f"l{i % 20}", "prompt": f"p{i // 6}"}
        row |= {"side": rng.choice("ab"), "len_a": rng.randint(1, 99), "len_b": rng.randint(1, 99)}
        rows.append(row | more)
    return rows


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def votes(tmp_path):
    return written(tmp_path / "votes.jsonl", planted())


def as_json(*words):
    status, text, error = accord_command(*words, "--json")
    assert status == 0, error

    def no_constants(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=no_constants)


def test_names_give_no_orders_to_the_terminal(tmp_path):
    rows = [{"a": "x\x1b[2J", "b": "\u202ey\nz", "winner": winner} for winner in "aab"]
    status, text, _ = accord_command("rate", written(tmp_path / "v.jsonl", rows))
    assert status == 0
    assert "x\\x1b[2J" in text
    assert "\\u202ey\\nz" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_the_json_has_the_promised_form(votes):
    found = as_json("rate", votes)
    assert (found["model"], found["n_votes"]) == ("bradley_terry", 600)
    assert found["groups"] == [["best", "middle", "worst"]]
    assert [row["name"] for row in found["ratings"]] == ["best", "middle", "worst"]
    for row in found["ratings"]:
        wanted = {"name", "rating", "se", "low", "high", "rank_low", "rank_high", "votes"}
        assert wanted <= set(row)
        assert row["low"] < row["rating"] < row["high"]
    for row in found["differences"]:
        assert {"a", "b", "difference", "low", "high", "p_a_beats_b"} <= set(row)
        assert row["anytime_low"] < row["low"] < row["high"] < row["anytime_high"]
    assert len(found["differences"]) == 3
    assert all({"code", "message", "advice"} == set(row) for row in found["warnings"])
    assert found["n_both_bad"] == 12
    assert len(found["labelers"]) == 20


def test_the_table_says_what_people_ask(votes):
    status, text, _ = accord_command("rate", votes)
    assert status == 0
    assert "Bradley-Terry, 600 votes, 20 labelers, 100 prompts" in " ".join(text.split())
    assert text.index("best") < text.index("middle") < text.index("worst")
    assert "best over middle" in text
    assert "both bad" in text
    assert "A tie counts as half a win" in text


@pytest.mark.parametrize(
    "model", ["bradley_terry", "thurstone", "davidson", "rao_kupper", "plackett_luce"]
)
def test_every_model_finds_the_planted_order(votes, model):
    found = as_json("rate", votes, "--model", model)
    assert found["model"] == model
    assert [row["name"] for row in found["ratings"]] == ["best", "middle", "worst"]
    assert (found["tie"] is None) == (model in ("bradley_terry", "thurstone"))


@pytest.mark.parametrize(
    ("option", "key"),
    [
        (("--cluster", "none"), "differences"),
        (("--cluster", "labeler"), "differences"),
        (("--prior-sd", "0.1"), "ratings"),
        (("--prior-sd", "0"), "ratings"),
        (("--confidence", "0.5"), "ratings"),
        (("--control", "side,length"), "covariates"),
    ],
)
def test_every_option_changes_something(votes, option, key):
    assert as_json("rate", votes, *option)[key] != as_json("rate", votes)[key]


def test_controlling_for_columns_of_the_file(tmp_path):
    votes = written(
        tmp_path / "v.jsonl", [row | {"lists": i % 3} for i, row in enumerate(planted())]
    )
    effects = as_json("rate", votes, "--control", "side,lists")["covariates"]
    assert [row["name"] for row in effects] == ["side", "lists"]
    assert "gained by being shown first" in accord_command("rate", votes, "--control", "side")[1]


def test_each_criterion_on_its_own(tmp_path):
    turned = {"best": "worst", "middle": "middle", "worst": "best"}
    rows = [row | {"criterion": "helpful"} for row in planted()]
    rows += [
        row | {"a": turned[row["a"]], "b": turned[row["b"]], "criterion": "harmless"}
        for row in planted(seed=1)
    ]
    votes = written(tmp_path / "v.jsonl", rows)
    found = as_json("rate", votes, "--by", "criterion")
    order = {
        c: [r["name"] for r in found["ratings"] if r["criterion"] == c]
        for c in ("helpful", "harmless")
    }
    assert order == {
        "helpful": ["best", "middle", "worst"],
        "harmless": ["worst", "middle", "best"],
    }
    assert (found["n_votes"], found["n_both_bad"]) == (1200, 24)
    assert len(found["groups"]) == 2
    assert {row["group"] for row in found["ratings"]} == {0, 1}
    assert set(found["by"]["criterion"]) == {"helpful", "harmless"}
    text = accord_command("rate", votes, "--by", "criterion")[1]
    assert text.index("criterion: harmless") < text.index("criterion: helpful")
    together = as_json("rate", votes)
    assert "mixed_criteria" in {row["code"] for row in together["warnings"]}


def test_groups_that_no_votes_connect_are_never_compared(tmp_path):
    rows = planted() + planted(100, names=["other", "else"])
    votes = written(tmp_path / "v.jsonl", rows)
    found = as_json("rate", votes)
    assert len(found["groups"]) == 2
    group = {name: i for i, names in enumerate(found["groups"]) for name in names}
    assert all(group[row["a"]] == group[row["b"]] for row in found["differences"])
    fitted = found["win_matrix"]
    i, j = fitted["names"].index("best"), fitted["names"].index("other")
    assert fitted["fitted"][i][j] is None
    text = accord_command("rate", votes)[1]
    assert "Group 2 of 2, not comparable with the others" in text
    assert "disconnected: " in text
    for one in found["groups"][0]:
        for other in found["groups"][1]:
            assert f"{one} over {other}" not in text
            assert f"{other} over {one}" not in text


@pytest.mark.parametrize(
    "rows",
    [
        [{"a": "x", "b": "y", "winner": "a"}],
        [{"a": "x", "b": "x", "winner": "a"}],
        [{"a": "x", "b": "y", "winner": "tie"}] * 9,
        [{"a": "x", "b": "y", "winner": "both_bad"}] * 9,
        [{"a": "x", "b": "y", "winner": "a", "weight": 0}] * 3,
        [{"a": a, "b": b, "winner": "a", "labeler": "k"} for a, b in ("xy", "yz", "zx")] * 9,
    ],
    ids=["one vote", "one model", "ties", "both bad", "no weight", "a cycle"],
)
def test_votes_of_a_first_day(tmp_path, rows):
    votes = written(tmp_path / "v.jsonl", rows)
    found = as_json("rate", votes)
    for row in found["ratings"]:
        assert row["low"] <= row["rating"] <= row["high"]
    assert found["warnings"]
    status, _, error = accord_command("rate", votes, "--html", tmp_path / "v.html")
    assert status == 0, error
    assert as_json("agreement", votes)["n_votes"] == len(rows)


def test_what_is_not_shown_is_never_called_shown(tmp_path, monkeypatch):
    votes = written(tmp_path / "v.jsonl", planted(60))
    with_advice = accord_command("rate", votes)[1]
    assert "about" in with_advice
    monkeypatch.setattr(summary, "MOST_PAIRED", 2)
    lines = accord_command("rate", votes)[1].splitlines()
    (row,) = [line for line in lines if line.startswith("best over middle")]
    assert row.rstrip().endswith("open")


def test_a_file_too_large_to_keep_is_counted_and_says_the_same(votes, monkeypatch):
    options = ("--cluster", "labeler", "--control", "side")
    kept = as_json("rate", votes, *options)
    monkeypatch.setattr(vote_files, "LARGE", 1)
    counted = as_json("rate", votes, *options)
    assert counted["labelers"] == []
    assert counted["n_both_bad"] == kept["n_both_bad"]
    assert counted["n_votes"] == kept["n_votes"]
    for one, other in zip(counted["ratings"], kept["ratings"], strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert accord_command("rate", votes, "--model", "plackett_luce")[0] == 2


def test_a_page_and_a_table_or_json(votes, tmp_path):
    status, text, _ = accord_command("rate", votes, "--html", tmp_path / "r.html")
    assert status == 0
    assert f"drawn: {tmp_path / 'r.html'}" in text
    assert as_json("rate", votes, "--html", tmp_path / "s.html")["n_votes"] == 600
    assert (tmp_path / "r.html").read_bytes() == (tmp_path / "s.html").read_bytes()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.jsonl"], "no file or directory"),
        (["--model", "elo"], "unknown model `elo`; known: "),
        (["--model", "davidsn"], "did you mean `davidson`?"),
        (["--cluster", "labler"], "`--cluster`: unknown `labler`; did you mean `labeler`?"),
        (["--by", "topic"], "`--by`: unknown column `topic`"),
        (["--by", "criterion"], "has no column `criterion`"),
        (["--control", "bold"], "cannot control for bold without the column `bold`"),
        (["--confidence", "95"], "`--confidence` is 95"),
        (["--prior-sd", "-1"], "`--prior-sd` is -1"),
        (["--html", "none/there.html"], "cannot write `none/there.html`"),
        (["--out", "there"], "`--out` belongs to the stage"),
        (["--set", "model=davidson"], "`--set` belongs to the stage"),
    ],
)
def test_mistakes_end_with_one_sentence_and_status_2(votes, words, sentence):
    first = [] if words[0].endswith(".jsonl") else [votes]
    status, text, error = accord_command("rate", *first, *words)
    assert status == 2
    assert text == ""
    assert sentence in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_perfect_record_without_a_prior_is_refused(tmp_path):
    votes = written(tmp_path / "v.jsonl", [{"a": "x", "b": "y", "winner": "a"}])
    status, _, error = accord_command("rate", votes, "--prior-sd", "0")
    assert status == 2
    assert "no maximum; give a `prior_sd`" in error


def test_without_votes_it_is_the_stage(tmp_path, votes):
    status, _, error = accord_command("rate")
    assert (status, "nothing to rate" in error) == (2, True)
    status, _, error = accord_command("rate", "--model", "davidson", "--out", tmp_path / "o")
    assert (status, "`--model` is for a file of votes" in error) == (2, True)
    status, text, _ = accord_command(
        "rate", "--inputs", f"comparisons={votes}", "--out", tmp_path / "o", "--dry-run"
    )
    assert status == 0
    assert "would run" in text
    text = accord_command("rate", "--help")[1]
    assert "accord rate votes.jsonl" in text
    assert "--inputs comparisons=out/collect --out out/ratings" in text
    assert "Settings, for --set key=value" in text


def same_responses(careless=False):
    """Five people on each comparison; the last may click at random."""
    rng = random.Random(3)
    rows = []
    for i in range(80):
        better = rng.choice("ab")
        for who in range(5):
            sees = rng.random() < 0.85
            winner = better if sees else "ba"[better == "b"]
            if who == 4 and careless:
                winner = rng.choice("ab")
            row = {"a": "x", "b": "y", "winner": winner, "labeler": f"l{who}", "prompt": f"p{i}"}
            rows.append(row | {"strength": rng.randint(1, 3), "side": rng.choice("ab")})
    return rows


def test_agreement(tmp_path):
    votes = written(tmp_path / "v.jsonl", same_responses(careless=True))
    found = as_json("agreement", votes)
    measures = found["agreement"]
    assert measures["raw_low"] < measures["raw"] < measures["raw_high"]
    assert measures["alpha_low"] < measures["krippendorff_alpha"] < measures["alpha_high"]
    assert measures["ordinal_alpha_low"] < measures["ordinal_alpha"]
    assert measures["krippendorff_alpha"] == pytest.approx(2 * measures["raw"] - 1, abs=1e-6)
    assert measures["fleiss_kappa"] == pytest.approx(measures["krippendorff_alpha"], abs=0.01)
    assert measures["cohen_kappa"] is None
    assert 0.5 < measures["ceiling"] < 1
    worst = min(found["labelers"], key=lambda row: row["agreement"])
    assert worst["labeler"] == "l4"
    assert max(found["labelers"], key=lambda row: row["careless"])["labeler"] == "l4"
    status, text, _ = accord_command("agreement", votes, "--html", tmp_path / "a.html")
    assert status == 0
    assert "Krippendorff's alpha" in text
    assert text.index("l4") < text.index("l0")  # who needs a look comes first
    assert "careless_labelers: `l4` seems not to look" in text


def test_agreement_of_two_by_cohen(tmp_path):
    rows = [row for row in same_responses() if row["labeler"] in ("l0", "l1")]
    measures = as_json("agreement", written(tmp_path / "v.jsonl", rows))["agreement"]
    assert measures["cohen_kappa"] == pytest.approx(2 * measures["raw"] - 1, abs=1e-6)


def test_nobody_judged_what_somebody_else_judged(tmp_path):
    votes = written(tmp_path / "v.jsonl", [{"a": "x", "b": "y", "winner": "a", "labeler": "k"}] * 3)
    found = as_json("agreement", votes)
    assert found["agreement"] is None
    assert found["warnings"][0]["code"] == "nobody_twice"
    status, text, _ = accord_command("agreement", votes, "--html", tmp_path / "a.html")
    assert status == 0
    assert "nothing to agree on" in text


def test_agreement_refuses_what_it_cannot_read(tmp_path):
    assert accord_command("agreement", tmp_path / "none.jsonl")[0] == 2
    votes = written(tmp_path / "v.jsonl", [{"a": "x", "b": "y", "winner": "c"}])
    status, _, error = accord_command("agreement", votes)
    assert (status, f"`{votes}` line 1: `winner` is `c`" in error) == (2, True)
    assert accord_command("agreement", votes, "--confidence", "2")[0] == 2
