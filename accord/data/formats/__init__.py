"""Formats of labelled data: files to records and back, one module for each format.

    accord import FORMAT FILE        accord export FORMAT FILE

What a format has no place for is counted when it is written (``losses``); what Accord's records
have no place for is kept beside them (``differences``) and written back.
"""

from accord.config import InputError, nearest
from accord.data.formats import (
    argilla,
    convincing_arguments,
    hh,
    label_studio,
    lmarena,
    oasst,
    own,
    summaries,
    trl,
    tulu,
)
from accord.data.formats.reading import Format

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        own.FORMAT,
        hh.FORMAT,
        trl.PAIRS,
        trl.STANDARD,
        trl.UNPAIRED,
        summaries.COMPARISONS,
        summaries.AXES,
        oasst.FORMAT,
        argilla.FORMAT,
        label_studio.FORMAT,
        lmarena.FORMAT,
        convincing_arguments.FORMAT,
        tulu.FORMAT,
    )
}


def format_named(name: str) -> Format:
    """A format by its name.

    Raises:
        InputError: there is none of this name; names the nearest.
    """
    if name not in FORMATS:
        raise InputError(f"unknown format `{name}`{nearest(name, FORMATS)}")
    return FORMATS[name]
