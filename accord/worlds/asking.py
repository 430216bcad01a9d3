"""What people ask in a world: requests of every kind, as often as each kind is asked.

    draw(world, rng) -> Request: the conversation so far and what it means

Reports are broken down by kind.
"""

import random
from collections.abc import Mapping

from accord.worlds import dialogues
from accord.worlds.chance import Weighted
from accord.worlds.conversation import Request, topics
from accord.worlds.facts import World
from accord.worlds.phrasing import phrase
from accord.worlds.questions import draw_question

KINDS: Mapping[str, float] = {  # the share of each kind among prompts
    "fact": 0.15,
    "link": 0.06,
    "compare": 0.08,
    "belief": 0.08,
    "dialogue": 0.11,
    "sum": 0.06,
    "word": 0.07,
    "list": 0.08,
    "explain": 0.06,
    "how_to": 0.08,
    "harm": 0.09,
    "unknowable": 0.08,
}
_KINDS = Weighted(KINDS)


def draw(world: World, rng: random.Random) -> Request:
    """Draw a request of any kind, each as often as ``KINDS`` says."""
    return draw_kind(world, draw_a_kind(rng), rng)


def draw_a_kind(rng: random.Random) -> str:
    """Draw a kind, each as often as ``KINDS`` says."""
    return _KINDS.draw(rng)


def draw_kind(world: World, kind: str, rng: random.Random) -> Request:
    """Draw a request of one kind."""
    if kind == "dialogue":
        return dialogues.draw(world, rng)
    question = draw_question(world, kind, rng)
    return Request(kind, question, (phrase(question, rng),), topics(world, question))
