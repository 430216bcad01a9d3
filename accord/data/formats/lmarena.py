"""Battles of LMArena (Chatbot Arena): two chatbots answer the same person, who says who won.

    {"question_id", "model_a", "model_b", "winner": "model_a", "judge", "conversation_a": […],
     "conversation_b": […], "turn", "anony", "language", "tstamp"}

``winner`` is ``model_a``, ``model_b``, ``tie`` or ``tie (bothbad)``; later releases write
``both_bad`` and ``timestamp``. A is the left side of the page. The logs of votes alone have no
conversations: prompt and responses are then empty texts.

Source: https://huggingface.co/datasets/lmsys/chatbot_arena_conversations; FastChat,
``fastchat/serve/monitor/clean_battle_data.py``; Chiang et al. 2024, arXiv:2403.04132.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from accord.data.formats.dialogues import as_dicts, parted, whole
from accord.data.formats.differences import restored
from accord.data.formats.entries import (
    PAIR,
    Entry,
    Judgment,
    Said,
    Text,
    entry_of,
    file_order,
    pairs_of,
    ranks_to_learn,
)
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Format, Options, kept_of
from accord.data.threads import Tally, hashed, prompt_of
from accord.records import Message, Prompt, Tie

WINNERS: dict[str, tuple[tuple[int, int], Tie]] = {
    "model_a": ((1, 2), ""),
    "model_b": ((2, 1), ""),
    "tie": ((1, 1), "both_good"),
    "tie (bothbad)": ((1, 1), "both_bad"),
    "bothbad": ((1, 1), "both_bad"),
    "both_bad": ((1, 1), "both_bad"),
}
IDS = ("question_id", "id")


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one battle of a row."""
    ranks, tie = WINNERS[row.choice("winner", list(WINNERS))]
    key = next((row.name(name) for name in IDS if row.has(name)), "")
    found = _conversations(row, key, tally)
    if found is None:
        return
    prompt, text_a, text_b = found
    said = Said(
        row.name("judge", options.labeler_of(row.row)),
        ranks=ranks,
        tie=tie,
        is_order_shown=True,
        time=row.instant("tstamp") or row.instant("timestamp"),
        key=key,
    )
    texts = [Text(text_a, row.name("model_a")), Text(text_b, row.name("model_b"))]
    yield entry_of(prompt, texts, [said])


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A battle for every two responses of every vote."""
    for entry in entries:
        tally["lost/no_ranking"] += sum(not judgment.ranks for judgment in entry.judgments)
        for pair in pairs_of(entry):
            for judgment in pair.judgments:
                if judgment.ranks:
                    yield restored(_battle(pair, judgment), kept_of(judgment.origin, "lmarena"))


def _battle(entry: Entry, judgment: Judgment) -> dict[str, Any]:
    a, b = file_order(judgment, PAIR)
    messages = [whole(entry.prompt.messages, entry.responses[place].text) for place in (a, b)]
    row = {
        "question_id": judgment.id,
        "model_a": entry.responses[a].policy,
        "model_b": entry.responses[b].policy,
        "winner": _winner(judgment, a, b),
        "judge": judgment.labeler,
        "conversation_a": as_dicts(messages[0]),
        "conversation_b": as_dicts(messages[1]),
        "turn": sum(message.role == "user" for message in messages[0]),
    }
    return row if judgment.time is None else row | {"tstamp": judgment.time.timestamp()}


def _winner(judgment: Judgment, a: int, b: int) -> str:
    ranks = ranks_to_learn(judgment)
    if ranks[a] == ranks[b]:
        return "tie (bothbad)" if judgment.tie == "both_bad" else "tie"
    return "model_a" if ranks[a] < ranks[b] else "model_b"


def _conversations(row: Fields, key: str, tally: Tally) -> tuple[Prompt, str, str] | None:
    if not row.has("conversation_a") and not row.has("conversation_b"):
        tally["texts_missing"] += 1
        name = key or hashed(*sorted(map(str, row.values.items())))
        prompt = Prompt(id=f"p-{hashed('lmarena', name)}", messages=(_EMPTY,))
        return prompt, "", ""
    found = parted(row.messages("conversation_a"), row.messages("conversation_b"))
    if found is None:
        tally.leave_out("no_common_prompt")
        return None
    messages, text_a, text_b = found
    return prompt_of(messages, kind=row.text_or("language")), text_a, text_b


_EMPTY = Message(role="user", content="")

FORMAT = Format(
    name="lmarena",
    title="LMArena battles: model_a, model_b, winner, judge, conversation_a, conversation_b",
    read=read,
    write=write,
    holds=frozenset(
        {
            "texts",
            "conversation",
            "policy",
            "labeler",
            "time",
            "side",
            "tie",
            "tie_kind",
            "both_bad",
        }
    ),
    reading=(
        "`tie` is read as equally good, as the arena offers `both are bad` beside it",
        "a conversation of several turns is one response: the two chatbots saw different ones",
    ),
    writing=("a tie of unknown kind is written as `tie`",),
)
