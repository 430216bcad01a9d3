"""The prompts and demonstrations of post-training, and what is kept from it.

Two things are held out for evaluation: whole topics (people, things, numbers, tasks ... of
``World.held_out``), and of the other prompts a share of the texts, chosen by hash. Neither is
found in demonstrations, training prompts or public comparisons.
"""

import hashlib
import random
from collections.abc import Callable, Iterator

from accord.records import Demonstration, Message, Prompt
from accord.worlds.answers import good
from accord.worlds.asking import draw_a_kind, draw_kind
from accord.worlds.chance import stream
from accord.worlds.conversation import Request
from accord.worlds.facts import World

HELD_OUT_TEXTS = 0.25  # share of prompt texts, on topics not held out, for evaluation only
MARK = "held-out:"  # starts the topic of a prompt whose topic was held out
_TRIES = 400  # draws per prompt wanted, before a pool counts as exhausted


def held_out_topic(world: World, request: Request) -> str:
    """Return the first held-out topic that a request touches, or ""."""
    return next((topic for topic in request.topics if topic in world.held_out), "")


def is_unseen_text(world: World, request: Request) -> bool:
    """Say whether the text, though not its topic, is kept for evaluation."""
    if held_out_topic(world, request):
        return False
    digest = hashlib.sha256(f"{world.seed}\0{request.text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < HELD_OUT_TEXTS


def is_for_evaluation(world: World, request: Request) -> bool:
    """Say whether post-training must not see this request."""
    return bool(held_out_topic(world, request)) or is_unseen_text(world, request)


def to_prompt(world: World, request: Request) -> Prompt:
    """Return the record of a request, named by a hash of its text."""
    messages = tuple(
        Message(role="assistant" if place % 2 else "user", content=turn)
        for place, turn in enumerate(request.turns)
    )
    held_out = held_out_topic(world, request)
    topic = MARK + held_out if held_out else (request.topics or ("small talk",))[0]
    name = hashlib.sha256(request.text.encode()).hexdigest()[:16]
    return Prompt(id=name, messages=messages, kind=request.kind, topic=topic)


def training_requests(world: World, rng: random.Random) -> Iterator[Request]:
    """Draw requests that post-training may see, without end; texts may come again."""
    return _those(world, rng, lambda request: not is_for_evaluation(world, request))


def _those(
    world: World, rng: random.Random, wanted: Callable[[Request], bool]
) -> Iterator[Request]:
    """Draw the wanted requests, with every kind as often as it is among all requests."""
    while True:
        kind = draw_a_kind(rng)
        for _ in range(_TRIES):  # a kind may have none
            request = draw_kind(world, kind, rng)
            if wanted(request):
                yield request
                break


def training_prompts(world: World, count: int, seed: int) -> list[Prompt]:
    """Return prompts with different texts that post-training may see."""
    requests = training_requests(world, stream(seed, "training prompts", world.seed))
    return _distinct(world, requests, count)


def evaluation_prompts(world: World, count: int, seed: int) -> list[Prompt]:
    """Return prompts with different texts that post-training never sees.

    Half of them, rounded down, are on held-out topics; the others are unseen texts on topics that
    post-training knows. Of a world without held-out topics all are unseen texts.
    """
    rng = stream(seed, "evaluation prompts", world.seed)
    on_topic = count // 2 if world.held_out else 0
    new = _those(world, rng, lambda request: bool(held_out_topic(world, request)))
    unseen = _those(world, rng, lambda request: is_unseen_text(world, request))
    return _distinct(world, new, on_topic) + _distinct(world, unseen, count - on_topic)


def demonstrations(world: World, count: int, seed: int) -> list[Demonstration]:
    """Return prompts with good answers, as people wrote them in several styles; none is flawed."""
    rng = stream(seed, "demonstrations", world.seed)
    requests = {request.text: request for request in _some(training_requests(world, rng), count)}
    return [
        Demonstration(prompt=to_prompt(world, request), response=good(world, request.question, rng))
        for request in requests.values()
    ]


def _some(requests: Iterator[Request], count: int) -> Iterator[Request]:
    """Pass on requests until so many different ones came."""
    seen: set[str] = set()
    for _ in range(count * _TRIES):
        if len(seen) == count:
            return
        request = next(requests)
        if request.text not in seen:
            seen.add(request.text)
            yield request


def _distinct(world: World, requests: Iterator[Request], count: int) -> list[Prompt]:
    return [to_prompt(world, request) for request in _some(requests, count)]
