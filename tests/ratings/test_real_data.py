"""Published votes and ratings. These data are not part of the repository.

They are read from the folder named by ``ACCORD_TEST_DATA``, or from ``shared/data`` beside the
checkout.
"""

import csv
import gzip
import json
import math
import os
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from accord.ratings import agreement, elo, tables
from accord.ratings.fit import fit
from accord.ratings.reliability import fit_reliability
from accord.ratings.votes import from_columns, log_ratio

pytestmark = pytest.mark.data

BESIDE = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("ACCORD_TEST_DATA", BESIDE))


def lines(name):
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}; set ACCORD_TEST_DATA to the folder of public data")
    return gzip.open(DATA / name, "rt", encoding="utf-8", newline="")


def rows(name):
    with lines(name) as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def football():
    with lines("nfl-elo/nfl_games.csv.gz") as file:
        return list(csv.DictReader(file))


def home_field(game):
    return 0.0 if game["neutral"] == "1" else 65.0


def test_all_published_probabilities_of_football_match(football):
    """FiveThirtyEight's file says what Elo gave the first team before each game."""
    assert len(football) == 16_810
    for game in football:
        first = float(game["elo1"]) + home_field(game)
        probability = elo.win_probability(first, float(game["elo2"]))
        assert probability == pytest.approx(float(game["elo_prob1"]), abs=1e-9)


def test_every_published_rating_of_football_follows_from_the_game_before(football):
    """Their rule: K = 20, more for a wide margin, less where the favourite won by it.

    Within a season each team's rating before a game is the one after its last game, which they
    publish with three digits.
    """
    after, checked = {}, 0
    for game in football:
        first, second = float(game["elo1"]) + home_field(game), float(game["elo2"])
        ratings = {game["team1"]: float(game["elo1"]), game["team2"]: second}
        for team, rating in ratings.items():
            if after.get(team, ("", 0))[0] == game["season"]:
                assert rating == pytest.approx(after[team][1], abs=0.0016), game["date"]
                checked += 1
        outcome, margin = float(game["result1"]), int(game["score1"]) - int(game["score2"])
        ahead = first - second if outcome == 1 else second - first
        weight = math.log(max(abs(margin), 1) + 1) * (
            1.0 if outcome == 0.5 else 2.2 / (2.2 + 0.001 * ahead)
        )
        weight *= 2.2 if outcome == 0.5 else 1.0
        one, other = elo.update(first, second, outcome, elo_step=20 * weight)
        after[game["team1"]] = (game["season"], one - home_field(game))
        after[game["team2"]] = (game["season"], other)
    assert checked > 30_000


@pytest.fixture(scope="module")
def judged_by_gpt4():
    """Votes of GPT-4 on eight systems, each pair of answers in both orders; the first is a."""
    outcome = {1: 1.0, 2: 0.0, 3: 0.5}
    found = [row for row in rows("qlora-elo/gpt4_votes_vicuna.jsonl.gz") if row["score"] in outcome]
    return from_columns(
        [row["model_a"] for row in found],
        [row["model_b"] for row in found],
        [outcome[row["score"]] for row in found],
        prompt=[str(row["question_id"]) for row in found],
        a_first=[1.0] * len(found),
    )


ORDER = [  # Dettmers et al. 2023, arXiv:2305.14314, table 1: mean Elo of 10,000 orders of the votes
    ("gpt4", 1348),
    ("65b-guanaco", 1022),
    ("30b-guanaco", 992),
    ("vicuna-13b", 974),
    ("gpt35", 966),
    ("13b-guanaco", 916),
    ("bard", 902),
    ("7b-guanaco", 879),
]


@pytest.mark.parametrize("model", ["bradley_terry", "thurstone", "davidson", "rao_kupper"])
def test_the_order_of_the_eight_systems(judged_by_gpt4, model):
    fitted = fit(judged_by_gpt4, model, cluster=["prompt"], covariates=["side"])
    found = tables.ratings_table(fitted)
    assert [row.name for row in found] == [name for name, _ in ORDER]
    assert (found[0].rank_low, found[0].rank_high) == (1, 1)
    assert found[1].rank_high > 2  # the paper's order of the others rests on little


def test_replayed_elo_is_near_what_was_published(judged_by_gpt4):
    votes = judged_by_gpt4
    games = [
        (votes.names[a], votes.names[b], float(o))
        for a, b, o in zip(votes.a, votes.b, votes.outcome, strict=True)
    ]
    spread = elo.order_spread(games, elo_step=32.0, orders=100)
    for name, published in ORDER:
        assert 1000 + spread.mean[name] == pytest.approx(published, abs=35)
    assert min(spread.sd.values()) > 30  # a single order would be off by that much
    assert spread.rankings_changed > 0.5


