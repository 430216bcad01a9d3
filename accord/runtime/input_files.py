"""Which file a stage means when its input is an artifact or a directory."""

from pathlib import Path

from accord.config import InputError
from accord.runtime import artifacts


def input_file(path: Path, *names: str) -> Path:
    """The file itself, or the first of ``names`` that an artifact or a directory holds.

    Raises:
        InputError: nothing is there, the artifact is not finished, or it holds none of the files.
    """
    place = artifacts.payload(path)
    if place.is_file():
        return place
    for name in names:
        if (place / name).is_file():
            return place / name
    expected = " or ".join(f"`{name}`" for name in names)
    raise InputError(f"`{place}` holds no {expected}; give the path of the file itself")
