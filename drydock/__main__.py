"""``python -m drydock up | down | status | audit | fault | host-image``."""

import argparse
import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # Whichever Python was typed, the one that set-up prepared has what is needed.
    _VENV = Path(__file__).resolve().parent.parent / ".venv"
    if _VENV.joinpath("installed").exists() and Path(sys.prefix).resolve() != _VENV.resolve():
        words = [str(_VENV / "bin/python"), "-m", "drydock", *sys.argv[1:]]
        os.execv(words[0], words)  # noqa: S606 (no shell is wanted)

from drydock import audit, images, lifecycle
from drydock.errors import DrydockError
from drydock.faults import command as faults
from drydock.podman import Podman
from drydock.settings import Settings


def _say(text: str) -> None:
    print(f"drydock: {text}", flush=True)


def _up(settings: Settings, _arguments: argparse.Namespace) -> None:
    lifecycle.up(settings, _say)
    _say(f"up; AWS answers at {settings.endpoint}")


def _down(settings: Settings, _arguments: argparse.Namespace) -> None:
    lifecycle.down(settings, _say)
    _say("down")


def _status(settings: Settings, arguments: argparse.Namespace) -> None:
    status = lifecycle.control(settings, "status")
    if arguments.json:
        print(json.dumps(status, indent=2))
        return
    for key, value in status.items():
        if not isinstance(value, list):
            print(f"{key:16} {value}")
            continue
        print(f"{key}:")
        for row in value:
            print("  " + "  ".join(f"{k}={v}" for k, v in row.items()))


def _audit(settings: Settings, arguments: argparse.Namespace) -> None:
    """Prints the API calls since a mark; a mark is a place in the audit file."""
    if arguments.mark:
        print(audit.mark(settings.audit))
        return
    for row in audit.read(settings.audit, arguments.since):
        if arguments.mutating and not row["mutating"]:
            continue
        if arguments.json:
            print(json.dumps(row))
        else:
            kind = "mutates" if row["mutating"] else "reads  "
            who = f"{row['caller']['access_key']} {row['caller']['client']}"
            print(f"{row['time']} {kind} {row['service']}:{row['action']} {row['status']} by {who}")


def _host_image(settings: Settings, arguments: argparse.Namespace) -> None:
    """Prints the name of an image; what is said of its making goes to stderr."""
    lifecycle.configure_podman(settings)
    print(images.host(Podman(settings), arguments.suite, lambda text: print(text, file=sys.stderr)))


def _serve(settings: Settings, _arguments: argparse.Namespace) -> None:
    from drydock import serve  # moto takes a second to import; other commands don't need it

    serve.run(settings)


def main(words: list[str] | None = None) -> int:
    """Runs one command; exit 1 with a sentence on stderr when it can't be done."""
    parser = argparse.ArgumentParser(prog="python -m drydock", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the embedded cloud").set_defaults(act=_up)
    commands.add_parser("down", help="remove everything it made").set_defaults(act=_down)
    status = commands.add_parser("status", help="show what runs")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(act=_status)
    calls = commands.add_parser("audit", help="list the API calls made")
    calls.add_argument("--mark", action="store_true", help="print a mark for --since")
    calls.add_argument("--since", type=int, default=0, metavar="MARK", help="only calls after it")
    calls.add_argument("--mutating", action="store_true", help="only calls that change something")
    calls.add_argument("--json", action="store_true", help="one JSON object a line")
    calls.set_defaults(act=_audit)
    faults.add(commands)
    image = commands.add_parser("host-image", help="make the image of a machine, print its name")
    image.add_argument("suite", choices=images.SUITES.values(), help="Debian release")
    image.set_defaults(act=_host_image)
    commands.add_parser("serve").set_defaults(act=_serve)
    arguments = parser.parse_args(words)
    try:
        arguments.act(Settings.from_environment(), arguments)
    except DrydockError as error:
        print(f"drydock: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
