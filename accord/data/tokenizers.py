"""Train a tokenizer: byte-level BPE with one token per role marker.

The special tokens, in the order of their ids: padding, end of sequence, and the two role markers
of ``chat``. Padding and end of sequence are different tokens, so a model learns to stop.
"""

from collections.abc import Iterable
from typing import Any

from accord.config import InputError
from accord.data.chat import ASSISTANT, HUMAN

PAD = "<|pad|>"
EOS = "<|end|>"
SPECIAL = (PAD, EOS, HUMAN, ASSISTANT)
BYTES = 256
SMALLEST_VOCABULARY = BYTES + len(SPECIAL)

# The same format as chat.render, for programs that only know transformers.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '\n\nHuman: ' if message['role'] == 'user' else '\n\nAssistant: ' }}"
    "{{ message['content'] }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n\nAssistant:' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Any:
    """Learn a vocabulary from texts; the same texts in the same order give the same one.

    Digits are single tokens, with the space before them, so that numbers are spelled alike
    wherever they stand. Every byte is a token, so no text is unknown.

    Args:
        texts: what to learn from.
        vocabulary_size: tokens in all, at least 260. Fewer if the texts hold no more pairs.

    Returns:
        A ``transformers.PreTrainedTokenizerFast``.

    Raises:
        InputError: the vocabulary is too small for the bytes and the special tokens.
    """
    from tokenizers import (  # noqa: PLC0415 - reading data needs no training stack
        Regex,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    if vocabulary_size < SMALLEST_VOCABULARY:
        raise InputError(
            f"`vocabulary_size` = `{vocabulary_size}` has no room for the {BYTES} bytes and "
            f"{len(SPECIAL)} special tokens; give at least {SMALLEST_VOCABULARY}"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast: Any = PreTrainedTokenizerFast  # its constructor has no annotations
    return fast(
        tokenizer_object=tokenizer,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[HUMAN, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
