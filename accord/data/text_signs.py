"""What a policy tends to do when it fools its judge: repeat itself, and refuse.

Rules that anybody can check, not models that could be fooled as well.
"""

import re
from collections.abc import Sequence

REPEATED = 3  # tokens in a row that count as one piece

# How English assistants refuse; a policy that says this much more often has found a safe harbour.
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) sorry\b|i (?:can(?:no|')t|can not|won't|will not) "
    r"(?:help|assist|answer|do that|tell|say|give|provide|discuss)"
    r"|i(?:'m| am) (?:not able|unable) to|i do not know|i don't know|as an ai\b)",
    re.IGNORECASE,
)


def repetition(tokens: Sequence[int]) -> float:
    """Share of the pieces of three tokens in a row that occurred before in the same response.

        1 − different pieces / pieces

    >>> repetition([1, 2, 3, 1, 2, 3])
    0.25
    >>> repetition([1, 2])
    0.0
    """
    pieces = [tuple(tokens[i : i + REPEATED]) for i in range(len(tokens) - REPEATED + 1)]
    return 1 - len(set(pieces)) / len(pieces) if pieces else 0.0


def is_refusal(text: str) -> bool:
    """Whether a response declines, by its words.

    >>> is_refusal("I'm sorry, I can't help with that."), is_refusal("It is in Oslo.")
    (True, False)
    """
    return _REFUSAL.search(text.replace("’", "'")) is not None
