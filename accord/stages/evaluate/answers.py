"""What the policies answer: sampled, measured against the reference, scored.

Every policy has random numbers of its own, so that two policies which are alike do not give
the same text by construction, and a tie means something.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.chat import decode_response, encode_prompts, encode_responses
from accord.data.collate import build
from accord.data.encode import fitting_prompts
from accord.models import policy, preference_model
from accord.models.load import context_length, load_policy, load_scalar_model, pad_id
from accord.records import Prompt, Sampling
from accord.runtime.artifacts import write_text
from accord.runtime.generate import HuggingFaceGenerator, Samples
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.parallel import number_by_row
from accord.runtime.processor import place
from accord.runtime.progress import track
from accord.runtime.seeding import generator
from accord.stages.evaluate.settings import Config

CHUNK = 128  # prompts between two saves
MOST_TOKENS = 1 << 20  # for models that state no limit
TEMPERATURES = (1.0, 0.0)


@dataclass(frozen=True)
class Answer:
    """One response to a held-out prompt."""

    prompt_id: str
    number: int  #: which of the policy's responses to this prompt
    text: str
    length: int  #: tokens, the end of sequence included
    finished: bool
    kl: float | None  #: log ratio to the reference, summed over tokens, nats; None if greedy
    score: float | None = None  #: of the preference model


@dataclass(frozen=True)
class Reference:
    """The policy that KL is measured from."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_reference(name: str, source: ModelSource) -> Reference:
    """Load the policy that KL is measured from."""
    model, tokenizer = load_policy(locate(source))
    place(model)
    return Reference(name, model, tokenizer)


def answers_of(
    name: str,
    source: ModelSource,
    prompts: Sequence[Prompt],
    reference: Reference,
    config: Config,
    out: Path,
) -> dict[float, list[Answer]]:
    """The answers of one policy by temperature; what an interrupted run left is read back.

    Raises:
        InputError: the policy cannot be loaded, or no prompt leaves room for a response.
    """
    model, tokenizer = load_policy(locate(source))
    place(model)
    limits = (context_length(model), context_length(reference.model))
    longest = min(limit or MOST_TOKENS for limit in limits) - config.max_tokens
    fitting = fitting_prompts(tokenizer, prompts, longest=longest)
    if not fitting:
        raise InputError(
            f"no prompt fits the context of `{name}` beside `max_tokens` = {config.max_tokens}; "
            "lower it"
        )
    answering = _Answering(name, model, tokenizer, reference, config)
    folder = out / "checkpoints"
    folder.mkdir(exist_ok=True)
    found: dict[float, list[Answer]] = {}
    for temperature in TEMPERATURES:
        starts = range(0, len(fitting), CHUNK)
        found[temperature] = []
        for start in track(starts, len(starts), f"{name} at temperature {temperature:g}"):
            file = folder / f"answers-{_hash(name)}-{temperature:g}-{start:06d}.jsonl"
            if not file.is_file():
                chunk = answering.answer(fitting[start : start + CHUNK], temperature, start)
                write_text(file, "".join(_to_line(answer) for answer in chunk))
            saved = file.read_text(encoding="utf-8").split("\n")
            found[temperature] += [Answer(**json.loads(line)) for line in saved if line]
    return found


class _Answering:
    """One policy and how it is asked."""

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reference: Reference,
        config: Config,
    ) -> None:
        self._name = name
        self._tokenizer = tokenizer
        self._reference = reference
        self._config = config
        self._generator = HuggingFaceGenerator(model, tokenizer, max_rows=config.microbatch_size)
        self._has_kl = tokenizer.get_vocab() == reference.tokenizer.get_vocab()

    def answer(
        self, prompts: Sequence[tuple[Prompt, list[int]]], temperature: float, start: int
    ) -> list[Answer]:
        """Responses to some prompts, those to one prompt beside each other."""
        config = self._config
        repeats = config.samples_per_prompt if temperature else 1
        asked = [(prompt, number) for prompt, _ in prompts for number in range(repeats)]
        tokens = [ids for _, ids in prompts for _ in range(repeats)]
        samples = self._generator.sample(
            tokens,
            Sampling(temperature=temperature, max_tokens=config.max_tokens),
            random=generator(config.seed, "evaluate", self._name, temperature, start),
        )
        kl: list[float | None] = [None] * len(tokens)
        if temperature and self._has_kl:
            kl = [*self._log_ratios(tokens, samples)]
        return [
            Answer(
                prompt_id=prompt.id,
                number=number,
                text=decode_response(self._tokenizer, ids),
                length=len(ids),
                finished=finished,
                kl=ratio,
            )
            for (prompt, number), ids, finished, ratio in zip(
                asked, samples.responses, samples.finished, kl, strict=True
            )
        ]

    def _log_ratios(self, prompts: Sequence[list[int]], samples: Samples) -> list[float]:
        """log π − log π_ref of each response, summed over its tokens, nats."""
        model = self._reference.model
        padding = pad_id(self._reference.tokenizer)

        def compute(rows: list[int]) -> list[float]:
            part = build([prompts[i] for i in rows], [samples.responses[i] for i in rows], padding)
            part = part.to(model.device)
            found = policy.logprobs(model, part.tokens, part.prompt_lengths, part.response_lengths)
            return [float(row) for row in found.double().sum(dim=1)]

        lengths = [len(p) + len(r) for p, r in zip(prompts, samples.responses, strict=True)]
        reference = number_by_row(compute, lengths, self._config.microbatch_size)
        return [
            sum(logprobs) - of_reference
            for logprobs, of_reference in zip(samples.logprobs, reference, strict=True)
        ]


def scored(
    answers: Sequence[Answer],
    prompts: dict[str, Prompt],
    source: Path,
    *,
    microbatch_size: int,
) -> list[Answer]:
    """The same answers with a preference model's score of their text.

    Raises:
        InputError: the model cannot be loaded, or a conversation exceeds its context.
    """
    model, tokenizer = load_scalar_model(locate(source))
    place(model)
    asked = encode_prompts(tokenizer, [prompts[answer.prompt_id] for answer in answers])
    said = encode_responses(tokenizer, [answer.text for answer in answers])
    lengths = [len(p) + len(r) for p, r in zip(asked, said, strict=True)]
    limit = context_length(model)
    if limit is not None and max(lengths) > limit:
        raise InputError(
            f"a conversation of {max(lengths)} tokens exceeds the context of `{source}`, which "
            f"has {limit}; lower `max_tokens`"
        )

    def compute(rows: list[int]) -> list[float]:
        part = build([asked[i] for i in rows], [said[i] for i in rows], pad_id(tokenizer))
        part = part.to(model.device)
        return [float(row) for row in preference_model.scores(model, part.tokens, part.lengths())]

    scores = number_by_row(compute, lengths, microbatch_size)
    return [replace(answer, score=score) for answer, score in zip(answers, scores, strict=True)]


def _to_line(answer: Answer) -> str:
    return json.dumps(asdict(answer), ensure_ascii=False) + "\n"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]
