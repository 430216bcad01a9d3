"""The conversation format: text, tokens, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from accord.config import InputError
from accord.data import chat
from accord.data.tokenizers import train_tokenizer
from accord.records import Message, Prompt

TEXTS = ["\n\nHuman: Where is Ada?\n\nAssistant: In the town, I think.", "cats and dogs"] * 4
TOKENIZER = train_tokenizer(TEXTS, 300)


def prompt(*contents):
    roles = ["user", "assistant"] * len(contents)
    messages = [Message(role=r, content=c) for r, c in zip(roles, contents, strict=False)]
    return Prompt(id="p", messages=messages)


def test_a_conversation_reads_as_hh_writes_it():
    messages = prompt("Hi", "Hello!", "Bye").messages
    assert chat.render(messages) == "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Bye"
    assert chat.render_prompt(prompt("Hi")) == "\n\nHuman: Hi\n\nAssistant:"


def test_parsing_undoes_rendering():
    messages = list(prompt("Hi", "Hello!\n\nHow are you?", "Bye").messages)
    assert chat.parse_dialogue(chat.render(messages)) == messages
    assert chat.parse_dialogue("Human: Hi") == messages[:1]


@pytest.mark.parametrize("text", ["", "  ", "Hi\n\nHuman: there"])
def test_a_text_without_a_first_turn_is_refused(text):
    with pytest.raises(InputError, match="begins with `Human:`"):
        chat.parse_dialogue(text)


@given(st.text())
def test_a_response_survives_its_tokens(text):
    ids = chat.encode_responses(TOKENIZER, [text])[0]
    assert ids[-1] == TOKENIZER.eos_token_id
    if "<|end|>" not in text:
        assert chat.decode_response(TOKENIZER, ids) == text


def test_what_follows_the_end_of_sequence_is_not_text():
    ids = chat.encode_responses(TOKENIZER, ["cats"])[0]
    assert chat.decode_response(TOKENIZER, [*ids, *ids]) == "cats"
    assert chat.decode_response(TOKENIZER, ids[:-1]) == "cats"


def test_role_markers_are_one_token_each():
    ids = chat.encode_prompt(TOKENIZER, prompt("cats"))
    human, assistant = TOKENIZER.convert_tokens_to_ids([chat.HUMAN, chat.ASSISTANT])
    assert ids[0] == human
    assert ids[-1] == assistant
    assert ids.count(human) == ids.count(assistant) == 1


def test_prompt_and_response_split_where_the_whole_text_does():
    """A policy that continues a prompt sees the tokens that it was trained on."""
    together = TOKENIZER("\n\nHuman: cats and\n\nAssistant: dogs")["input_ids"]
    apart = chat.encode_prompt(TOKENIZER, prompt("cats and"))
    apart += chat.encode_responses(TOKENIZER, ["dogs"])[0][:-1]
    assert apart == together


def test_many_are_encoded_as_one_by_one():
    prompts = [prompt("cats"), prompt("dogs", "yes", "and cats")]
    assert chat.encode_prompts(TOKENIZER, prompts) == [
        chat.encode_prompt(TOKENIZER, p) for p in prompts
    ]
    assert chat.encode_prompts(TOKENIZER, []) == []


class StartAndEnd:
    """A tokenizer that puts a start token before and an end token behind, as T5's do."""

    eos_token_id = 1

    def __call__(self, text, *, add_special_tokens):
        ids = [[*map(ord, one)] for one in text]
        return {"input_ids": [[0, *one, 1] for one in ids] if add_special_tokens else ids}


def test_a_start_token_stays_before_prompts_and_documents_only():
    tokenizer = StartAndEnd()
    text = chat.render_prompt(prompt("Hi"))
    assert chat.encode_prompt(tokenizer, prompt("Hi")) == [0, *map(ord, text)]
    assert chat.encode_responses(tokenizer, ["Yo"]) == [[*map(ord, " Yo"), 1]]
    assert chat.encode_texts(tokenizer, ["Yo"]) == [[0, *map(ord, "Yo"), 1]]


def test_transformers_renders_the_same_conversation(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    messages = [m.model_dump() for m in prompt("cats", "dogs", "and?").messages]
    text = loaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == chat.render_prompt(prompt("cats", "dogs", "and?"))
    assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]
