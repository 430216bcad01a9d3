"""Threads as demonstrations, comparisons and conversations."""

from accord.data.preferences import pair_votes
from accord.data.threads import Answer, Tally, Thread, merged, opening, prompt_of
from accord.records import Message


def prompt(text="Which?"):
    return prompt_of([Message(role="user", content=text)])


def thread(*ranked, labeler="people"):
    answers = tuple(Answer(text, rank) for text, rank in ranked)
    return Thread(prompt(), answers, labeler=labeler)


def ranking(labeled):
    (preference,) = labeled.preferences
    texts = [response.text for response in labeled.comparison.responses]
    return dict(zip(texts, preference.ranks, strict=True))


def test_a_comparison_keeps_the_ranks_without_gaps():
    labeled = thread(("good", 2), ("bad", 7), ("also good", 2)).comparison()
    assert ranking(labeled) == {"good": 1, "also good": 1, "bad": 2}


def test_where_a_response_stands_says_nothing_about_its_rank():
    firsts = [ranking(thread((f"good {n}", 1), (f"bad {n}", 2)).comparison()) for n in range(200)]
    first_is_best = sum(next(iter(ranks.values())) == 1 for ranks in firsts)
    assert 70 < first_is_best < 130


def test_unranked_answers_are_not_compared():
    assert thread(("one", None), ("two", 1)).comparison() is None
    assert thread(("one", None), ("two", None)).comparison() is None


def test_at_most_nine_are_compared_and_the_best_stay():
    labeled = thread(*[(f"answer {n}", n) for n in range(1, 13)]).comparison()
    assert set(ranking(labeled)) == {f"answer {n}" for n in range(1, 10)}


def test_the_best_are_those_that_nobody_ranked_below_another():
    one = thread(("good", 1), ("bad", 2), ("unranked", None))
    assert [answer.text for answer in one.best] == ["good", "unranked"]
    assert [d.response for d in one.demonstrations(best_only=True)] == ["good", "unranked"]
    assert [d.response for d in one.demonstrations(best_only=False)] == ["good", "bad", "unranked"]
    assert [c[-1].content for c in one.conversations()] == ["good", "unranked"]


def test_what_a_model_wrote_is_no_demonstration():
    one = Thread(prompt(), (Answer("by a model", 1, "model", is_synthetic=True),))
    assert list(one.demonstrations(best_only=True)) == []


def test_pairs_are_all_decided_ones():
    pairs = thread(("a", 1), ("b", 2), ("c", 2), ("d", None)).pairs()
    texts = [{r.text for r in pair.comparison.responses} for pair in pairs]
    assert texts == [{"a", "b"}, {"a", "c"}]
    assert all(len(list(pair_votes(pair))) == 1 for pair in pairs)


def test_own_records_stay_as_they_are():
    labeled = thread(("a", 1), ("b", 2)).comparison()
    own = Thread(labeled.comparison.prompt, labeled=labeled)
    assert own.comparison() is labeled
    assert own.pairs() == [labeled]


def test_the_same_data_have_the_same_ids():
    one, two = (thread(("a", 1), ("b", 2)).comparison() for _ in range(2))
    assert one == two
    assert thread(("a", 2), ("b", 1)).comparison().comparison == one.comparison


def test_equal_texts_are_two_responses():
    labeled = thread(("same", 1), ("same", 1)).comparison()
    assert len({response.id for response in labeled.comparison.responses}) == 2


def test_repeated_comparisons_become_one_with_every_different_opinion():
    tally = Tally()
    one = thread(("a", 1), ("b", 2)).comparison()
    same = thread(("a", 1), ("b", 2)).comparison()
    opposite = thread(("a", 2), ("b", 1)).comparison()
    other = thread(("a", 1), ("c", 2)).comparison()
    found = merged([one, same, other, opposite], tally)
    assert [len(labeled.preferences) for labeled in found] == [2, 1]
    assert tally == {"left_out/duplicate": 1}


def test_the_opening_is_what_the_user_said_first():
    messages = [
        Message(role="assistant", content="Welcome"),
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello"),
        Message(role="user", content="Bye"),
    ]
    assert opening(prompt_of(messages)) == "Hi"
