"""Every refusal has one shape: `{"error": {"code", "message", "request_id"}}`."""

import structlog
from starlette.responses import JSONResponse


def refusal(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A refusal with a stable code for programs and a sentence for people."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    error = {"code": code, "message": message, "request_id": request_id}
    return JSONResponse({"error": error}, status_code=status, headers=headers)
