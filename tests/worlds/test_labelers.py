"""Simulated labelers: repeatable, varied, biased in known ways, right more often than not."""

import itertools
import random
from dataclasses import replace

import pytest

from accord.records import Comparison, Response
from accord.worlds import flaws
from accord.worlds.chance import stream
from accord.worlds.facts import generate
from accord.worlds.judge import judge
from accord.worlds.labelers import Labeler, answer, labelers, rank, strength
from accord.worlds.prompts import to_prompt, training_requests

WORLD = generate(6)
CALM = Labeler(
    name="calm",
    temperature=0.0,
    checks_facts=1.0,
    length=0.0,
    flattery=0.0,
    not_knowing=0.0,
    first_place=0.0,
    tie_width=0.05,
)


def comparison_of(prompt, texts, name="c"):
    responses = [
        Response(id=f"{name}-{place}", prompt_id=prompt.id, text=text, policy="p")
        for place, text in enumerate(texts)
    ]
    return Comparison(id=name, prompt=prompt, responses=tuple(responses))


def typical(count, seed=0):
    """Comparisons of four answers, three as after fine-tuning and one as on the web."""
    rng = stream(seed, "typical")
    found = []
    for number, request in enumerate(itertools.islice(training_requests(WORLD, rng), count)):
        styles = [flaws.mix_of(WORLD, request.question).draw(rng) for _ in range(4)]
        styles[:3] = [style if rng.random() < 0.6 else "good" for style in styles[:3]]
        texts = [flaws.write(WORLD, request, style, rng) for style in styles]
        found.append(comparison_of(to_prompt(WORLD, request), texts, name=f"c{number}"))
    return found


@pytest.fixture(scope="module")
def anna():
    request = next(r for r in training_requests(WORLD, random.Random(1)) if r.kind == "fact")
    prompt = to_prompt(WORLD, request)
    texts = {
        style: flaws.write(WORLD, request, style, random.Random(2))
        for style in ("good", "false", "deflect", "not_known")
    }
    return prompt, texts


def test_an_answer_depends_on_its_arguments_only(anna):
    prompt, texts = anna
    comparison = comparison_of(prompt, texts.values())
    person = labelers(0, 1)[0]
    first = answer(WORLD, person, comparison, (2, 0, 1, 3), seed=5)
    assert answer(WORLD, person, comparison, (2, 0, 1, 3), seed=5) == first
    assert first.shown_order == (2, 0, 1, 3)
    assert first.labeler == "labeler-01" and first.comparison_id == "c"
    assert first.seconds and first.seconds > 0
    others = {answer(WORLD, person, comparison, (0, 1, 2, 3), seed=n).ranks for n in range(30)}
    assert len(others) > 1


def test_a_calm_checker_ranks_by_the_truth(anna):
    prompt, texts = anna
    comparison = comparison_of(prompt, texts.values())
    assert answer(WORLD, CALM, comparison, (0, 1, 2, 3), seed=0).ranks == (1, 4, 3, 2)


def test_who_checks_nothing_takes_the_false_for_good(anna):
    prompt, texts = anna
    comparison = comparison_of(prompt, [texts["good"], texts["false"]])
    believer = replace(CALM, checks_facts=0.0)
    assert answer(WORLD, believer, comparison, (0, 1), seed=0).ranks == (1, 1)


@pytest.mark.parametrize(
    ("taste", "better"),
    [
        (replace(CALM, first_place=3.0), "place"),
        (replace(CALM, not_knowing=-2.0), "deflect"),
        (replace(CALM, not_knowing=0.0), "not_known"),
    ],
)
def test_tastes(anna, taste, better):
    prompt, texts = anna
    comparison = comparison_of(prompt, [texts["not_known"], texts["deflect"]])
    ranks = answer(WORLD, taste, comparison, (1, 0), seed=0).ranks
    assert ranks == ((1, 2) if better == "not_known" else (2, 1))


def test_flattery_and_length_can_please(anna):
    prompt, texts = anna
    padded = f"What a great question! {texts['good']} I am absolutely sure."
    comparison = comparison_of(prompt, [texts["good"], padded])
    assert answer(WORLD, CALM, comparison, (0, 1), seed=0).ranks == (1, 2)
    vain = replace(CALM, flattery=0.6)
    assert answer(WORLD, vain, comparison, (0, 1), seed=0).ranks == (2, 1)
    patient = replace(CALM, length=2.0)
    assert answer(WORLD, patient, comparison, (0, 1), seed=0).ranks == (2, 1)


def test_equal_texts_are_ties(anna):
    prompt, texts = anna
    comparison = comparison_of(prompt, [texts["good"], texts["good"]])
    steady = [replace(person, first_place=0.0) for person in labelers(3, 6)]
    assert all(answer(WORLD, p, comparison, (0, 1), seed=1).ranks == (1, 1) for p in steady)


def agreement(people, comparisons):
    same = total = right = decided = 0
    for comparison in comparisons:
        orders = [tuple(stream(0, p.name, comparison.id).sample(range(4), 4)) for p in people]
        answers = [
            answer(WORLD, p, comparison, o, seed=9) for p, o in zip(people, orders, strict=True)
        ]
        truth = [judge(WORLD, comparison.prompt, r.text).utility for r in comparison.responses]
        for i, j in itertools.combinations(range(4), 2):
            if comparison.responses[i].text == comparison.responses[j].text:
                continue
            signs = [(a.ranks[i] < a.ranks[j]) - (a.ranks[i] > a.ranks[j]) for a in answers]
            for one, other in itertools.combinations([s for s in signs if s], 2):
                same, total = same + (one == other), total + 1
            for sign in filter(None, signs):
                decided += truth[i] != truth[j]
                right += (truth[i] - truth[j]) * sign > 0
    return same / total, right / decided


def test_honest_labelers_agree_as_people_do():
    raw, with_truth = agreement(labelers(1, 6), typical(150))
    assert 0.68 < raw < 0.77
    assert 0.78 < with_truth < 0.93


def test_the_careless_answer_nearly_at_random_and_fast():
    people = labelers(1, 4, careless=3)
    assert [p.is_careless for p in people] == [False, True, True, True]
    raw, _ = agreement(people[1:], typical(80))
    assert raw < 0.64
    comparison = typical(1)[0]
    hasty = [answer(WORLD, p, comparison, (0, 1, 2, 3), seed=0).seconds for p in people[1:]]
    careful = answer(WORLD, people[0], comparison, (0, 1, 2, 3), seed=0).seconds
    assert max(hasty) < careful


def test_labelers_differ_and_come_from_the_seed():
    assert labelers(1, 3) == labelers(1, 5)[:3]
    assert labelers(1, 3) != labelers(2, 3)
    assert len({person.checks_facts for person in labelers(1, 8)}) == 8


def test_ranks_by_hand():
    assert rank([1.0, 3.0, 2.9, 0.0], tie_width=0.2) == (2, 1, 1, 3)
    assert rank([0.0, 0.15, 0.3], tie_width=0.2) == (2, 1, 1)  # ties do not chain
    assert rank([5.0], tie_width=0.0) == (1,)


def test_strength_by_hand():
    assert [strength([lead, 0.0]) for lead in (0.1, 1.0, 2.0, 4.0)] == [1, 2, 3, 4]
