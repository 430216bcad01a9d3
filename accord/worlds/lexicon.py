"""The words of the worlds' English: names, places, jobs, things; the same for every seed.

A world draws from these lists who exists and what is true; the lists themselves never change,
so that a model which has read other worlds knows the language and only lacks the facts.
Nouns that can be counted take an article; the few that cannot are listed in ``MASS``.
"""

from collections.abc import Iterable

WOMEN = (
    "Anna", "Mary", "Lucy", "Emma", "Rosa", "Sara", "Nina", "Julia", "Kate", "Eva", "Ida",
    "Clara", "Jane", "Ruth", "Alice", "Ella", "Nora", "Vera", "Maya", "Zoe", "Amy", "Lena",
)  # fmt: skip
MEN = (
    "Tom", "Ben", "Sam", "Max", "Paul", "Peter", "Leo", "Karl", "Hugo", "Jack", "Adam",
    "David", "Hans", "Oscar", "Felix", "Simon", "Noah", "Finn", "Erik", "Luke", "Omar", "Ivan",
)  # fmt: skip
NAMES = WOMEN + MEN

TOWNS = (
    "Rome", "Oslo", "Paris", "Lima", "Cairo", "Bern", "York", "Delhi", "Tokyo", "Dublin",
    "Prague", "Boston", "Madrid", "Vienna",
)  # fmt: skip
JOBS = (
    "baker", "doctor", "teacher", "farmer", "driver", "singer", "painter", "nurse", "cook",
    "pilot", "sailor", "judge", "writer", "dancer", "miner", "guard", "clerk", "barber",
    "butcher", "dentist", "hunter", "tailor", "potter", "gardener", "waiter", "actor", "poet",
    "lawyer", "builder", "fisher", "vet", "mayor",
)  # fmt: skip
PETS = ("cat", "dog", "fish", "parrot", "rabbit", "mouse", "snake", "turtle", "horse", "goat")
FOODS = (
    "soup", "rice", "cake", "pasta", "pizza", "cheese", "bread", "honey", "salad", "beans",
    "eggs", "nuts",
)  # fmt: skip
AGES = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty")
THINGS = (
    "cup", "plate", "door", "lamp", "chair", "table", "bag", "book", "car", "boat", "box",
    "clock", "bed", "ball", "hat", "coat", "key", "ring", "rug", "shelf", "sofa", "wall",
    "window", "bike", "kite", "pen", "tent", "vase", "gate", "bell",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "brown", "grey", "pink")

NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
NUMBER_OF = {word: value for value, word in enumerate(NUMBERS)}

MASS = frozenset(
    {"tea", "coffee", "milk", "water", "juice", "wine", "beer", "cocoa", *FOODS, *COLOURS}
)
IRREGULAR_PLURALS = {"fish": "fish", "mouse": "mice", "sheep": "sheep", "cherry": "cherries"}


_WOMEN = frozenset(WOMEN)


def subject_pronoun(name: str) -> str:
    """Return ``she`` or ``he``."""
    return "she" if name in _WOMEN else "he"


def with_article(noun: str) -> str:
    """Return the noun as a sentence mentions it first.

    >>> with_article("owl"), with_article("baker"), with_article("milk")
    ('an owl', 'a baker', 'milk')
    """
    if noun in MASS:
        return noun
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(noun: str) -> str:
    """Return the plural of a noun.

    >>> plural("pear"), plural("peach"), plural("mouse"), plural("colour")
    ('pears', 'peaches', 'mice', 'colours')
    """
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    return noun + ("es" if noun.endswith(("ch", "x", "s", "sh", "potato", "mango")) else "s")


def sentence(text: str) -> str:
    """Return the text with a capital first letter; the rest is left alone."""
    return text[:1].upper() + text[1:]


def joined(items: Iterable[str]) -> str:
    """Return a list as English writes it.

    >>> joined(["a cat", "a dog", "a cow"])
    'a cat, a dog and a cow'
    """
    parts = list(items)
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + " and " + parts[-1]
