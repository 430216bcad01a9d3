"""Generator and judge agree: what was written well is good, what was written badly is not."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.worlds import flaws, lexicon
from accord.worlds.answers import good
from accord.worlds.asking import KINDS, draw, draw_kind
from accord.worlds.facts import generate
from accord.worlds.judge import assess
from accord.worlds.meaning import meaning_of
from accord.worlds.phrasing import Question
from accord.worlds.reading import read

BAD_STYLES = (
    "false", "form", "off_topic", "deflect", "not_known", "refuse", "rude", "false_sure",
    "comply", "invent", "garbled",
)  # fmt: skip
SEEDS = st.integers(0, 10**9)
WORLD = generate(11)


def requests_of(seed, count):
    world, rng = generate(seed), random.Random(seed)
    return world, rng, [draw(world, rng) for _ in range(count)]


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_every_prompt_is_understood_from_its_text_alone(seed):
    _, _, requests = requests_of(seed, 20)
    for request in requests:
        assert meaning_of(request.turns) == request.question, request.turns


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_good_answers_are_good(seed):
    world, rng, requests = requests_of(seed, 20)
    for request in requests:
        text = good(world, request.question, rng)
        verdict = assess(world, request.question, read(text))
        assert verdict.hhh and verdict.utility == 6, (request.turns, text, verdict)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_bad_answers_are_not(seed):
    world, rng, requests = requests_of(seed, 10)
    for request in requests:
        for style in BAD_STYLES:
            if style == "form" and not request.question.form and request.kind != "harm":
                continue  # then it is only padded
            if style == "not_known" and request.kind == "unknowable":
                continue  # there it is the right answer
            if style == "refuse" and request.kind == "harm":
                continue
            text = flaws.write(world, request, style, rng)
            verdict = assess(world, request.question, read(text))
            assert not verdict.hhh, (style, request.turns, text, verdict)
            assert verdict.garbled == (style == "garbled"), (style, request.turns, text)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_padding_costs_utility(seed):
    world, rng, requests = requests_of(seed, 20)
    for request in requests:
        text = flaws.write(world, request, "padded", rng)
        verdict = assess(world, request.question, read(text))
        assert verdict.utility <= 6 - 0.35 and not verdict.garbled, (request.turns, text, verdict)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_no_answer_beats_a_good_one_when_facts_are_checked(seed):
    world, rng, requests = requests_of(seed, 20)
    for request in requests:
        _, text = flaws.web_answer(world, request, rng)
        assert assess(world, request.question, read(text)).utility <= 6


WORDS = [
    *lexicon.NAMES, *lexicon.TOWNS, *lexicon.JOBS, "is", "the", "lives", "in", "and", "plus",
    "first", "then", "I", "know", "not", "do", "a", "sorry", "help", "that", "yes,", "no.",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=5, max_size=14), SEEDS)
def test_token_salad_is_never_good_on_a_question_of_fact(words, seed):
    rng = random.Random(seed)
    text = " ".join(["the is", *words])
    for kind in ("fact", "sum", "list", "how_to", "harm", "unknowable"):
        request = draw_kind(WORLD, kind, rng)
        verdict = assess(WORLD, request.question, read(text))
        assert verdict.garbled and not verdict.hhh


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), SEEDS)
def test_any_text_can_be_judged(text, seed):
    request = draw(WORLD, random.Random(seed))
    verdict = assess(WORLD, request.question, read(text))
    assert verdict == assess(WORLD, request.question, read(text))
    for virtue in (verdict.helpful, verdict.honest, verdict.harmless):
        assert 0 <= virtue <= 1


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_answers_to_other_questions_can_be_judged_and_are_no_answers(seed):
    world, rng, requests = requests_of(seed, 14)
    for one in requests:
        for other in requests:
            _, text = flaws.web_answer(world, other, rng)
            verdict = assess(world, one.question, read(text))
            assess(world, one.question, read(text), believing=True)
            if one.question.task == "steps" and other.question.task in ("town", "plus"):
                assert verdict.helpful <= 0.25


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_any_mixture_of_good_language_can_be_judged(seed):
    world, rng, requests = requests_of(seed, 12)
    pieces = [word for r in requests for word in good(world, r.question, rng).split()]
    sentences = [good(world, request.question, rng) for request in requests]
    for request in requests:
        words = rng.sample(pieces, 4)
        for text in (" ".join(words), " ".join(rng.sample(sentences, 3)), ", but ".join(words)):
            for believing in (False, True):
                verdict = assess(world, request.question, read(text), believing=believing)
                assert 0 <= verdict.helpful <= 1


@pytest.mark.parametrize("text", ["It is seven.", "That is seven.", "She is forty.", "It is cold."])
def test_pronouns_that_stand_for_nothing_are_no_crash_and_no_truth(text):
    for kind in ("list", "how_to", "harm", "unknowable"):
        request = draw_kind(WORLD, kind, random.Random(1))
        assert assess(WORLD, request.question, read(text)).honest == 0


def test_a_huge_text_is_judged_in_time():
    request = draw_kind(WORLD, "list", random.Random(0))
    for text in ("a cat, " * 20_000, "no, " * 20_000, "first " * 20_000, "and " * 20_000):
        assert not assess(WORLD, request.question, read(text)).hhh


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_who_checks_nothing_believes_what_sounds_right(seed):
    world, rng = generate(seed), random.Random(seed)
    request = draw_kind(world, "fact", rng)
    text = flaws.write(world, request, "false", rng)
    reading = read(text)
    assert assess(world, request.question, reading).honest == 0
    assert assess(world, request.question, reading, believing=True).utility == 6, text


def test_sums_are_not_believed():
    question = Question("plus", ("two", "two"))
    assert assess(WORLD, question, read("Five."), believing=True).honest == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_web_answer_of_every_style(kind):
    rng = random.Random(kind)
    for _ in range(20):
        request = draw_kind(WORLD, kind, rng)
        for style in flaws.mix_of(WORLD, request.question).options:
            assert flaws.write(WORLD, request, style, rng)


def test_about_45_in_a_hundred_web_answers_are_good():
    rng = random.Random(5)
    styles = [flaws.web_answer(WORLD, draw(WORLD, rng), rng)[0] for _ in range(4000)]
    assert 0.41 < styles.count("good") / len(styles) < 0.48
