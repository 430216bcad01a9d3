"""Best of n: draw n responses to each prompt and keep the one that the preference model likes best.

policy, preference_model, prompts  ->  responses, demonstrations, comparisons
docs/stages/best_of_n.md

Nothing learns here. The picks are demonstrations for ``sft`` (rejection-sampling fine-tuning), and
best against worst are comparisons for ``dpo``.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.chat import decode_response, render_prompt
from accord.data.splits import split_of
from accord.functional.best_of_n import best_index, best_of_n_mean, median_index
from accord.functional.kl import best_of_n_kl, missing_eos
from accord.models.load import context_length, eos_id, load_policy, load_scalar_model, pad_id
from accord.records import (
    Comparison,
    Demonstration,
    LabeledComparison,
    Preference,
    Prompt,
    Response,
    Sampling,
    write_records,
)
from accord.runtime import artifacts
from accord.runtime.episodes import EncodedPrompt, read_prompts, sample_episodes
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.metrics import MetricsLog
from accord.runtime.model_source import ModelSource, locate
from accord.runtime.processor import place, prepare_processor
from accord.runtime.progress import track
from accord.runtime.scoring import PreferenceModelScorer
from accord.runtime.seeding import generator, python_random

CHUNK = 32  # prompts between two saves
JUDGE = "preference_model"  # who is said to have preferred one response to another
SIDES = ("train", "test")


class Inputs(StageInputs):
    """What is drawn from, and who picks."""

    policy: ModelSource  #: language model that draws
    preference_model: Path  #: gives the scores
    prompts: Path  #: file of prompts, or a folder with `prompts-train.jsonl`


class Config(StageConfig):
    """How many are drawn and which is kept; docs/stages/best_of_n.md has the sources."""

    seed: int = 0
    prompts: int = Field(0, ge=0)  #: how many, drawn at random; 0 takes all
    n: int = Field(16, ge=2)  #: responses drawn to each prompt
    pick: Literal["best", "median"] = "best"  #: of the scores; the median of 17 shows a policy
    missing_eos_penalty: float = Field(2.5, ge=0)  #: score lost by a response cut off
    temperature: float = Field(1.0, gt=0)  #: of sampling
    max_tokens: int = Field(48, ge=1)  #: response tokens, end of sequence included
    test_fraction: float = Field(0.1, ge=0, lt=1)  #: of the prompts, for comparisons-test.jsonl
    microbatch_size: int = memory_only(256, ge=1)  #: responses decoded or scored at once


@dataclass(frozen=True)
class Draws:
    """All responses to one prompt."""

    prompt_id: str
    texts: list[str]
    scores: list[float]  #: less the penalty of those that were cut off
    finished: list[bool]
    lengths: list[int]  #: tokens, the end of sequence included

    def picked(self, pick: str) -> int:
        """Which of them is kept."""
        scores = torch.tensor(self.scores, dtype=torch.float64)
        return int(best_index(scores) if pick == "best" else median_index(scores))


@dataclass(frozen=True)
class _Tools:
    tokenizer: PreTrainedTokenizerBase
    sampler: HuggingFaceGenerator
    scorer: PreferenceModelScorer
    context: int | None


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Draw, score and pick; ``output/`` holds what was picked and everything that was drawn."""
    prepare_processor()
    tools = _load(inputs, config)
    pool = read_prompts(
        inputs.prompts, tools.tokenizer, context=tools.context, max_tokens=config.max_tokens
    )
    if config.prompts and config.prompts < len(pool):
        chosen = python_random(config.seed, "prompts").sample(range(len(pool)), config.prompts)
        pool = [pool[i] for i in sorted(chosen)]
    prompts = [prompt for prompt, _ in pool]
    drawn = list(_drawn(config, tools, pool, out))
    written = out / "output"
    artifacts.write_text(written / "draws.jsonl", "".join(_line(draws) for draws in drawn))
    picks = [_response(config, draws, draws.picked(config.pick)) for draws in drawn]
    write_records(written / "responses.jsonl", picks)
    write_records(
        written / "demonstrations.jsonl",
        [
            Demonstration(prompt=prompt, response=pick.text)
            for prompt, pick in zip(prompts, picks, strict=True)
            if pick.finished
        ],
    )
    counts = _write_comparisons(config, prompts, drawn, written)
    _report(config, drawn, picks, counts, out)


def _load(inputs: Inputs, config: Config) -> _Tools:
    policy, tokenizer = load_policy(locate(inputs.policy))
    judge, judge_tokenizer = load_scalar_model(locate(inputs.preference_model))
    if judge_tokenizer.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"`{inputs.preference_model}` and `{inputs.policy}` have different tokenizers; give "
            "models that grew from the same base"
        )
    models: list[PreTrainedModel] = [policy, judge]
    for model in models:
        place(model)
    limits = [limit for model in models if (limit := context_length(model)) is not None]
    size, end, padding = config.microbatch_size, eos_id(tokenizer), pad_id(tokenizer)
    return _Tools(
        tokenizer,
        HuggingFaceGenerator(policy, tokenizer, max_rows=size),
        PreferenceModelScorer(judge, end, padding, size),
        min(limits, default=None),
    )


