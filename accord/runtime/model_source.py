"""Where a stage's model comes from: an artifact, a directory, the hub, or the package."""

from pathlib import Path

from accord.runtime import artifacts

ModelSource = Path | str  #: a path to an artifact or a directory, ``hf:NAME`` or ``builtin:base``


def locate(source: ModelSource) -> ModelSource:
    """What to hand to ``models.load``: the output of an artifact, anything else as it is.

    Raises:
        InputError: nothing is there, or the artifact is not finished.
    """
    return artifacts.payload(source) if isinstance(source, Path) else source
