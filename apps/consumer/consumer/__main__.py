"""`python -m consumer [serve|migrate]`.

serve (the default) brings the schema up to date and consumes; migrate stops after the schema.

Exit codes: 0 ended as asked, 64 unknown command, 69 the database can't be had,
70 a migration failed, 78 wrong configuration (sysexits.h).
"""

import signal
import sys
from types import FrameType
from typing import Any

EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_CONFIG = 64, 69, 70, 78


def configured() -> Any:
    """The settings, with logging set up for them; None after the sentences of why not."""
    from consumer import logs, settings

    try:
        found = settings.load()
    except settings.ConfigurationError as error:
        logs.configure("info", "unknown")
        for sentence in str(error).splitlines():
            logs.get().error("configuration_error", message=sentence)
        return None
    logs.configure(found.log_level, found.revision, found.secrets())
    return found


def main(arguments: list[str]) -> int:
    """Run one command; the result is the exit code."""
    # Before the imports, which take a second: process 1 of a container that has
    # no handler ignores the signal, and would be killed at the end of the wait.
    signal.signal(signal.SIGTERM, _stop)

    import asyncio

    command = arguments[0] if arguments else "serve"
    if command not in ("serve", "migrate") or len(arguments) > 1:
        sys.stderr.write(f"{' '.join(arguments)!r} is no command. Use serve or migrate.\n")
        return EX_USAGE
    if (settings := configured()) is None:
        return EX_CONFIG

    from consumer import logs
    from consumer.database import DatabaseUnreachable
    from consumer.schema import ensure_schema
    from consumer.service import serve

    try:
        asyncio.run(ensure_schema(settings))
    except DatabaseUnreachable as error:
        logs.get().error("database_unreachable", message=str(error))
        return EX_UNAVAILABLE
    except Exception:
        logs.get().exception("migration_failed")
        return EX_SOFTWARE
    if command == "serve":
        asyncio.run(serve(settings))
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
