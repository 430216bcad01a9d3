"""Items: what can be answered, written once, and the batches that hold them."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Comparison, Item, Message, Prompt
from accord.store import tables

PAIR = 2  # responses from which on an item is kept as a Comparison

_COMPARISON, _MEMBER = tables.comparisons.c, tables.members.c
_PAYLOAD = select(_COMPARISON.payload).where(_COMPARISON.id == bindparam("of"))


def insert_new(session: Session, found: Sequence[Item | Comparison]) -> tuple[list[str], list[str]]:
    """Write the items that are new to the ledger.

    Returns:
        The ids that were new, in the order given, and those that were there already.

    Raises:
        InputError: another item with the same id is there, or two of these have one id.
    """
    payloads: dict[str, str] = {}
    for item in found:
        text = payload(item)
        if payloads.setdefault(item.id, text) != text:
            raise _another(item.id)
    known = _known(session, payloads)
    new = [item for item in {item.id: item for item in found}.values() if item.id not in known]
    if new:
        session.execute(
            insert(tables.comparisons),
            [{"id": i.id, "payload": payloads[i.id], "size": len(i.responses)} for i in new],
        )
    return [item.id for item in new], known


def join(session: Session, identifiers: Sequence[str], batch: str) -> None:
    """Say that a batch holds these items; what it holds already stays."""
    members = set(
        session.scalars(
            select(_MEMBER.comparison_id).where(
                _MEMBER.batch == batch, _MEMBER.comparison_id.in_(identifiers)
            )
        )
    )
    rows = [{"batch": batch, "comparison_id": i} for i in identifiers if i not in members]
    if rows:
        session.execute(insert(tables.members), rows)


def get(session: Session, item_id: str) -> Item:
    """An item by its id.

    Raises:
        InputError: there is none.
    """
    found = session.scalars(_PAYLOAD, {"of": item_id}).one_or_none()
    if found is None:
        raise unknown(item_id)
    return parsed(found)


def unknown(item_id: str) -> InputError:
    """The error of an id that nothing has."""
    return InputError(f"no item `{item_id[:80]}` in the store; check the id")


def sizes(session: Session, batch: str) -> list[tuple[str, int]]:
    """Id and number of responses of each item of a batch, by id."""
    rows = session.execute(
        select(_COMPARISON.id, _COMPARISON.size)
        .join(tables.members, _MEMBER.comparison_id == _COMPARISON.id)
        .where(_MEMBER.batch == batch)
        .order_by(_COMPARISON.id)
    )
    return [(row.id, row.size) for row in rows]


def payload(item: Item | Comparison) -> str:
    """The JSON under which an item is kept: of two responses or more, that of a comparison."""
    if isinstance(item, Item) and item.prompt is not None and len(item.responses) >= PAIR:
        item = Comparison(id=item.id, prompt=item.prompt, responses=item.responses)
    return item.model_dump_json(by_alias=True)


def parsed(text: str) -> Item:
    """The item of a payload; every comparison is one."""
    return Item.model_validate_json(text)


def prompt_of(item: Item) -> Prompt:
    """The prompt of an item; its instruction where it has none."""
    if item.prompt is not None:
        return item.prompt
    asked = Message(role="user", content=item.instruction)
    return Prompt(id=f"{item.id[:190]}:prompt", messages=(asked,))


def _known(session: Session, payloads: dict[str, str]) -> list[str]:
    """The ids that are in the ledger already, with exactly this content."""
    rows = session.execute(
        select(_COMPARISON.id, _COMPARISON.payload).where(_COMPARISON.id.in_(payloads))
    )
    known = []
    for identifier, text in rows:
        if text != payloads[identifier]:
            raise _another(identifier)
        known.append(identifier)
    return known


def _another(identifier: str) -> InputError:
    return InputError(
        f"the ledger holds another comparison with the id `{identifier}`; "
        "ids must be unique, use another store or other ids"
    )
