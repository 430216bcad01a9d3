"""The server, put together: one app for people's pages and programs' API."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

import accord
from accord.store.session import Store
from accord.web import errors
from accord.web.deps import State
from accord.web.middleware import Guard
from accord.web.pages import STATIC, TemplatePages
from accord.web.routes import (
    auth,
    conversations,
    label,
    manage_files,
    manage_pages,
    manage_people,
    manage_people_pages,
    manage_project_pages,
    manage_projects,
    manage_quality,
    manage_review_pages,
    tasks,
)
from accord.web.security import Signer
from accord.web.settings import Settings
from accord.web.turns import Generator, Turns

DESCRIPTION = """\
Everything that the pages do, for programs.

Send `Authorization: Bearer <token>`; a manager makes tokens. Errors are `application/problem+json`
(RFC 9457) with one sentence in `detail`. An answer carries an `id` that its sender makes: sending
the same answer again, after a lost reply for example, counts once.

Responses are known by their place on the screen only: nothing tells which policy wrote them.
"""


ROUTES = (
    auth,
    label,
    tasks,
    conversations,
    manage_projects,
    manage_quality,
    manage_people,
    manage_files,
    manage_people_pages,
    manage_pages,
    manage_review_pages,
    manage_project_pages,  # last: one of its addresses takes every act
)


def utc_now() -> datetime:
    """The present time."""
    return datetime.now(UTC)


def create_app(
    settings: Settings,
    store: Store,
    *,
    generators: Mapping[str, Generator] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """The server on an open store.

    Args:
        settings: see ``settings.py``.
        store: closed when the server ends.
        generators: who answers in conversations, by name.
        clock: the present time, with zone; another one in tests.
    """

    turns = Turns(generators or {})

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        turns.close()
        store.close()

    app = FastAPI(
        title="Accord",
        version=accord.__version__,
        description=DESCRIPTION,
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.state.accord = State(
        settings=settings,
        store=store,
        signer=Signer(settings.secret.get_secret_value()),
        clock=clock,
        turns=turns,
    )
    app.state.pages = TemplatePages()
    errors.install(app)
    app.add_middleware(Guard, settings=settings)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    for routes in ROUTES:
        app.include_router(routes.router)
    return app
