"""Pages from templates: every value is escaped, a missing one is an error."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

import accord
from accord.web.deps import VISIT, State, current_viewer, visit_of
from accord.web.errors import Problem
from accord.web.markdown import render as markdown
from accord.web.security import FORM_FIELD, set_cookie
from accord.web.wording import choice

HERE = Path(__file__).parent
STATIC = HERE / "static"
THEMES = ("light", "dark")
SEE_OTHER = 303


class TemplatePages:
    """Renders templates with what every page needs; see the README of ``templates``."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(markdown=markdown, when=when, choice=choice)
        self._environment.globals.update(static=static_address, version=accord.__version__)

    def page(
        self, request: Request, template: str, context: dict[str, Any], *, status: int = 200
    ) -> Response:
        """A page of a template.

        Every template has besides: ``viewer`` (the Account or None), ``path``, ``csrf`` (token
        for scripts), ``form_field()`` (the hidden field of a form), ``theme``, ``static(name)``,
        ``version`` and the filter ``markdown``.
        """
        state: State = request.app.state.accord
        visit = visit_of(request)
        viewer = current_viewer(request)

        def form_field() -> Markup:
            sealed = state.signer.form(
                visit, now=state.clock(), lifetime=state.settings.form_lifetime
            )
            return Markup('<input type="hidden" name="{}" value="{}">').format(FORM_FIELD, sealed)

        theme = request.cookies.get("accord_theme", "")
        shared = {
            "viewer": None if viewer is None else viewer.account,
            "path": request.url.path,
            "csrf": state.signer.token(visit),
            "form_field": form_field,
            "theme": theme if theme in THEMES else "",
        }
        html = self._environment.get_template(template).render({**shared, **context})
        response = HTMLResponse(html, status)
        if viewer is None:
            lifetime = state.settings.form_lifetime
            sealed = state.signer.seal(VISIT, visit, state.clock() + lifetime)
            set_cookie(response, state.settings, VISIT, sealed, lifetime)
        return response

    def error(self, request: Request, problem: Problem, title: str) -> Response:
        """The page of an error."""
        context = {"title": title, "status": problem.status_code, "detail": problem.detail}
        response = self.page(request, "error.html", context, status=problem.status_code)
        response.headers.update(problem.headers or {})
        return response

    def to_login(self, request: Request) -> Response:
        """To the login, and back to the page that was asked for."""
        wanted = request.url.path if request.method == "GET" else "/"
        return to("/login" if wanted == "/" else f"/login?next={quote(wanted)}")


def pages_of(request: Request) -> TemplatePages:
    """What makes the pages of this server."""
    pages: TemplatePages = request.app.state.pages
    return pages


def as_script_data(value: BaseModel) -> Markup:
    r"""A value as JSON inside ``<script type="application/json">``: no text in it can end that.

    >>> class Shown(BaseModel):
    ...     text: str
    >>> as_script_data(Shown(text="</script>&"))
    Markup('{"text":"\\u003c/script\\u003e\\u0026"}')
    """
    text = value.model_dump_json()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def when(at: datetime | None) -> str | Markup:
    """A time as people read it, in UTC.

    >>> when(datetime(2026, 1, 31, 8, 5, tzinfo=UTC))
    Markup('<time datetime="2026-01-31T08:05:00+00:00">2026-01-31 08:05</time>')
    """
    if at is None:
        return "never"
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%Y-%m-%d %H:%M}")


def to(address: str) -> Response:
    """Go on at another address of this server, after a form."""
    return RedirectResponse(address, SEE_OTHER)


def own_address(address: str) -> str:
    """The address if it is one of this server, else the start page: a link cannot lead elsewhere.

    >>> own_address("/p/sample"), own_address("//evil.example"), own_address("https://evil.example")
    ('/p/sample', '/', '/')
    """
    is_own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_own and address.isprintable() else "/"


@cache
def static_address(name: str) -> str:
    """Address of a file of ``static`` that changes when the file does, so that it can be cached."""
    file = STATIC / name
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else "none"
    return f"/static/{name}?v={digest}"
