"""Models as the command line names them."""

from pathlib import Path

from accord import trace
from accord.config import InputError
from accord.runtime import artifacts


def model_of(source: str) -> tuple[str, Path | str]:
    """A name to show and the model itself; a folder of a run stands for its newest policy.

    Raises:
        InputError: nothing is there.
    """
    if source.startswith(("hf:", "builtin:")):
        return source, source
    path = Path(source)
    if (path / "run.json").is_file():
        path = trace.newest_policy(path)
    if not path.exists():
        raise InputError(f"no folder `{source}`; give a run, an artifact or a model folder")
    return path.name, artifacts.payload(path)
