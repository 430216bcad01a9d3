"""OpenAssistant trees: people write prompts and replies, and rank the replies to one prompt.

    {"message_tree_id", "tree_state", "prompt": {"message_id", "text", "role": "prompter",
     "replies": [{"text", "role": "assistant", "rank": 0, "replies": […], …}, …], …}}

A rank is that of all people who ranked, 0 is best; nobody is named. Trees are written whole: a
message that nobody ranked has no record and is kept beside them.

Source: https://github.com/LAION-AI/Open-Assistant, ``oasst-data/oasst_data/schemas.py``; Köpf et
al. 2023, arXiv:2304.07327.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from accord.data.formats.entries import (
    Entry,
    Said,
    Text,
    entry_of,
    file_order,
    ranks_to_learn,
)
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Format, Options
from accord.data.threads import MOST_RESPONSES, Answer, Tally, dense, hashed
from accord.data.trees import ROLES, tree_threads
from accord.records import Message

NAME = "oasst"
TREE, RANKS = "tree", "ranks"  # what is kept: the tree without ranks, the ranks as they were
Node = dict[str, Any]


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """One entry for every prompt of a tree whose replies were ranked.

    The first one keeps the tree; a tree without ranks is an item that nobody judged.
    """
    threads = list(tree_threads(row.row, tally))
    found: list[Entry] = []
    for thread in threads:
        ranked = [answer for answer in thread.answers if answer.rank is not None]
        if len(ranked) < 2:  # noqa: PLR2004 - one reply is above no other
            tally["unranked_replies"] += len(thread.answers)
            continue
        if len(ranked) > MOST_RESPONSES:
            tally.leave_out("more_than_nine", len(ranked) - MOST_RESPONSES)
            ranked = sorted(ranked, key=lambda one: one.rank or 0)[:MOST_RESPONSES]
        ranks = [answer.rank or 0 for answer in ranked]
        said = Said(
            options.labeler_of(row.row), ranks=ranks, row={RANKS: [rank - 1 for rank in ranks]}
        )
        found.append(entry_of(thread.prompt, [_text(answer) for answer in ranked], [said]))
    if not found and threads:
        tally["without_votes"] += 1
        answers = threads[0].answers[:MOST_RESPONSES]
        found.append(entry_of(threads[0].prompt, [_text(answer) for answer in answers], []))
    if found and found[0].origin:
        kept = found[0].origin.model_copy(update={"kept": {TREE: _without_ranks(row, found)}})
        found[0] = found[0].model_copy(update={"origin": kept})
    yield from (entry if entry.origin and entry.origin.kept else _kept(entry) for entry in found)


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A tree for every first message; all entries are held in memory for it."""
    trees: dict[tuple[object, ...], list[Entry]] = {}
    for entry in entries:
        first, origin = entry.prompt.messages[0], entry.origin
        is_own = origin is not None and origin.format == NAME
        where = (origin.file, origin.line) if origin and is_own else ()
        trees.setdefault((first.role, first.content, *where), []).append(entry)
    for group in trees.values():
        kept = [_tree_of(entry) for entry in group]
        tree = next((one for one in kept if one), None) or _new_tree(group[0])
        root = tree["prompt"] if "prompt" in tree else tree
        for entry in group:
            _add(root, entry, tally)
        yield tree


def _tree_of(entry: Entry) -> Node | None:
    origin = entry.origin
    if origin is None or origin.format != NAME or TREE not in origin.kept:
        return None
    tree: Node | None = copy.deepcopy(origin.kept[TREE])
    return tree


def _kept(entry: Entry) -> Entry:
    """Mark that nothing else is to be kept."""
    origin = entry.origin.model_copy(update={"kept": {TREE: None}}) if entry.origin else None
    return entry.model_copy(update={"origin": origin})


def _text(answer: Answer) -> Text:
    return Text(answer.text, answer.policy)


def _without_ranks(row: Fields, entries: Sequence[Entry]) -> Node:
    """The tree, without the ranks that became votes: these are written from the votes."""
    tree = copy.deepcopy(row.values)
    root = tree["prompt"] if "prompt" in tree else tree
    for entry in entries:
        parent = _find(root, entry.prompt.messages)
        for reply in _replies_of(parent, entry) if parent is not None and entry.judgments else ():
            if reply is not None:
                reply["rank"] = None
    return tree


