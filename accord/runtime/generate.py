"""Sampling from a policy: prompts in, response tokens with their log-probabilities out.

The decode loop is Accord's own. A batch is prefilled at once, right-padded; the columns of the
padding stay in the cache and are masked; finished rows leave the batch at once; every row has its
own uniform numbers, drawn before the first token. A response therefore depends on its prompt
and its numbers, not on how the batch was cut or who else is in it.

Dimension key:
    B: rows, one response each
    T: most response tokens
    V: vocabulary
"""

import itertools
from collections import abc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import Cache

from accord.config import InputError
from accord.data.chat import decode_response
from accord.functional.logprobs import filter_logits
from accord.models.load import context_length, eos_id, pad_id
from accord.models.policy import unembed
from accord.models.trunk import trunk
from accord.records import Sampling
from accord.runtime.key_value_cache import PreallocatedCache, keep_rows, repeat_rows
from accord.runtime.parallel import in_order, parts
from accord.runtime.processor import prepare_processor

Prompts = Sequence[Sequence[int]]

# Architectures whose attention is a plain function of position ids and a mask, so that rows of
# different lengths can share a batch. Others (ALiBi, sliding windows, state spaces) decode in
# batches of one prompt length each.
RAGGED = frozenset({"gpt2", "llama", "gpt_neox", "qwen2", "qwen3", "phi", "mistral"})
CACHE_BYTES = 1 << 30  # of keys and values held at a time
PREFILL_TOKENS = 1 << 15  # prompt tokens in one forward pass
WORTH_CUTTING = 32  # rows that two threads decode faster in two halves
REPLACEMENT = "\ufffd"  # what an incomplete character decodes to


@dataclass(frozen=True)
class Samples:
    """Responses, in the order of the prompts.

    Attributes:
        responses: token ids, the end-of-sequence token included where it was drawn.
        logprobs: nats, of the distribution that was drawn from: after temperature, top-k and
            top-p. Greedy decoding draws from a point mass, so that they are 0.
        finished: False where the token limit cut the response off.
    """

    responses: list[list[int]]
    logprobs: list[list[float]]
    finished: list[bool]


class Generator(Protocol):
    """Whatever turns prompts into responses."""

    def sample(self, prompts: Prompts, sampling: Sampling, *, random: torch.Generator) -> Samples:
        """Draw one response for each prompt."""


@dataclass(frozen=True)
class _Drawn:
    """One decoding step: a token for each row that was still open."""

    rows: Tensor
    tokens: Tensor
    logprobs: Tensor