def test_the_position_bias_of_gpt4_is_found(judged_by_gpt4):
    """ "GPT-4 assigns higher scores to the system appearing first" (section 6.2)."""
    fitted = fit(judged_by_gpt4, cluster=["prompt"], covariates=["side"])
    (side,) = tables.effects(fitted)
    assert side.low > 80
    decided = judged_by_gpt4.where(judged_by_gpt4.outcome != 0.5)
    assert (decided.outcome == decided.a_first).mean() == pytest.approx(0.650, abs=0.001)


@pytest.fixture(scope="module")
def arguments():
    return rows("splits/ukpconvarg1-votes.jsonl.gz")


@pytest.fixture(scope="module")
def convincing(arguments):
    """Votes on which of two arguments convinces more, by workers."""
    outcome = {"a1": 1.0, "a2": 0.0, "equal": 0.5}
    found = [
        (row["a1"], row["a2"], outcome[vote["value"]], vote["worker"], row["pair"])
        for row in arguments
        for vote in row["votes"]
    ]
    a, b, said, worker, pair = zip(*found, strict=True)
    return from_columns(a, b, said, labeler=worker, prompt=pair, a_first=[1.0] * len(a))


def test_agreement_on_arguments_by_counting_pairs_of_votes(arguments, convincing):
    """Of the whole set (16,927 pairs) 52.4% agree, alpha is 0.267 and 22.6% are ties."""
    pairs = Counter()
    for row in arguments:
        said = {vote["worker"]: vote["value"] for vote in row["votes"]}
        pairs.update(one == other for one, other in combinations(said.values(), 2))
    raw = agreement.raw_agreement(convincing, by=["prompt"])
    assert raw.mean == pytest.approx(pairs[True] / pairs.total(), abs=1e-12)
    assert raw.mean == pytest.approx(0.524, abs=0.01)
    assert (convincing.outcome == 0.5).mean() == pytest.approx(0.226, abs=0.01)
    alpha = agreement.preference_alpha(convincing, by=["prompt"], draws=20)
    assert alpha.mean == pytest.approx(0.267, abs=0.01)
    assert alpha.low < alpha.mean < alpha.high


def test_workers_as_clusters_widen_intervals_a_little(convincing):
    """3,788 workers with a few votes each: the effect is real but small."""
    nobody = replace(convincing, labelers=(), labeler=np.arange(len(convincing)))
    independent = fit(nobody, cluster=["labeler"])  # each vote a cluster of its own
    clustered = fit(convincing, cluster=["labeler"])
    assert len(independent.groups) > 10  # a topic and side each, never compared
    ratio = np.sqrt(np.diag(clustered.covariance) / np.diag(independent.covariance))
    assert 1.0 < np.median(ratio) < 1.3
    assert "disconnected" in {problem.code for problem in clustered.problems}
    first = convincing.where(convincing.outcome != 0.5)
    assert (first.outcome == first.a_first).mean() == pytest.approx(0.503, abs=0.01)


@pytest.fixture(scope="module")
def instructed():
    """People's votes on four systems, in five steps."""
    outcome = {"a": 1.0, "b": 0.0, "t": 0.5}
    found = rows("splits/tulu-human-eval.jsonl.gz")
    return from_columns(
        [row["model_a"] for row in found],
        [row["model_b"] for row in found],
        [outcome[row["preference"][0]] for row in found],
        labeler=[row["evaluator"] for row in found],
        prompt=[row["instance_id"] for row in found],
        covariates={
            "length": log_ratio(
                [len(row["completion_a"] or "") for row in found],
                [len(row["completion_b"] or "") for row in found],
            )
        },
    )


def test_the_four_systems_of_the_human_evaluation(instructed):
    """Wang et al. 2023, arXiv:2306.04751, figure 5: ChatGPT before Tülu 65B before the others."""
    found = tables.ratings_table(fit(instructed))
    assert [row.name for row in found][:2] == ["chatgpt", "tulu_65B"]
    assert {row.name for row in found[2:]} == {"tulu_human_only_65B", "tulu_7B"}
    gaps = {(row.a, row.b): row for row in tables.differences(fit(instructed))}
    assert gaps["chatgpt", "tulu_7B"].low > 0
    assert gaps["tulu_65B", "tulu_7B"].low > 0


def test_longer_answers_win_with_people_too(instructed):
    (length,) = tables.effects(fit(instructed, covariates=["length"]))
    assert length.low > 0


def test_nobody_of_a_small_team_is_called_careless(instructed):
    found = fit_reliability(instructed)
    assert len(found.labelers) == 16
    assert max(one.careless for one in found.labelers) < 0.9
    by_votes = defaultdict(list)
    for one in found.labelers:
        by_votes[one.n > 50].append(one.discrimination.high - one.discrimination.low)
    assert np.mean(by_votes[True]) < np.mean(by_votes[False])  # who voted more is known better
