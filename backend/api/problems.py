"""Every error as problem details (RFC 9457), or as OpenAI's and Anthropic's on their routes."""

from __future__ import annotations

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from backend.api.cross_origin import answer_headers
from backend.api.errors import (
    DatabaseUnavailable,
    InternalError,
    MethodNotAllowed,
    RouteNotFound,
)
from backend.errors import (
    FareboxError,
    InvalidInput,
    MalformedRequest,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from backend.gateway.protocols.routes import error_body, error_headers, no_such_route, shape_of
from backend.storage.outages import is_outage, sqlstate_of
from backend_client.types.problems import FieldError, Problem

_log = structlog.get_logger(__name__)

_UNSTORABLE = frozenset({"22021", "22P05"})
"""SQLSTATE of a text with a NUL, which PostgreSQL's text and JSON can't store."""

MEDIA_TYPE = "application/problem+json"


def problem_response(request: Request, error: FareboxError) -> Response:
    """Answer an error in the shape that the route's callers expect."""
    shape = shape_of(request.url.path, request.headers)
    if shape is not None:
        return Response(
            error_body(shape, error),
            status_code=error.status,
            media_type="application/json",
            headers=error_headers(error),
        )
    problem = Problem(
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=request.url.path,
        code=error.code,
        request_id=getattr(request.state, "request_id", None),
        errors=error.errors,
    )
    headers = {}
    if isinstance(error, (RateLimited, Unavailable)):
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds)))
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=error.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def install(app: FastAPI) -> None:
    """Give the app its error handlers."""

    @app.exception_handler(FareboxError)
    async def farebox(request: Request, error: FareboxError) -> Response:
        return problem_response(request, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        # What the framework itself refuses; any other is of a body that it could not take apart
        refusals = {404: RouteNotFound, 405: MethodNotAllowed}
        refusal = refusals.get(error.status_code, MalformedRequest)
        path = request.url.path
        shape = shape_of(path, request.headers)
        if shape is not None and error.status_code in refusals:
            response = problem_response(
                request, refusal(no_such_route(shape, request.method, path))
            )
        else:
            response = problem_response(request, refusal())
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> Response:
        return problem_response(request, _validation_problem(error))

    @app.exception_handler(DBAPIError)
    @app.exception_handler(asyncpg.PostgresError)
    @app.exception_handler(asyncpg.InterfaceError)
    @app.exception_handler(asyncpg.InternalClientError)
    @app.exception_handler(PoolTimeout)
    @app.exception_handler(ConnectionError)
    @app.exception_handler(FileNotFoundError)
    async def database(request: Request, error: Exception) -> Response:
        if is_outage(error):
            _log.warning("database.unavailable", error=type(error).__name__)
            return problem_response(request, DatabaseUnavailable())
        if sqlstate_of(error) in _UNSTORABLE:
            return problem_response(request, InvalidInput("A text holds a character NUL."))
        return await unexpected(request, error)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        _log.error("request.failed", exc_info=error)
        response = problem_response(
            request, InternalError("Something went wrong here; the request id finds it in the log.")
        )
        # Of what nobody foresaw the answer is made outside of our middleware
        response.headers.update(answer_headers(request.scope))
        if (request_id := getattr(request.state, "request_id", None)) is not None:
            response.headers["x-request-id"] = request_id
        return response


def _validation_problem(error: RequestValidationError) -> FareboxError:
    if any(problem["type"] == "json_invalid" for problem in error.errors()):
        return MalformedRequest("The body is not valid JSON.")
    fields = [
        FieldError(
            field=".".join(str(part) for part in problem["loc"][1:]) or str(problem["loc"][0]),
            detail=str(problem["msg"]).removeprefix("Value error, "),
        )
        for problem in error.errors()
    ]
    first = fields[0]
    return InvalidInput(f"{first.field}: {first.detail}", errors=fields)
