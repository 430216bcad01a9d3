"""Records to tokens."""

import json

import numpy as np
import pytest

from accord.config import InputError
from accord.data import encode
from accord.data.chat import encode_prompt, encode_responses, encode_texts
from accord.data.tokenizers import train_tokenizer
from accord.records import Comparison, Demonstration, Message, Prompt, Response

TOKENIZER = train_tokenizer(["the cat sat on the mat"] * 4, 270)


def prompt(text, name="p"):
    return Prompt(id=name, messages=[Message(role="user", content=text)])


def comparison(*texts):
    responses = [
        Response(id=str(i), prompt_id="p", text=t, policy="x") for i, t in enumerate(texts)
    ]
    return Comparison(id="c", prompt=prompt("cat"), responses=responses)


def test_a_demonstration_is_its_prompt_and_its_response():
    (one,) = encode.encode_demonstrations(
        TOKENIZER, [Demonstration(prompt=prompt("cat"), response="sat")], context=99
    )
    assert one.prompt == encode_prompt(TOKENIZER, prompt("cat"))
    assert [one.response] == encode_responses(TOKENIZER, ["sat"])
    assert len(one) == len(one.prompt) + len(one.response)


def test_what_does_not_fit_is_left_out_whole():
    demonstrations = [
        Demonstration(prompt=prompt("cat"), response=text) for text in ("sat", "sat on the mat")
    ]
    whole = encode.encode_demonstrations(TOKENIZER, demonstrations, context=99)
    limit = len(whole[1])
    assert encode.encode_demonstrations(TOKENIZER, demonstrations, context=limit) == whole
    assert encode.encode_demonstrations(TOKENIZER, demonstrations, context=limit - 1) == [
        whole[0],
        None,
    ]


def test_comparisons_keep_the_order_of_their_responses():
    records = [comparison("cat", "mat"), comparison("on", "the", "sat")]
    encoded = encode.encode_comparisons(TOKENIZER, records, context=99)
    for record, one in zip(records, encoded, strict=True):
        assert one.prompt == encode_prompt(TOKENIZER, record.prompt)
        assert one.responses == encode_responses(TOKENIZER, [r.text for r in record.responses])
    longest = len(encoded[0])
    assert longest == len(encoded[0].prompt) + max(map(len, encoded[0].responses))
    assert encode.encode_comparisons(TOKENIZER, records[:1], context=longest - 1) == [None]


def test_prompts_that_are_too_long_are_left_out():
    prompts = [prompt("cat", "a"), prompt("cat sat on the mat", "b")]
    length = len(encode_prompt(TOKENIZER, prompts[0]))
    assert encode.fitting_prompts(TOKENIZER, prompts, longest=length) == [
        (prompts[0], encode_prompt(TOKENIZER, prompts[0]))
    ]


def test_documents_are_whole_and_end_with_the_end_of_sequence():
    texts = ["cat sat", "the mat", "on"]
    documents = encode.encode_documents(TOKENIZER, texts, context=99)
    assert [documents[i].tolist() for i in range(3)] == encode_texts(TOKENIZER, texts)
    assert documents.lengths().tolist() == [len(ids) for ids in encode_texts(TOKENIZER, texts)]
    assert documents.select([2, 0])[1].tolist() == documents[0].tolist()


def test_long_documents_are_cut_into_pieces_of_the_context():
    (ids,) = encode_texts(TOKENIZER, ["zzzzzzz"])
    assert len(ids) == 8
    documents = encode.encode_documents(TOKENIZER, ["zzzzzzz"], context=3)
    assert [documents[i].tolist() for i in range(3)] == [ids[:3], ids[3:6], ids[6:]]
    # A last piece of one token predicts nothing and is dropped.
    documents = encode.encode_documents(TOKENIZER, ["zzzzzz"], context=3)
    assert documents.lengths().tolist() == [3, 3]


def test_no_documents_are_no_documents():
    documents = encode.encode_documents(TOKENIZER, [], context=8)
    assert len(documents) == 0
    assert documents.tokens.dtype == np.int32


def test_documents_are_read_as_text_or_as_messages(tmp_path):
    file = tmp_path / "d.jsonl"
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
    file.write_text(f'{{"text": "plain"}}\n\n{json.dumps({"messages": messages})}\n')
    assert list(encode.read_documents(file)) == ["plain", "\n\nHuman: Hi\n\nAssistant: Yo"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no documents"),
        ("{}\n", 'line 1: a document is {"text"'),
        ('{"text": "a"}\n[1]\n', "line 2: a document is"),
        ('{"text": 3}\n', "line 1: a document is"),
        ("{\n", "line 1: Expecting"),
        (
            '{"messages": [{"role": "robot", "content": ""}]}\n',
            "line 1: messages.0.role: Input should",
        ),
        ('{"text": "a"}\n{"text": "\xff"}\n', "line 2: 'utf-8' codec can't decode"),
    ],
)
def test_bad_documents_are_named_by_line(tmp_path, content, message):
    file = tmp_path / "d.jsonl"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        list(encode.read_documents(file))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no file"):
        list(encode.read_documents(tmp_path / "none.jsonl"))


def test_a_long_prompt_may_lose_its_beginning():
    record = comparison("on", "the mat")
    record = record.model_copy(update={"prompt": prompt("the cat sat on the mat " * 9)})
    (whole,) = encode.encode_comparisons(TOKENIZER, [record], context=999)
    limit = len(whole) - 5
    (cut,) = encode.encode_comparisons(TOKENIZER, [record], context=limit, long_prompts="shorten")
    assert (cut.cut, len(cut)) == (5, limit)
    assert cut.prompt == whole.prompt[5:]
    assert cut.responses == whole.responses
    assert encode.encode_comparisons(TOKENIZER, [record], context=limit) == [None]
    (same,) = encode.encode_comparisons(TOKENIZER, [record], context=999, long_prompts="shorten")
    assert same == whole


def test_a_prompt_that_would_lose_nearly_all_is_left_out():
    record = comparison("on", "the mat").model_copy(update={"prompt": prompt("the cat sat " * 9)})
    (whole,) = encode.encode_comparisons(TOKENIZER, [record], context=999)
    longest = len(whole) - len(whole.prompt)
    fits = encode.SHORTEST_PROMPT + longest
    for context, is_kept in ((fits, True), (fits - 1, False)):
        (found,) = encode.encode_comparisons(
            TOKENIZER, [record], context=context, long_prompts="shorten"
        )
        assert (found is not None) == is_kept


def test_a_start_token_stays_when_a_prompt_is_shortened():
    record = comparison("on", "the mat").model_copy(update={"prompt": prompt("the cat sat " * 9)})

    class Starting:
        bos_token_id = eos_token_id = TOKENIZER.eos_token_id

        def __call__(self, texts, *, add_special_tokens):
            ids = TOKENIZER(texts, add_special_tokens=False)["input_ids"]
            start = [self.bos_token_id] if add_special_tokens else []
            return {"input_ids": [start + one for one in ids]}

    (whole,) = encode.encode_comparisons(Starting(), [record], context=999)
    (cut,) = encode.encode_comparisons(
        Starting(), [record], context=len(whole) - 3, long_prompts="shorten"
    )
    assert cut.prompt == [Starting.bos_token_id, *whole.prompt[4:]]
