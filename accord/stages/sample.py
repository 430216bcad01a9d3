"""Sampling: policies answer prompts, and the answers to one prompt make one comparison.

policies, prompts  ->  responses, comparisons            docs/stages/sample.md

The random numbers of a response are derived from the seed, the policy's name and the prompt's
place among those that fit, so other policies in the same run do not change them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.chat import decode_response
from accord.data.encode import fitting_prompts
from accord.models.load import context_length, load_policy
from accord.records import Comparison, Prompt, Response, Sampling, read_records, write_records
from accord.runtime import artifacts
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.input_files import input_file
from accord.runtime.metrics import MetricsLog
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import place, prepare_processor
from accord.runtime.progress import track
from accord.runtime.seeding import generator, python_random

MOST_RESPONSES = 9  # that a comparison may hold
CHUNK = 128  # prompts between two saves
MOST_TOKENS = 1 << 20  # for models that state no limit


class Inputs(StageInputs):
    """What sampling reads."""

    policies: dict[str, ModelSource]  #: name by which ratings will call it, and the model
    prompts: Path  #: Prompt records, or a folder with prompts-train.jsonl or prompts.jsonl


class Config(StageConfig):
    """How responses are drawn; docs/stages/sample.md has the sources."""

    seed: int = 0
    round: int = Field(1, ge=1)  #: another round draws other prompts and responses from one seed
    prompts: int = Field(0, ge=0)  #: how many, drawn at random; 0 takes all
    responses_per_policy: int = Field(2, ge=1)  #: to every prompt
    temperature: float = Field(1.0, ge=0)  #: 0 takes the likeliest token
    top_k: int = Field(0, ge=0)  #: 0 keeps every token
    top_p: float = Field(1.0, gt=0, le=1)  #: 1 keeps every token
    max_tokens: int = Field(64, ge=1)  #: response tokens, end of sequence included
    compare: bool = True  #: also write comparisons.jsonl
    microbatch_size: int = memory_only(256, ge=1)  #: responses decoded at once; memory only


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Draw responses from every policy and put those to one prompt together for labelling."""
    prepare_processor()
    _check(config, inputs)
    file = input_file(inputs.prompts, "prompts-train.jsonl", "prompts.jsonl")
    prompts = _chosen(read_records(file, Prompt), config)
    log = MetricsLog(out)
    log.truncate_to(-1)
    responses: list[Response] = []
    for number, (name, source) in enumerate(inputs.policies.items()):
        answers = _answers(name, source, prompts, config, out)
        if not answers:
            raise InputError(
                f"no prompt of `{file}` fits the context of `{name}` beside `max_tokens` = "
                f"{config.max_tokens}; lower it"
            )
        log.log(number, _statistics(answers))
        responses += answers
    write_records(out / "output" / "responses.jsonl", responses)
    comparisons = []
    if config.compare:
        comparisons = _comparisons(prompts, responses, len(inputs.policies), config)
        write_records(out / "output" / "comparisons.jsonl", comparisons)
    artifacts.write_headline(
        out,
        {
            "prompts": len({response.prompt_id for response in responses}),
            "responses": len(responses),
            "comparisons": len(comparisons),
            "finished": sum(r.finished for r in responses) / len(responses),
        },
    )


def _check(config: Config, inputs: Inputs) -> None:
    if not inputs.policies:
        raise InputError("`policies` is empty; name at least one policy")
    together = config.responses_per_policy * len(inputs.policies)
    if config.compare and not 2 <= together <= MOST_RESPONSES:  # noqa: PLR2004
        raise InputError(
            f"a comparison holds 2 to {MOST_RESPONSES} responses, not {together}; change "
            "`responses_per_policy` or set `compare = false`"
        )


def _chosen(prompts: Sequence[Prompt], config: Config) -> list[Prompt]:
    """The prompts to answer, in the order of the file."""
    if len({prompt.id for prompt in prompts}) < len(prompts):
        raise InputError("two prompts have one id; give every prompt its own")
    if not config.prompts or config.prompts >= len(prompts):
        return list(prompts)
    rng = python_random(config.seed, "prompts", config.round)
    return [prompts[i] for i in sorted(rng.sample(range(len(prompts)), config.prompts))]


