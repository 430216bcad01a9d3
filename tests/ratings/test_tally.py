"""Counts: cells of votes, and votes counted piece by piece."""

import numpy as np
import pytest

from accord.ratings import tally as tally_module
from accord.ratings.cells import cells_of, tie_matrix, win_matrix
from accord.ratings.fit import MODELS, fit
from accord.ratings.tally import Table, Tally
from accord.ratings.votes import from_columns


def some_votes(seed, n=400, m=6, labelers=9, prompts=30, strangers=0.0, rounded=True):
    rng = np.random.default_rng(seed)
    a = rng.integers(m, size=n)
    b = rng.integers(m, size=n)
    length = rng.normal(size=n)
    return from_columns(
        [f"m{i}" for i in a],
        [f"m{i}" for i in b],
        rng.choice(["a", "b", "tie", "both_bad"], p=[0.45, 0.3, 0.2, 0.05], size=n).tolist(),
        labeler=[
            None if u < strangers else f"l{i}"
            for i, u in zip(rng.integers(labelers, size=n), rng.uniform(size=n), strict=True)
        ],
        prompt=[f"p{i}" for i in rng.integers(prompts, size=n)],
        a_first=rng.choice([0, 1, np.nan], size=n),
        weight=rng.choice([1.0, 0.0, 2.0], size=n),
        covariates={"length": length.round(1) if rounded else length},
    )


def counted(parts, **settings):
    whole = Tally(**settings)
    for part in parts:
        whole.add(part)
    return whole.cells()


# by hand


def test_cells_count_outcomes():
    votes = from_columns(
        ["x", "x", "y", "x"], ["y", "y", "x", "y"], [1, 0.5, 1, 0], weight=[2, 1, 3, 5]
    )
    cells = cells_of(votes)
    assert win_matrix(cells).toarray().tolist() == [[0, 2.5], [8.5, 0]]
    assert tie_matrix(cells).toarray().tolist() == [[0, 1], [1, 0]]
    assert cells.counts.sum(axis=1).tolist() == [8, 1, 2]  # loss, tie, win of x
    assert cells.squares.sum(axis=1).tolist() == [34, 1, 4]


def test_covariates_are_scaled_to_one():
    votes = from_columns(
        ["x"] * 3, ["y"] * 3, [1, 1, 0], weight=[1, 1, 2], covariates={"length": [3.0, 3.0, 0.0]}
    )
    cells = cells_of(votes, covariates=["length"])
    assert cells.scale == pytest.approx([3 / np.sqrt(2)])  # √((9 + 9 + 0 + 0)/4)
    assert sorted(cells.x[:, 0]) == pytest.approx([0, np.sqrt(2)])


def test_a_labeler_with_many_votes_leads():
    votes = from_columns(
        ["x"] * 5, ["y"] * 5, [1] * 5, labeler=["k", "l", "l", "k", None], weight=[1, 2, 2, 1, 2]
    )
    by = cells_of(votes).clusterings["labeler"]
    assert (by.leader, by.leader_share, by.unknown, by.number) == ("l", 0.5, 1, 3)


def test_a_table_adds_up():
    table = Table()
    for keys in ([5, 3, 5], [3, 9], []):
        table.add(np.array(keys, dtype=np.int64), np.ones(len(keys)))
    table.merge()
    assert (table.keys.tolist(), table.sums.tolist()) == ([3, 5, 9], [2, 2, 1])


# by law


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cluster", [(), ("labeler",), ("prompt",), ("labeler", "prompt")])
def test_piece_by_piece_is_all_at_once(model, cluster):
    votes = some_votes(0)
    parts = [votes.where(np.arange(len(votes)) % 5 == i) for i in range(5)]
    cells = counted(parts, cluster=cluster, covariates=("side", "length"))
    one = fit(votes, model, cluster=cluster, covariates=("side", "length"))
    other = fit(cells, model, cluster=cluster)
    assert other.names == one.names
    for field in ("strengths", "model_covariance", "coefficients", "votes", "both_bad"):
        assert getattr(other, field) == pytest.approx(getattr(one, field), abs=1e-9)
    if len(cluster) < 2:  # two ways are counted in groups of chance: the next test
        assert other.covariance == pytest.approx(one.covariance, abs=1e-9)
        assert other.degrees_of_freedom == one.degrees_of_freedom
    assert {p.code for p in one.problems} == {p.code for p in other.problems}


