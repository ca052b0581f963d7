"""``python -m drydock fault <kind> <target>``, ``fault list``, ``fault undo``."""

import argparse
import json
import re
import time
from collections.abc import Callable

from drydock import lifecycle
from drydock.errors import DrydockError
from drydock.faults.store import read
from drydock.settings import Settings

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_SIZES = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_FILE = "faults.json"


def _reads(pattern: str, example: str) -> Callable:
    """Turns a function of a match's groups into an argparse type with an error in words."""

    def wrap(make: Callable) -> Callable:
        def parse(text: str) -> object:
            found = re.fullmatch(pattern, text)
            if not found:
                raise argparse.ArgumentTypeError(f"{text!r} is none: give {example}")
            return make(*found.groups())

        return parse

    return wrap


@_reads(r"(\d+(?:\.\d+)?)(ms|s|m)", "a time such as 500ms or 2s")
def duration(number: str, unit: str) -> float:
    """Seconds."""
    return float(number) * _UNITS[unit]


@_reads(r"(\d{1,2}(?:\.\d+)?|100)%", "a share such as 50%, at most 100%")
def share(number: str) -> float:
    """A part of one."""
    return float(number) / 100


@_reads(r"(\d+(?:\.\d+)?)(|KiB|MiB|GiB)", "a size such as 1GiB")
def size(number: str, unit: str) -> int:
    """Bytes."""
    return int(float(number) * _SIZES[unit])


@_reads(r"(all|[1-9]\d*|(?:[1-9]\d?|100)%)", "a number, a share such as 50% or all")
def much(text: str) -> str:
    """How many of a service's tasks."""
    return text


@_reads(r"([A-Za-z_]\w*)=(.*)", "NAME=value")
def assignment(name: str, value: str) -> tuple[str, str]:
    return name, value


@_reads(r"([2-5]\d\d)", "an HTTP status such as 500")
def http_status(number: str) -> int:
    return int(number)


def add(commands: argparse._SubParsersAction) -> None:
    """Adds ``fault`` and its own subcommands."""
    fault = commands.add_parser("fault", help="break a part, list what is broken, undo it")
    kinds = fault.add_subparsers(dest="kind", required=True, metavar="kind")
    listing = kinds.add_parser("list", help="show the faults")
    listing.add_argument("--json", action="store_true", help="for programs; undone ones too")
    listing.set_defaults(act=_list)
    undo = kinds.add_parser("undo", help="undo faults")
    undo.add_argument("id", nargs="?", help="as listed, e.g. f1")
    undo.add_argument("--all", action="store_true", help="every fault")
    undo.set_defaults(act=_undo)

    def kind(name: str, text: str, *, tasks: bool = True) -> argparse.ArgumentParser:
        made = kinds.add_parser(name, help=text, description=text)
        made.add_argument(
            "target",
            help="a service (the workload's name will do), database, cache, load-balancer, a fleet "
            "of hosts, or the id of a part; a wrong one is answered with what there is",
        )
        made.add_argument("--json", action="store_true", help="print the fault for programs")
        made.add_argument(
            "--role", choices=["primary", "standby"], help="of a database or cache; primary"
        )
        made.set_defaults(act=_inject)
        if tasks:
            much_of = made.add_mutually_exclusive_group()
            much_of.add_argument(
                "--tasks", type=much, metavar="N|P%|all", help="how many of a service's tasks; 1"
            )
            much_of.add_argument(
                "--all", dest="tasks", action="store_const", const="all", help="--tasks all"
            )
            if name != "errors":  # which has another share
                much_of.add_argument("--share", dest="tasks", type=much, help="the same as --tasks")
            made.add_argument(
                "--sticky", action="store_true", help="also tasks that start later; implies --all"
            )
        return made

    for made in (
        kind("kill", "SIGKILL; what ran the part starts it again"),
        kind("pause", "freeze every process of a part: it hangs rather than dies"),
    ):
        made.add_argument("--unit", help="only this systemd unit, of a host")
    cut = kind("partition", "drop packets from and to a part")
    cut.add_argument("--from", metavar="TARGET", help="only from and to this one's addresses")
    cut.add_argument("--from-role", choices=["primary", "standby"], help="as --role, of --from")
    slow = kind("slow", "delay a part's answers, or take processor time away")
    means = slow.add_mutually_exclusive_group(required=True)
    means.add_argument("--delay", type=duration, help="added to each answer, e.g. 500ms")
    means.add_argument("--cpu", type=share, metavar="P%", help="cap, of one processor")
    slow.add_argument("--port", type=int, help="to delay, where the part has several")
    errors = kind("errors", "answer HTTP requests with a status instead of the part")
    errors.add_argument("--share", type=share, default=1.0, metavar="P%", help="of requests; 100%%")
    errors.add_argument("--status", type=http_status, default=500, help="to answer; 500")
    errors.add_argument("--port", type=int, help="where the part has several")
    errors.add_argument(
        "--pass", action="append", metavar="PATH",
        help="let this path through; if none is given, the health checks' of its target groups",
    )  # fmt: skip
    errors.add_argument(
        "--no-pass", dest="pass", action="store_const", const=[], help="let no path through"
    )
    fill = kind("fill-connections", "open database connections and keep them", tasks=False)
    number = fill.add_mutually_exclusive_group(required=True)
    number.add_argument("--count", type=int, help="so many")
    number.add_argument(
        "--share", type=share, metavar="P%",
        help="as many as bring all in use to this share of max_connections",
    )  # fmt: skip
    fill.add_argument(
        "--state", choices=["idle", "idle-in-transaction", "active"], default="idle", help="idle"
    )
    who = fill.add_mutually_exclusive_group()
    who.add_argument("--user", choices=["master"], default="master", help="the master user")
    who.add_argument("--as", metavar="ROLE", help="a new role, which undo drops")
    fill.add_argument("--application", metavar="NAME", help="the sessions' application_name")
    fill.add_argument("--reopen", action="store_true", help="open again what is terminated")
    disk = kind("fill-disk", "fill a database's storage", tasks=False)
    disk.add_argument("--leave", type=size, default=2**30, help="bytes left free; 1GiB")
    deploy = kind("deploy", "roll out a bad release", tasks=False)
    deploy.add_argument("--set", type=assignment, action="append", metavar="NAME=value")
    deploy.add_argument("--image", metavar="REF")
    deploy.add_argument("--command", dest="words", nargs="+", metavar="WORD")
    deploy.add_argument("--drop-secret", action="append", metavar="NAME")
    deploy.add_argument("--container", metavar="NAME", help="the first if not given")


