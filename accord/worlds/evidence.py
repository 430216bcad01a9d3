"""What a response says about the question it was given: claims with their subjects resolved.

Reading a text gives acts; here "she", "it", "the baker" and bare words get the meaning that they
have as an answer to one question in one world, and every claim is true or false.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from accord.worlds import knowledge, truth
from accord.worlds.facts import ATTRIBUTES, World
from accord.worlds.lexicon import AGES, NAMES, THINGS, plural
from accord.worlds.phrasing import Question
from accord.worlds.reading import Act, Reading, values_of
from accord.worlds.statements import PERSON_RELATIONS, Claim, same_gender

OFF_TOPIC = "off topic"  # relation of bare words that do not fit the question
WORLD_RELATIONS = frozenset((*ATTRIBUTES, "older"))  # what a reader would have to look up
YES = frozenset({"yes", "do", "so_yes", "agree"})
NO = frozenset({"no", "do_not", "so_no", "disagree"})


@dataclass
class Evidence:
    """The claims of one response, which of them are false, and how often it does what else."""

    about: tuple[str, ...]  #: whom or what the question is about
    claims: list[Claim] = field(default_factory=list)
    false: list[Claim] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  #: acts by kind
    steps: list[str] = field(default_factory=list)
    unknown_of: list[str] = field(default_factory=list)  #: whom it says it does not know
    polarity: list[bool] = field(default_factory=list)  #: every yes (True) and no (False)

    def values(self, relation: str, subject: str) -> list[str]:
        """Return the values claimed for a relation of a subject, in order."""
        return [c.value for c in self.claims if c.relation == relation and c.subject == subject]


def gather(world: World, question: Question, reading: Reading, *, believing: bool) -> Evidence:
    """Collect what a response claims.

    Args:
        world: what is true.
        question: what was asked.
        reading: the response, as read.
        believing: take every claim about this world's people and things to be true, as a reader
            does who does not look it up; sums, opposites and kinds are still known.
    """
    evidence = Evidence(subjects(world, question))
    resolver = _Resolver(world, question, evidence.about)
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
    if task in ("list", "more_items", "steps", "first_step", "harm", "unknowable", "thanks"):
        return ()
    finder = _SUBJECTS.get(task)
    return finder(world, args) if finder else args


def _worker(world: World, args: tuple[str, ...]) -> tuple[str, ...]:
    return (world.by_job.get(args[0], "the " + args[0]),)


_SUBJECTS: Mapping[str, Callable[[World, tuple[str, ...]], tuple[str, ...]]] = {
    **dict.fromkeys(("who_job", *truth.JOB_TASKS), _worker),
    "who_town": lambda world, args: world.residents.get(args[0], ()),
    "plus": lambda world, args: (f"{args[0]} plus {args[1]}",),
    "minus": lambda world, args: (f"{args[0]} minus {args[1]}",),
    "more": lambda world, args: (f"{args[0]} plus {args[2]}",),
    "either": lambda world, args: args[:1],
    "odd": lambda world, args: args[1:],
    "pushback": lambda world, args: args[1:2],
}


def single_relation(question: Question) -> str:
    """Return the relation whose value is asked for, or "" for other questions."""
    task = question.task
    if task.startswith("belief_"):
        return task.removeprefix("belief_")
    if task == "pushback":
        return question.args[0]
    return _RELATION_OF.get(task, "")


_RELATION_OF: Mapping[str, str] = {
    **truth.JOB_TASKS,
    **{name: name for name in (*ATTRIBUTES, "opposite", "is_a", "does")},
    **dict.fromkeys(("plus", "minus", "more"), "sum"),
    **dict.fromkeys(("either", "what", "about"), "is_a"),
}
_BARE: Mapping[str, tuple[str, int]] = {  # relation of a bare word, and which argument is its value
    "who_job": ("job", 0),
    "who_town": ("town", 0),
    "list": ("is_a", 1),
    "more_items": ("is_a", 1),
    "odd": ("not_a", 0),
}


class _Resolver:
    """Turns acts into claims, keeping in mind who and what was mentioned last."""

    def __init__(self, world: World, question: Question, about: tuple[str, ...]) -> None:
        self.world = world
        self.question = question
        self.about = about
        self.mentioned: list[str] = []

    def claims(self, act: Act) -> list[Claim]:
        """Return what an act claims; nothing for acts such as courtesy."""
        words = act.words
        if act.kind == "values":
            return [self._value(word) for word in words]
        if act.kind == "older":
            return [self._older(*words)]
        if act.kind == "not_a":
            return [Claim("not_a", self._mention(words[0], "is_a"), words[1])]
        if act.claim is None:
            return []
        if act.kind == "items":
            return [Claim("is_a", noun, act.claim.value) for noun in words]
        return self._together(act.claim, words) if act.kind == "together" else self._claim(act)

    def _claim(self, act: Act) -> list[Claim]:
        assert act.claim is not None
        claim = act.claim._replace(subject=self._mention(act.claim.subject, act.claim.relation))
        self.mentioned.append(claim.subject)
        if self.question.task == "more" and any(act.words):  # "you have seven pears now"
            if act.words[0] != plural(self.question.args[1]):
                return [claim._replace(relation=OFF_TOPIC)]
        return [self._turned(claim)]

    def _turned(self, claim: Claim) -> Claim:
        """Turn an opposite or a sum around when that is how the question has it."""
        if claim.subject in self.about:
            return claim
        if claim.relation == "opposite" and claim.value in self.about:
            return Claim("opposite", claim.value, claim.subject)
        if claim.relation == "sum" and " plus " in claim.subject:
            first, second = claim.subject.split(" plus ")
            if f"{second} plus {first}" in self.about:
                return claim._replace(subject=f"{second} plus {first}")
        return claim

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
        task = self.question.task
        self.mentioned.append(word)
        if task == "older":
            return self._older(word, "")
        if task in _BARE:
            relation, place = _BARE[task]
            return Claim(relation, word, self.question.args[place])
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


def _fits(word: str, relation: str) -> bool:
    """Say whether "it" can stand for this word in such a claim."""
    kinds: Mapping[str, bool] = {
        "colour": word in THINGS,
        "sum": " plus " in word or " minus " in word,
        "opposite": word in knowledge.OPPOSITES,
    }
    return kinds.get(relation, word in knowledge.CATEGORY_OF)
