"""Every refusal has one shape: `{"error": {"code", "message", "request_id", ...}}`."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    place: str = Field(alias="in", description="body, query, path or header.")
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
    """503: something this task needs doesn't serve now; the caller may try again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(503, code, message, {"Retry-After": "1"})


def response(
    status: int,
    code: str,
    message: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """The body of a refusal, with the id under which the logs know the request."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    error = {"code": code, "message": message, "request_id": request_id, **more}
    return JSONResponse({"error": error}, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Give every error of `app` that shape."""

    @app.exception_handler(ApiError)
    async def _refused(_request: Request, error: ApiError) -> JSONResponse:
        structlog.contextvars.bind_contextvars(error=error.code)
        return response(error.status, error.code, error.message, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        structlog.contextvars.bind_contextvars(error="invalid_request")
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

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        messages = {
            404: f"Nothing is served at {request.url.path}.",
            405: f"{request.url.path} has no {request.method}.",
        }
        message = messages.get(error.status_code, str(error.detail))
        headers = dict(error.headers) if error.headers else None
        return response(error.status_code, f"http_{error.status_code}", message, headers)
