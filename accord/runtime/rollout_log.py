"""What a policy tried while it learnt: ``rollouts.jsonl``, for evaluation and report."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from accord.data.chat import decode_response
from accord.functional.kl import k1
from accord.functional.masking import row_sums
from accord.runtime.episodes import Episodes

DECIMALS = 5  # of scores and KL in rollouts.jsonl


class UpdateLog:
    """A file of JSON objects, one a line, each of which belongs to an update."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_cut_back = False

    def append(self, update: int, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write the lines of one update; the first time, drop what a killed run had ahead."""
        if not self._is_cut_back:
            self._truncate_to(update - 1)
            self._is_cut_back = True
        with self._path.open("a", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps({"update": update, **line}, ensure_ascii=False) + "\n")

    def _truncate_to(self, update: int) -> None:
        """Drop what came after ``update``, and a last line that was cut off by a crash."""
        if not self._path.is_file():
            return
        temporary = self._path.with_name(self._path.name + ".tmp")
        with self._path.open("rb") as file, temporary.open("wb") as to:  # cut anywhere, so bytes
            to.writelines(_until(file, update))
        os.replace(temporary, self._path)


class RolloutLog:
    """``rollouts.jsonl``: every response that the policy tried, one JSON object a line."""

    def __init__(self, out: Path) -> None:
        self._log = UpdateLog(out / "rollouts.jsonl")

    def append(
        self,
        update: int,
        episodes: Episodes,
        scores: Tensor,
        ref_logprobs: Tensor,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        """Write the responses of one update."""
        self._log.append(update, _responses(episodes, scores, ref_logprobs, tokenizer))


def _responses(
    episodes: Episodes, scores: Tensor, ref_logprobs: Tensor, tokenizer: PreTrainedTokenizerBase
) -> Iterator[dict[str, Any]]:
    mask = episodes.sequences.response_mask()
    kl = row_sums(k1(episodes.logprobs - ref_logprobs), mask).tolist()
    tokens, lengths = episodes.sequences.response_tokens().tolist(), mask.sum(1).tolist()
    finished = episodes.finished.tolist()
    for row, (prompt, score) in enumerate(zip(episodes.prompts, scores.tolist(), strict=True)):
        yield {
            "prompt_id": prompt.id,
            "prompt": prompt.model_dump(mode="json", by_alias=True),
            "text": decode_response(tokenizer, tokens[row][: lengths[row]]),
            "score": round(score, DECIMALS),
            "kl": round(kl[row], DECIMALS),
            "length": lengths[row],
            "finished": finished[row],
        }


def _until(lines: Iterable[bytes], update: int) -> Iterator[bytes]:
    for line in lines:
        if not line.endswith(b"\n") or json.loads(line)["update"] > update:
            return
        yield line
