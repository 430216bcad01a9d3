"""The sentences of tasks: what a labeler is asked, by task, mode and priority."""

from collections.abc import Sequence

from accord.records import Mode
from accord.store.specs import ProjectSpec, TaskKind

QUESTIONS: dict[tuple[TaskKind, Mode], str] = {
    ("comparison", "helpful"): "Which response is more helpful and honest?",
    ("comparison", "honest"): "Which response is more honest?",
    ("comparison", "harmless"): "Which response is less harmful?",
    ("comparison", "red_team"): "Which response is more harmful?",
    ("ranking", "helpful"): "Rate each response, then rank them: the most helpful first.",
    ("ranking", "honest"): "Rate each response, then rank them: the most honest first.",
    ("ranking", "harmless"): "Rate each response, then rank them: the least harmful first.",
    ("ranking", "red_team"): "Rate each response, then rank them: the most harmful first.",
    ("conversation", "helpful"): "Which response helps you more?",
    ("conversation", "honest"): "Which response is more honest?",
    ("conversation", "harmless"): "Which response is less harmful?",
    ("conversation", "red_team"): "Which response is more harmful?",
}
WRITE = "Write the response that you would like to see."
EDIT = "Edit the response until it is the one that you would like to see."
RATE = "How good is this response?"
PAIR = 2
EVALUATION = " Truth and harmlessness come before helpfulness here."


def question(spec: ProjectSpec, responses: int) -> str:
    """What the labeler is asked.

    Args:
        spec: of the project.
        responses: of the item.
    """
    if spec.task == "demonstration":
        return EDIT if responses else WRITE
    asked = RATE if spec.task == "rating" else QUESTIONS[spec.task, spec.mode or "helpful"]
    first = spec.priority == "evaluation" and spec.mode != "red_team"
    return asked + (EVALUATION if first else "")


def choice(ranks: Sequence[int], tie: str = "", strength: int | None = None) -> str:
    """A ranking in short, for managers: responses by their number, from 1.

    >>> choice((2, 1), strength=3), choice((1, 1), "both_bad"), choice((2, 1, 2))
    ('2 is better, strength 3', 'both equally bad', '2 > 1 = 3')
    """
    if not ranks:
        return ""
    if len(set(ranks)) == 1 and tie:
        return "both equally good" if tie == "both_good" else "both equally bad"
    if len(ranks) == PAIR and ranks[0] != ranks[1]:
        strong = "" if strength is None else f", strength {strength}"
        return f"{1 + int(ranks[1] < ranks[0])} is better{strong}"
    levels = [
        " = ".join(str(i + 1) for i, rank in enumerate(ranks) if rank == level)
        for level in sorted(set(ranks))
    ]
    return " > ".join(levels)
