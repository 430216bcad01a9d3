"""Errors as people and programs see them: a page, or JSON as RFC 9457 describes it.

Every error says in one sentence what is wrong and what to do. Programs (addresses under ``/api``)
get ``application/problem+json``; people get a page with the same sentence.
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from accord.config import InputError
from accord.store.leases import AlreadyAnswered, NotYours
from accord.web.passwords import Busy

API = "/api/"


class Pages(Protocol):
    """What shows errors to people; see ``pages.py``."""

    def error(self, request: Request, problem: "Problem", title: str) -> Response:
        """A page that says what is wrong."""

    def to_login(self, request: Request) -> Response:
        """The way to the login and back."""


LOG = logging.getLogger("accord.web")
MOST_ERRORS = 20  # fields named in one answer

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 400, 401, 403, 404, 409
TOO_LARGE, UNPROCESSABLE, TOO_MANY, BROKEN, BUSY = 413, 422, 429, 500, 503

UNREADABLE = "There was an error parsing the body"  # what FastAPI says of a body it gave up on
SENTENCES = {
    NOT_FOUND: "There is nothing at this address; check it, or go to the start page",
    405: "This address does not take such a request; open it in a browser, or see the description "
    "of the API",
    BROKEN: "The server made a mistake, which is in its log; nothing was half recorded; try again",
}


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Where it is, for example `body.ranks`.")
    message: str


class ProblemBody(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "There is no such task, or it is somebody else's; ask for the next one",
                "code": "",
                "errors": [],
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="One sentence: what is wrong and what to do.")
    code: str = Field(default="", description="A word for programs, for example `answered`.")
    errors: list[FieldError] = Field(default_factory=list)


class Problem(HTTPException):
    """An error with its sentence; a handler makes a page or JSON of it."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.code = code
        self.errors = list(errors)


class LoginNeeded(Problem):
    """Nobody is logged in: a page leads to the login, a program is told so."""

    def __init__(self) -> None:
        super().__init__(
            UNAUTHORIZED,
            "Log in first; a program sends the header `Authorization: Bearer <token>`",
            code="login",
            headers={"WWW-Authenticate": 'Bearer realm="accord"'},
        )


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route for its description in OpenAPI."""
    media = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": media} for status in statuses
    }


def install(app: FastAPI) -> None:
    """Answer every error of the app with a page or JSON."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(Busy, _busy)
    app.add_exception_handler(NotYours, _not_yours)
    app.add_exception_handler(AlreadyAnswered, _answered)
    app.add_exception_handler(DataError, _unkeepable)
    app.add_exception_handler(OperationalError, _unreachable)
    app.add_exception_handler(Exception, _broken)


def answer(request: Request, problem: Problem) -> Response:
    """The page or the JSON of a problem."""
    title = HTTPStatus(problem.status_code).phrase
    if request.url.path.startswith(API):
        body = ProblemBody(
            title=title,
            status=problem.status_code,
            detail=problem.detail,
            code=problem.code,
            errors=problem.errors,
        )
        return JSONResponse(
            body.model_dump(),
            problem.status_code,
            headers=problem.headers,
            media_type="application/problem+json",
        )
    return _pages(request).error(request, problem, title)


def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        if isinstance(error, LoginNeeded) and not request.url.path.startswith(API):
            return _pages(request).to_login(request)
        return answer(request, error)
    detail = SENTENCES.get(error.status_code, str(error.detail))
    if detail == UNREADABLE:
        detail = "The body cannot be read: it is not JSON, or nested too deeply; mend it and repeat"
    return answer(request, Problem(error.status_code, detail, headers=error.headers))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        where = found[0]["loc"][-1]
        sentence = (
            f"The body is not JSON: it breaks at character {where}; mend it and send it again"
        )
        return answer(request, Problem(BAD_REQUEST, sentence, code="json"))
    fields = [
        FieldError(field=".".join(map(str, one["loc"])), message=one["msg"])
        for one in found[:MOST_ERRORS]
    ]
    first = fields[0]
    sentence = f"The request cannot be used: `{first.field}`: {first.message}; mend it and repeat"
    return answer(request, Problem(UNPROCESSABLE, sentence, code="invalid", errors=fields))


def _refused(request: Request, error: Exception) -> Response:
    return answer(request, Problem(UNPROCESSABLE, sentence_of(error), code="refused"))


def _busy(request: Request, error: Exception) -> Response:
    return answer(request, Problem(BUSY, sentence_of(error), headers={"Retry-After": "5"}))


def _not_yours(request: Request, error: Exception) -> Response:
    sentence = "There is no such task, or it is somebody else's; ask for the next one"
    return answer(request, Problem(NOT_FOUND, sentence, code="not_yours"))


def _answered(request: Request, error: Exception) -> Response:
    return answer(request, Problem(CONFLICT, sentence_of(error), code="answered"))


def _unkeepable(request: Request, error: Exception) -> Response:
    LOG.warning("%s %s: %s", request.method, request.url.path, error)
    sentence = "The database cannot keep a value of this request: U+0000, or a number too large"
    return answer(request, Problem(UNPROCESSABLE, sentence, code="invalid"))


def _unreachable(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    sentence = "The database does not answer; nothing was recorded, so try again in a moment"
    return answer(request, Problem(BUSY, sentence, headers={"Retry-After": "5"}))


def _broken(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(request, Problem(BROKEN, SENTENCES[BROKEN]))


def sentence_of(error: Exception) -> str:
    """The sentence of an error, beginning as sentences do.

    >>> sentence_of(InputError("the name is taken; choose another one"))
    'The name is taken; choose another one'
    """
    text = str(error)
    return text[:1].upper() + text[1:]
