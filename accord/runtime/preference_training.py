"""Training a preference model on comparisons: what both of its stages do.

    loss = mean over comparisons of [ mean over labelers and pairs of −log σ(s_better − s_worse) ]
           + lm_coef · mean over tokens of the best responses of −log p(token)

Each of the K responses of a comparison goes through the model once, and all its pairs are one
element of the batch: pairs of one prompt that were shuffled apart would be K − 1 epochs over every
response (Ouyang et al. 2022, arXiv:2203.02155, section 3.5).
"""

import functools
import itertools
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.collate import pad_rows, shuffled
from accord.data.encode import LongPrompts, encode_comparisons
from accord.data.preferences import Ties, best, wins
from accord.functional.preference import soft_ranking_loss
from accord.models.load import context_length
from accord.models.preference_model import scores, scores_and_logprobs
from accord.records import LabeledComparison
from accord.runtime import checkpoints, train
from accord.runtime.metrics import MetricsLog
from accord.runtime.parallel import in_order, parts
from accord.runtime.seeding import generator
from accord.runtime.steps import steps_left

CHUNK = 1024  # comparisons tokenised at a time
Evaluate = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Item:
    """One comparison, ready for the model.

    Attributes:
        conversations: prompt and response tokens of each of the K responses, 4 bytes a token: as
            lists of Python's numbers, a set of 50,000 long pairs would take gigabytes.
        wins: ``wins[i][j]``, how many labelers put response i above response j.
    """

    conversations: list[Sequence[int]]
    wins: list[list[float]]

    @property
    def longest(self) -> int:
        """Tokens of the longest conversation."""
        return max(len(conversation) for conversation in self.conversations)


@dataclass(frozen=True)
class Items:
    """Comparisons that can be used, and how many could not."""

    items: list[Item]
    records: list[LabeledComparison]  #: of the same comparisons, if they were to be kept
    too_long: int  #: a conversation exceeds the context
    undecided: int  #: no labeler put any response above another
    shortened: int = 0  #: prompts that lost their beginning

    def counts(self, side: str) -> dict[str, int]:
        """``{"train_size": comparisons, "train_too_long": ..., ...}`` for the evaluation."""
        return {
            f"{side}_size": len(self.items),
            f"{side}_too_long": self.too_long,
            f"{side}_undecided": self.undecided,
            f"{side}_shortened": self.shortened,
        }


