"""Votes from files: every format says the same, and what is wrong is said with its place."""

import gzip
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.config import InputError
from accord.data import vote_files, vote_rows
from accord.data.vote_files import read_votes, vote_pieces
from accord.records import (
    Comparison,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    write_records,
)

ROWS = [
    {"a": "x", "b": "y", "winner": "a", "labeler": "ann", "prompt": "p", "side": "a", "len_a": 20},
    {"a": "y", "b": "x", "winner": "a", "labeler": "ben", "prompt": "p", "side": "b", "len_a": 10},
    {"a": "x", "b": "z", "winner": "tie", "labeler": "", "prompt": "q", "side": "", "len_a": 7},
    {"a": "z", "b": "y", "winner": "both_bad", "labeler": "ann", "prompt": "q", "side": "a"},
]
for row, length, weight in zip(ROWS, (10, 20, 7, 9), (1, 2, 0.5, 1), strict=True):
    row |= {"len_a": row.get("len_a", 9), "len_b": length, "weight": weight}


def as_jsonl(path, rows=ROWS):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_csv(path, rows=ROWS, delimiter=","):
    lines = [rows[0].keys(), *(row.values() for row in rows)]
    path.write_text("".join(delimiter.join(map(str, line)) + "\n" for line in lines))
    return path


def as_parquet(path, rows=ROWS):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def refused(path):
    with pytest.raises(InputError) as caught:
        read_votes(path)
    return str(caught.value)


def columns(table):
    """Everything about every vote, by name, whatever the numbers of the names are."""
    votes = table.votes

    def name(names, code):
        return names[code] if code < len(names) else ""

    return [
        (
            votes.names[votes.a[i]],
            votes.names[votes.b[i]],
            votes.outcome[i],
            bool(votes.both_bad[i]),
            name(votes.labelers, votes.labeler[i]),
            name(votes.prompts, votes.prompt[i]),
            -1 if math.isnan(votes.a_first[i]) else votes.a_first[i],
            round(float(votes.covariates["length"][i]), 6),
            votes.weight[i],
        )
        for i in range(len(votes))
    ]


BY_HAND = [  # a is the first by name: the second row is turned, its side and lengths with it
    ("x", "y", 1.0, False, "ann", "p", 1, 0.693147, 1.0),
    ("x", "y", 0.0, False, "ben", "p", 1, 0.693147, 2.0),
    ("x", "z", 0.5, False, "", "q", -1, 0.0, 0.5),
    ("y", "z", 0.5, True, "ann", "q", 0, 0.0, 1.0),
]


def test_every_format_says_the_same_by_hand(tmp_path):
    assert columns(read_votes(as_jsonl(tmp_path / "v.jsonl"))) == BY_HAND
    assert columns(read_votes(as_csv(tmp_path / "v.csv"))) == BY_HAND
    assert columns(read_votes(as_csv(tmp_path / "s.csv", delimiter=";"))) == BY_HAND
    assert columns(read_votes(as_csv(tmp_path / "v.tsv", delimiter="\t"))) == BY_HAND
    for name in ("v.jsonl", "v.csv"):
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        assert columns(read_votes(packed)) == BY_HAND


def test_parquet_says_the_same(tmp_path):
    assert columns(read_votes(as_parquet(tmp_path / "v.parquet"))) == BY_HAND


def test_votes_on_the_same_responses_are_one_unit_whichever_is_called_a(tmp_path):
    votes = read_votes(as_jsonl(tmp_path / "v.jsonl")).votes
    assert votes.unit[0] == votes.unit[1]
    assert len(set(votes.unit.tolist())) == 3


def test_names_as_arenas_write_them(tmp_path):
    rows = [
        {"question_id": 1, "model_a": "x", "model_b": "y", "winner": "model_a", "judge": "u1"},
        {"question_id": 2, "model_a": "y", "model_b": "x", "winner": "tie (bothbad)", "judge": 7},
    ]
    votes = read_votes(as_jsonl(tmp_path / "v.jsonl", rows)).votes
    assert (votes.labelers, votes.prompts) == (("7", "u1"), ("1", "2"))
    assert votes.outcome.tolist() == [1, 0.5]
    assert votes.both_bad.tolist() == [False, True]


