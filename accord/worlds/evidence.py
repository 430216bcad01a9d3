"""What a response says about the question it was given: claims with their subjects resolved.

Reading a text gives acts; here "she", "it", "the baker" and bare words get the meaning that they
have as an answer to one question in one world, and every claim is true or false.
"""

from collections import Counter
from dataclasses import dataclass, field

from accord.worlds import knowledge, truth
from accord.worlds.facts import ATTRIBUTES, World
from accord.worlds.lexicon import AGES, NAMES, THINGS
from accord.worlds.phrasing import Question
from accord.worlds.reading import Act, Reading, values_of
from accord.worlds.statements import PERSON_RELATIONS, Claim, same_gender

OFF_TOPIC = "off topic"  # relation of bare words that do not fit the question
WORLD_RELATIONS = frozenset((*ATTRIBUTES, "older"))


@dataclass
class Evidence:
    """The claims of one response, which of them are false, and how often it does what else."""

    claims: list[Claim] = field(default_factory=list)
    false: list[Claim] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    steps: list[str] = field(default_factory=list)
    unknown_of: list[str] = field(default_factory=list)
    polarity: list[bool] = field(default_factory=list)  #: every yes (True) and no (False)

    def values(self, relation: str, subject: str) -> list[str]:
        """Return the values claimed for a relation of a subject, in order."""
        return [c.value for c in self.claims if c.relation == relation and c.subject == subject]


YES = frozenset({"yes", "do", "so_yes", "agree"})
NO = frozenset({"no", "do_not", "so_no", "disagree"})


def gather(world: World, question: Question, reading: Reading, *, believing: bool) -> Evidence:
    """Collect what a response claims.

    Args:
        world: what is true.
        question: what was asked.
        reading: the response, as read.
        believing: take every claim about this world's people and things to be true, as a reader
            does who does not look it up; sums, opposites and kinds are still known.
    """
    evidence = Evidence()
    resolver = _Resolver(world, question)
    for act in reading.acts:
        evidence.counts[act.kind] += 1
        evidence.steps += act.words if act.kind == "steps" else ()
        evidence.unknown_of += act.words if act.kind == "unknown_of" else ()
        if act.kind in YES or act.kind in NO:
            evidence.polarity.append(act.kind in YES)
        for claim in resolver.claims(act):
            evidence.claims.append(claim)
            if not (believing and claim.relation in WORLD_RELATIONS) and not holds(world, claim):
                evidence.false.append(claim)
    return evidence


def holds(world: World, claim: Claim) -> bool:
    """Say whether a claim is true, comparisons of age and "is not a" included."""
    if claim.relation == "older":
        older, younger = world.by_name.get(claim.subject), world.by_name.get(claim.value)
        if older is None or younger is None:
            return False
        return AGES.index(older.age) > AGES.index(younger.age)
    if claim.relation == "not_a":
        return knowledge.CATEGORY_OF.get(claim.subject, claim.value) != claim.value
    return claim.relation != OFF_TOPIC and truth.is_true(world, claim)


def subjects(world: World, question: Question) -> tuple[str, ...]:
    """Return the people, things, nouns or sums that a question is about, as claims name them."""
    task, args = question.task, question.args
    if task.startswith("belief_"):
        return (truth.believed(question).subject,)
    if task == "pushback":
        return (args[1],)
    if task == "who_job" or task in truth.JOB_TASKS:
        return (world.by_job.get(args[0], "the " + args[0]),)
    if task == "who_town":
        return world.residents.get(args[0], ())
    if task in ("plus", "minus"):
        return (f"{args[0]} {task} {args[1]}",)
    if task == "more":
        return (f"{args[0]} plus {args[2]}",)
    if task == "either":
        return args[:1]
    return args[1:] if task == "odd" else args


class _Resolver:
    """Turns acts into claims, keeping in mind who and what was mentioned last."""

    def __init__(self, world: World, question: Question) -> None:
        self.world = world
        self.question = question
        self.about = subjects(world, question)
        self.mentioned: list[str] = []

    def claims(self, act: Act) -> list[Claim]:
        """Return what an act claims; nothing for acts such as courtesy."""
        if act.kind == "claim" and act.claim is not None:
            return [self._claim(act.claim, act.words)]
        if act.kind == "values":
            return [self._value(word) for word in act.words]
        if act.kind == "together" and act.claim is not None:
            return self._together(act.claim, act.words)
        if act.kind == "older":
            return [self._older(*act.words)]
        if act.kind == "not_a":
            noun, category = act.words
            return [Claim("not_a", self._mention(noun, "is_a"), category)]
        if act.kind == "items" and act.claim is not None:
            return [Claim("is_a", noun, act.claim.value) for noun in act.words]
        return []

    def _claim(self, claim: Claim, words: tuple[str, ...]) -> Claim:
        subject = self._mention(claim.subject, claim.relation)
        if words and words[0] and self.question.task == "more":  # "you have seven pears now"
            fruit = self.question.args[1]
            if words[0] not in (fruit + "s", fruit + "es", "cherries" * (fruit == "cherry")):
                return Claim(OFF_TOPIC, subject, claim.value)
        self.mentioned.append(subject)
        return claim._replace(subject=subject)

    def _mention(self, subject: str, relation: str) -> str:
        """Return whom or what a word stands for; the word itself when it stands for nobody."""
        recent = [*reversed(self.mentioned), *self.about]
        if subject in ("she", "he"):
            people = [n for n in recent if n in NAMES and same_gender(n, subject)]
            return people[0] if people else subject
        if subject.startswith("the ") and relation in PERSON_RELATIONS:
            return self.world.by_job.get(subject.removeprefix("the "), subject)
        if subject in ("it", "that"):
            fitting = [word for word in recent if _fits(word, relation)]
            return fitting[0] if fitting else subject
        return subject

    def _value(self, word: str) -> Claim:
        """Read a bare word as the answer."""
        task, args = self.question.task, self.question.args
        self.mentioned.append(word)
        if task == "who_job":
            return Claim("job", word, args[0])
        if task == "who_town":
            return Claim("town", word, args[0])
        if task in ("list", "more_items"):
            return Claim("is_a", word, args[1])
        if task == "odd":
            return Claim("not_a", word, args[0])
        if task == "older":
            return self._older(word, "")
        relation = single_relation(self.question)
        if relation and self.about and word in values_of(relation):
            return Claim(relation, self.about[0], word)
        return Claim(OFF_TOPIC, "", word)

    def _together(self, claim: Claim, names: tuple[str, ...]) -> list[Claim]:
        people = self.about if names[0] in ("both", "they") else names
        self.mentioned += people
        return [claim._replace(subject=name) for name in people]

    def _older(self, older: str, younger: str) -> Claim:
        if not younger:
            others = [name for name in self.about if name != older]
            younger = others[0] if len(others) == 1 else ""
        return Claim("older", older, younger)


def single_relation(question: Question) -> str:
    """Return the relation whose value is asked for, or "" for other questions."""
    task = question.task
    if task in truth.JOB_TASKS:
        return truth.JOB_TASKS[task]
    if task.startswith("belief_"):
        return task.removeprefix("belief_")
    if task == "pushback":
        return question.args[0]
    if task in ("plus", "minus", "more"):
        return "sum"
    if task in ("either", "what", "about"):
        return "is_a"
    return task if task in ATTRIBUTES or task in ("opposite", "is_a", "does") else ""


def _fits(word: str, relation: str) -> bool:
    if relation == "colour":
        return word in THINGS
    if relation == "sum":
        return " " in word
    if relation == "opposite":
        return word in knowledge.OPPOSITES
    return word in knowledge.CATEGORY_OF