def _find(root: Node, messages: Sequence[Message]) -> Node | None:
    """The node at the end of a conversation."""
    node = root if _says(root, messages[0]) else None
    for message in messages[1:]:
        replies = (node or {}).get("replies") or []
        node = next((reply for reply in replies if _says(reply, message)), None)
    return node


def _says(node: Node, message: Message) -> bool:
    return ROLES.get(node["role"]) == message.role and node["text"].strip() == message.content


def _replies_of(parent: Node, entry: Entry) -> list[Node | None]:
    """The reply of each response in the order of the record; None where the tree lacks it.

    Equal texts are told apart by their order in the tree.
    """
    left = list(parent.get("replies") or [])
    order = (entry.origin.order if entry.origin else ()) or range(len(entry.responses))
    found: dict[int, Node | None] = {}
    for place in order:
        message = Message(role="assistant", content=entry.responses[place].text)
        reply = next((one for one in left if _says(one, message)), None)
        found[place] = reply
        if reply is not None:
            left = [one for one in left if one is not reply]
    return [found[place] for place in range(len(entry.responses))]


def _new_tree(entry: Entry) -> Node:
    root = _node(entry.prompt.messages[0], hashed(entry.prompt.messages[0].content), None)
    return {
        "message_tree_id": root["message_id"],
        "tree_state": "ready_for_export",
        "prompt": root,
    }


def _node(message: Message, identifier: str, policy: str | None) -> Node:
    is_synthetic = policy not in (None, "people", "unknown")
    return {
        "message_id": identifier,
        "text": message.content,
        "role": "prompter" if message.role == "user" else "assistant",
        "review_result": True,
        "deleted": False,
        "synthetic": is_synthetic,
        **({"model_name": policy} if is_synthetic else {}),
        "replies": [],
    }


def _add(root: Node, entry: Entry, tally: Tally) -> None:
    """Put the responses of an entry into the tree, with the ranks that people gave."""
    node = root
    messages = entry.prompt.messages
    for place, message in enumerate(messages[1:], start=2):
        replies = node.setdefault("replies", [])
        child = next((reply for reply in replies if _says(reply, message)), None)
        if child is None:
            child = _node(message, hashed(entry.prompt.id, place), None)
            replies.append(child)
        node = child
    nodes = _replies_of(node, entry)
    ranks = _ranks(entry, tally)
    order = (entry.origin.order if entry.origin else ()) or range(len(entry.responses))
    for place in order:
        response, reply = entry.responses[place], nodes[place]
        if reply is None:
            message = Message(role="assistant", content=response.text)
            reply = _node(message, response.id, response.policy)
            node.setdefault("replies", []).append(reply)
        if ranks:
            reply["rank"] = ranks[place]


def _ranks(entry: Entry, tally: Tally) -> list[int]:
    """One rank for each response, from 0: those of the file, or by the sum of everyone's ranks."""
    ranked = [judgment for judgment in entry.judgments if judgment.ranks]
    tally["lost/no_ranking"] += len(entry.judgments) - len(ranked)
    number = len(entry.responses)
    if len(ranked) == 1 and ranked[0].origin and RANKS in ranked[0].origin.kept:
        written = ranked[0].origin.kept[RANKS]
        order = file_order(ranked[0], number)
        return [written[order.index(place)] for place in range(number)]
    if not ranked:
        return []
    totals = [
        sum(ranks_to_learn(judgment)[place] for judgment in ranked) for place in range(number)
    ]
    return [rank - 1 for rank in dense(totals)]


FORMAT = Format(
    name=NAME,
    title="OpenAssistant message trees: prompt, replies, rank",
    read=read,
    write=write,
    holds=frozenset({"texts", "conversation", "policy", "tie", "ranking"}),
    reading=(
        "deleted and refused replies are not imported, with what hangs on them; of more than nine "
        "ranked replies the best nine are",
        "messages that nobody ranked have no record: they are kept beside the records",
    ),
    writing=(
        "several rankings of one prompt become one by the sum of ranks, equal sums equal ranks",
    ),
)
