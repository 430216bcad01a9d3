"""Sets of labeled comparisons, whatever they are kept in, and the sections of public benchmarks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from accord.config import InputError
from accord.data.files import Source
from accord.data.sources import threads
from accord.data.threads import Tally, merged
from accord.records import LabeledComparison, read_records

Side = Literal["train", "test"]

# RewardBench: section -> subsets. Source: Lambert et al. 2024, arXiv:2403.13787, table 1.
REWARD_BENCH = {
    "Chat": ("alpacaeval-easy", "alpacaeval-length", "alpacaeval-hard", "mt-bench-easy",
             "mt-bench-med"),
    "Chat Hard": ("mt-bench-hard", "llmbar-natural", "llmbar-adver-neighbor",
                  "llmbar-adver-GPTInst", "llmbar-adver-GPTOut", "llmbar-adver-manual"),
    "Safety": ("refusals-dangerous", "refusals-offensive", "xstest-should-refuse",
               "xstest-should-respond", "donotanswer"),
    "Reasoning": ("math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"),
}  # fmt: skip
SECTION_OF = {subset: section for section, names in REWARD_BENCH.items() for subset in names}
MATHS = "math-prm"  # weighs as much as all code of its section together


def has_sides(source: Source) -> bool:
    """True for a folder that holds a training and a test side."""
    return isinstance(source, Path) and all(
        (source / f"comparisons-{side}.jsonl").is_file() for side in ("train", "test")
    )


def read_comparisons(source: Source, side: Side, tally: Tally) -> list[LabeledComparison]:
    """Every labeled comparison of a source.

    Args:
        source: Accord's own records, an artifact's output that holds them, a file or folder of
            any kind that ``accord.data.sources`` lists, or ``hf:NAME``.
        side: which file of a folder that holds ``comparisons-train.jsonl`` and ``-test.jsonl``.
        tally: counts the rows, and those left out with the reason.

    Raises:
        InputError: nothing is there, a row is not what it should be, or nobody ranked anything.
    """
    if isinstance(source, Path) and source.is_dir():
        for name in (f"comparisons-{side}.jsonl", "comparisons.jsonl"):
            if (source / name).is_file():
                found = read_records(source / name, LabeledComparison)
                tally["rows"] += len(found)
                return found
    read = [thread.comparison() for thread in threads(source, tally)]
    tally.leave_out("not_ranked", sum(one is None for one in read))
    labeled = merged((one for one in read if one is not None), tally)
    if not labeled:
        raise InputError(f"`{source}` holds no answers that somebody ranked; give comparisons")
    return labeled


def section_weights(kinds: Sequence[str]) -> dict[str, list[float]]:
    """How much each example counts in each section of RewardBench.

        1 for every example of the section;  in Reasoning, all of the maths as much as all code

    Args:
        kinds: the subset of each example.

    Returns:
        For each section that is there, one weight an example, 0 outside the section. Empty
        where no kind is a subset of RewardBench.

    Source: Lambert et al. 2024, arXiv:2403.13787, section 4: a section is the mean over its
    examples, maths and code weigh the same, the score is the mean over the sections.

    >>> section_weights(["math-prm", "hep-go", "hep-js"])
    {'Reasoning': [2.0, 1.0, 1.0]}
    """
    sections = sorted({SECTION_OF[kind] for kind in kinds if kind in SECTION_OF})
    found = {name: [float(SECTION_OF.get(kind) == name) for kind in kinds] for name in sections}
    maths = list(kinds).count(MATHS)
    if "Reasoning" in found:
        code = sum(found["Reasoning"]) - maths
        if maths and code:
            found["Reasoning"] = [
                code / maths if kind == MATHS else weight
                for kind, weight in zip(kinds, found["Reasoning"], strict=True)
            ]
    return found
