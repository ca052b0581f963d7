"""Is the process alive, and should it be sent requests?"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from product.errors import Unavailable

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(request: Request) -> dict[str, str]:
    """Liveness: asks nothing else, so that a database away doesn't get tasks killed."""
    return {"status": "ok", "revision": request.app.state.settings.revision}


@router.get("/ready", responses={503: {"description": "Send requests elsewhere."}})
async def ready(request: Request) -> JSONResponse:
    """Readiness: 503 while draining or without the database."""
    state = request.app.state
    if state.lifecycle.draining:
        return JSONResponse({"status": "draining"}, status_code=503)
    try:
        await state.database.row("SELECT 1")
    except Unavailable as error:
        reason = error.code.removeprefix("database_")
        return JSONResponse({"status": "not ready", "database": reason}, status_code=503)
    return JSONResponse({"status": "ready", "database": "ok"})
