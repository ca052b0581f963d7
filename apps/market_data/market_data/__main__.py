"""`python -m market_data`: serve until a signal ends it.

Exit codes: 0 ended as asked, 64 unknown command, 78 wrong configuration (sysexits.h).
"""

import signal
import sys
from types import FrameType

EX_USAGE, EX_CONFIG = 64, 78


def main(arguments: list[str]) -> int:
    """Serve; the result is the exit code."""
    # Before the imports, which take a second: process 1 of a container that has
    # no handler ignores the signal, and would be killed at the end of the wait.
    signal.signal(signal.SIGTERM, _stop)

    from market_data import logs, settings

    if arguments:
        sys.stderr.write(f"{' '.join(arguments)!r} is no command. It takes none.\n")
        return EX_USAGE
    try:
        configured = settings.load()
    except settings.ConfigurationError as error:
        logs.configure("info", "unknown")
        for sentence in str(error).splitlines():
            logs.get().error("configuration_error", message=sentence)
        return EX_CONFIG
    logs.configure(configured.log_level, configured.revision, configured.secrets())

    from market_data.app import create_app
    from market_data.server import serve

    serve(create_app(configured), configured)
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
