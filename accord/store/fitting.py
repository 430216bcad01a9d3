"""Does an answer fit its task? What does not fit is refused with the field's name."""

from collections.abc import Callable

from accord.config import InputError
from accord.records import Answer, Item
from accord.store.specs import ProjectSpec, TaskKind

LONGEST_TEXT = 200_000  # characters
LONGEST_COMMENT = 20_000


def check(spec: ProjectSpec, item: Item, answer: Answer) -> None:
    """Refuse an answer that does not fit.

    Raises:
        InputError: names the field, what is wrong with it, and what would fit.
    """
    if len(answer.comment) > LONGEST_COMMENT:
        raise InputError(
            f"comment: {len(answer.comment)} characters; keep it under {LONGEST_COMMENT}"
        )
    check_labels(spec, item, answer)
    _OF[spec.task](spec, item, answer)


def ranking(spec: ProjectSpec, item: Item, answer: Answer) -> None:
    """What holds for every answer that ranks responses."""
    size = len(item.responses)
    if len(answer.ranks) != size:
        raise InputError(
            f"ranks: {len(answer.ranks)} given for {size} responses; rank each of them"
        )
    if max(answer.ranks) > size:
        raise InputError(f"ranks: {max(answer.ranks)} is more than the {size} responses")
    if answer.text is not None:
        raise InputError("text: this task does not ask for a text")
    is_tie = len(set(answer.ranks)) == 1
    if not spec.settings.ties and len(set(answer.ranks)) < size:
        raise InputError("ranks: ties are not asked for here; give each response its own rank")
    steps = spec.settings.strength_steps
    if answer.strength is not None and (is_tie or answer.strength > steps):
        allowed = "none for a tie" if is_tie else f"at most {steps} steps here"
        raise InputError(f"strength: `{answer.strength}`; {allowed}")
    if spec.settings.require_ratings:
        _require_ratings(spec, answer, size)


def _rating(spec: ProjectSpec, item: Item, answer: Answer) -> None:
    _not_asked(answer, "ranks", "strength", "text", "tie")
    if spec.settings.axes:
        _require_ratings(spec, answer, len(item.responses))


def _demonstration(spec: ProjectSpec, item: Item, answer: Answer) -> None:
    _not_asked(answer, "ranks", "strength", "tie")
    if answer.text is None or not answer.text.strip():
        raise InputError("text: is empty; write the response, or skip the task")
    if len(answer.text) > LONGEST_TEXT:
        raise InputError(f"text: {len(answer.text)} characters; keep it under {LONGEST_TEXT}")


def _conversation(spec: ProjectSpec, item: Item, answer: Answer) -> None:
    raise InputError("this task is a conversation; it ends by finishing it, not by an answer")


_OF: dict[TaskKind, Callable[[ProjectSpec, Item, Answer], None]] = {
    "comparison": ranking,
    "ranking": ranking,
    "rating": _rating,
    "demonstration": _demonstration,
    "conversation": _conversation,
}


def _not_asked(answer: Answer, *names: str) -> None:
    for name in names:
        if getattr(answer, name) not in ((), None, ""):
            raise InputError(f"{name}: this task does not ask for it; leave it out")


def check_labels(spec: ProjectSpec, item: Item, answer: Answer) -> None:
    """Refuse flags and ratings that the project does not ask for."""
    size = len(item.responses)
    allowed = {
        "flags": {label.name for label in spec.settings.flags},
        "ratings": {label.name for label in spec.settings.axes},
    }
    for part, names in allowed.items():
        given = getattr(answer, part)
        if len(given) not in (0, size):
            raise InputError(
                f"{part}: {len(given)} entries for {size} responses; give one for each, or none"
            )
        for index, entry in enumerate(given):
            unknown = sorted(set(entry) - names)
            if unknown:
                raise InputError(f"{part}.{index}: this project has no `{unknown[0]}`")


def _require_ratings(spec: ProjectSpec, answer: Answer, size: int) -> None:
    given = answer.ratings or ({},) * size
    for index, entry in enumerate(given):
        for axis in spec.settings.axes:
            if axis.name not in entry:
                raise InputError(
                    f"ratings.{index}: `{axis.name}` is missing; rate every response on every axis"
                )
