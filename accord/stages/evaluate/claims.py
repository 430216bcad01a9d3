"""Claims that the intervals do not support, in plain sentences.

The rule is fixed before any number is seen: a policy is claimed to be better than the baseline if
it comes after the baseline in ``policies``, worse if it comes before, and better than the
policy just before it. A claim is supported when the whole interval of the decided win rate lies
on its side of one half. Each interval stands alone: nothing corrects for looking at several.
"""

from collections.abc import Sequence
from typing import Any

EVEN = 0.5


def unsupported(rows: Sequence[dict[str, Any]], baseline: str) -> list[str]:
    """One sentence for each claim that the intervals do not carry.

    Args:
        rows: of ``scores.json``, each temperature in the order of the policies.
        baseline: the policy that the others are compared with.
    """
    found: list[str] = []
    for temperature in dict.fromkeys(row["temperature"] for row in rows):
        how = "sampled at temperature 1" if temperature else "decoded greedily"
        names = [row["policy"] for row in rows if row["temperature"] == temperature]
        for row in (row for row in rows if row["temperature"] == temperature):
            is_later = names.index(row["policy"]) > names.index(baseline)
            found += _against_baseline(row, how, is_later)
            found += _against_previous(row, how)
            if temperature and is_later:
                found += _by_kind(row) + _proxy_only(row)
    return found


def _against_baseline(row: dict[str, Any], how: str, is_later: bool) -> list[str]:
    rate = row["win_rate"]
    if rate is None:
        return []
    name, against = f"`{row['policy']}`", f"`{rate['against']}`"
    if is_later:
        return _sentence(rate, name, against, how)
    return _sentence(rate, against, name, how, mirrored=True)


def _against_previous(row: dict[str, Any], how: str) -> list[str]:
    rate, main = row["win_rate_previous"], row["win_rate"]
    if rate is None or main is None or rate["against"] == main["against"]:
        return []  # the same comparison, or the baseline's own with what came before it
    return _sentence(rate, f"`{row['policy']}`", f"`{rate['against']}`", how)


def _sentence(
    rate: dict[str, Any], better: str, worse: str, how: str, *, mirrored: bool = False
) -> list[str]:
    """What is wrong with "better beats worse", if anything."""
    shown = (
        "above" if rate["decided_low"] > EVEN else "below" if rate["decided_high"] < EVEN else ""
    )
    if shown == ("below" if mirrored else "above"):
        return []
    value, low, high = (rate[key] for key in ("decided", "decided_low", "decided_high"))
    if mirrored:
        value, low, high = 1 - value, 1 - high, 1 - low
    verdict = "is worse than" if shown else "is not shown to beat"
    return [f"{better} {verdict} {worse}, {how}: {_numbers(rate, value, low, high)}"]


def _by_kind(row: dict[str, Any]) -> list[str]:
    """Kinds of prompt on which a policy that is claimed to be better is worse."""
    return [
        f"`{row['policy']}` is worse than `{rate['against']}` on `{kind}` prompts: "
        f"{_numbers(rate, rate['decided'], rate['decided_low'], rate['decided_high'])}"
        for kind, found in row["by_kind"].items()
        if (rate := found["win_rate"]) is not None and rate["decided_high"] < EVEN
    ]


def _proxy_only(row: dict[str, Any]) -> list[str]:
    """The preference model sees a gain that the truth does not show."""
    truth, proxy = row["win_rate"], row["win_rate_by_score"]
    if truth is None or proxy is None or truth["by"] != "truth":
        return []
    if proxy["decided_low"] <= EVEN or truth["decided_low"] > EVEN:
        return []
    numbers = _numbers(proxy, proxy["decided"], proxy["decided_low"], proxy["decided_high"])
    return [
        f"the preference model prefers `{row['policy']}` to `{proxy['against']}` ({numbers}), but "
        "the truth does not show that it is better"
    ]


def _numbers(rate: dict[str, Any], value: float, low: float, high: float) -> str:
    n = rate["wins"] + rate["losses"]
    return f"wins {value:.1%} of {n} decided duels, interval {low:.1%} to {high:.1%}"
