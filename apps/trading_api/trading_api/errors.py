"""Every refusal has one shape: `{"error": {"code", "message", "request_id", ...}}`."""

import json
from typing import Any, Literal

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    place: Literal["body", "query", "path", "header"] = Field(alias="in")
    field: str
    message: str


class Problem(BaseModel):
    """Why a request was refused: `code` for programs, `message` for people."""

    code: str
    message: str
    request_id: str | None
    fields: list[FieldProblem] | None = None


class Refusal(BaseModel):
    """The body of every answer of 400 and more."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "unknown_instrument",
                        "message": "There is no instrument 'NO-SUCH'. "
                        "GET /instruments lists those there are.",
                        "request_id": "7b0c7e8e-1f58-4a3e-8f0f-1d2b3c4d5e6f",
                    }
                }
            ]
        }
    )

    error: Problem


def refusals(why: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: status to description."""
    return {status: {"model": Refusal, "description": text} for status, text in why.items()}


class ApiError(Exception):
    """A refusal with a status, a stable code for programs and a sentence for people."""

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class Unavailable(ApiError):
    """503: something this task needs doesn't serve now; the caller may try again.

    `at_once` says that the next try may well succeed: a connection had died, say.
    """

    def __init__(self, code: str, message: str, at_once: bool = False) -> None:
        super().__init__(503, code, message, {"Retry-After": "1"})
        self.at_once = at_once


def response(
    status: int,
    code: str,
    message: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """The body of a refusal, with the id under which the logs know the request."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    error = {"code": code, "message": message, "request_id": request_id, **more}
    # In ASCII: what a request said may hold halves of characters, which UTF-8 can't.
    body = json.dumps({"error": error})
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def note(code: str) -> None:
    """Have the request's log line say why it was refused."""
    structlog.contextvars.bind_contextvars(error=code)


def refused(error: ApiError) -> Response:
    """The answer that an ApiError asks for."""
    note(error.code)
    return response(error.status, error.code, error.message, error.headers)


def internal() -> Response:
    """The answer where this service itself is at fault."""
    return response(500, "internal_error", "This is our fault. Report it with the request_id.")


def install(app: FastAPI) -> None:
    """Give every error of `app` that shape."""

    @app.exception_handler(ApiError)
    async def _refused(_request: Request, error: ApiError) -> Response:
        return refused(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        note("invalid_request")
        fields = [
            {
                "in": str(problem["loc"][0]),
                "field": ".".join(str(part) for part in problem["loc"][1:]) or "body",
                "message": problem["msg"].removeprefix("Value error, "),
            }
            for problem in error.errors()
        ]
        message = "; ".join(f"{field['field']}: {field['message']}" for field in fields)
        status = 400 if any(field["in"] == "header" for field in fields) else 422
        return response(status, "invalid_request", message, fields=fields)

    @app.exception_handler(Exception)
    async def _ours(_request: Request, _error: Exception) -> Response:
        # It is raised again after the answer, and the frame logs it.
        return internal()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        messages = {
            404: f"Nothing is served at {request.url.path}.",
            405: f"{request.url.path} has no {request.method}.",
        }
        message = messages.get(error.status_code, str(error.detail))
        headers = dict(error.headers) if error.headers else None
        return response(error.status_code, f"http_{error.status_code}", message, headers)