@pytest.mark.parametrize(
    ("side", "first"), [("left", 1), ("right", 0), ("b", 0), (1, 1), (-1, 0), (None, math.nan)]
)
def test_sides(tmp_path, side, first):
    path = as_jsonl(tmp_path / "v.jsonl", [{"a": "x", "b": "y", "winner": "a", "side": side}])
    assert read_votes(path).votes.a_first == pytest.approx([first], nan_ok=True)


def test_criteria_and_strengths(tmp_path):
    rows = [
        {"a": "x", "b": "y", "winner": w, "prompt": "p", "criterion": c, "strength": s}
        for w, c, s in (("a", "honest", 2), ("b", "helpful", None), ("a", None, 1))
    ]
    table = read_votes(as_jsonl(tmp_path / "v.jsonl", rows))
    assert table.criteria == ("helpful", "honest")
    assert len(set(table.votes.unit.tolist())) == 3  # who judges another criterion agrees on none
    parts = table.by_criterion()
    assert {name: len(part) for name, part in parts.items()} == {"": 1, "helpful": 1, "honest": 1}
    assert parts["honest"].strength.tolist() == [2]


def test_further_columns_are_covariates_of_the_first_against_the_second(tmp_path):
    rows = [
        {"a": "y", "b": "x", "winner": "a", "lists": 2},
        {"a": "x", "b": "y", "winner": "a", "lists": -1},
    ]
    table = read_votes(as_jsonl(tmp_path / "v.jsonl", rows), ["lists"])
    assert table.votes.covariates["lists"].tolist() == [-2, -1]


def test_any_unicode_is_a_name(tmp_path):
    names = ["模型", "naïve “b”", "🙂‍↔️", "with\ttab", "a,b;c"]
    rows = [{"a": a, "b": b, "winner": "a"} for a in names for b in names]
    votes = read_votes(as_jsonl(tmp_path / "v.jsonl", rows)).votes
    assert set(votes.names) == set(names)