class HuggingFaceGenerator:
    """Samples from any causal language model of transformers, in this process."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_rows: int = 256,
    ) -> None:
        """Keep the model, and how many rows may be decoded together (memory only)."""
        self._model = model
        self._tokenizer = tokenizer
        self._max_rows = max_rows
        self._eos = eos_id(tokenizer)
        self._pad = pad_id(tokenizer)

    def sample(self, prompts: Prompts, sampling: Sampling, *, random: torch.Generator) -> Samples:
        """Draw one response for each prompt; repeat a prompt to get several.

        Args:
            prompts: token ids of each prompt, at least one each.
            sampling: how to draw.
            random: gives every row its uniform numbers before the first token.

        Raises:
            InputError: a prompt is empty, or too long for the model's context.
        """
        self._check(prompts, sampling)
        uniforms = _uniforms(len(prompts), sampling, random)
        tokens = torch.zeros(uniforms.shape, dtype=torch.long)
        logprobs = torch.zeros(uniforms.shape)
        lengths = torch.zeros(len(prompts), dtype=torch.long)

        def decode(batch: list[int]) -> list[_Drawn]:
            return list(self._decode([prompts[i] for i in batch], sampling, uniforms[batch]))

        batches = list(self._batches(prompts, sampling.max_tokens))
        with _small_products():
            for batch, drawn in zip(batches, in_order(decode, batches), strict=True):
                index = torch.tensor(batch)
                for step, one in enumerate(drawn):
                    rows = index[one.rows]
                    tokens[rows, step] = one.tokens
                    logprobs[rows, step] = one.logprobs
                    lengths[rows] = step + 1
        counts = lengths.tolist()
        responses = [row[:n] for row, n in zip(tokens.tolist(), counts, strict=True)]
        return Samples(
            responses=responses,
            logprobs=[row[:n] for row, n in zip(logprobs.tolist(), counts, strict=True)],
            finished=[response[-1] == self._eos for response in responses],
        )

    def stream(
        self, prompt: Sequence[int], sampling: Sampling, *, random: torch.Generator
    ) -> abc.Generator[str, None, bool]:
        """Draw one response and give its text piece by piece, as it appears.

        The pieces joined are the text (``data.chat.decode_response``) of what ``sample`` draws
        for this prompt alone with the same generator state.

        Returns:
            At its end, whether the response ended by itself; False when ``max_tokens`` cut it off.
        """
        self._check([prompt], sampling)
        uniforms = _uniforms(1, sampling, random)
        ids: list[int] = []
        shown = ""
        steps = self._decode([prompt], sampling, uniforms)
        while (one := _next(steps)) is not None:
            ids.append(int(one.tokens[0]))
            text = decode_response(self._tokenizer, ids)
            # A character of several bytes may be cut in two; it is shown once it is whole.
            if text != shown and not text.endswith(REPLACEMENT):
                yield text[len(shown) :]
                shown = text
        text = decode_response(self._tokenizer, ids)
        if text != shown:
            yield text[len(shown) :]
        return ids[-1] == self._eos

    def _check(self, prompts: Prompts, sampling: Sampling) -> None:
        if not prompts or not all(len(prompt) for prompt in prompts):
            raise InputError("cannot sample for an empty prompt; give at least one token")
        limit = context_length(self._model)
        longest = max(len(prompt) for prompt in prompts)
        if limit is not None and longest + sampling.max_tokens > limit:
            raise InputError(
                f"a prompt of {longest} tokens and `max_tokens` = {sampling.max_tokens} exceed the "
                f"model's context of {limit} tokens; shorten one of them"
            )

    def _batches(self, prompts: Prompts, max_tokens: int) -> Iterator[list[int]]:
        """Cut the rows into batches of similar length, longest first."""
        order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), tuple(prompts[i]), i))
        if _is_ragged(self._model):
            groups = [order]
        else:
            same = itertools.groupby(order, key=lambda i: len(prompts[i]))
            groups = [list(group) for _, group in same]
        for group in groups:
            longest = len(prompts[group[0]])
            room = min(self._max_rows, _rows_in_memory(self._model, longest, max_tokens))
            yield from parts(group, room) if len(group) >= WORTH_CUTTING else _cut(group, room)

    @torch.inference_mode()
    def _decode(self, prompts: Prompts, sampling: Sampling, uniforms: Tensor) -> Iterator[_Drawn]:
        """Yield the tokens of one batch, step by step; rows leave when they finish."""
        device = self._model.device
        cache, lengths, logits = self._prefill(prompts, sampling.max_tokens)
        padded = int(lengths.max())
        mask = _padding_mask(lengths, padded + sampling.max_tokens, self._model)
        rows = torch.arange(len(prompts))
        for step in range(sampling.max_tokens):
            tokens, logprobs = draw(logits, sampling, uniforms[rows, step])
            yield _Drawn(rows, tokens, logprobs)
            alive = tokens != self._eos
            if step + 1 == sampling.max_tokens or not bool(alive.any()):
                return
            if not bool(alive.all()):
                kept = keep_rows(cache, alive.to(device)).cpu()
                rows, tokens, lengths = rows[kept], tokens[kept], lengths[kept]
                mask = None if mask is None else mask[kept.to(device)]
            hidden = trunk(self._model)(
                input_ids=tokens[:, None].to(device),
                past_key_values=cache,
                position_ids=(lengths + step)[:, None].to(device),
                attention_mask=None if mask is None else mask[..., : padded + step + 1],
                use_cache=True,
            ).last_hidden_state
            logits = unembed(self._model, hidden[:, -1])

    def _prefill(self, prompts: Prompts, max_tokens: int) -> tuple[Cache, Tensor, Tensor]:
        """Run the prompts, equal ones once; return the cache, lengths and first logits."""
        unique = sorted({tuple(prompt) for prompt in prompts}, key=lambda p: (-len(p), p))
        number = {prompt: i for i, prompt in enumerate(unique)}
        sources = torch.tensor([number[tuple(prompt)] for prompt in prompts])
        lengths = torch.tensor([len(prompt) for prompt in unique])
        tokens = torch.full((len(unique), int(lengths.max())), self._pad)
        for row, prompt in enumerate(unique):
            tokens[row, : len(prompt)] = torch.tensor(prompt)
        device = self._model.device
        cache = _cache(self._model, tokens.shape[1] + max_tokens)
        hidden = trunk(self._model)(
            input_ids=tokens.to(device), past_key_values=cache, use_cache=True
        ).last_hidden_state
        last = hidden[torch.arange(len(unique)), lengths - 1]
        repeat_rows(cache, sources.to(device))
        return cache, lengths[sources], unembed(self._model, last)[sources.to(device)]


def draw(logits: Tensor, sampling: Sampling, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Choose one token a row by inverting the cumulative distribution.

        token = the first v with Σ_{w ≤ v} p_w > u

    Args:
        logits: [B V] of the next token.
        sampling: temperature, top-k and top-p; temperature 0 takes the likeliest token.
        uniforms: [B], float64 in [0, 1).

    Returns:
        tokens: [B], on the CPU. A token of probability 0 is never chosen.
        logprobs: [B] nats under the distribution that was drawn from, on the CPU.
    """
    # On the CPU: CUDA's cumulative sum of floats does not repeat its results.
    logits = logits.float().cpu()
    if sampling.temperature == 0:
        return logits.argmax(-1), torch.zeros(logits.shape[0])
    logits = logits / sampling.temperature
    if sampling.top_k or sampling.top_p < 1:
        logits = filter_logits(logits, top_k=sampling.top_k, top_p=sampling.top_p)
    logprobs = logits.log_softmax(-1)
    cumulative = logprobs.exp().cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    target = torch.minimum(
        uniforms[:, None] * total, torch.nextafter(total, torch.zeros_like(total))
    )
    tokens = torch.searchsorted(cumulative, target, right=True)
    return tokens.squeeze(1), logprobs.gather(1, tokens).squeeze(1)


