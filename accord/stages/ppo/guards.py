"""What has to be true in every update; a run that breaks any of it stops and names it.

    invariant                              what is measured
    numbers are finite                     log-probabilities, values, scores and rewards
    a response ends once                   end-of-sequence tokens before the last token
    the score stands on the last token     reward + tax, which is the score there and 0 elsewhere
    KL to the reference is not negative    its mean, beyond what chance explains
    ratio is 1                             |π_train / π_old − 1| before an update's first step

Nothing but a few sums is computed for them. The checkpoints of before stay as they are.
"""

import math
from collections.abc import Callable

import torch
from scipy import stats
from torch import Tensor

from accord.config import InputError
from accord.functional.kl import k1
from accord.functional.masking import row_sums
from accord.models.adapters import Precision
from accord.stages.ppo.rewards import Rollout

TOLERANCE = 1e-4  # nats, score units or ratio; float32 rounding stays near 1e-6
BFLOAT16_TOLERANCE = 0.1  # measured on random models of 6 layers: up to 0.02
CHANCE = 1e-6  # of stopping a sound run, an update, if the KL of responses were normal


def check_rollout(rollout: Rollout, *, kl_coef: float, eos_id: int, update: int) -> None:
    """Stop where a rollout cannot be right.

    Raises:
        InputError: an invariant does not hold; names it.
    """
    found: tuple[tuple[str, Callable[[], str]], ...] = (
        ("numbers are finite", lambda: _not_finite(rollout)),
        ("a response ends once", lambda: _early_ends(rollout, eos_id)),
        ("the score stands on the last token", lambda: _misplaced(rollout, kl_coef)),
        ("KL to the reference is not negative", lambda: _negative(rollout)),
    )
    for invariant, fault in found:
        if sentence := fault():
            raise broken(invariant, sentence, update)


def check_first_ratio(
    logprobs: Tensor, old_logprobs: Tensor, *, update: int, precision: Precision = "float32"
) -> None:
    """Stop where the policy that learns is not yet the one that sampled, before any step.

    Args:
        logprobs: [B T] of the training pass, nats.
        old_logprobs: [B T] of the rollout, nats; both 0 at padding.
        update: its number, counted from 1.
        precision: of the passes that computed both.

    Raises:
        InputError: the ratio is not 1.
    """
    off = float((logprobs - old_logprobs).expm1().abs().max())
    allowed = tolerance(precision)
    if not off <= allowed:
        sentence = f"it is off by {off:.2g} before the first step, and {allowed:g} is allowed"
        raise broken("ratio is 1", sentence, update)


def tolerance(precision: Precision) -> float:
    """What two passes over the same tokens may differ by, nats, score units or ratio.

    The shapes of a batch decide in which order a product is summed, and in bfloat16 that shows.
    """
    return TOLERANCE if precision == "float32" else BFLOAT16_TOLERANCE


def broken(invariant: str, found: str, update: int) -> InputError:
    """The error that ends a run, with the invariant's name."""
    return InputError(
        f"PPO stops in update {update} because `{invariant}` does not hold: {found}; earlier "
        "checkpoints are kept, look this invariant up in docs/stages/ppo.md"
    )


def _not_finite(rollout: Rollout) -> str:
    parts = {
        "score": rollout.member_scores,
        "log-probability": rollout.episodes.logprobs[rollout.mask],
        "log-probability of the reference": rollout.ref_logprobs[rollout.mask],
        "value": rollout.values[rollout.mask],
        "reward": rollout.rewards[rollout.mask],
        "advantage": rollout.advantages[rollout.mask],
    }
    for name, numbers in parts.items():
        wrong = ~torch.isfinite(numbers)
        if bool(wrong.any()):
            return f"{int(wrong.sum())} of {numbers.numel()} numbers called {name} are not finite"
    return ""


def _early_ends(rollout: Rollout, eos_id: int) -> str:
    ends = (rollout.episodes.sequences.response_tokens() == eos_id) & rollout.mask
    ends.scatter_(1, _last(rollout), False)
    rows = int(ends.any(dim=1).sum())
    return f"{rows} responses go on after their end-of-sequence token" if rows else ""


def _misplaced(rollout: Rollout, kl_coef: float) -> str:
    """By the lengths of the responses, independently of the mask that placed the score."""
    score = rollout.rewards + kl_coef * rollout.logratio() * rollout.mask
    last = _last(rollout)
    finished = rollout.episodes.finished
    at_end = (score.gather(1, last).squeeze(1) - rollout.scores).masked_fill(~finished, 0)
    elsewhere = score.scatter(1, last, 0.0)
    off = max(float(at_end.abs().max()), float(elsewhere.abs().max()))
    scale = 1 + float(rollout.scores.abs().max()) + kl_coef * float(rollout.logratio().abs().max())
    return "" if off <= TOLERANCE * scale else f"{off:.2g} score units stand elsewhere"


def _negative(rollout: Rollout) -> str:
    kl = row_sums(k1(rollout.logratio()), rollout.mask).double()
    mean, n = float(kl.mean()), len(kl)
    rounding = TOLERANCE * rollout.mask.shape[1]
    if mean >= -rounding or n == 1:
        return ""
    error = float(kl.std()) / math.sqrt(n)
    lowest = -rounding + error * float(stats.t.ppf(CHANCE, n - 1))
    if mean >= lowest:
        return ""
    return f"its mean over {n} responses is {mean:.3g} nats, and chance explains {lowest:.3g}"


def _last(rollout: Rollout) -> Tensor:
    """[B 1] the place of the last token of each response."""
    return (rollout.episodes.sequences.response_lengths - 1)[:, None]
