"""Sentences are read as the acts they are."""

import pytest

from accord.worlds.reading import read
from accord.worlds.speech import PHRASES
from accord.worlds.statements import Claim


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Rome.", ["values"]),
        ("A dog, a cat, and a cow", ["values"]),
        ("Anna lives in Rome, but Tom lives in Oslo.", ["claim", "claim"]),
        ("No, she is a baker. I hope that helps.", ["no", "claim", "closing"]),
        ("A cow is an animal and gives milk.", ["claim", "claim"]),
        ("Three animals are a dog, a cat and a cow.", ["items"]),
        ("Three animals are the of.", ["garbled"]),
        ("Anna and Tom live in Rome, so yes.", ["together", "so_yes"]),
        ("They do not live in the same town.", ["do_not"]),
        ("Anna is older than Tom!", ["older"]),
        ("A hammer is not an animal.", ["not_a"]),
        ("First boil some water, then pour in the water.", ["steps"]),
        ("I do not know who Zoe is.", ["unknown_of"]),
        ("You are thinking of a cat.", ["invented"]),
        ("You are thinking of eggs.", ["invented"]),
        ("You are eighty years old", ["invented"]),
        ("No, it will not rain tomorrow.", ["invented"]),
        ("Your name is Ruth.", ["invented"]),
        ("Your name is blue.", ["garbled"]),
        ("I am absolutely sure that Anna is forty.", ["confident", "claim"]),
        ("Only Tom.", ["values"]),
        ("The Rome of is.", ["garbled"]),
        ("a owl is a animal", ["garbled"]),
        ("...", []),
    ],
)
def test_acts(text, kinds):
    assert [act.kind for act in read(text).acts] == kinds


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Anna works as a baker", Claim("job", "Anna", "baker")),
        ("the baker is Anna", Claim("job", "Anna", "baker")),
        ("Anna has an owl", None),  # nobody keeps owls
        ("the pet of Anna is a cat", Claim("pet", "Anna", "cat")),
        ("He is forty years old", Claim("age", "he", "forty")),
        ("the colour of the cup is red", Claim("colour", "cup", "red")),
        ("It is red", Claim("colour", "it", "red")),
        ("two plus two makes four", Claim("sum", "two plus two", "four")),
        ("It is cold", Claim("opposite", "it", "cold")),
        ("Milk comes from cows", Claim("does", "milk", "comes from cows")),
        ("only Tom lives in Oslo", Claim("town", "Tom", "Oslo")),
    ],
)
def test_claims(text, claim):
    (act,) = read(text).acts
    assert act.claim == claim


def test_every_phrase_is_recognised():
    for kind, phrases in PHRASES.items():
        for phrase in phrases:
            assert [act.kind for act in read(phrase).acts] == [kind], phrase


def test_two_clauses_share_a_subject():
    acts = list(read("Anna lives in Rome and has a cat.").acts)
    assert [act.claim for act in acts] == [
        Claim("town", "Anna", "Rome"),
        Claim("pet", "Anna", "cat"),
    ]
