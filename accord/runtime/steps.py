"""The loop around the optimizer steps of a stage: resume, progress, checkpoints.

    for step in steps_left(state, out, total=1000, checkpoint_every=100, description="sft"):
        ...                                        # one step; log with step + 1

``state`` is restored before the first step is handed out, so that what the body reads from it is
what the interrupted run left.
"""

from collections.abc import Iterator
from pathlib import Path

from accord.runtime import checkpoints
from accord.runtime.checkpoints import TrainState
from accord.runtime.dashboard import Dashboard
from accord.runtime.metrics import MetricsLog
from accord.runtime.progress import bar


def steps_left(
    state: TrainState,
    out: Path,
    *,
    total: int,
    checkpoint_every: int,
    description: str,
    dashboard: Dashboard | None = None,
) -> Iterator[int]:
    """The numbers of the steps that are still to be done, counted from 0.

    Args:
        state: restored from the newest checkpoint; ``state.step`` is kept up to date.
        out: the stage's directory. Metrics after the restored step are dropped.
        total: steps in all.
        checkpoint_every: steps from one checkpoint to the next; there is one after the last step.
        description: beside the progress bar.
        dashboard: draws the bar with its numbers, in the place of a bar alone.
    """
    directory = out / "checkpoints"
    checkpoints.load_newest(state, directory)
    MetricsLog(out).truncate_to(state.step)
    draw = bar if dashboard is None else dashboard.bar
    with draw(total, description, completed=state.step) as advance:
        while state.step < total:
            yield state.step
            state.step += 1
            if state.step % checkpoint_every == 0 or state.step == total:
                checkpoints.save(state, directory)
            advance()