def test_a_bom_quotes_and_line_breaks_in_cells(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text('\ufeffa,b,winner,prompt\n"x, y",z,a,"two\nlines"\n\nz,"x, y",wrong,p\n')
    assert "line 5: `winner` is `wrong`" in refused(path)
    path.write_text('\ufeffa,b,winner,prompt\n"x, y",z,a,"two\nlines"\n')
    assert read_votes(path).votes.names == ("x, y", "z")


@settings(deadline=None)  # files
@given(
    st.lists(
        st.tuples(
            st.sampled_from("xyz"), st.sampled_from("xyz"), st.sampled_from(["a", "b", "tie"])
        ),
        min_size=1,
        max_size=30,
    )
)
def test_pieces_are_the_whole(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("votes") / "v.jsonl"
    rows = [{"a": a, "b": b, "winner": w, "prompt": "p"} for a, b, w in drawn]
    as_jsonl(path, rows)
    whole = read_votes(path).votes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vote_rows, "BATCH", 7)
        pieces = [piece.votes for piece in vote_pieces(path, ["prompt"])]
        together = read_votes(path).votes
    assert sum(map(len, pieces)) == len(whole) == len(together)
    assert np.concatenate([p.outcome for p in pieces]).tolist() == whole.outcome.tolist()
    assert together.unit.tolist() == whole.unit.tolist()


GOOD = {"a": "x", "b": "y", "winner": "a"}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (GOOD | {"winner": "A"}, "line 2: `winner` is `A`; did you mean `a`?"),
        (GOOD | {"winner": "boht_bad"}, "line 2: `winner` is `boht_bad`; did you mean `both_bad`?"),
        (GOOD | {"winner": "x"}, "line 2: `winner` is `x`; known: a, b, both_bad, tie"),
        (GOOD | {"winner": None}, "line 2: `winner` is missing; write `a`, `b`, `tie` or"),
        (GOOD | {"winner": 1}, "line 2: `winner` is `1`"),
        (GOOD | {"winner": ["a"]}, "line 2: `winner` is a list or a table"),
        ({"a": "x", "winner": "a"}, "line 2: `b` is missing; give the name of a model"),
        (GOOD | {"a": " "}, "line 2: `a` is missing"),
        (GOOD | {"a": True}, "line 2: `a` is `True`; give a name"),
        (GOOD | {"weight": math.nan}, "line 2: `weight` is `nan`; give 0 or more"),
        (GOOD | {"weight": -1}, "line 2: `weight` is `-1`; give 0 or more"),
        (GOOD | {"weight": "heavy"}, "line 2: `weight` is `heavy`"),
        (GOOD | {"weight": math.inf}, "line 2: `weight` is `inf`"),
        (GOOD | {"weight": 10**400}, "line 2: `weight` is `1000"),
        (GOOD | {"weight": 0} | {"side": "\x1b[2J"}, "line 2: `side` is `\\x1b[2J`"),
        (GOOD | {"weight": 1}, "line 1: `weight` is missing; give every vote a weight, or none"),
        (GOOD | {"side": "top"}, "line 2: `side` is `top`; write which of the two was shown first"),
        (GOOD | {"side": 0}, "line 2: `side` is `0`"),
        (GOOD | {"len_a": -3}, "line 2: `len_a` is `-3`; give 0 or more"),
        (GOOD | {"strength": 0}, "line 2: `strength` is `0`; give a number above 0"),
        ("votes", "line 2: not a JSON object"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, row, sentence):
    path = as_jsonl(tmp_path / "v.jsonl", [GOOD, row])
    message = refused(path)
    assert f"`{path}` {sentence}" in message
    assert "\n" not in message


def test_a_weight_that_leaves_no_room_for_others(tmp_path):
    path = as_jsonl(tmp_path / "v.jsonl", [GOOD | {"weight": 1}, GOOD | {"weight": 1e13}])
    assert "line 2: `weight` is 1e+13; give at most 1e+12" in refused(path)


def test_a_folder_of_an_import(tmp_path):
    write_records(tmp_path / "comparisons.jsonl", [labeled(0)])
    assert len(read_votes(tmp_path)) == 1


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "v.jsonl"
    for broken in ('{"a": "x", "b"', '{"a": "x"} {"b": "y"}', '{"a": "\\ud800"}', "\ufffd"):
        path.write_text(json.dumps(GOOD) + "\n\n" + broken + "\n", encoding="utf-8")
        assert refused(path).startswith(f"`{path}` line 3: not JSON: ")
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"a": "\xff"}\n')
    assert refused(path).startswith(f"`{path}` line 2: not JSON: ")