@contextmanager
def _small_products() -> Iterator[None]:
    """Products of few rows through MKL: oneDNN rearranges the weights at every call.

    Measured on an AMD EPYC, one thread, 1 x 128 x 1024: 14 against 36 microseconds;
    8 x 128 x 384: 13 against 40; at 96 rows there is no difference left.
    """
    prepare_processor()  # sets what is read here, the first time
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _next(steps: Iterator[_Drawn]) -> _Drawn | None:
    with _small_products():
        return next(steps, None)


def _uniforms(rows: int, sampling: Sampling, random: torch.Generator) -> Tensor:
    """Every number that the rows will need, [B T]."""
    return torch.rand(rows, sampling.max_tokens, generator=random, dtype=torch.float64)


def _cut(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _is_ragged(model: PreTrainedModel) -> bool:
    return model.config.model_type in RAGGED and not getattr(model.config, "sliding_window", None)


def _cache(model: PreTrainedModel, capacity: int) -> Cache:
    if _is_ragged(model):
        return PreallocatedCache(model.config.num_hidden_layers, capacity)
    return DynamicCache(config=model.config)


def _rows_in_memory(model: PreTrainedModel, prompt: int, max_tokens: int) -> int:
    """How many rows fit the memory that one batch may take."""
    config = model.config.get_text_config()
    size: int = 2 * config.num_hidden_layers * config.hidden_size * model.dtype.itemsize
    return max(1, min(CACHE_BYTES // (size * (prompt + max_tokens)), PREFILL_TOKENS // prompt))


def _padding_mask(lengths: Tensor, columns: int, model: PreTrainedModel) -> Tensor | None:
    """[B 1 1 columns] to add to attention logits: -inf where a shorter prompt was padded."""
    longest = int(lengths.max())
    if int(lengths.min()) == longest:
        return None
    column = torch.arange(columns)
    padding = (column >= lengths[:, None]) & (column < longest)
    mask = torch.zeros(padding.shape, dtype=model.dtype).masked_fill(padding, float("-inf"))
    return mask[:, None, None, :].to(model.device)
