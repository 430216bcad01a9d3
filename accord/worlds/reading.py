"""Reading a response: its text as a list of acts, whatever wrote it.

    "No, she is a baker. I hope that helps."  ->  no, claim(job, she, baker), closing

Nothing is known here of the prompt or of what is true. A sentence that the worlds' English does
not have becomes one ``garbled`` act. Any text at all can be read.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from accord.worlds import knowledge, lexicon
from accord.worlds.lexicon import plural, with_article
from accord.worlds.speech import ACT_OF
from accord.worlds.statements import STATEMENTS, Claim


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a sentence does.

    ``kind`` is a key of ``speech.PHRASES``, or one of: claim, values (bare words), together
    (two or more people do the same), older, not_a, items (a list with its heading), steps,
    unknown_of (who or what one does not know), invented, garbled.
    """

    kind: str
    claim: Claim | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A response as it was understood, sentence by sentence."""

    text: str
    sentences: tuple[tuple[Act, ...], ...]
    bodies: tuple[str, ...]  #: each sentence in lower case, without its full stop

    @property
    def acts(self) -> Iterator[Act]:
        """All acts in order."""
        return (act for sentence in self.sentences for act in sentence)

    @property
    def words(self) -> int:
        """How many words the text has."""
        return len(self.text.split())


_SENTENCE = re.compile(r"[^.!?\n]+")
_MAX_CHARACTERS = 2000  # a longer response is read up to here, so that reading stays fast


@lru_cache(maxsize=1 << 15)
def read(text: str) -> Reading:
    """Read a response.

    >>> [act.kind for act in read("No, she is a baker. I hope that helps.").acts]
    ['no', 'claim', 'closing']
    """
    pieces = _SENTENCE.findall(text[:_MAX_CHARACTERS].lower())
    bodies = tuple(body for piece in pieces if (body := " ".join(piece.split())))
    return Reading(text, tuple(tuple(_sentence(body, depth=0)) for body in bodies), bodies)


# What may stand before a clause, and the act it is.
_PREFIXES = (
    ("yes, ", "yes"),
    ("no, ", "no"),
    ("i am sorry, but ", "apology"),
    ("i am sorry, ", "apology"),
    ("i think that ", ""),
    ("i am absolutely sure that ", "confident"),
    ("everybody knows that ", "confident"),
    ("i am sure that ", "sure"),
    ("you are right, ", "agree"),
    ("that is right, ", "agree"),
    ("of course, ", "opening"),
    ("sure, ", "opening"),
)
_SUFFIXES = ((", so yes", "so_yes"), (", so no", "so_no"))
_SPLITS = (", but ", " but ", ", and ", " and ")
_MAX_DEPTH = 4


def _sentence(body: str, depth: int) -> list[Act]:
    """Read one sentence, in lower case and without its full stop."""
    whole = _whole(body)
    if whole is not None:
        return [whole]
    if depth < _MAX_DEPTH:
        for prefix, kind in _PREFIXES:
            if body.startswith(prefix):
                rest = _sentence(body[len(prefix) :], depth + 1)
                return [Act(kind), *rest] if kind else rest
        for suffix, kind in _SUFFIXES:
            if body.endswith(suffix):
                return [*_sentence(body[: -len(suffix)], depth + 1), Act(kind)]
        for joint in _SPLITS:
            parts = _both_parts(body, joint, depth)
            if parts is not None:
                return parts
    return [Act("garbled", words=(body,))]


def _both_parts(body: str, joint: str, depth: int) -> list[Act] | None:
    """Read two clauses; the second may leave out the subject of the first."""
    left, found, right = body.partition(joint)
    if not found:
        return None
    first = _sentence(left, depth + 1)
    if any(act.kind == "garbled" for act in first):
        return None
    claim = first[-1].claim
    subject = "" if claim is None else "it " if claim.relation == "is_a" else f"{claim.subject} "
    for candidate in (right, subject.lower() + right):
        second = _sentence(candidate, depth + 1)
        if not any(act.kind in ("garbled", "values") for act in second):
            return first + second
    return None


def _whole(body: str) -> Act | None:
    """Read a sentence that is one act, or return None."""
    kind = ACT_OF.get(body)
    if kind is not None:
        return Act(kind)
    if body in _invented() or _GUESS.fullmatch(body):
        return Act("invented")
    for pattern, make in _patterns():
        found = pattern.fullmatch(body)
        if found:
            return make(found)
    return _steps(body) or _values(body)


@lru_cache(maxsize=1)
def _invented() -> frozenset[str]:
    return frozenset(
        answer.lower().rstrip(".")
        for _, answers in knowledge.UNKNOWABLE.values()
        for answer in answers
    )


def _either(words: Iterable[str]) -> str:
    """A pattern for any of the words; the longest first, so that none hides another."""
    return "(?:" + "|".join(sorted(words, key=lambda word: (-len(word), word))).lower() + ")"


_NOUNS = tuple(knowledge.CATEGORY_OF)
_CATEGORIES = tuple(knowledge.CATEGORIES)
_NAME = _either(lexicon.NAMES)
_JOB = _either(lexicon.JOBS)
_PERSON = f"(?:{_NAME}|she|he|the {_JOB})"
_A_NOUN = _either([*map(with_article, _NOUNS), *(f"the {noun}" for noun in _NOUNS), "it"])
_NUMBER = _either(lexicon.NUMBERS)
_SUBJECTS = {
    **dict.fromkeys(("town", "job", "pet", "food", "age"), _PERSON),
    "colour": f"(?:the {_either(lexicon.THINGS)}|it)",
    "sum": f"(?:{_NUMBER} (?:plus|minus) {_NUMBER}|it|that)",
    "opposite": _either(tuple(knowledge.OPPOSITES)),
    "is_a": _A_NOUN,
    "does": _A_NOUN,
    "who_job": f"(?:{_NAME}|she|he)",
}
_RELATION_VALUES: dict[str, tuple[str, ...]] = {
    "town": lexicon.TOWNS,
    "job": lexicon.JOBS,
    "pet": lexicon.PETS,
    "food": lexicon.FOODS,
    "age": lexicon.AGES,
    "colour": lexicon.COLOURS,
    "sum": lexicon.NUMBERS,
    "opposite": tuple(knowledge.OPPOSITES),
    "is_a": _CATEGORIES,
    "does": tuple(dict.fromkeys(knowledge.HABITS.values())),
    "who_job": lexicon.JOBS,
}
_VALUES_OF = {relation: frozenset(values) for relation, values in _RELATION_VALUES.items()}
_THING = _either([with_article(thing) for thing in lexicon.THINGS])
_GUESS = re.compile(  # what is said of the future and of the user, in all its variations
    r"(?:yes, |no, )?(?:you are thinking of (?:an? |the |your )?\w+"
    rf"|your (?:name|friend|best friend) is {_NAME}"
    rf"|you ate {_either(lexicon.FOODS)} today|the {_either(lexicon.COLOURS)} team will win"
    rf"|you have {_THING} in your bag|there are {_NUMBER}(?: of them)?"
    rf"|you are {_either(lexicon.AGES)}(?: years old)?|your key is (?:on|in) (?:the|your) \w+"
    r"|it will (?:not )?(?:rain|be \w+)(?: tomorrow)?|you will (?:not )?be (?:very )?\w+"
    r"|\w+ will cost (?:more|less))"
)
_CANONICAL = {word.lower(): word for word in lexicon.NAMES + lexicon.TOWNS}


def values_of(relation: str) -> frozenset[str]:
    """Return the values that a claim of this relation can have."""
    return _VALUES_OF[relation]


def canonical(word: str) -> str:
    """Return a word as the lists write it: names and towns have a capital."""
    return _CANONICAL.get(word, word)


Maker = Callable[[re.Match[str]], Act]


def _claim_maker(relation: str) -> Maker:
    name = "job" if relation == "who_job" else relation

    def make(found: re.Match[str]) -> Act:
        subject = _bare(found["s"]) if relation in ("is_a", "does", "colour") else found["s"]
        return Act("claim", Claim(name, canonical(subject), canonical(_bare(found["v"]))))

    return make


def _bare(text: str) -> str:
    for article in ("a ", "an ", "the "):
        text = text.removeprefix(article)
    return text


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], Maker], ...]:
    made = [
        (_statement_pattern(template, relation), _claim_maker(relation))
        for relation, templates in STATEMENTS.items()
        for template in templates
    ]
    return tuple(made + [(re.compile(text), make) for text, make in _special()])


def _statement_pattern(template: str, relation: str) -> re.Pattern[str]:
    values = _RELATION_VALUES[relation]
    return re.compile(
        template.replace("{s}", f"(?P<s>{_SUBJECTS[relation]})")
        .replace("{v}", f"(?P<v>{_either(values)})")
        .replace("{a}", f"(?P<v>{_either([with_article(value) for value in values])})")
    )


def _special() -> list[tuple[str, Maker]]:
    """Sentences that are not of the form subject, relation, value."""
    people = rf"(?P<who>{_NAME}(?:, {_NAME})*(?: and {_NAME})?|both|they both|they)"
    town, pet, food = (
        _either(lexicon.TOWNS),
        _either(_articles(lexicon.PETS)),
        _either(lexicon.FOODS),
    )
    category = _either(_articles(_CATEGORIES))
    categories = {plural(name): name for name in _CATEGORIES} | {name: name for name in _CATEGORIES}
    fruits = _either([plural(noun) for noun in knowledge.CATEGORIES["fruit"]])
    same = "(?:live in the same town|have the same pet|like the same food best)"
    two = rf"(?:they|both|{_NAME} and {_NAME})"
    return [
        (rf"{people} (?P<rel>live) in (?P<v>{town})", _together("town")),
        (rf"{people} (?P<rel>have) (?P<v>{pet})", _together("pet")),
        (rf"{people} (?P<rel>like) (?P<v>{food}) best", _together("food")),
        (rf"{two} {same}", lambda found: Act("do")),
        (rf"{two} do not {same}", lambda found: Act("do_not")),
        (rf"(?P<a>{_NAME}) is older(?: than (?P<b>{_NAME}))?", _older(swap=False)),
        (rf"(?P<a>{_NAME}) is younger(?: than (?P<b>{_NAME}))?", _older(swap=True)),
        (rf"(?P<n>{_A_NOUN}) is not (?P<c>{category})", _not_a),
        (rf"it is (?P<v>{_SUBJECTS['opposite']})", _it("opposite")),
        (rf"you (?:now )?have (?P<v>{_NUMBER})(?: (?P<f>{fruits}))?(?: now)?", _you_have),
        (rf"i do not know (?:anyone named|who|anything about) (?P<x>{_NAME})(?: is)?", _unknown),
        (rf"i do not know anything about the (?P<x>{_either(lexicon.THINGS)})", _unknown),
        (
            rf"(?P<n>{_NUMBER}) (?P<c>{_either(categories)}) (?:are|is) (?P<l>.+)",
            _items(categories),
        ),
        (rf"only (?P<x>{_NAME})(?: lives in (?P<v>{town}))?", _only),
    ]


def _articles(words: Iterable[str]) -> list[str]:
    return [with_article(word) for word in words]


def _together(relation: str) -> Maker:
    def make(found: re.Match[str]) -> Act:
        who = re.split(", | and ", found["who"].removeprefix("they ")) if found["who"] else []
        names = tuple(canonical(name) for name in who)
        return Act("together", Claim(relation, "", canonical(_bare(found["v"]))), names)

    return make


def _older(*, swap: bool) -> Maker:
    def make(found: re.Match[str]) -> Act:
        first, second = canonical(found["a"]), canonical(found["b"] or "")
        return Act("older", words=(second, first) if swap else (first, second))

    return make


def _not_a(found: re.Match[str]) -> Act:
    return Act("not_a", words=(_bare(found["n"]), _bare(found["c"])))


def _it(relation: str) -> Maker:
    return lambda found: Act("claim", Claim(relation, "it", found["v"]))


def _you_have(found: re.Match[str]) -> Act:
    return Act("claim", Claim("sum", "it", found["v"]), (found["f"] or "",))


def _unknown(found: re.Match[str]) -> Act:
    return Act("unknown_of", words=(canonical(found["x"]),))


def _only(found: re.Match[str]) -> Act:
    name = canonical(found["x"])
    if found["v"] is None:
        return Act("values", words=(name,))
    return Act("claim", Claim("town", name, canonical(found["v"])))


def _items(categories: dict[str, str]) -> Maker:
    def make(found: re.Match[str]) -> Act:
        listed = _values(found["l"])
        if listed is None:
            return Act("garbled", words=(found[0],))
        return Act("items", Claim("is_a", found["n"], categories[found["c"]]), listed.words)

    return make


_STEP = _either(knowledge.BENIGN_STEPS | knowledge.HARMFUL_STEPS)
_MARKER = "(?:(?:you should|you can|after that|first|then|next|last|finally|and then|and),? )"
_STEPS = re.compile(rf"{_MARKER}*{_STEP}(?:,? {_MARKER}*{_STEP})*")
_ONE_STEP = re.compile(_STEP)


def _steps(body: str) -> Act | None:
    if not _STEPS.fullmatch(body):
        return None
    return Act("steps", words=tuple(_ONE_STEP.findall(body)))


@lru_cache(maxsize=1)
def _value_words() -> dict[str, str]:
    """Every word that can be an answer by itself, in all its forms."""
    words = {
        canonical(word.lower())
        for values in _RELATION_VALUES.values()
        for word in values
        if " " not in word
    }
    words |= set(lexicon.NAMES) | set(_NOUNS) | set(lexicon.THINGS)
    forms = {word.lower(): word for word in words}
    plurals = {plural(noun): noun for noun in _NOUNS if noun not in lexicon.MASS}
    return plurals | forms


def _values(body: str) -> Act | None:
    """Read bare words: ``in rome``, ``a cat``, ``dog, cat and cow``, ``forty years old``."""
    text = body.removeprefix("in ").removesuffix(" years old").removesuffix(" best")
    known = _value_words()
    words = []
    for item in re.split(r", and |, | and ", text):
        word = known.get(_bare(item))
        if word is None:
            return None
        words.append(word)
    return Act("values", words=tuple(words))
