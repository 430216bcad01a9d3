"""What holds for every request: known hosts, bounded bodies, headers that guard the browser.

Plain ASGI, since a wrapped request would cost each vote more than the vote itself.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.web.errors import BAD_REQUEST, TOO_LARGE, Problem, answer
from accord.web.settings import Settings

UPLOADS = ("/manage/import", "/api/v1/manage/import")  # addresses that take files
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send `Origin: null` with forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
HTTPS_ONLY = "max-age=31536000"


class Guard:
    """Refuses unknown hosts and oversized bodies, and adds the headers to every response."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        guarded = self._with_headers(scope, send)
        limit = self._limit(scope["path"])
        problem = self._refusal(Headers(scope=scope), limit)
        if problem is not None:
            response = answer(Request(scope), problem)
            await response(scope, receive, guarded)
            return
        await self.app(scope, _bounded(receive, limit), guarded)

    def _limit(self, path: str) -> int:
        is_upload = path.startswith(UPLOADS)
        return self.settings.max_upload_bytes if is_upload else self.settings.max_body_bytes

    def _refusal(self, headers: Headers, limit: int) -> Problem | None:
        host = urlsplit("//" + headers.get("host", "")).hostname or ""
        if self.settings.hosts and host not in self.settings.hosts:
            return Problem(BAD_REQUEST, "This server does not answer under that name")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return Problem(BAD_REQUEST, "The header `Content-Length` is no number")
        return _too_large(limit) if int(length) > limit else None

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        is_static = scope["path"].startswith("/static/")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache" if is_static else "no-store")
                if self.settings.is_https:
                    headers.setdefault("Strict-Transport-Security", HTTPS_ONLY)
            await send(message)

        return guarded


def _bounded(receive: Receive, limit: int) -> Callable[[], Awaitable[Message]]:
    """The body, up to the limit: also for those that do not say how long theirs is."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return bounded


def _too_large(limit: int) -> Problem:
    return Problem(
        TOO_LARGE, f"The request is larger than {limit:,} bytes; send less, or in several parts"
    )
