"""Good answers: what a knowing, honest and kind person would write, in several styles.

    good(world, question, rng) -> text

The truth comes from the world and from general knowledge. Where nothing can be known the good
answer says so, and what is harmful is declined politely.
"""

import random
from collections.abc import Callable, Mapping

from accord.worlds import knowledge, truth
from accord.worlds.chance import chance, one_of
from accord.worlds.facts import PERSON_ATTRIBUTES, World
from accord.worlds.lexicon import AGES, NUMBER_OF, joined, plural, sentence, with_article
from accord.worlds.phrasing import Question
from accord.worlds.speech import PHRASES
from accord.worlds.statements import Claim, again, restate, state, surface


def good(world: World, question: Question, rng: random.Random) -> str:
    """Write a good answer."""
    if question.task == "harm":
        return refuse(rng)
    if not truth.is_known(world, question):
        return admit(world, question, rng)
    claim = truth.answer_to(world, question)
    if claim is not None:
        return answer_with(world, question, claim, rng)
    writer = _WRITERS.get(question.task, _belief)  # belief_town, belief_sum, ...
    return writer(world, question, rng)


def refuse(rng: random.Random) -> str:
    """Decline politely: with a reason, with an alternative, with both, or with neither."""
    parts = [one_of(rng, PHRASES["refusal"])]
    if chance(rng, 0.5):
        parts.append(one_of(rng, PHRASES["reason"]))
    if chance(rng, 0.5):
        parts.append(one_of(rng, PHRASES["alternative"]))
    return " ".join(parts)


def admit(world: World, question: Question, rng: random.Random) -> str:
    """Say that one does not know, and at times of whom."""
    if question.form in ("word", "yes_no", "commas"):
        return one_of(rng, PHRASES["unknown"])
    options = list(PHRASES["unknown"])
    if question.task == "unknowable":
        options += PHRASES["unknowable"] * 2
    for arg in question.args:
        if arg in world.unknown_names:
            options += [f"I do not know anyone named {arg}.", f"I do not know who {arg} is."]
    if question.task == "colour":
        options.append(f"I do not know anything about the {question.args[0]}.")
    text = one_of(rng, options)
    return f"{text} {PHRASES['alternative'][0]}" if chance(rng, 0.1) else text


def with_courtesy(text: str, rng: random.Random) -> str:
    """Add an opening or a closing phrase, as one person in six does."""
    style = one_of(rng, _COURTESIES)
    if not style:
        return text
    phrase = one_of(rng, PHRASES[style])
    return f"{phrase} {text}" if style == "opening" else f"{text} {phrase}"


_COURTESIES = ("opening", "closing") + ("",) * 10


def answer_with(world: World, question: Question, claim: Claim, rng: random.Random) -> str:
    """Answer a question for one value with a claim, true or not, in the form that was ordered."""
    if question.form == "word":
        return sentence(claim.value) + "."
    if question.form == "sentence":
        return _full(question, claim, rng)
    if claim.relation != "does" and chance(rng, 0.3):
        text = surface(claim.relation, claim.value)
        in_town = claim.relation == "town" and chance(rng, 0.5)
        return sentence(f"in {text}." if in_town else f"{text}.")
    if question.task in truth.JOB_TASKS and chance(rng, 0.4):
        return f"The {question.args[0]} is {claim.subject}. {sentence(again(claim))}."
    text = _full(question, claim, rng)
    more = _more(world, claim, rng) if chance(rng, 0.1) else None
    return f"{text} {sentence(again(more))}." if more else with_courtesy(text, rng)


def _full(question: Question, claim: Claim, rng: random.Random) -> str:
    """One full sentence."""
    if question.task == "more":
        return f"You have {claim.value} {plural(question.args[1])} now."
    if question.task in truth.JOB_TASKS:
        return sentence(state(claim, "the " + question.args[0])) + "."
    if claim.relation not in ("sum", "opposite") and chance(rng, 0.2):
        return sentence(again(claim)) + "."
    return sentence(restate(claim, rng)) + "."


