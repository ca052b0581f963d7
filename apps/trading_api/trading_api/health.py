"""Is the process alive, and should it be sent requests?"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from trading_api.errors import Unavailable

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(request: Request) -> dict[str, str]:
    """Liveness: asks nothing else, so that a database away doesn't get tasks killed."""
    return {"status": "ok", "revision": request.app.state.settings.revision}


@router.get("/ready", responses={503: {"description": "Send requests elsewhere."}})
async def ready(request: Request) -> JSONResponse:
    """Readiness: 503 while draining or without the database; without Redis it is degraded."""
    state = request.app.state
    if state.lifecycle.draining:
        return JSONResponse({"status": "draining"}, status_code=503)
    checks: dict[str, Any] = {"database": "ok"}
    try:
        await state.database.row("SELECT 1")
    except Unavailable as error:
        checks["database"] = error.code.removeprefix("database_")
    checks["cache"] = "ok" if await state.cache.ping() else "away"
    if checks["database"] != "ok":
        return JSONResponse({"status": "not ready", **checks}, status_code=503)
    status = "ready" if checks["cache"] == "ok" else "degraded"
    return JSONResponse({"status": status, **checks})