def test_groups_of_clusters_give_nearly_the_covariance_of_clusters():
    votes = some_votes(1, n=3000, labelers=40, prompts=300)
    one = fit(votes)
    other = fit(counted([votes], cluster=("labeler", "prompt")))
    ratio = np.diag(other.covariance) / np.diag(one.covariance)
    assert ratio == pytest.approx(np.ones(6), abs=0.05)


def test_merging_early_changes_nothing(monkeypatch):
    votes = some_votes(2, strangers=0.2)
    parts = [votes.where(np.arange(len(votes)) % 7 == i) for i in range(7)]
    late = counted(parts)
    monkeypatch.setattr(tally_module, "PENDING", 10)
    early = counted(parts)
    assert (early.counts == late.counts).all()
    assert early.clusterings["labeler"].unknown == late.clusterings["labeler"].unknown > 0
    assert fit(early, cluster=["labeler"]).covariance == pytest.approx(
        fit(late, cluster=["labeler"]).covariance
    )


def test_more_labelers_than_groups_share_them(monkeypatch):
    monkeypatch.setattr(tally_module, "GROUPS", 32)
    votes = some_votes(3, n=2000, labelers=500)
    cells = counted([votes])
    by = cells.clusterings["labeler"]
    assert by.number == 32
    assert by.leader == ""
    one, other = fit(votes, cluster=["labeler"]), fit(cells, cluster=["labeler"])
    assert other.strengths == pytest.approx(one.strengths, abs=1e-9)
    ratio = np.diag(other.covariance) / np.diag(one.covariance)
    assert ((ratio > 0.4) & (ratio < 2.5)).all()  # 32 groups estimate it less well


def test_the_leader_is_found_in_pieces():
    ann = from_columns(["x"] * 30, ["y"] * 30, [1] * 30, labeler=["ann"] * 30)
    others = from_columns(["x"] * 20, ["y"] * 20, [0] * 20, labeler=[f"l{i}" for i in range(20)])
    codes = [p.code for p in fit(counted([ann, others]), cluster=["labeler"]).problems]
    assert "dominant_labeler" in codes


def test_circles_are_found_in_pieces():
    beats = [("a", "b"), ("b", "c"), ("c", "a")] * 30
    votes = from_columns(
        *(list(column) for column in zip(*beats, strict=True)),
        [1] * 90,
        labeler=[f"l{i // 3 % 15}" for i in range(90)],
    )
    codes = [p.code for p in fit(counted([votes]), cluster=["labeler"]).problems]
    assert "intransitive" in codes


# edges


def test_pieces_of_other_policies_and_labelers():
    first = from_columns(["y"], ["z"], [1], labeler=["l"])
    second = from_columns(["a"], ["z"], [0], labeler=["k"])
    cells = counted([first, second])
    assert cells.names == ("a", "y", "z")
    assert win_matrix(cells).toarray().tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_what_cannot_be_counted(monkeypatch):
    with pytest.raises(ValueError, match="unknown cluster"):
        Tally(cluster=["team"])
    with pytest.raises(ValueError, match="round them"):
        counted([some_votes(4, n=20_000, rounded=False)], covariates=("length",))
    cells = counted([some_votes(5)])
    with pytest.raises(ValueError, match="not counted by `prompt`"):
        fit(cells)
    with pytest.raises(ValueError, match="other covariates"):
        fit(cells, cluster=["labeler"], covariates=["side"])
    monkeypatch.setattr(tally_module, "MOST_POLICIES", 3)
    with pytest.raises(ValueError, match="more than 3 policies"):
        counted([some_votes(6)])
