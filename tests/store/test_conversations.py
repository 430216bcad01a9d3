"""Conversations: turns are comparisons, choices are votes, the chosen response goes on."""

import pytest

from accord.config import InputError
from accord.records import Response
from accord.store import answers, conversations, dialogues, drafts, export
from accord.store.leases import AlreadyAnswered, NotYours
from accord.store.queue import next_task


@pytest.fixture
def talk(office):
    """Begins a conversation of ann; more settings may be given."""

    def begin(goal="learn about tea", **spec):
        at_work = office(task="conversation", **spec)
        task = at_work.next()
        at_work.do(conversations.begin, task.id, goal, labeler="ann")
        return at_work, task.id

    return begin


def said(*texts):
    return [
        Response(id="x", prompt_id="x", text=text, policy=f"policy{n}", seed=n)
        for n, text in enumerate(texts)
    ]


def offer(at_work, conversation, message, *texts, labeler="ann"):
    candidates = said(*texts or ("one", "two"))
    return at_work.do(
        conversations.offer, conversation, message, candidates, labeler=labeler, seed=3
    )


def choose(at_work, conversation, labeler="ann", continue_with=None, **given):
    values = {"ranks": (1, 2)} | given
    answer = at_work.answer(at_work.next(), **values)
    return at_work.do(
        conversations.choose, conversation, answer, continue_with=continue_with, labeler=labeler
    )


def finish(at_work, conversation, **given):
    return at_work.do(conversations.finish, conversation, labeler="ann", **given)


def test_a_conversation_from_goal_to_rating(talk):
    at_work, name = talk("find a way to insult", mode="red_team")
    first = offer(at_work, name, "Hello", "Hi!", "Go away!")
    assert (first.turn, first.comparison.prompt.messages[-1].content) == (0, "Hello")
    choose(at_work, name, ranks=(2, 1), strength=4)
    second = offer(at_work, name, "Why?", "Sorry.", "Because.")
    assert [(m.role, m.content) for m in second.comparison.prompt.messages] == [
        ("user", "Hello"),
        ("assistant", "Go away!"),
        ("user", "Why?"),
    ]
    choose(at_work, name, ranks=(1, 1), tie="both_bad", continue_with=1)
    assert finish(at_work, name, rating=3, comment="rude", seconds=80.0)
    assert not finish(at_work, name, rating=3)
    found = at_work.see(dialogues.load, name).record
    assert (found.goal, found.rating, found.note, found.finished) == (
        "find a way to insult",
        3,
        "rude",
        True,
    )
    assert (found.mode, found.polarity, found.project) == ("red_team", "harmful_first", "p1")
    assert [turn.continued_with for turn in found.turns] == [1, 1]
    votes = [one.preferences[0] for one in at_work.see(lambda s: list(export.labeled(s)))]
    assert [vote.polarity for vote in votes] == ["harmful_first"] * 2
    assert votes[0].better_first().ranks == (1, 2)
    assert [vote.tie for vote in votes] == ["", "both_bad"]
    assert at_work.next().id != name  # and the next conversation may begin


def test_responses_keep_who_made_them_and_get_ids_that_do_not_say(talk):
    at_work, name = talk()
    made = offer(at_work, name, "Hello").comparison.responses
    assert [(r.policy, r.seed, r.text) for r in made] == [
        ("policy0", 0, "one"),
        ("policy1", 1, "two"),
    ]
    assert [r.id for r in made] == [f"{name}:0:0", f"{name}:0:1"]


def test_everything_can_be_sent_twice(talk):
    at_work, name = talk()
    again = at_work.do(conversations.begin, name, "learn about tea", labeler="ann")
    assert again.goal == "learn about tea"
    first = offer(at_work, name, "Hello", "one", "two")
    assert offer(at_work, name, "Hello", "three", "four") == first
    receipt = choose(at_work, name, id="v1")
    assert receipt.recorded
    assert not choose(at_work, name, id="v1").recorded
    with pytest.raises(AlreadyAnswered) as caught:
        choose(at_work, name, id="v2")
    assert caught.value.answer_id == "v1"


def test_the_last_choice_can_be_taken_back(talk):
    at_work, name = talk()
    offer(at_work, name, "Hello")
    choose(at_work, name, id="v1")
    undone = at_work.do(conversations.undo_choice, name, labeler="ann")
    assert undone.undecided().number == 0
    assert at_work.do(conversations.undo_choice, name, labeler="ann").undecided() is not None
    choose(at_work, name, id="v2", ranks=(2, 1))
    assert [p.id for p in at_work.see(lambda s: list(export.preferences(s)))] == ["v2"]
    with pytest.raises(NotYours):
        at_work.do(answers.undo, "v2", labeler="ann")  # a turn is not a task


def test_a_manager_takes_a_turn_or_a_whole_conversation_out(talk):
    at_work, name = talk()
    for message, vote in (("Hello", "v1"), ("More", "v2"), ("Most", "v3")):
        offer(at_work, name, message)
        choose(at_work, name, id=vote)
    assert at_work.do(answers.withdraw, "v2", reason="copied", by="mia")
    assert [p.id for p in at_work.see(lambda s: list(export.preferences(s)))] == ["v1", "v3"]
    assert at_work.do(conversations.withdraw, name, reason="copied", by="mia")
    assert not at_work.do(conversations.withdraw, name, reason="copied", by="mia")
    assert at_work.see(lambda s: list(export.preferences(s))) == []
    with pytest.raises(NotYours):
        at_work.do(conversations.withdraw, "no such", reason="copied", by="mia")