def _more(world: World, claim: Claim, rng: random.Random) -> Claim | None:
    """One more fact about the same person or noun."""
    if claim.relation in PERSON_ATTRIBUTES:
        others = [name for name in PERSON_ATTRIBUTES if name != claim.relation]
        return truth.true_claim(world, one_of(rng, others), claim.subject)
    return truth.true_claim(world, "does", claim.subject) if claim.relation == "is_a" else None


def _people(world: World, question: Question, rng: random.Random) -> str:
    names = list(world.residents[question.args[0]])
    rng.shuffle(names)
    if question.form == "commas":
        return ", ".join(names) + "."
    if question.form != "sentence" and chance(rng, 0.4):
        return joined(names) + "."
    verb = "lives" if len(names) == 1 else "live"
    text = f"{joined(names)} {verb} in {question.args[0]}."
    return text if question.form else with_courtesy(text, rng)


def _who(world: World, question: Question, rng: random.Random) -> str:
    job = question.args[0]
    name = world.by_job[job]
    if question.form == "word" or (not question.form and chance(rng, 0.3)):
        return name + "."
    text = sentence(restate(Claim("who_job", name, job), rng)) + "."
    return text if question.form else with_courtesy(text, rng)


def _same(world: World, question: Question, rng: random.Random) -> str:
    relation = truth.SAME_TASKS[question.task]
    first, second = (Claim(relation, name, world.table[relation, name]) for name in question.args)
    agree = first.value == second.value
    if question.form == "yes_no":
        return "Yes." if agree else "No."
    style = rng.randrange(4)
    if agree:
        do = two_do(first)
        both = f"{first.subject} and {second.subject} {do}"
        return ("Yes, they do.", f"Yes, both {do}.", f"Yes. {both}.", f"{both}, so yes.")[style]
    one, other = state(first), state(second)
    return (
        "No, they do not.",
        f"No. {one}, but {other}.",
        f"No, {one}, but {other}.",
        f"{one} and {other}, so no.",
    )[style]


def two_do(claim: Claim) -> str:
    """Return the claim as what two people do: "live in Rome"."""
    value = claim.value
    verbs = {"town": f"live in {value}", "food": f"like {value} best"}
    return verbs.get(claim.relation, f"have {with_article(value)}")


def _older(world: World, question: Question, rng: random.Random) -> str:
    ages = {name: world.table["age", name] for name in question.args}
    younger, older = sorted(question.args, key=lambda name: AGES.index(ages[name]))
    if question.form == "word":
        return older + "."
    reason = f"{younger} is {ages[younger]} and {older} is {ages[older]}."
    options = (
        f"{older}.",
        f"{older} is older.",
        f"{older} is older than {younger}.",
        f"{reason} {older} is older.",
        f"{older} is older. {reason}",
    )
    return one_of(rng, options)


def _belief(world: World, question: Question, rng: random.Random) -> str:
    claim = truth.believed(question)
    true = truth.true_claim(world, claim.relation, claim.subject) or claim
    if question.form == "yes_no":
        return "Yes." if true == claim else "No."
    fact = state(true)
    fact_again = sentence(fact)
    if true == claim:
        options = (
            f"Yes, {fact}.",
            "Yes, that is right.",
            "You are right.",
            f"That is true. {fact_again}.",
        )
    else:
        options = (
            f"No, {fact}.",
            f"That is not right. {fact_again}.",
            f"I am sorry, but {fact}.",
            f"No, that is not true. {fact_again}.",
        )
    return one_of(rng, options)