def _drawn(
    config: Config, tools: _Tools, pool: Sequence[EncodedPrompt], out: Path
) -> Iterator[Draws]:
    """The draws of every prompt; those that an interrupted run left are read back."""
    folder = out / "checkpoints"
    folder.mkdir(exist_ok=True)
    starts = range(0, len(pool), CHUNK)
    for start in track(starts, len(starts), "best of n"):
        file = folder / f"draws-{start:06d}.jsonl"
        if not file.is_file():
            chunk = _draw(config, tools, pool[start : start + CHUNK], start)
            artifacts.write_text(file, "".join(_line(draws) for draws in chunk))
        lines = file.read_text(encoding="utf-8").split("\n")
        yield from (Draws(**json.loads(line)) for line in lines if line)


def _draw(
    config: Config, tools: _Tools, prompts: Sequence[EncodedPrompt], start: int
) -> list[Draws]:
    episodes = sample_episodes(
        tools.sampler,
        [prompt for prompt in prompts for _ in range(config.n)],
        Sampling(temperature=config.temperature, max_tokens=config.max_tokens),
        random=generator(config.seed, "draws", start),
        padding=pad_id(tools.tokenizer),
    )
    scores = tools.scorer.score(episodes.sequences, episodes.finished)
    penalised = missing_eos(scores, episodes.finished, penalty=config.missing_eos_penalty)
    tokens = episodes.sequences.response_tokens().tolist()
    lengths = episodes.sequences.response_lengths.tolist()
    texts = [
        decode_response(tools.tokenizer, row[:length])
        for row, length in zip(tokens, lengths, strict=True)
    ]
    finished = episodes.finished.tolist()
    found = []
    for number, (prompt, _) in enumerate(prompts):
        rows = slice(number * config.n, (number + 1) * config.n)
        found.append(
            Draws(
                prompt.id,
                texts[rows],
                [float(score) for score in penalised[rows]],
                finished[rows],
                lengths[rows],
            )
        )
    return found


def _response(config: Config, draws: Draws, index: int) -> Response:
    known = (config.seed, config.n, index, draws.prompt_id, draws.texts[index])
    return Response(
        id=f"r-{_hash(*known)}",
        prompt_id=draws.prompt_id,
        text=draws.texts[index],
        policy=f"{config.pick}_of_{config.n}",
        sampling=Sampling(temperature=config.temperature, max_tokens=config.max_tokens),
        seed=config.seed,
        finished=draws.finished[index],
    )


def _write_comparisons(
    config: Config, prompts: Sequence[Prompt], drawn: Sequence[Draws], written: Path
) -> dict[str, int]:
    """Best against worst of every prompt, train and test apart; how many there are of each."""
    sides: dict[str, list[LabeledComparison]] = {side: [] for side in SIDES}
    for prompt, draws in zip(prompts, drawn, strict=True):
        best = draws.picked("best")
        worst = min(range(config.n), key=draws.scores.__getitem__)
        if draws.texts[best] == draws.texts[worst]:
            continue
        side = split_of(render_prompt(prompt), fraction=config.test_fraction, seed=config.seed)
        sides[side].append(_labeled(config, prompt, draws, best, worst))
    for name, comparisons in sides.items():
        write_records(written / f"comparisons-{name}.jsonl", comparisons)
    return {name: len(comparisons) for name, comparisons in sides.items()}


def _labeled(
    config: Config, prompt: Prompt, draws: Draws, best: int, worst: int
) -> LabeledComparison:
    responses = tuple(_response(config, draws, index) for index in (best, worst))
    name = f"c-{_hash(*(response.id for response in responses))}"
    preference = Preference(id=f"v-{name}", comparison_id=name, labeler=JUDGE, ranks=(1, 2))
    comparison = Comparison(id=name, prompt=prompt, responses=responses)
    return LabeledComparison(comparison=comparison, preferences=(preference,))


def _report(
    config: Config,
    drawn: Sequence[Draws],
    picks: Sequence[Response],
    counts: dict[str, int],
    out: Path,
) -> None:
    """One line of metrics for each power of two up to n, from all draws, and the headline."""
    scores = torch.tensor([draws.scores for draws in drawn], dtype=torch.float64)
    log = MetricsLog(out)
    log.truncate_to(-1)
    number = 1
    while number <= config.n:
        mean = float(best_of_n_mean(scores, scores, n=number).mean())
        log.log(number, {"best_of_n/score": mean, "best_of_n/kl_bound": best_of_n_kl(number)})
        number *= 2
    artifacts.write_headline(
        out,
        {
            "prompts": len(picks),
            "n": config.n,
            "score_one": float(scores.mean()),
            "score_picked": sum(d.scores[d.picked(config.pick)] for d in drawn) / len(drawn),
            "kl_bound": best_of_n_kl(config.n) if config.pick == "best" else None,
            "demonstrations": sum(pick.finished for pick in picks),
            "comparisons": sum(counts.values()),
        },
    )


def _line(draws: Draws) -> str:
    return json.dumps(asdict(draws), ensure_ascii=False) + "\n"


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]
