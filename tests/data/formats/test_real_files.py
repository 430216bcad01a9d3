"""Public data imported whole and exported whole, where the folder is there.

The folder is ``ACCORD_TEST_DATA``, or ``../shared/data`` beside the checkout.
"""

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from accord.data.formats import FORMATS, folder
from accord.data.formats.convincing_arguments import texts_of
from accord.data.formats.importing import into_folder
from accord.data.formats.reading import Options

pytestmark = pytest.mark.data

BESIDE = Path(__file__).parents[4] / "shared" / "data"
DATA = Path(os.environ.get("ACCORD_TEST_DATA", BESIDE))


def file(name):
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}; set ACCORD_TEST_DATA to the folder of public data")
    return DATA / name


def rows_of(path):
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return Counter(json.dumps(json.loads(line), sort_keys=True) for line in text.splitlines())


def round_trip(name, path, tmp_path, **options):
    """Import, import again, export: the report of the first and the items."""
    form, out = FORMATS[name], tmp_path / "in"
    report = into_folder(form, [path], Options(**options), out)
    folder.export(form, folder.read(out), tmp_path / "out.jsonl.gz", "in")
    assert rows_of(tmp_path / "out.jsonl.gz") == rows_of(path)
    return report, list(folder.read(out))


def test_tulu_is_imported_whole_and_exported_whole(tmp_path):
    """Published: 917 judgments of 16 people; the counts are those of the file."""
    report, items = round_trip("tulu", file("splits/tulu-human-eval.jsonl.gz"), tmp_path)
    assert report["new"] == {"items": 798, "votes": 917}
    votes = [judgment for item in items for judgment in item.judgments]
    assert len({vote.labeler for vote in votes}) == 16
    ties = sum(len(set(vote.ranks)) == 1 for vote in votes)
    assert (ties, sum(vote.strength == 2 for vote in votes)) == (295, 337)
    assert sum(len(flags) for vote in votes for flags in vote.flags) == 193 + 190
    path = file("splits/tulu-human-eval.jsonl.gz")
    again = into_folder(FORMATS["tulu"], [path], Options(), tmp_path / "in")
    assert again["new"] == {"items": 0, "votes": 0}


@pytest.mark.slow
def test_all_votes_on_arguments_are_imported_and_exported(tmp_path):
    """Published: 65,332 votes on 13,095 pairs; ties 22.5% of the votes."""
    texts = texts_of(file("ukpconvarg1/arguments.jsonl"))
    path = file("splits/ukpconvarg1-votes.jsonl.gz")
    report, items = round_trip("convincing-arguments", path, tmp_path, texts=texts)
    assert report["new"] == {"items": 13095, "votes": 65332}
    votes = [judgment for item in items for judgment in item.judgments]
    assert sum(len(set(vote.ranks)) == 1 for vote in votes) == 14669
    assert sum(bool(vote.note) for vote in votes) == sum(
        bool(vote["reason"]) for row in rows_of(path) for vote in json.loads(row)["votes"]
    )
    assert report["kept_beside_the_records"] == {"gold": 13095}
    assert all(response.text for item in items for response in item.responses)


@pytest.mark.parametrize(
    ("name", "path", "items", "votes"),
    [
        ("hh", "splits/hh-harmless.jsonl.gz", 1863, 1863),
        ("oasst", "oasst/en_100_tree.jsonl.gz", 212, 212),
        ("oasst", "oasst/en_100_message.jsonl.gz", 212, 212),
    ],
)
def test_other_public_files_are_imported_whole_and_exported_whole(
    tmp_path, name, path, items, votes
):
    report, _ = round_trip(name, file(path), tmp_path)
    assert report["new"] == {"items": items, "votes": votes}
    assert report["left_out"] == {}


def official(row):
    """A row of the copy of OpenAI's votes as OpenAI published it."""
    return {
        "info": {"id": row["id"], "post": row["post"], "title": None, "subreddit": None},
        "summaries": [
            {"text": row[f"summary_text_{n}"], "policy": None, "note": None} for n in (0, 1)
        ],
        "choice": row["choice"],
        "worker": row["worker"],
        "batch": "overlap",
        "split": "valid",
        "extra": {"confidence": None},
    }


def test_summaries_that_several_workers_compared(tmp_path):
    """727 votes of 39 workers on 572 pairs."""
    copy = file("tldr-human-comparisons/worker_overlap_votes.jsonl")
    lines = copy.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "comparisons.jsonl"
    path.write_text("".join(json.dumps(official(json.loads(line))) + "\n" for line in lines))
    _, items = round_trip("summaries", path, tmp_path)
    votes = [judgment for item in items for judgment in item.judgments]
    assert (len(items), len(votes), len({vote.labeler for vote in votes})) == (572, 727, 39)
