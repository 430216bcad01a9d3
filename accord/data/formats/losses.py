"""What a format has no place for, counted on the very data that is written.

Every feature below is something a vote can have. A writer says which of them its format holds;
the others are counted, so that the loss of an export is a number and not a warning in general.
"""

from collections.abc import Callable, Iterable, Iterator

from accord.data.formats.entries import Entry, Judgment, is_tie
from accord.data.threads import Tally

Has = Callable[[Entry, Judgment], bool]

FEATURES: dict[str, tuple[str, Has]] = {
    "policy": (
        "who wrote each response",
        lambda entry, _: any(r.policy not in ("", "unknown") for r in entry.responses),
    ),
    "texts": (
        "the texts of the responses",
        lambda entry, _: any(response.text for response in entry.responses),
    ),
    "conversation": (
        "what was said before the last message of the user",
        lambda entry, _: len(entry.prompt.messages) > 1,
    ),
    "sampling": (
        "how responses were drawn: snapshot digest, sampling settings, seed",
        lambda entry, _: any(
            r.policy_digest or r.sampling or r.seed is not None for r in entry.responses
        ),
    ),
    "labeler": ("who judged", lambda _, judgment: True),
    "time": ("when it was judged", lambda _, judgment: judgment.time is not None),
    "seconds": ("how long it took", lambda _, judgment: judgment.seconds is not None),
    "side": ("the order on the screen", lambda _, judgment: bool(judgment.shown_order)),
    "strength": ("how strong the preference is", lambda _, j: j.strength is not None),
    "tie": (
        "ties: no row is written for them",
        lambda _, j: len(j.ranks) > 1 and is_tie(j.ranks) and j.tie != "both_bad",
    ),
    "tie_kind": (
        "whether a tie means equally good or equally bad",
        lambda _, j: j.tie != "",
    ),
    "both_bad": (
        "both bad: no row is written for them",
        lambda _, j: j.tie == "both_bad",
    ),
    "ranking": (
        "rankings of three and more as such: they become pairs",
        lambda _, j: len(j.ranks) > 2,  # noqa: PLR2004 - more than a pair
    ),
    "ratings": ("ratings of single responses", lambda _, j: bool(j.ratings)),
    "flags": ("flags of single responses", lambda _, j: any(j.flags)),
    "setting": (
        "the project, the mode, the priority and the guidelines",
        lambda _, j: bool(j.project or j.mode or j.priority or j.guideline),
    ),
    "gold": (
        "which votes were on items with a known answer, or repeats",
        lambda _, j: j.purpose != "vote" or j.gold is not None,
    ),
    "note": ("remarks", lambda _, j: bool(j.note)),
    "polarity": (
        "that the more harmful response was asked for: the pair is turned round, so that the "
        "response to learn from comes first",
        lambda _, j: j.polarity == "harmful_first",
    ),
}


def counted(entries: Iterable[Entry], holds: frozenset[str], tally: Tally) -> Iterator[Entry]:
    """Pass entries on, counting under ``lost/FEATURE`` the votes that have what is not held."""
    missing = [(name, has) for name, (_, has) in FEATURES.items() if name not in holds]
    for entry in entries:
        tally["items"] += 1
        tally["votes"] += len(entry.judgments)
        for judgment in entry.judgments:
            for name, has in missing:
                if has(entry, judgment):
                    tally[f"lost/{name}"] += 1
        yield entry


def said(tally: Tally) -> list[str]:
    """One sentence for everything that was counted as lost.

    >>> said(Tally({"lost/time": 3, "votes": 4}))
    ['when it was judged (3 votes)']
    """
    return [
        f"{meaning} ({tally[f'lost/{name}']} votes)"
        for name, (meaning, _) in FEATURES.items()
        if tally[f"lost/{name}"]
    ]
