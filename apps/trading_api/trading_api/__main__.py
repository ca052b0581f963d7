"""`python -m trading_api [serve|migrate|openapi]`.

serve (the default) brings the schema up to date and serves; migrate stops after
the schema; openapi prints the API's description.

Exit codes: 0 ended as asked, 64 unknown command, 69 the database can't be had,
70 a migration failed, 78 wrong configuration (sysexits.h).
"""

import signal
import sys
from types import FrameType

EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_CONFIG = 64, 69, 70, 78


def main(arguments: list[str]) -> int:
    """Run one command; the result is the exit code."""
    # Before the imports, which take a second: process 1 of a container that has
    # no handler ignores the signal, and would be killed at the end of the wait.
    signal.signal(signal.SIGTERM, _stop)

    import asyncio
    import json

    from trading_api import logs, settings

    command = arguments[0] if arguments else "serve"
    if command not in ("serve", "migrate", "openapi") or len(arguments) > 1:
        sys.stderr.write(f"{' '.join(arguments)!r} is no command. Use serve, migrate or openapi.\n")
        return EX_USAGE
    try:
        configured = settings.load()
    except settings.ConfigurationError as error:
        logs.configure("info", "unknown")
        for sentence in str(error).splitlines():
            logs.get().error("configuration_error", message=sentence)
        return EX_CONFIG
    logs.configure(configured.log_level, configured.revision, configured.secrets())

    from trading_api.app import create_app, front

    if command == "openapi":
        sys.stdout.write(json.dumps(create_app(configured).openapi(), indent=2) + "\n")
        return 0

    from trading_api.database import DatabaseUnreachable
    from trading_api.schema import ensure_schema
    from trading_api.server import serve

    try:
        asyncio.run(ensure_schema(configured))
    except DatabaseUnreachable as error:
        logs.get().error("database_unreachable", message=str(error))
        return EX_UNAVAILABLE
    except Exception:
        logs.get().exception("migration_failed")
        return EX_SOFTWARE
    if command == "serve":
        app = create_app(configured)
        serve(front(app), app.state.lifecycle, configured)
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
