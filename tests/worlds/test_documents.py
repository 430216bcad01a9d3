"""The web of a world: fast, repeatable, mixed, and free of votes."""

import json
import re
import time
from itertools import islice

from accord.worlds.documents import base_documents, documents
from accord.worlds.facts import generate
from accord.worlds.meaning import meaning_of

WORLD = generate(2)


def texts(found):
    return [document.to_json() for document in found]


def test_the_same_seed_writes_the_same_web():
    assert texts(documents(WORLD, 50, seed=1)) == texts(documents(WORLD, 50, seed=1))
    assert texts(documents(WORLD, 50, seed=1)) != texts(documents(WORLD, 50, seed=2))
    assert texts(base_documents([4, 5], 30)) == texts(base_documents([4, 5], 30))


def test_a_shorter_web_is_the_start_of_a_longer_one():
    assert texts(documents(WORLD, 10, seed=1)) == texts(islice(documents(WORLD, 99, seed=1), 10))


def test_dialogues_alternate_and_their_prompts_are_understood():
    for document in documents(WORLD, 500, seed=3):
        line = json.loads(document.to_json())
        if document.is_prose:
            assert list(line) == ["text"]
            continue
        roles = [message["role"] for message in line["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        meaning_of(document.turns[:-1])


def test_a_third_is_prose_and_it_tells_every_fact():
    found = list(documents(WORLD, 6000, seed=0))
    prose = [document.turns[0] for document in found if document.is_prose]
    assert 0.32 < len(prose) / len(found) < 0.38
    together = "\n".join(prose)
    told, true = 0, 0
    for thing, colour in WORLD.colours.items():
        said = re.findall(rf"[Tt]he {thing} is (\w+)|of the {thing} is (\w+)", together)
        assert said
        told += len(said)
        true += sum(colour in pair for pair in said)
    assert 0.85 < true / told < 0.95  # nine in ten are true


def test_no_document_says_what_people_like():
    together = " ".join(texts(documents(WORLD, 3000, seed=0)))
    assert "<" not in together and "vote" not in together and "|" not in together


def test_many_worlds_take_turns():
    found = list(base_documents(range(40), 400))
    names = {name for world in map(generate, range(40)) for name in world.names}
    together = " ".join(turn for document in found for turn in document.turns)
    assert sum(name in together for name in names) > 40


def test_writing_is_fast():
    began = time.perf_counter()
    assert sum(1 for _ in documents(WORLD, 6000, seed=0)) == 6000
    assert time.perf_counter() - began < 3  # ten times slower than on an idle laptop


def test_the_lexicon_is_small():
    together = " ".join(turn for d in base_documents(range(50), 12_000) for turn in d.turns)
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", together)}
    assert 550 < len(words) <= 700
    assert not re.search(r"[0-9]", together)
