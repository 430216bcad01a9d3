"""Passwords: hashed with argon2id, never kept, never logged.

Differs from the library's defaults: 19 MiB and two passes instead of 64 MiB and three, the
smallest setting that OWASP's Password Storage Cheat Sheet names for argon2id, and at most two
hashes at a time, so that a storm of logins cannot take the memory of the server.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from accord.config import InputError

SHORTEST, LONGEST = 10, 200  # characters
AT_ONCE = 2
WAIT_SECONDS = 5.0

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_PLACES = threading.BoundedSemaphore(AT_ONCE)


class Busy(Exception):
    """Too many logins at once; try again in a moment."""


def hashed(password: str, *, name: str = "") -> str:
    """Hash of a new password.

    Raises:
        InputError: it is too short, too long, or is the name.
    """
    if len(password) < SHORTEST:
        raise InputError(f"the password is too short; give it {SHORTEST} characters or more")
    if len(password) > LONGEST:
        raise InputError(f"the password is too long; give it {LONGEST} characters or fewer")
    if password.casefold() == name.casefold() or len(set(password)) == 1:
        raise InputError("the password is too easy to guess; choose another one")
    with _place():
        return _HASHER.hash(password)


def fits(kept: str | None, password: str) -> bool:
    """True if this is the password; takes as long when there is none, so that names stay secret."""
    with _place():
        try:
            _HASHER.verify(kept or _nobody(), password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


@cache
def _nobody() -> str:
    return _HASHER.hash("a password that nobody has")


@contextmanager
def _place() -> Iterator[None]:
    if not _PLACES.acquire(timeout=WAIT_SECONDS):
        raise Busy("many people log in at this moment; try again in a few seconds")
    try:
        yield
    finally:
        _PLACES.release()