def _answers(
    name: str, source: ModelSource, prompts: Sequence[Prompt], config: Config, out: Path
) -> list[Response]:
    """The responses of one policy; those that an interrupted run left are read back."""
    folder = out / "checkpoints"
    folder.mkdir(exist_ok=True)
    model, tokenizer = load_policy(locate(source))
    place(model)
    longest = (context_length(model) or MOST_TOKENS) - config.max_tokens
    fitting = fitting_prompts(tokenizer, prompts, longest=longest)
    sampler = _Sampler(name, _identity(source), model, tokenizer, config)
    responses: list[Response] = []
    starts = range(0, len(fitting), CHUNK)
    for start in track(starts, len(starts), f"sample {name}"):
        file = folder / f"responses-{_hash(name)[:8]}-{start:06d}.jsonl"
        if not file.is_file():
            write_records(file, sampler.answer(fitting[start : start + CHUNK], start))
        responses += read_records(file, Response)
    return responses


class _Sampler:
    """One policy and how it is asked."""

    def __init__(
        self,
        name: str,
        identity: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: Config,
    ) -> None:
        self._name = name
        self._identity = identity
        self._tokenizer = tokenizer
        self._config = config
        self._generator = HuggingFaceGenerator(model, tokenizer, max_rows=config.microbatch_size)
        self._sampling = Sampling(
            temperature=config.temperature,
            top_k=config.top_k,
            top_p=config.top_p,
            max_tokens=config.max_tokens,
        )

    def answer(self, prompts: Sequence[tuple[Prompt, list[int]]], start: int) -> list[Response]:
        """Responses to some prompts, those to one prompt beside each other."""
        repeats = range(self._config.responses_per_policy)
        asked = [(prompt, number) for prompt, _ in prompts for number in repeats]
        samples = self._generator.sample(
            [tokens for _, tokens in prompts for _ in repeats],
            self._sampling,
            random=generator(self._config.seed, "sample", self._config.round, self._name, start),
        )
        return [
            self._response(prompt, number, decode_response(self._tokenizer, ids), finished)
            for (prompt, number), ids, finished in zip(
                asked, samples.responses, samples.finished, strict=True
            )
        ]

    def _response(self, prompt: Prompt, number: int, text: str, finished: bool) -> Response:
        seed = self._config.seed
        drawn = (seed, self._config.round, number)
        known = (prompt.id, self._name, self._identity, self._sampling, drawn)
        return Response(
            id=f"r-{_hash(*known)}",
            prompt_id=prompt.id,
            text=text,
            policy=self._name,
            policy_digest=self._identity,
            sampling=self._sampling,
            seed=seed,
            finished=finished,
        )


def _comparisons(
    prompts: Sequence[Prompt], responses: Sequence[Response], policies: int, config: Config
) -> list[Comparison]:
    """One comparison for each prompt that every policy answered, unless all texts are equal."""
    answers: dict[str, list[Response]] = {prompt.id: [] for prompt in prompts}
    for response in responses:
        answers[response.prompt_id].append(response)
    return [
        Comparison(id=f"c-{_hash(*(r.id for r in found))}", prompt=prompt, responses=tuple(found))
        for prompt in prompts
        if len(found := answers[prompt.id]) == policies * config.responses_per_policy
        and len({response.text for response in found}) > 1
    ]


def _statistics(responses: Sequence[Response]) -> dict[str, float]:
    number = len(responses)
    return {
        "sample/responses": number,
        "sample/finished": sum(r.finished for r in responses) / number,
        "sample/words": sum(len(r.text.split()) for r in responses) / number,
        "sample/distinct": len({r.text for r in responses}) / number,
    }


def _identity(source: ModelSource) -> str:
    """The digest of the weights, or the name of a model that is not a folder."""
    return artifacts.digest(artifacts.payload(source)) if isinstance(source, Path) else source


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]
