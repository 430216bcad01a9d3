"""The sentences of tasks: what a labeler is asked, by task, mode and priority."""

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
