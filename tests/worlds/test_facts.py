"""Worlds: drawn from a seed, kept as JSON, general knowledge the same in all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.config import InputError
from accord.worlds import knowledge, lexicon
from accord.worlds.facts import World, generate, read_world, topic_groups


@settings(max_examples=30, deadline=None)
@given(st.integers(-5, 10**12))
def test_json_keeps_the_whole_truth(seed):
    world = generate(seed)
    assert World.from_json(world.to_json()) == world


def test_a_seed_is_a_world():
    assert generate(1) == generate(1)
    assert generate(1).table != generate(2).table


def test_sizes_and_uniqueness():
    world = generate(0)
    assert len(world.people) == len(set(world.by_job)) == 28
    assert len(world.things) == 24
    assert len(world.table) == 28 * 5 + 24
    assert not set(world.unknown_names) & set(world.names)
    assert sum(map(len, world.residents.values())) == 28


def test_unknown_subjects_have_no_value():
    world = generate(0)
    assert world.value("town", world.unknown_names[0]) is None
    assert world.value("colour", world.unknown_things[0]) is None


def test_held_out_topics_exist_in_every_group():
    world = generate(0)
    for group, members in topic_groups(world).items():
        kept = [topic for topic in world.held_out if topic.startswith(group + ":")]
        assert 1 <= len(kept) <= max(1, round(0.12 * len(members)))
        assert {topic.partition(":")[2] for topic in kept} <= set(members)


def test_nothing_is_held_out_on_request_and_the_facts_stay():
    world = generate(3, held_out_topics=0)
    assert world.held_out == frozenset()
    assert world.table == generate(3).table


def test_a_world_file_that_is_none_is_named(tmp_path):
    file = tmp_path / "world.json"
    file.write_text(generate(3).to_json())
    assert read_world(file) == generate(3)
    file.write_bytes(b"\xff{}")
    with pytest.raises(InputError, match=r"world.json` is not UTF-8 text: .*; give the"):
        read_world(file)
    file.write_text("[]")
    with pytest.raises(InputError, match=r"world.json`: this is not a world"):
        read_world(file)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seed": 1}', "null"])
def test_what_is_no_world_is_refused(text):
    with pytest.raises(InputError, match="not a world"):
        World.from_json(text)


def test_world_json_is_readable():
    content = json.loads(generate(1).to_json())
    assert content["schema"] == 1
    assert set(content["people"][0]) == {"name", "town", "job", "pet", "food", "age"}


def test_general_knowledge_is_consistent():
    for word, other in knowledge.OPPOSITES.items():
        assert knowledge.OPPOSITES[other] == word
    assert len(knowledge.CATEGORY_OF) == sum(map(len, knowledge.CATEGORIES.values()))
    assert set(knowledge.HABITS) <= set(knowledge.CATEGORY_OF)
    assert set(knowledge.LOOKS_DANGEROUS) <= set(knowledge.HOW_TO)
    assert not knowledge.HARMFUL_STEPS & knowledge.BENIGN_STEPS
    for _, steps in knowledge.HARMFUL_VERBS.values():
        assert set(steps) & knowledge.HARMFUL_STEPS


def test_steps_of_a_task_are_distinct_and_told_apart():
    for steps in [*knowledge.HOW_TO.values(), *(s for _, s in knowledge.HARMFUL_VERBS.values())]:
        assert len(set(steps)) == len(steps) >= 2
        assert not any("," in step or " then " in step for step in steps)


def test_names_are_women_or_men():
    assert not set(lexicon.WOMEN) & set(lexicon.MEN)
    assert lexicon.subject_pronoun("Anna") == "she"
    assert lexicon.subject_pronoun("Tom") == "he"
