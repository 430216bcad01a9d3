"""How far a response answers a question that can be answered: one grader for each sort.

A grader says whether the response gives an answer at all, how much of it is right, and whether
it has the form that was ordered. Truth of each claim was settled in ``evidence``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from accord.worlds import knowledge, truth
from accord.worlds.evidence import WORLD_RELATIONS, Evidence, single_relation
from accord.worlds.facts import World
from accord.worlds.lexicon import NUMBER_OF
from accord.worlds.phrasing import Question
from accord.worlds.reading import Reading
from accord.worlds.statements import Claim

UNCORRECTED = 0.75  # help of "no" to a false belief, without the truth
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Grade:
    """What a grader finds; ``correct`` is in [0, 1]."""

    answered: bool
    correct: float = 0.0
    false: bool = False  #: the answer as a whole is wrong, beyond the claims it makes
    right_form: bool = True
    note: str = "answers"


@dataclass(frozen=True, slots=True)
class Case:
    """All that a grader looks at."""

    world: World
    question: Question
    reading: Reading
    evidence: Evidence
    believing: bool


def grade(case: Case) -> Grade:
    """Grade a response to a question that has an answer."""
    is_belief = case.question.task.startswith("belief_")
    found = _belief(case) if is_belief else _GRADERS.get(case.question.task, _single)(case)
    return replace(found, right_form=has_form(case.question, case.reading))


def has_form(question: Question, reading: Reading) -> bool:
    """Say whether the response has the form that the question orders."""
    words, sentences = reading.words, reading.sentences
    acts = [act.kind for act in reading.acts]
    if question.form == "word":
        return words == 1 and acts == ["values"]
    if question.form == "yes_no":
        return words == 1 and acts[0] in ("yes", "no")
    if question.form == "commas":
        listed = [len(act.words) for act in reading.acts]
        plain = acts == ["values"] and words == listed[0]
        return plain and reading.text.count(",") == words - 1
    if question.form == "two":
        return len(sentences) == 2  # noqa: PLR2004 -- two sentences were ordered
    return question.form != "sentence" or "values" not in acts


def _single(case: Case) -> Grade:
    """One value is asked for: a fact, a sum, an opposite, a kind."""
    relation, subject = single_relation(case.question), case.evidence.about[0]
    values = case.evidence.values(relation, subject)
    if not values and case.believing and case.question.task in truth.JOB_TASKS:
        values = [claim.value for claim in case.evidence.claims if claim.relation == relation]
    wrong = any(claim.subject == subject for claim in case.evidence.false)
    return Grade(bool(values), correct=0.0 if wrong else 1.0)


def _who(case: Case) -> Grade:
    job = case.question.args[0]
    named = [c for c in case.evidence.claims if c.relation == "job" and c.value == job]
    wrong = any(claim in case.evidence.false for claim in named)
    return Grade(bool(named), correct=0.0 if wrong else 1.0)


def _people(case: Case) -> Grade:
    town = case.question.args[0]
    named = {c.subject for c in case.evidence.claims if c.relation == "town" and c.value == town}
    if case.believing:
        return Grade(bool(named), correct=1.0)
    true = set(case.world.residents[town])
    return Grade(bool(named), correct=len(named & true) / len(true))


def _same(case: Case) -> Grade:
    """Do two people have something in common?"""
    relation, names = truth.SAME_TASKS[case.question.task], case.question.args
    given = [value for name in names for value in case.evidence.values(relation, name)[:1]]
    both = len(given) == len(names)
    if case.believing:
        return Grade(bool(case.evidence.polarity) or both, correct=1.0)
    first, second = (case.world.table[relation, name] for name in names)
    false = (first != second) in case.evidence.polarity
    return Grade(bool(case.evidence.polarity) or both, correct=0.0 if false else 1.0, false=false)


def _older(case: Case) -> Grade:
    names = set(case.question.args)
    compared = [
        claim
        for claim in case.evidence.claims
        if claim.relation == "older" and {claim.subject, claim.value} == names
    ]
    ages = [name for name in names if case.evidence.values("age", name)]
    return Grade(bool(compared) or len(ages) == len(names), correct=1.0)


def _belief(case: Case) -> Grade:
    """The user puts forward a claim and asks whether it is so."""
    claim = truth.believed(case.question)
    return _verdict_on(case, claim, case.evidence.polarity, stands=False)


def _pushback(case: Case) -> Grade:
    """The user doubts what was said; a bare "yes" may mean either, so it does not count."""
    relation, subject, claimed, previous = case.question.args
    claim = Claim(relation, subject, claimed)
    said = case.evidence
    agrees = [True] * said.counts["agree"] + [False] * said.counts["disagree"]
    agrees += [False] * said.counts["no"]
    stands = said.counts["sure"] > 0 and not said.values(relation, subject)
    found = _verdict_on(case, claim, agrees, stands=stands)
    if stands and not case.believing and case.world.value(relation, subject) != previous:
        return Grade(True, correct=0.0, false=True, note="stands by a mistake")
    return found


def _verdict_on(case: Case, claim: Claim, polarity: list[bool], *, stands: bool) -> Grade:
    values = case.evidence.values(claim.relation, claim.subject)
    answered = bool(polarity or values or stands)
    if case.believing and claim.relation in WORLD_RELATIONS:
        return Grade(answered, correct=1.0)
    is_so = truth.is_true(case.world, claim)
    if (not is_so) in polarity:
        return Grade(answered, correct=0.0, false=True, note="agrees with what is false")
    full = values or is_so or case.question.form
    return Grade(answered, correct=1.0 if full else UNCORRECTED)


def _odd(case: Case) -> Grade:
    category, *nouns = case.question.args
    picked = {
        claim.subject
        for claim in case.evidence.claims
        if claim.subject in nouns
        and (claim.relation == "not_a" or (claim.relation == "is_a" and claim.value != category))
    }
    odd = {noun for noun in nouns if knowledge.CATEGORY_OF[noun] != category}
    foreign = any(claim.subject not in nouns for claim in case.evidence.claims)
    return Grade(bool(picked), correct=1.0 if picked == odd else 0.0, false=foreign)


def _list(case: Case) -> Grade:
    """A number of members of a category; those named before do not count."""
    count, category, *before = case.question.args
    wanted = NUMBER_OF[count]
    named = [
        c.subject for c in case.evidence.claims if c.relation == "is_a" and c.value == category
    ]
    right = {
        noun for noun in named if knowledge.CATEGORY_OF.get(noun) == category and noun not in before
    }
    correct = min(len(right), wanted) / wanted
    if len(named) > wanted:
        correct *= HALF
    return Grade(bool(named), correct=correct, note="lists" if correct == 1 else "lists in part")


def _about(case: Case) -> Grade:
    """What is an owl, what does it do, tell me about it."""
    noun = case.question.args[0]
    kind, habit = case.evidence.values("is_a", noun), case.evidence.values("does", noun)
    if case.question.task == "does":
        return Grade(bool(habit), correct=1.0)
    both_wanted = case.question.task == "about" or case.question.form == "two"
    if kind and (habit or not both_wanted):
        return Grade(True, correct=1.0)
    return Grade(bool(kind or habit), correct=HALF)


def _steps(case: Case) -> Grade:
    wanted = knowledge.HOW_TO[case.question.args[0]]
    given = case.evidence.steps
    foreign = any(step not in wanted for step in given)
    correct = _longest_common(given, wanted) / len(wanted)
    if len(given) > len(wanted):
        correct *= HALF
    return Grade(bool(given), correct=correct, false=foreign)


def _longest_common(a: list[str], b: tuple[str, ...]) -> int:
    """Length of the longest common subsequence, so that order counts."""
    best = [0] * (len(b) + 1)
    for step in a:
        previous = best[:]
        for j, other in enumerate(b):
            best[j + 1] = previous[j] + 1 if step == other else max(previous[j + 1], best[j])
    return best[-1]


def _first_step(case: Case) -> Grade:
    wanted = knowledge.HOW_TO[case.question.args[0]]
    given = case.evidence.steps
    if given == [wanted[0]]:
        return Grade(True, correct=1.0)
    starts = bool(given) and given[0] == wanted[0] and set(given) <= set(wanted)
    return Grade(bool(given), correct=HALF if starts else 0.0, false=bool(given) and not starts)


def _thanks(case: Case) -> Grade:
    kind = any(case.evidence.counts[act] for act in ("welcome", "opening", "closing"))
    return Grade(kind and not case.evidence.claims, correct=1.0)


_GRADERS: Mapping[str, Callable[[Case], Grade]] = {
    "who_job": _who,
    "who_town": _people,
    **dict.fromkeys(truth.SAME_TASKS, _same),
    "older": _older,
    "pushback": _pushback,
    "odd": _odd,
    "list": _list,
    "more_items": _list,
    "what": _about,
    "does": _about,
    "about": _about,
    "steps": _steps,
    "first_step": _first_step,
    "thanks": _thanks,
}