_NOT_OPTIONS = {"act", "command", "kind", "target", "json", "user"}


def _inject(settings: Settings, arguments: argparse.Namespace) -> None:
    options = {
        key: value
        for key, value in vars(arguments).items()
        if key not in _NOT_OPTIONS and value is not None and value is not False
    }
    if "words" in options:
        options["command"] = options.pop("words")
    if "set" in options:
        options["set"] = dict(options["set"])
    given = {"kind": arguments.kind, "target": arguments.target, "options": options}
    row = lifecycle.command(settings, "fault", given)
    if arguments.json:
        print(json.dumps(row))
    else:
        _show([row])


def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    if lifecycle.alive(settings.home):
        rows = lifecycle.command(settings, "faults", {})["faults"]
    else:  # what a crash left; `up` and `down` clear it
        rows = read(settings.home / _FILE)
        rows = [{**row, "state": "undone" if row["undone"] else "gone"} for row in rows]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _show([row for row in rows if row["state"] != "undone"])


def _show(rows: list[dict]) -> None:
    for row in rows:
        since = time.strftime("%H:%M:%S", time.localtime(row["since"]))
        state = "gone with its part" if row["state"] == "gone" else row["state"]
        parts = f" ({', '.join(row['parts'])})" if row.get("parts") else ""
        print(f"{row['id']}  {row['kind']} {row['target']}{parts}  since {since}  {state}")
        if row.get("note"):
            print(f"    {row['note']}")
        print(f"    undo: {row['undo']}")
    if not rows:
        print("nothing is broken")


def _undo(settings: Settings, arguments: argparse.Namespace) -> None:
    if bool(arguments.id) == arguments.all:
        raise DrydockError("Say which: `fault undo <id>`, or `fault undo --all`.")
    given = {"all": True} if arguments.all else {"id": arguments.id}
    done = lifecycle.command(settings, "undo", given)["undone"]
    print(f"undone: {', '.join(done) or 'there was nothing'}")