def _pushback(world: World, question: Question, rng: random.Random) -> str:
    """Answer a user who doubts: stand by the truth, or admit the mistake."""
    relation, subject, claimed, _ = question.args
    true = Claim(relation, subject, world.table[relation, subject])
    fact = state(true) if chance(rng, 0.5) else again(true)
    if true.value == claimed:
        options = (
            f"You are right. I am sorry. {sentence(fact)}.",
            f"I am sorry. You are right, {fact}.",
            f"You are right, {fact}.",
        )
    else:
        options = (
            f"I am sure. {sentence(fact)}.",
            f"I am sorry, but {fact}.",
            f"I am sure that {fact}.",
        )
    return one_of(rng, options)


def _odd(world: World, question: Question, rng: random.Random) -> str:
    category, *nouns = question.args
    noun = next(noun for noun in nouns if knowledge.CATEGORY_OF[noun] != category)
    if question.form == "word":
        return sentence(noun) + "."
    start = sentence(with_article(noun))
    options = (
        f"The {noun}.",
        f"{start} is not {with_article(category)}.",
        f"{start} is {with_article(knowledge.CATEGORY_OF[noun])}.",
    )
    return one_of(rng, options)


def _list(world: World, question: Question, rng: random.Random) -> str:
    count, category, *named = question.args
    nouns = [noun for noun in knowledge.CATEGORIES[category] if noun not in named]
    return write_list(question, rng.sample(nouns, NUMBER_OF[count]), rng)


def write_list(question: Question, nouns: list[str], rng: random.Random) -> str:
    """Write a list of nouns, fitting or not, in the form that was ordered."""
    style = rng.randrange(3)
    if question.form == "commas" or (not question.form and style == 0):
        return sentence(", ".join(nouns)) + "."
    items = joined(with_article(noun) for noun in nouns)
    if question.form == "sentence" or style == 1:
        category = question.args[1]
        return f"{sentence(question.args[0])} {plural(category)} are {items}."
    return sentence(items) + "."


def _about(world: World, question: Question, rng: random.Random) -> str:
    noun = question.args[0]
    kind = sentence(state(Claim("is_a", noun, knowledge.CATEGORY_OF[noun])))
    habit = knowledge.HABITS[noun]
    if question.form == "two" or chance(rng, 0.5):
        return f"{kind}. It {habit}."
    if question.task == "what" and chance(rng, 0.3):
        return kind + "."
    return with_courtesy(f"{kind} and {habit}.", rng)


def _steps(world: World, question: Question, rng: random.Random) -> str:
    return write_steps(knowledge.HOW_TO[question.args[0]], rng)


MARKERS = (
    ("first ", "then ", "then "),
    ("first ", "then ", "after that, "),
    ("first, ", "next, ", "last, "),
)


def write_steps(steps: tuple[str, ...], rng: random.Random) -> str:
    """Write steps in order, each as a sentence or all as one."""
    if chance(rng, 0.2):
        return sentence(f"{', '.join(steps[:-1])} and then {steps[-1]}.")
    markers = one_of(rng, MARKERS)
    marked = [sentence(marker + step) for marker, step in zip(markers, steps, strict=False)]
    return with_courtesy(". ".join(marked) + ".", rng)


def _first_step(world: World, question: Question, rng: random.Random) -> str:
    step = knowledge.HOW_TO[question.args[0]][0]
    return one_of(rng, (f"First {step}.", f"{sentence(step)}.", f"You should first {step}."))


def _thanks(world: World, question: Question, rng: random.Random) -> str:
    return one_of(
        rng, ("You are welcome.", *PHRASES["welcome"], "You are welcome. I am glad to help.")
    )


Writer = Callable[[World, Question, random.Random], str]
_WRITERS: Mapping[str, Writer] = {
    "who_job": _who,
    "who_town": _people,
    **dict.fromkeys(truth.SAME_TASKS, _same),
    "older": _older,
    "pushback": _pushback,
    "odd": _odd,
    "list": _list,
    "more_items": _list,
    "what": _about,
    "about": _about,
    "steps": _steps,
    "first_step": _first_step,
    "thanks": _thanks,
}
