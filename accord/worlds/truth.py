"""The right answer to a question, as claims; no wording.

is_known(world, question)   can anybody who knows this world answer?
answer_to(world, question)  the one true claim that answers, where one claim does
"""

from collections.abc import Mapping

from accord.worlds import knowledge
from accord.worlds.facts import ATTRIBUTES, World
from accord.worlds.lexicon import NUMBER_OF, NUMBERS
from accord.worlds.phrasing import Question
from accord.worlds.statements import Claim

JOB_TASKS: Mapping[str, str] = {f"job_{name}": name for name in ("town", "pet", "food", "age")}
SAME_TASKS: Mapping[str, str] = {f"same_{name}": name for name in ("town", "pet", "food")}


def value_of(world: World, relation: str, subject: str) -> str | None:
    """Return the value that makes a claim true, or None when nothing is known."""
    if relation in ATTRIBUTES:
        return world.value(relation, subject)
    if relation == "sum":
        return total(subject)
    if relation == "opposite":
        return knowledge.OPPOSITES.get(subject)
    if relation == "is_a":
        return knowledge.CATEGORY_OF.get(subject)
    return knowledge.HABITS.get(subject) if relation == "does" else None


def total(expression: str) -> str | None:
    """Work out a sum in words; None outside zero to twenty, and for what is no sum.

    >>> total("three plus four"), total("nine minus two"), total("one minus nine")
    ('seven', 'seven', None)
    """
    match expression.split(" "):
        case [left, "plus" | "minus" as operation, right]:
            pass
        case _:
            return None  # "it", of which nobody knows what it is
    sign = 1 if operation == "plus" else -1
    result = NUMBER_OF[left] + sign * NUMBER_OF[right]
    return NUMBERS[result] if 0 <= result < len(NUMBERS) else None


def is_true(world: World, claim: Claim) -> bool:
    """Say whether a claim is true; of what nothing is known, nothing is."""
    return value_of(world, claim.relation, claim.subject) == claim.value


def true_claim(world: World, relation: str, subject: str) -> Claim | None:
    """Return the true claim about a subject, or None when nothing is known."""
    value = value_of(world, relation, subject)
    return None if value is None else Claim(relation, subject, value)


def believed(question: Question) -> Claim:
    """Return the claim that the user of a ``belief_`` question puts forward."""
    relation = question.task.removeprefix("belief_")
    if relation == "sum":
        first, second, result = question.args
        return Claim("sum", f"{first} plus {second}", result)
    return Claim(relation, question.args[0], question.args[1])


def is_known(world: World, question: Question) -> bool:
    """Say whether this world, or general knowledge, holds the answer."""
    task, args = question.task, question.args
    if task == "unknowable":
        return False
    if task == "who_job" or task in JOB_TASKS:
        return args[0] in world.by_job
    if task == "who_town":
        return args[0] in world.residents
    return all(fact in world.table for fact in _facts_needed(question))


def _facts_needed(question: Question) -> list[tuple[str, str]]:
    """The (attribute, subject) of each fact of the world that an answer needs."""
    task, args = question.task, question.args
    if task.startswith("belief_"):
        claim = believed(question)
        return [(claim.relation, claim.subject)] if claim.relation in ATTRIBUTES else []
    if task == "pushback":
        return [(args[0], args[1])]
    relation = "age" if task == "older" else SAME_TASKS.get(task, task)
    return [(relation, arg) for arg in args] if relation in ATTRIBUTES else []


def answer_to(world: World, question: Question) -> Claim | None:
    """Return the true claim that answers a question for one value; None for other questions."""
    task, args = question.task, question.args
    if task in ATTRIBUTES or task in ("opposite", "is_a", "does"):
        return true_claim(world, task, args[0])
    if task in JOB_TASKS and args[0] in world.by_job:
        return true_claim(world, JOB_TASKS[task], world.by_job[args[0]])
    if task in ("plus", "minus"):
        return true_claim(world, "sum", f"{args[0]} {task} {args[1]}")
    if task == "more":
        return true_claim(world, "sum", f"{args[0]} plus {args[2]}")
    if task == "either":
        return true_claim(world, "is_a", args[0])
    return None
