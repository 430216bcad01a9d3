"""Ranked pairs as pairs that do not say which answer is better, only whether one is good.

    A preferred to B   →   GOOD: A  preferred to  BAD: A
                           BAD: B   preferred to  GOOD: B

What a model learns to prefer in pretraining is hard to unlearn where people want something else;
these pairs teach it to recognise a good answer without preferring one answer to another.

Source: Askell et al. 2021, arXiv:2112.00861, section 4.1. (Digests that write "GOOD: A over BAD: B"
have it wrong: that pair would still rank A over B.)
"""

from collections.abc import Iterator
from itertools import combinations

from accord.data.threads import hashed
from accord.records import Comparison, LabeledComparison, Preference, Response

GOOD, BAD = "GOOD: ", "BAD: "


def binarised(labeled: LabeledComparison) -> Iterator[LabeledComparison]:
    """Two comparisons for every two responses on which somebody decided.

    Args:
        labeled: a comparison with its preferences.

    Returns:
        For each of the two responses one comparison of itself under both words; everybody who
        preferred it votes for the good one, everybody who did not for the bad one. Ties are left
        out. Who voted, and how strongly, is kept.
    """
    turned = labeled.better_first()
    for first, second in combinations(range(len(labeled.comparison.responses)), 2):
        votes = [vote for vote in turned.preferences if vote.ranks[first] != vote.ranks[second]]
        if votes:
            yield _one(labeled.comparison, first, second, votes)
            yield _one(labeled.comparison, second, first, votes)


def _one(
    comparison: Comparison, number: int, other: int, votes: list[Preference]
) -> LabeledComparison:
    response = comparison.responses[number]
    parts = (comparison.id, response.id, comparison.responses[other].id)
    called = tuple(
        Response(
            id=f"r-{hashed(word, *parts)}",
            prompt_id=response.prompt_id,
            text=word + response.text,
            policy=response.policy,
        )
        for word in (GOOD, BAD)
    )
    identifier = f"c-{hashed('binarised', *parts)}"
    made = tuple(
        Preference(
            id=f"v-{hashed(vote.id, *parts)}",
            comparison_id=identifier,
            labeler=vote.labeler,
            ranks=(1, 2) if vote.ranks[number] < vote.ranks[other] else (2, 1),
            strength=vote.strength,
        )
        for vote in votes
    )
    whole = Comparison(id=identifier, prompt=comparison.prompt, responses=called)
    return LabeledComparison(comparison=whole, preferences=made)
