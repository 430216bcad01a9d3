"""A file is imported whole or not at all, and once."""

import gzip
import json

import pytest

from accord.config import InputError
from accord.data.formats import FORMATS, folder
from accord.data.formats.importing import into_folder
from accord.data.formats.reading import Options
from accord.data.threads import Tally
from accord.records import LabeledComparison, SingleRating, read_records

PAIR = {"prompt": "Which?", "chosen": "good", "rejected": "bad"}
BATTLE = {
    "question_id": "q1",
    "model_a": "koala",
    "model_b": "vicuna",
    "winner": "tie",
    "judge": "j1",
    "conversation_a": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A1"}],
    "conversation_b": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "B1"}],
}
SUMMARY = {
    "info": {"id": "t", "post": "Story."},
    "summaries": [{"text": "a", "policy": "p"}, {"text": "b", "policy": "q"}],
    "choice": 0,
    "worker": "w",
}
VOTE = {"worker": "w", "value": "a1", "reason": "r"}
ARGUMENTS = {"pair": "x_y", "topic": "t", "title": "T", "a1": "x", "a2": "y", "votes": [VOTE]}
TULU = {
    "id": 7,
    "prompt": "Do.",
    "model_a": "m",
    "model_b": "n",
    "completion_a": "a",
    "completion_b": "b",
    "preference": "tie",
    "evaluator": "e",
    "timestamp": 1684501905000,
}
TREE = {
    "message_tree_id": "1",
    "prompt": {
        "text": "Hi",
        "role": "prompter",
        "replies": [
            {"text": "x", "role": "assistant", "rank": 0},
            {"text": "y", "role": "assistant", "rank": 1},
        ],
    },
}
ARGILLA = {
    "id": "r",
    "fields": {"prompt": "Hi", "response-1": "a", "response-2": "b"},
    "responses": {"best": [{"value": ["response-1", "response-2"], "user_id": "u"}]},
}
STUDIO = {
    "id": 1,
    "data": {"prompt": "Hi", "text1": "a", "text2": "b"},
    "annotations": [
        {
            "id": 1,
            "completed_by": 2,
            "result": [{"from_name": "p", "type": "pairwise", "value": {"selected": "left"}}],
        }
    ],
}


def put(file, name, out, **options):
    return into_folder(FORMATS[name], [file], Options(**options), out)


def changed(row, path, value):
    """A copy of a row with one value changed, or taken away."""
    copy = json.loads(json.dumps(row))
    *way, last = path
    inside = copy
    for key in way:
        inside = inside[key]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return copy


HH = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
KTO = {"prompt": "a", "completion": "b", "label": True}

