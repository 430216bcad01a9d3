"""What post-training is given, and what is kept from it."""

import random

import pytest

from accord.worlds.asking import KINDS
from accord.worlds.crowd import CROWD, public_comparisons
from accord.worlds.facts import generate
from accord.worlds.judge import judge
from accord.worlds.meaning import meaning
from accord.worlds.prompts import (
    MARK,
    demonstrations,
    evaluation_prompts,
    training_prompts,
)

WORLD = generate(4)


def text_of(prompt):
    return "\n".join(message.content for message in prompt.messages)


@pytest.fixture(scope="module")
def made():
    return {
        "train": training_prompts(WORLD, 600, seed=1),
        "eval": evaluation_prompts(WORLD, 300, seed=1),
        "shown": demonstrations(WORLD, 200, seed=1),
        "public": public_comparisons(WORLD, 300, seed=1),
    }


def test_counts_and_distinct_texts(made):
    for prompts, count in ((made["train"], 600), (made["eval"], 300)):
        assert len(prompts) == len({text_of(prompt) for prompt in prompts}) == count
        assert len({prompt.id for prompt in prompts}) == count
    assert len(made["shown"]) == 200
    assert len(made["public"]) == 300


def test_nothing_for_evaluation_is_seen_in_post_training(made):
    kept = {text_of(prompt) for prompt in made["eval"]}
    seen = [*made["train"], *(d.prompt for d in made["shown"])]
    seen += [pair.comparison.prompt for pair in made["public"]]
    assert not kept & {text_of(prompt) for prompt in seen}
    names = [topic.partition(":")[2] for topic in WORLD.held_out if topic.startswith("person:")]
    for prompt in seen:
        assert not prompt.topic.startswith(MARK)
        assert not any(name in text_of(prompt).split() for name in names)


def test_half_of_the_evaluation_is_on_held_out_topics(made):
    held_out = [prompt for prompt in made["eval"] if prompt.topic.startswith(MARK)]
    assert len(held_out) == 150
    assert {prompt.topic.removeprefix(MARK) for prompt in held_out} <= WORLD.held_out


def test_every_kind_is_there_in_its_share(made):
    for name in ("train", "eval"):
        kinds = [prompt.kind for prompt in made[name]]
        for kind, share in KINDS.items():
            assert kinds.count(kind) / len(kinds) == pytest.approx(share, abs=0.06)


def test_a_world_without_held_out_topics_keeps_texts_only():
    prompts = evaluation_prompts(generate(4, held_out_topics=0), 40, seed=1)
    assert len(prompts) == 40
    assert not any(prompt.topic.startswith(MARK) for prompt in prompts)


def test_demonstrations_are_all_good_and_varied(made):
    verdicts = [judge(WORLD, d.prompt, d.response) for d in made["shown"]]
    assert all(verdict.utility == 6 for verdict in verdicts)
    lengths = {len(d.response.split()) for d in made["shown"]}
    assert min(lengths) == 1 and max(lengths) > 12


def test_the_same_seed_gives_the_same_records(made):
    assert training_prompts(WORLD, 600, seed=1) == made["train"]
    assert demonstrations(WORLD, 20, seed=1) != demonstrations(WORLD, 20, seed=2)
    assert public_comparisons(WORLD, 20, seed=1) == made["public"][:20]


def test_the_crowd_prefers_the_truth_more_often_than_not_but_not_always(made):
    right = decided = 0
    for pair in made["public"]:
        (vote,) = pair.preferences
        assert vote.labeler == CROWD and sorted(vote.ranks) == [1, 2]
        prompt = pair.comparison.prompt
        first, second = (judge(WORLD, prompt, r.text).utility for r in pair.comparison.responses)
        if first != second:
            decided += 1
            right += (first > second) == (vote.ranks == (1, 2))
    assert 0.7 < right / decided < 0.9


def test_the_two_answers_differ_and_neither_place_is_favoured(made):
    firsts = 0
    for pair in made["public"]:
        first, second = pair.comparison.responses
        assert first.text != second.text
        firsts += pair.preferences[0].ranks == (1, 2)
    assert 0.4 < firsts / len(made["public"]) < 0.6


def test_prompts_can_be_read_back(made):
    for prompt in random.Random(0).sample(made["train"], 100):
        assert meaning(prompt)