@pytest.mark.parametrize(
    ("header", "row", "sentence"),
    [
        ("a,b,winer", "x,y,a", "the header has no `winner`; did you mean `winer`?"),
        ("a,winner", "x,a", "the header has no `b`"),
        ("a,b,winner", "x,y", "line 2: 2 cells where the header has 3"),
        ("a,b,winner", 'x,"y,a', "line 2: not CSV: "),
        ("a,b,winner,weight", "x,y,a,nan", "line 2: `weight` is `nan`"),
        ("a,b,winner,model_a", "x,y,a,z", "both `a` and `model_a` are columns"),
        ("a,b,winner,a", "x,y,a,z", "two columns are called `a`"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, header, row, sentence):
    path = tmp_path / "v.csv"
    path.write_text(f"{header}\n{row}\n")
    assert sentence in refused(path)


def test_files_that_are_none(tmp_path):
    assert "no file" in refused(tmp_path / "none.jsonl")
    for name in ("v.jsonl", "v.csv"):
        (tmp_path / name).write_text("")
        assert "holds no votes" in refused(tmp_path / name)
    (tmp_path / "v.csv").write_text("a,b,winner\n")
    assert "holds no votes" in refused(tmp_path / "v.csv")
    (tmp_path / "v.xlsx").write_text("")
    assert "an ending that is not known" in refused(tmp_path / "v.xlsx")
    (tmp_path / "v.jsonl.gz").write_bytes(b"not gzip")
    assert "cannot be read" in refused(tmp_path / "v.jsonl.gz")
    (tmp_path / "v.csv").write_bytes(b"a,b,winner\nx,\xff,a\n")
    assert "is not UTF-8" in refused(tmp_path / "v.csv")
    (tmp_path / "empty").mkdir()
    assert "give a collect artifact, an import or a file of votes" in refused(tmp_path / "empty")


def test_parquet_that_is_none_and_without_its_package(tmp_path, monkeypatch):
    path = tmp_path / "v.parquet"
    path.write_text("no")
    pytest.importorskip("pyarrow")
    assert "is not Parquet" in refused(path)
    as_parquet(path, [GOOD, GOOD | {"winner": "c"}])
    assert f"`{path}` row 2: `winner` is `c`" in refused(path)
    as_parquet(path, [GOOD | {"prompt": ["k"]}])
    assert "a column of lists or tables" in refused(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'accord[parquet]'" in refused(path)


def test_parquet_with_missing_values_and_numbers_for_names(tmp_path):
    rows = [GOOD | {"labeler": 3.0, "weight": 2.0}, GOOD | {"labeler": None, "weight": 1.0}]
    votes = read_votes(as_parquet(tmp_path / "v.parquet", rows)).votes
    assert votes.labelers == ("3",)
    assert votes.labeler.tolist() == [0, 1]
    assert votes.weight.tolist() == [2, 1]


def labeled(number, *, ranks=(1, 2), strength=None, tie=""):
    prompt = Prompt(id=f"p{number}", messages=(Message(role="user", content="why?"),))
    responses = tuple(
        Response(id=f"r{number}{i}", prompt_id=prompt.id, text="ab" * (i + 1), policy=f"m{i}")
        for i in range(len(ranks))
    )
    comparison = Comparison(id=f"c{number}", prompt=prompt, responses=responses)
    preference = Preference(
        id=f"v{number}",
        comparison_id=comparison.id,
        labeler="ann",
        ranks=ranks,
        shown_order=tuple(range(len(ranks)))[::-1],
        strength=strength,
        tie=tie,
    )
    return LabeledComparison(comparison=comparison, preferences=(preference,))


def test_our_own_export_as_a_file_packed_and_as_a_folder(tmp_path):
    write_records(tmp_path / "comparisons-train.jsonl", [labeled(0, strength=3)])
    write_records(tmp_path / "comparisons-test.jsonl", [labeled(1, ranks=(1, 1, 2), strength=3)])
    table = read_votes(tmp_path)
    assert (len(table), len(table.rankings)) == (4, 2)
    assert table.votes.outcome.tolist() == [1, 0.5, 1, 1]
    assert table.votes.a_first.tolist() == [0, 0, 0, 0]
    assert table.votes.covariates["length"] == pytest.approx(np.log([1 / 2, 1 / 2, 1 / 3, 2 / 3]))
    assert table.strength == pytest.approx([3, np.nan, np.nan, np.nan], nan_ok=True)
    packed = tmp_path / "votes.jsonl.gz"
    packed.write_bytes(gzip.compress((tmp_path / "comparisons-train.jsonl").read_bytes()))
    assert len(read_votes(packed)) == 1


def test_both_bad_of_an_export_is_no_tie(tmp_path):
    ties = [
        labeled(i, ranks=(1, 1), tie=tie) for i, tie in enumerate(("", "both_good", "both_bad"))
    ]
    write_records(tmp_path / "v.jsonl", ties)
    assert read_votes(tmp_path / "v.jsonl").votes.both_bad.tolist() == [False, False, True]


def test_an_export_with_a_broken_record(tmp_path):
    path = tmp_path / "v.jsonl"
    write_records(path, [labeled(0)])
    path.write_text(path.read_text() + '{"comparison": {}, "preferences": []}\n')
    assert refused(path).startswith(f"`{path}` line 2: comparison.id: Field required")


def test_what_is_counted_in_pieces(tmp_path, monkeypatch):
    path = as_jsonl(tmp_path / "v.jsonl")
    assert not vote_files.is_large(path)
    monkeypatch.setattr(vote_files, "LARGE", 1)
    assert vote_files.is_large(path)
    assert vote_files.is_large(as_parquet(tmp_path / "v.parquet"))
    assert not vote_files.is_large(tmp_path)
