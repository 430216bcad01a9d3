"""HTML: the templates, what a page may load (nothing), and writing one in one piece."""

import base64
import functools
import hashlib
import os
from pathlib import Path

import jinja2
from markupsafe import Markup

from accord.config import InputError
from accord.reports.estimates import PERCENT, PLAIN, count, show


@functools.cache
def environment() -> jinja2.Environment:
    """The templates; kept, because compiling them takes longer than filling them."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("accord.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=count,
        percent=lambda value: show(value, PERCENT),
        plain=lambda value: show(value, PLAIN),
    )
    return environment


CONTROL = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"}


def _visible(value: object) -> object:
    """Control characters that a model wrote as their pictures, ␀ for NUL; HTML cannot hold them."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return value.translate(CONTROL)
    return value


def content_security_policy(css: str) -> str:
    """Nothing may be loaded or run; the one style sheet is let in by its hash."""
    hashed = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"


def write_page(path: Path, text: str) -> Path:
    """Write atomically, so that a reader never sees half a report."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        # a model can write half a surrogate pair, which UTF-8 cannot hold
        with temporary.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"cannot write `{path}`: {error.strerror}; make room or allow writing there"
        ) from error
    return path