@dataclass(frozen=True)
class Plan:
    """How to train; see the stages' configs for units and sources."""

    seed: int
    epochs: int
    batch_size: int
    microbatch_size: int
    learning_rate: float
    schedule: train.Schedule
    warmup: float
    final_learning_rate: float
    max_grad_norm: float
    checkpoint_every: int
    lm_coef: float = 0.0

    def steps(self, items: int) -> int:
        """Optimizer steps in all."""
        return self.epochs * self.steps_per_epoch(items)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step."""
        return train.scheduled(
            self.learning_rate,
            step,
            steps=steps,
            schedule=self.schedule,
            warmup=round(self.warmup * steps),
            floor=self.final_learning_rate,
        )

    def steps_per_epoch(self, items: int) -> int:
        """Optimizer steps of one pass over the comparisons."""
        return -(-items // self.batch_size)


@dataclass(frozen=True)
class Heads:
    """The model that is trained; with a language head on the same trunk when it is wanted."""

    scalar: PreTrainedModel
    language: PreTrainedModel | None = None

    def trained(self) -> nn.Module:
        """Everything with a gradient, as one module."""
        if self.language is None:
            return self.scalar
        return nn.ModuleDict({"scalar": self.scalar, "language": self.language})


def prepare(
    tokenizer: PreTrainedTokenizerBase,
    comparisons: Iterable[LabeledComparison],
    *,
    model: PreTrainedModel,
    context: int,
    ties: Ties,
    minimum_strength: int,
    keep_records: bool = True,
    long_prompts: LongPrompts = "leave_out",
) -> Items:
    """Tokenise comparisons and count what labelers said about them.

    Args:
        tokenizer: the model's.
        comparisons: with their preferences; read once, some at a time.
        model: its own context is a limit as well.
        context: the most tokens of a conversation.
        ties: what equal ranks count.
        minimum_strength: weaker preferences are left out.
        keep_records: an evaluation needs the comparisons themselves, training does not.
        long_prompts: what becomes of conversations that exceed the context.

    Raises:
        InputError: no comparison is left.
    """
    limit = min(context, context_length(model) or context)
    items: list[Item] = []
    records: list[LabeledComparison] = []
    count = undecided = shortened = 0
    remaining = iter(comparisons)
    while chunk := list(itertools.islice(remaining, CHUNK)):
        count += len(chunk)
        encoded = encode_comparisons(
            tokenizer, [c.comparison for c in chunk], context=limit, long_prompts=long_prompts
        )
        for labeled, tokens in zip(chunk, encoded, strict=True):
            table = wins(labeled, ties=ties, minimum_strength=minimum_strength)
            if not any(map(any, table)):
                undecided += 1
            elif tokens is not None:
                items.append(Item([array("i", tokens.prompt + r) for r in tokens.responses], table))
                records += [labeled] if keep_records else []
                shortened += tokens.cut > 0
    if not items:
        raise InputError(
            f"none of {count} comparisons is decided and fits `context` = {limit} "
            "tokens; raise it or give other comparisons"
        )
    return Items(items, records, count - undecided - len(items), undecided, shortened)


def score_all(
    model: PreTrainedModel, items: Sequence[Item], *, microbatch_size: int
) -> list[list[float]]:
    """The score of every response of every comparison.

    Args:
        model: a scalar model.
        items: comparisons.
        microbatch_size: as in ``score_conversations``.
    """
    flat = [conversation for item in items for conversation in item.conversations]
    values = iter(score_conversations(model, flat, microbatch_size=microbatch_size))
    return [[next(values) for _ in item.conversations] for item in items]


def score_conversations(
    model: PreTrainedModel, conversations: Sequence[Sequence[int]], *, microbatch_size: int
) -> list[float]:
    """The score of each conversation, those of similar length together.

    Args:
        model: a scalar model.
        conversations: token ids, each closed by the end of sequence.
        microbatch_size: comparisons per forward pass in training; four times as many
            conversations go together here, where no gradient is kept.
    """
    order = sorted(range(len(conversations)), key=lambda i: len(conversations[i]))
    result = [0.0] * len(conversations)

    def score(part: list[int]) -> list[float]:
        tokens, lengths = _padded([conversations[i] for i in part], model)
        found: list[float] = scores(model, tokens, lengths).tolist()
        return found

    cut = parts(order, 4 * microbatch_size)
    with torch.no_grad():
        for part, values in zip(cut, in_order(score, cut), strict=True):
            for i, value in zip(part, values, strict=True):
                result[i] = value
    return result


def fit(heads: Heads, items: Sequence[Item], plan: Plan, *, out: Path, evaluate: Evaluate) -> None:
    """Train, go on where an interrupted run stopped, and log.

    Args:
        heads: changed in place.
        items: training comparisons.
        plan: how.
        out: checkpoints and metrics go below.
        evaluate: gives held-out metrics, before the first step and after every epoch.
    """
    module = heads.trained()
    optimizer = train.adam(module.parameters(), learning_rate=plan.learning_rate)
    state = checkpoints.TrainState({"preference_model": module}, {"adam": optimizer})
    log = MetricsLog(out)
    total, per_epoch = plan.steps(len(items)), plan.steps_per_epoch(len(items))
    for step in steps_left(
        state,
        out,
        total=total,
        checkpoint_every=plan.checkpoint_every,
        description="preference model",
    ):
        began = time.monotonic()
        if step == 0:
            log.truncate_to(-1)
            log.log(0, evaluate())
        values = _step(heads, _batch(items, plan, step), plan, optimizer, plan.rate(step, total))
        if (step + 1) % per_epoch == 0:
            values |= evaluate()
        log.log(step + 1, values)
        log.log_time(step + 1, {"time/seconds": time.monotonic() - began})


def _batch(items: Sequence[Item], plan: Plan, step: int) -> list[Item]:
    """The comparisons of one step: every epoch has its own order, known from the seed alone."""
    epoch, place = divmod(step, plan.steps_per_epoch(len(items)))
    order = shuffled(len(items), rng=generator(plan.seed, "order", epoch))
    chosen = order[place * plan.batch_size : (place + 1) * plan.batch_size]
    # Similar lengths share a microbatch; within one batch the order changes nothing else.
    return sorted((items[i] for i in chosen), key=lambda item: item.longest)


def _step(
    heads: Heads,
    batch: Sequence[Item],
    plan: Plan,
    optimizer: torch.optim.Optimizer,
    learning_rate: float,
) -> dict[str, float]:
    """One optimizer step, and what it found."""
    learnt = sum(len(item.conversations[best(item.wins)]) - 1 for item in batch)

    cut = parts(list(range(len(batch))), plan.microbatch_size)
    found: list[dict[str, float]] = [{} for _ in cut]

    def loss(number: int) -> Tensor:
        items = [batch[i] for i in cut[number]]
        value, found[number] = _loss(heads, items, plan.lm_coef, learnt / len(batch))
        return value

    result = train.optimiser_step(
        optimizer,
        [functools.partial(loss, number) for number in range(len(cut))],
        count=len(batch),
        learning_rate=learning_rate,
        max_grad_norm=plan.max_grad_norm,
    )
    means = {key: sum(part[key] for part in found) / len(batch) for key in found[0]}
    return means | {
        "train/loss": result.loss,
        "train/grad_norm": result.grad_norm,
        "train/learning_rate": learning_rate,
    }


def _loss(
    heads: Heads, items: Sequence[Item], lm_coef: float, tokens_each: float
) -> tuple[Tensor, dict[str, float]]:
    """Sum of the losses of some comparisons.

    Args:
        heads: the model.
        items: comparisons.
        lm_coef: weight of the next-token loss.
        tokens_each: learnt tokens per comparison, over the whole batch: the caller divides by
            comparisons, the next-token loss is a mean over tokens.
    """
    score, logprobs = _forward(heads, items)
    counts = [len(item.conversations) for item in items]
    table = nn.utils.rnn.pad_sequence(list(torch.split(score, counts)), batch_first=True)
    won = _wins(items, table.shape[1]).to(table)
    loss = soft_ranking_loss(table, won).sum()
    sums = {
        "preference/loss": float(loss.detach()),
        "preference/accuracy": float(_share_right(table.detach(), won).sum()),
    }
    if logprobs is not None:
        language = -logprobs.sum() / tokens_each
        sums["language/loss"] = float(language.detach())
        loss = loss + lm_coef * language
    return loss, sums


def _forward(heads: Heads, items: Sequence[Item]) -> tuple[Tensor, Tensor | None]:
    """One forward pass over all responses of the comparisons."""
    tokens, lengths = _padded([c for item in items for c in item.conversations], heads.scalar)
    if heads.language is None:
        return scores(heads.scalar, tokens, lengths), None
    starts = itertools.accumulate((len(item.conversations) for item in items), initial=0)
    better = [start + best(item.wins) for start, item in zip(starts, items, strict=False)]
    rows = torch.tensor(better, device=tokens.device)
    return scores_and_logprobs(heads.scalar, heads.language, tokens, lengths, rows)


def _padded(
    conversations: Sequence[Sequence[int]], model: PreTrainedModel
) -> tuple[Tensor, Tensor]:
    tokens = pad_rows(conversations, model.config.pad_token_id)
    lengths = torch.tensor([len(conversation) for conversation in conversations])
    return tokens.to(model.device), lengths.to(model.device)


def _wins(items: Sequence[Item], width: int) -> Tensor:
    """[N K K]; absent responses have neither wins nor losses."""
    table = torch.zeros(len(items), width, width)
    for row, item in enumerate(items):
        number = len(item.wins)
        table[row, :number, :number] = torch.tensor(item.wins)
    return table


def _share_right(table: Tensor, won: Tensor) -> Tensor:
    """[N] share of a comparison's wins that the scores agree with; equal scores count half."""
    margin = table[:, :, None] - table[:, None, :]
    right = (margin > 0).to(won) + 0.5 * (margin == 0).to(won)
    return (right * won).sum(dim=(1, 2)) / won.sum(dim=(1, 2))