def test_sides_are_counterbalanced_over_turns(talk):
    at_work, name = talk(settings={"max_turns": 12})
    orders = []
    for turn in range(12):
        orders.append(offer(at_work, name, f"message {turn}").shown_order)
        choose(at_work, name)
        assert abs(orders.count((0, 1)) - orders.count((1, 0))) <= 1


def test_an_unanswered_offer_does_not_unbalance(talk):
    at_work, name = talk(settings={"min_turns": 0})
    first = offer(at_work, name, "Hello").shown_order
    finish(at_work, name)
    following = at_work.next()
    at_work.do(conversations.begin, following.id, "", labeler="ann")
    assert offer(at_work, following.id, "Hello").shown_order == first


def test_items_come_before_free_conversations(office, make):
    at_work = office(task="conversation", items=[make.item(0)])
    assert at_work.next().item.prompt.messages[0].content == "Question 0?"
    free = at_work.next("bob")
    assert (free.item.prompt, free.item.instruction) == (None, "Which is better?")


def test_the_prompt_of_an_item_begins_the_dialogue(office, make):
    at_work = office(task="conversation", items=[make.item(0)])
    name = at_work.next().id
    at_work.do(conversations.begin, name, "", labeler="ann")
    prompt = offer(at_work, name, "In one word.").comparison.prompt
    assert [m.content for m in prompt.messages] == ["Question 0?\n\nIn one word."]


def test_without_free_conversations_items_run_out(office, make):
    settings = {"free_conversations": False}
    at_work = office(task="conversation", items=[make.item(0)], settings=settings)
    assert at_work.next() is not None
    assert at_work.next("bob") is None


def test_a_conversation_whose_lease_ended_goes_on(talk):
    at_work, name = talk(settings={"lease_seconds": 60})
    offer(at_work, name, "Hello")
    at_work.do(next_task, "p1", "bob", after=100, seed=0)
    answer = at_work.answer(at_work.next("bob", after=100), ranks=(1, 2))
    assert at_work.do(conversations.choose, name, answer, labeler="ann", after=101).recorded


def test_a_draft_goes_with_the_choice(talk):
    at_work, name = talk()
    offer(at_work, name, "Hello")
    at_work.do(drafts.save, name, "typed", labeler="ann")
    choose(at_work, name)
    assert at_work.see(drafts.load, name, labeler="ann") is None
    at_work.do(drafts.save, name, "typed", labeler="ann")
    finish(at_work, name)
    assert at_work.see(drafts.load, name, labeler="ann") is None


def test_what_cannot_be_is_refused(talk, make):
    at_work, name = talk(settings={"max_turns": 1, "min_turns": 1})
    with pytest.raises(InputError, match="there are no candidates"):
        choose(at_work, name)
    with pytest.raises(InputError, match="there is no choice to take back"):
        at_work.do(conversations.undo_choice, name, labeler="ann")
    with pytest.raises(InputError, match="it needs 1"):
        finish(at_work, name)
    with pytest.raises(InputError, match="message: is empty"):
        offer(at_work, name, " ")
    with pytest.raises(InputError, match="message: 50001 characters"):
        offer(at_work, name, "x" * 50_001)
    with pytest.raises(InputError, match="1 candidates; a turn needs two"):
        offer(at_work, name, "Hello", "alone")
    offer(at_work, name, "Hello")
    with pytest.raises(InputError, match="choose one of the candidates first"):
        offer(at_work, name, "Are you there?")
    with pytest.raises(InputError, match="ranked first"):
        choose(at_work, name, continue_with=1)
    choose(at_work, name)
    with pytest.raises(InputError, match="has its 1 turns"):
        offer(at_work, name, "More")
    with pytest.raises(InputError, match="rating: `5`"):
        finish(at_work, name, rating=5)
    with pytest.raises(InputError, match="began with another goal"):
        at_work.do(conversations.begin, name, "other", labeler="ann")
    with pytest.raises(NotYours):
        offer(at_work, name, "Hello", labeler="bob")
    finish(at_work, name)
    with pytest.raises(InputError, match="is over"):
        offer(at_work, name, "Hello")


def test_red_teaming_needs_a_goal_and_a_rating(office):
    at_work = office(task="conversation", mode="red_team")
    name = at_work.next().id
    with pytest.raises(InputError, match="goal: is empty"):
        at_work.do(conversations.begin, name, " ", labeler="ann")
    with pytest.raises(InputError, match="goal: 50001 characters"):
        at_work.do(conversations.begin, name, "x" * 50_001, labeler="ann")
    with pytest.raises(InputError, match="has not begun"):
        offer(at_work, name, "Hello")
    at_work.do(conversations.begin, name, "insult", labeler="ann")
    offer(at_work, name, "Hello")
    choose(at_work, name)
    with pytest.raises(InputError, match="rating: is missing"):
        finish(at_work, name)


def test_a_conversation_is_no_other_task(office, make, talk):
    at_work = office(items=[make.comparison(0)])
    with pytest.raises(InputError, match="is a comparison task, no conversation"):
        at_work.do(conversations.begin, at_work.next().id, "x", labeler="ann")


def test_a_conversation_does_not_end_by_an_answer(talk):
    at_work, _ = talk()
    with pytest.raises(InputError, match="ends by finishing it"):
        at_work.submit(at_work.next())


def test_there_is_no_unknown_conversation(store):
    with store.reading() as session, pytest.raises(LookupError):
        dialogues.load(session, "no such")