BROKEN = [
    ("hh", HH, ("chosen",), 3, "`chosen` is not text"),
    ("hh", HH, ("chosen",), "a", "`chosen` does not begin with `Human:`"),
    ("trl", PAIR, ("rejected",), ..., "`rejected` is missing"),
    ("trl", PAIR, ("prompt",), ..., "`prompt` is missing"),
    ("trl", PAIR, ("prompt",), [{"role": "x", "content": "a"}], "`prompt.0.role` is `x`"),
    ("trl", PAIR, ("chosen",), "\ud800", "`chosen` holds half of a character"),
    ("kto", KTO, ("label",), 1, "`label` is neither true nor"),
    ("summaries", SUMMARY, ("choice",), 2, "`choice` is `2`, not a whole number from 0 to 1"),
    ("summaries", SUMMARY, ("choice",), True, "`choice` is `True`, not a whole number"),
    ("summaries", SUMMARY, ("summaries", 1, "text"), None, "`summaries.1.text` is not text"),
    ("summaries", SUMMARY, ("worker",), " ", "`worker` is not a name of 1 to 200 characters"),
    ("summaries", SUMMARY, ("info", "post"), ..., "`info.post` is missing"),
    ("oasst", TREE, ("prompt", "replies", 0, "rank"), "first", "the `rank` of a message"),
    ("argilla", ARGILLA, ("responses", "best", 0, "value"), ["response-1"], "ranks 1 responses"),
    ("argilla", ARGILLA, ("fields", "prompt"), ..., "name it with --set prompt"),
    ("label-studio", STUDIO, ("annotations", 0, "result", 0, "value", "selected"), "up",
     "`annotations.0.result.0.value.selected` is `up`"),
    ("label-studio", STUDIO, ("data", "text1"), ..., "is `pairwise`, but 1 fields of `data`"),
    ("lmarena", BATTLE, ("winner",), "modela", "`winner` is `modela`; did you mean `model_a`"),
    ("lmarena", BATTLE, ("model_b",), ..., "`model_b` is missing"),
    ("lmarena", BATTLE, ("conversation_a", 1, "content"), [{"type": "image"}], "images"),
    ("lmarena", BATTLE, ("tstamp",), "soon", "`tstamp` is `soon`, not a time"),
    ("convincing-arguments", ARGUMENTS, ("votes", 0, "value"), "a3", "`votes.0.value` is `a3`"),
    ("tulu", TULU, ("preference",), "a", "`preference` is `a`"),
    ("tulu", TULU, ("timestamp",), -1, "`timestamp` is `-1`"),
    ("accord", {"comparison": 1, "preferences": []}, ("comparison",), 1, "`comparison`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "row", "path", "value", "sentence"), BROKEN)
def test_a_broken_row_is_named_and_nothing_is_imported(
    write_rows, tmp_path, name, row, path, value, sentence
):
    good = [] if name == "accord" else [row]
    rows = [*good, changed(row, path, value)]
    file = write_rows(rows)
    with pytest.raises(InputError, match=sentence) as error:
        put(file, name, tmp_path / "out")
    assert str(error.value).startswith(f"`{file}` line {len(rows)}: ")
    assert not (tmp_path / "out").exists()


def test_the_same_file_mended_is_imported_once(write_rows, tmp_path):
    out = tmp_path / "out"
    rows = [BATTLE, BATTLE | {"question_id": "q2", "winner": "model_a"}]
    with pytest.raises(InputError, match=r"rows.jsonl` line 2: not JSON"):
        put(write_rows([rows[0], '{"winner": \n']), "lmarena", out)
    report = put(write_rows(rows), "lmarena", out)
    assert report["new"] == {"items": 1, "votes": 2}
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    again = put(write_rows(rows, "packed.jsonl.gz"), "lmarena", out)
    assert (again["new"], again["there_already"]) == ({"items": 0, "votes": 0}, 2)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files


def test_equal_rows_of_a_file_that_names_no_votes_are_so_many_votes(write_rows, tmp_path):
    out = tmp_path / "out"
    assert put(write_rows([PAIR, PAIR, PAIR]), "trl", out)["new"] == {"items": 1, "votes": 3}
    assert put(write_rows([PAIR, PAIR, PAIR]), "trl", out)["new"] == {"items": 0, "votes": 0}
    assert put(write_rows([PAIR] * 4), "trl", out)["new"] == {"items": 0, "votes": 1}
    (labeled,) = read_records(out / "comparisons.jsonl", LabeledComparison)
    assert len({preference.id for preference in labeled.preferences}) == 4


def test_equal_rows_of_a_file_that_names_its_votes_are_one(write_rows, tmp_path):
    report = put(write_rows([BATTLE, BATTLE]), "lmarena", tmp_path / "out")
    assert (report["new"]["votes"], report["there_already"]) == (1, 1)


def test_votes_on_one_comparison_stand_together(write_rows, tmp_path):
    rows = [SUMMARY, SUMMARY | {"choice": 1, "worker": "v"}]
    other = changed(SUMMARY, ("info", "post"), "Another.")
    put(write_rows([rows[0], other, rows[1]]), "summaries", tmp_path / "out")
    found = read_records(tmp_path / "out/comparisons.jsonl", LabeledComparison)
    assert [[p.labeler for p in one.preferences] for one in found] == [["w", "v"], ["w"]]


def test_ratings_of_single_responses_have_a_file_of_their_own(write_rows, tmp_path):
    file = write_rows([{"prompt": "a", "completion": "b", "label": True}])
    put(file, "kto", tmp_path / "out")
    (one,) = read_records(tmp_path / "out/ratings.jsonl", SingleRating)
    assert (one.response.text, one.ratings, one.labeler) == ("b", {"wanted": 7}, "rows")
    assert not (tmp_path / "out/comparisons.jsonl").exists()


def test_the_report_says_what_was_read_and_what_has_no_place(write_rows, tmp_path):
    put(write_rows([TULU | {"extra": 1}], "votes.jsonl.gz"), "tulu", tmp_path / "out")
    (report,) = json.loads((tmp_path / "out/import.json").read_text())["imports"]
    assert report["files"][0]["name"] == "votes.jsonl.gz"
    assert report["kept_beside_the_records"] == {"extra": 1, "id": 1}
    assert report["notes"] == list(FORMATS["tulu"].reading)


def test_a_folder_that_is_no_import_is_left_alone(write_rows, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious.txt").write_text("x")
    with pytest.raises(InputError, match="no folder of an import"):
        put(write_rows([PAIR]), "trl", tmp_path / "out")


def test_a_file_without_rows_is_refused(write_rows, tmp_path):
    with pytest.raises(InputError, match="holds no rows"):
        put(write_rows([]), "trl", tmp_path / "out")


def test_a_list_is_read_as_a_list_of_rows(write_rows, tmp_path):
    put(write_rows([ARGILLA], "export.json"), "argilla", tmp_path / "out")
    broken = changed(ARGILLA, ("id",), [])
    with pytest.raises(InputError, match=r"broken.json` item 2 \(line 1\): `id` is not text"):
        put(write_rows([ARGILLA, broken], "broken.json"), "argilla", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "row", "file"),
    [
        ("trl", PAIR, "out.jsonl"),
        ("lmarena", BATTLE, "out.jsonl.gz"),
        ("tulu", TULU, "out.json"),
        ("oasst", TREE, "out.jsonl"),
        ("argilla", ARGILLA, "out.json.gz"),
        ("label-studio", STUDIO, "out.json"),
        ("convincing-arguments", ARGUMENTS, "out.jsonl"),
    ],
)
def test_an_export_is_the_file_that_was_imported(write_rows, tmp_path, name, row, file):
    put(write_rows([row]), name, tmp_path / "in")
    out = tmp_path / file
    source = folder.read(tmp_path / "in")
    report = folder.export(FORMATS[name], source, out, "in")
    data = gzip.decompress(out.read_bytes()) if file.endswith(".gz") else out.read_bytes()
    rows = json.loads(data)
    assert (rows if isinstance(rows, list) else [rows]) == [row]
    manifest = json.loads((tmp_path / f"{file}.manifest.json").read_text())
    assert (manifest["rows"], manifest["sha256"]) == (1, folder.digest(out))
    assert manifest["lost"].keys() <= {"labeler", "texts"}
    assert report["said"] == [f"{lost['is']} (1 votes)" for lost in manifest["lost"].values()]


def test_an_export_of_nothing_that_the_format_holds_is_an_error(write_rows, tmp_path):
    put(write_rows([TULU]), "tulu", tmp_path / "in")
    out = tmp_path / "out.jsonl"
    with pytest.raises(InputError, match="`hh` can hold none of the votes of in"):
        folder.export(FORMATS["hh"], folder.read(tmp_path / "in"), out, "in")
    assert list(tmp_path.glob("out*")) == []


def test_what_is_lost_is_counted_in_votes(write_rows, tmp_path):
    rows = [TULU, TULU | {"id": 8, "preference": "a-is-better", "evaluator": "f"}]
    put(write_rows(rows), "tulu", tmp_path / "in")
    source = folder.read(tmp_path / "in")
    report = folder.export(FORMATS["trl"], source, tmp_path / "o.jsonl", "in")
    lost = {name: one["votes"] for name, one in report["lost"].items()}
    assert lost == {"labeler": 2, "policy": 2, "side": 2, "time": 2, "tie": 1, "strength": 1}
    assert (report["votes"], report["rows"]) == (2, 1)


def test_votes_on_harm_are_turned_round_for_training_and_that_is_said(tmp_path):
    labeled = {
        "comparison": {
            "id": "c",
            "prompt": {"id": "p", "messages": [{"role": "user", "content": "Hi"}]},
            "responses": [
                {"id": "r", "prompt_id": "p", "text": "harm", "policy": "m"},
                {"id": "s", "prompt_id": "p", "text": "kind", "policy": "m"},
            ],
        },
        "preferences": [
            {"id": "v", "comparison_id": "c", "labeler": "a", "ranks": [1, 2],
             "polarity": "harmful_first", "mode": "red_team"}
        ],
    }  # fmt: skip
    (tmp_path / "in.jsonl").write_text(json.dumps(labeled))
    for name in ("hh", "trl", "trl-standard"):
        source = folder.read(tmp_path / "in.jsonl")
        report = folder.export(FORMATS[name], source, tmp_path / "o.jsonl", "in")
        row = json.loads((tmp_path / "o.jsonl").read_text())
        assert "kind" in str(row["chosen"])
        assert "harm" in str(row["rejected"])
        assert report["lost"]["polarity"]["votes"] == 1
    own = folder.export(
        FORMATS["accord"], folder.read(tmp_path / "in.jsonl"), tmp_path / "o.jsonl", "in"
    )
    assert own["lost"] == {}
    (again,) = folder.read(tmp_path / "o.jsonl")
    assert again.judgments[0].polarity == "harmful_first"


def test_a_rank_that_was_changed_reaches_the_tree(write_rows, tmp_path):
    put(write_rows([TREE]), "oasst", tmp_path / "in")
    (entry,) = folder.read(tmp_path / "in")
    (judgment,) = entry.judgments
    turned = judgment.model_copy(update={"ranks": judgment.ranks[::-1], "origin": None})
    changed_entry = entry.model_copy(update={"judgments": (turned,)})
    without = entry.model_copy(update={"judgments": ()})
    (tree,) = FORMATS["oasst"].write([changed_entry], Tally())
    assert [reply["rank"] for reply in tree["prompt"]["replies"]] == [1, 0]
    (tree,) = FORMATS["oasst"].write([without], Tally())
    assert [reply["rank"] for reply in tree["prompt"]["replies"]] == [None, None]
