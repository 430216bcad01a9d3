"""Public comparisons: two web answers to one prompt, and which of them the crowd voted up.

The crowd has its own taste, as voters on the web have: few look anything up, many like length
and self-assurance, and some vote for anything. A handful of votes decides each pair.
"""

import hashlib
import random

from accord.records import Comparison, LabeledComparison, Preference, Response
from accord.worlds.chance import one_of, stream
from accord.worlds.conversation import Request
from accord.worlds.facts import World
from accord.worlds.flaws import mix_of, write
from accord.worlds.labelers import Labeler, gumbel, perceive
from accord.worlds.prompts import to_prompt, training_requests
from accord.worlds.reading import read

VOTERS = (1, 3, 5, 9)  # how many people vote on a pair
CROWD = "crowd"


def public_comparisons(world: World, count: int, seed: int) -> list[LabeledComparison]:
    """Return pairs of different answers with the crowd's choice; no pair is a tie."""
    rng = stream(seed, "public comparisons", world.seed)
    requests = training_requests(world, rng)
    return [_pair(world, next(requests), number, rng) for number in range(count)]


def _pair(world: World, request: Request, number: int, rng: random.Random) -> LabeledComparison:
    mix = mix_of(world, request.question)
    texts: list[str] = []
    while len(texts) < 2:  # noqa: PLR2004 -- a pair
        text = write(world, request, mix.draw(rng), rng)
        if text not in texts:
            texts.append(text)
    voters = one_of(rng, VOTERS)
    votes = sum(_prefers_first(world, request, texts, rng) for _ in range(voters))
    first_wins = 2 * votes > voters
    prompt = to_prompt(world, request)
    name = hashlib.sha256(f"{number}\0{prompt.id}\0{texts}".encode()).hexdigest()[:16]
    responses = tuple(
        Response(id=f"{name}-{place}", prompt_id=prompt.id, text=text, policy="web")
        for place, text in enumerate(texts)
    )
    preference = Preference(
        id=f"{name}-vote",
        comparison_id=name,
        labeler=CROWD,
        ranks=(1, 2) if first_wins else (2, 1),
    )
    comparison = Comparison(id=name, prompt=prompt, responses=responses)
    return LabeledComparison(comparison=comparison, preferences=(preference,))


def _prefers_first(world: World, request: Request, texts: list[str], rng: random.Random) -> bool:
    """One voter's choice; every vote is another person's."""
    voter = Labeler(
        name=CROWD,
        temperature=rng.uniform(0.8, 2.5),
        checks_facts=rng.uniform(0.2, 0.8),
        length=rng.uniform(0.0, 0.6),
        flattery=rng.uniform(-0.2, 1.0),
        not_knowing=rng.uniform(-1.5, 0.0),
        first_place=0.0,
        tie_width=0.0,
    )
    seen = [perceive(world, voter, request.question, read(text), rng) for text in texts]
    noise = voter.temperature * (gumbel(rng) - gumbel(rng))
    return seen[0] - seen[1] + noise > 0
