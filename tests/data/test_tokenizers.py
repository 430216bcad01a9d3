"""Learning a tokenizer."""

import subprocess
import sys

import pytest

from accord.config import InputError
from accord.data.tokenizers import EOS, PAD, SPECIAL, train_tokenizer

TEXTS = ["the cat sat on the mat 12 times", "the dog sat on the log 3 times", "é ∑ 猫"] * 3


def test_the_vocabulary_has_the_size_asked_for_and_begins_with_the_special_tokens():
    tokenizer = train_tokenizer(TEXTS, 280)
    assert len(tokenizer) == 280
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL)) == [0, 1, 2, 3]
    assert (tokenizer.pad_token, tokenizer.eos_token) == (PAD, EOS)
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_every_text_comes_back():
    tokenizer = train_tokenizer(TEXTS, 280)
    for text in [*TEXTS, "never seen: ÿ 🙂\t\n  two  spaces"]:
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text


def test_frequent_words_become_one_token():
    tokenizer = train_tokenizer(TEXTS, 290)
    assert len(tokenizer(" the")["input_ids"]) == 1


def test_digits_are_single_tokens():
    tokenizer = train_tokenizer(["1234 12 12 12 34"] * 20, 300)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("12 34")["input_ids"])
    assert tokens == ["1", "2", "Ġ3", "4"]


def test_no_room_for_the_bytes_is_refused():
    with pytest.raises(InputError, match="at least 260"):
        train_tokenizer(TEXTS, 259)


def test_the_same_texts_give_the_same_tokenizer_in_another_process():
    code = (
        "from accord.data.tokenizers import train_tokenizer;"
        f"print(sorted(train_tokenizer({TEXTS!r}, 290).get_vocab().items()))"
    )
    here = sorted(train_tokenizer(TEXTS, 290).get_vocab().items())
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here)
