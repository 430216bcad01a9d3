"""Counterbalancing: which model stands where on a labeler's screen, exactly, not only on average.

For each labeler, project and set of models, orders are dealt from a deck. A deck holds each row
of a random Latin square once and each row of the same square mirrored once, so after any number
of showings

    every model stood at every place equally often, within one;
    after a whole deck, each of two models stood before the other equally often, exactly.

With two responses that is: each side equally often, within one. An order that was shown and not
answered goes back on top of the deck, so what is balanced are answers.
"""

import hashlib
import random
from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from accord.records import Response
from accord.store import tables

Order = tuple[int, ...]

_BALANCE = tables.balances.c
_HERE = (
    _BALANCE.project_id == bindparam("project"),
    _BALANCE.labeler_id == bindparam("person"),
    _BALANCE.key == bindparam("models"),
)
_DECK = select(_BALANCE.decks, _BALANCE.deck).where(*_HERE).with_for_update()
_PUT = (
    update(tables.balances).where(*_HERE).values(decks=bindparam("begun"), deck=bindparam("cards"))
)
KEY_DIGITS = 20


def deal(
    session: Session,
    responses: Sequence[Response],
    *,
    project_id: str,
    person: int,
    seed: int,
    purpose: str = "vote",
) -> tuple[Order, str]:
    """Take the next order for a labeler.

    Returns:
        The order (``order[j]`` is the index of the response at place j), and a mark by which
        ``give_back`` knows the card.
    """
    size = len(responses)
    if size < 2:  # noqa: PLR2004  # one response has one order
        return tuple(range(size)), ""
    models = sorted(range(size), key=lambda i: (_model(responses[i]), i))
    names = "\0".join(_model(responses[i]) for i in models)
    key = hashlib.sha256(f"{purpose}\0{names}".encode()).hexdigest()[:KEY_DIGITS]
    here = {"project": project_id, "person": person, "models": key}
    row = session.execute(_DECK, here).one_or_none()
    decks, cards = (0, []) if row is None else (row.decks, list(row.deck))
    if not cards:
        cards = ["".join(map(str, order)) for order in deck(size, f"{seed}:{person}:{key}:{decks}")]
        decks += 1
    card = cards.pop(0)
    if row is None:
        values = {"project_id": project_id, "labeler_id": person, "key": key}
        values |= {"decks": decks, "deck": cards}
        session.execute(insert(tables.balances), values)
    else:
        session.execute(_PUT, {**here, "begun": decks, "cards": cards})
    return tuple(models[int(place)] for place in card), f"{key}:{card}"


def give_back(session: Session, mark: str, *, project_id: str, person: int) -> None:
    """Put an order that was not answered back on top of its deck."""
    if not mark:
        return
    key, card = mark.split(":")
    here = {"project": project_id, "person": person, "models": key}
    row = session.execute(_DECK, here).one()
    session.execute(_PUT, {**here, "begun": row.decks, "cards": [card, *row.deck]})


def take(session: Session, mark: str, *, project_id: str, person: int) -> None:
    """Take a certain order from its deck after all, where it was given back: a late answer."""
    if not mark:
        return
    key, card = mark.split(":")
    here = {"project": project_id, "person": person, "models": key}
    row = session.execute(_DECK, here).one()
    if card in row.deck:
        cards = list(row.deck)
        cards.remove(card)
        session.execute(_PUT, {**here, "begun": row.decks, "cards": cards})


def deck(size: int, seed: str) -> list[Order]:
    """The orders of one deck, ``2 * size`` of them.

    >>> sorted(deck(2, "any"))
    [(0, 1), (0, 1), (1, 0), (1, 0)]
    >>> cards = deck(4, "any")
    >>> [sorted(order[place] for order in cards[:4]) for place in range(4)]
    [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    """
    rng = random.Random(seed)
    row = list(range(size))
    rng.shuffle(row)
    cards: list[Order] = []
    for square in (row, row[::-1]):
        turns = list(range(size))
        rng.shuffle(turns)
        cards += [tuple(square[turn:] + square[:turn]) for turn in turns]
    return cards


def _model(response: Response) -> str:
    return f"{response.policy}\0{response.policy_digest}"
