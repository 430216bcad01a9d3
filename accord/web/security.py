"""Signed cookies and forms: what comes back from a browser is what was given to it.

A login is a row of the database; the cookie holds its secret, signed, with the time of its end.
A write by cookie needs three things that a foreign page does not have: a fitting ``Origin``, a
same-site cookie, and a token made from the session (a header for scripts, a field for forms).
The field of a form is fresh each time it is shown, ends, and is accepted once.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from accord.web.errors import Problem
from accord.web.settings import Settings

CSRF_HEADER, FORM_FIELD = "X-CSRF-Token", "form"
_HEAD = "__Host-"  # tells browsers to accept the cookie over HTTPS and from this host only


@dataclass(frozen=True)
class SealedForm:
    """What made one form unlike every other one."""

    nonce: str
    expires_at: datetime


@dataclass(frozen=True)
class Signer:
    """Signs with the secret of the server, each purpose with a key of its own."""

    secret: bytes

    def seal(self, purpose: str, text: str, expires_at: datetime) -> str:
        """The text with the time of its end and a signature, fit for a cookie or a field."""
        return str(self._serializer(purpose).dumps([text, expires_at.timestamp()]))

    def unseal(self, purpose: str, sealed: str, now: datetime) -> tuple[str, datetime] | None:
        """What was sealed for this purpose and when it ends; None if forged or over.

        >>> from datetime import UTC
        >>> now = datetime(2026, 1, 1, tzinfo=UTC)
        >>> sealed = Signer(b"k" * 32).seal("cookie", "ann", now + timedelta(hours=1))
        >>> Signer(b"k" * 32).unseal("cookie", sealed, now)[0]
        'ann'
        >>> Signer(b"k" * 32).unseal("form", sealed, now) is None
        True
        >>> Signer(b"k" * 32).unseal("cookie", sealed, now + timedelta(hours=1)) is None
        True
        """
        try:
            text, ends = self._serializer(purpose).loads(sealed)
        except (BadSignature, ValueError):
            return None
        expires_at = datetime.fromtimestamp(ends, tz=now.tzinfo)
        return (str(text), expires_at) if now < expires_at else None

    def token(self, visit: str) -> str:
        """The token that scripts of this session's pages send with each write."""
        return hmac.new(self.secret, b"csrf:" + visit.encode(), hashlib.sha256).hexdigest()

    def form(self, visit: str, *, now: datetime, lifetime: timedelta) -> str:
        """The field of a form shown in this session."""
        return self.seal("form:" + visit, secrets.token_urlsafe(16), now + lifetime)

    def opened_form(self, visit: str, field: str, *, now: datetime) -> SealedForm | None:
        """A form that was shown in this session; None if it was forged, or is too old."""
        found = self.unseal("form:" + visit, field, now)
        return None if found is None else SealedForm(*found)

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self.secret, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256}
        )


def cookie_name(settings: Settings, kind: str) -> str:
    """Name of a cookie; over HTTPS one that browsers guard."""
    return f"{_HEAD if settings.is_https else ''}accord_{kind}"


def set_cookie(
    response: Response, settings: Settings, kind: str, value: str, lifetime: timedelta
) -> None:
    """Give a cookie that no script can read and no other site can send with a write."""
    response.set_cookie(
        cookie_name(settings, kind),
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, settings: Settings, kind: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(
        cookie_name(settings, kind),
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )


def check_origin(request: Request, settings: Settings) -> None:
    """Refuse a write that a page of another site sent.

    Raises:
        Problem: 403, the request names another origin, or the browser says it crosses sites.
    """
    here = settings.url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    origin = request.headers.get("origin")
    if origin is not None and origin.casefold() != here.casefold():
        raise Problem(403, "This request comes from another site; open the page here and repeat it")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "This request comes from another site; open the page here and repeat it")


def check_token(request: Request, signer: Signer, visit: str) -> None:
    """Refuse a write by cookie without the token of the session's pages.

    Raises:
        Problem: 403.
    """
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), signer.token(visit).encode()):
        raise Problem(
            403,
            f"The header `{CSRF_HEADER}` is missing or belongs to another login; "
            "load the page again and repeat it",
        )
