"""Agave's command line: written from typed data, and judged before a host is touched.

``agave-validator`` stops at the first argument that it does not know, and a flag that one release
takes the next may refuse; on a host that shows only when the node is down. What each series takes
is data (agave_flags.yml, with its sources).
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).with_suffix(".yml")
ERROR, WARNING = "error", "warning"
XDP_CAPABILITIES = ("CAP_NET_ADMIN", "CAP_NET_RAW")
ZERO_COPY_CAPABILITIES = ("CAP_BPF", "CAP_PERFMON")
SHORT = {"-i": "identity", "-l": "ledger", "-n": "entrypoint", "-o": "log"}


class FlagsRefused(ValueError):
    """Flags that can't be made into a command line; the message names them and the cure."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with one flag. ``level``: ``error`` keeps the node from starting."""

    level: str
    flag: str
    text: str

    def __str__(self) -> str:
        return self.text


@functools.cache
def table() -> dict[str, Any]:
    """Return the data on flags."""
    return yaml.safe_load(DATA.read_text(encoding="utf-8"))


def _number(series: str) -> tuple[int, ...]:
    return tuple(int(part) for part in series.split("."))


def series_of(version: str) -> str:
    """Return the release series (``4.1``) of a version (``4.1.2``, ``v4.1.0-beta.2``).

    Raises FlagsRefused where the version is none, or of a series that the data doesn't cover.
    """
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.\d+(?:[-+].+)?", str(version))
    known = ", ".join(table()["series"])
    if not match:
        raise FlagsRefused(
            f'Agave version "{version}" is not a version: give all three numbers, such as 4.1.2.'
        )
    series = f"{match[1]}.{match[2]}"
    if series not in table()["series"]:
        raise FlagsRefused(
            f"Agave {version} is of a series whose flags are not known here (known: {known}): "
            f"enter {series} in plugins/module_utils/agave_flags.yml from its CHANGELOG first."
        )
    return series


def arguments(flags: Mapping[str, Any]) -> list[str]:
    """Return the command line of typed flags.

    flags: name without dashes → ``true`` (given), ``false`` or null (left out), a value, or a
    list for a flag that is repeated. Raises FlagsRefused for other types and empty strings.
    """
    line: list[str] = []
    for name, value in flags.items():
        if value is None or value is False:
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is True:
                line.append(f"--{name}")
            elif isinstance(one, str | int | float) and str(one).strip() and one is not False:
                line += [f"--{name}", str(one)]
            else:
                raise FlagsRefused(
                    f"The flag {name} has the value {one!r}: give true, false, a word, a number, "
                    "or a list of words."
                )
    return line


def given(line: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each flag of a command line with the values behind it."""
    name, values = "", []
    for word in line:
        if word.startswith("--") or word in SHORT:
            if name or values:
                yield name, values
            name, equals, value = word[2:].partition("=")
            name = SHORT.get(word, name)
            values = [value] if equals else []
        else:
            values = [*values, word]
    if name or values:
        yield name, values


def lint(line: Sequence[str], version: str, capabilities: Sequence[str] = ()) -> list[Finding]:
    """Return what is wrong with a command line for a version of Agave, errors first.

    line: arguments of ``agave-validator`` without the program. capabilities: what the unit gives
    the process (AmbientCapabilities). Raises FlagsRefused for a version that is not known.
    """
    series = series_of(version)
    seen: dict[str, list[str]] = {}
    found: list[Finding] = []
    for name, values in given(line):
        if not name:
            found.append(_error("", f"{' '.join(values)} stands before any flag: take it out"))
            continue
        known = table()["aliases"].get(name, name)
        found += _judge_name(name, known, series)
        found += _judge_values(known, values, again=known in seen)
        seen.setdefault(known, []).extend(values)
    found += _judge_company(seen)
    found += _judge_ports(seen, series)
    found += _judge_xdp(seen, series, capabilities)
    return sorted(found, key=lambda finding: finding.level != ERROR)


def _error(flag: str, text: str) -> Finding:
    return Finding(ERROR, flag, f"{text}.")


def _instead(entry: Mapping[str, str]) -> str:
    return f"give {entry['instead']} in its place" if entry.get("instead") else "take it out"


def _judge_name(name: str, known: str, series: str) -> Iterator[Finding]:
    data, now = table(), _number(series)
    removed, deprecated = data["removed"].get(name), data["deprecated"].get(known)
    if removed and _number(removed["in"]) <= now:
        yield _error(name, f"--{name} was removed in Agave {removed['in']}: {_instead(removed)}")
    elif removed:
        text = f"--{name} is removed in Agave {removed['in']}: {_instead(removed)} by then."
        yield Finding(WARNING, name, text)
    elif name in data["foreign"]:
        owner = data["foreign"][name]
        yield _error(name, f"--{name} is a flag of {owner}, which Agave does not know: take it out")
    elif known not in _takes():
        near = difflib.get_close_matches(name, _takes(), n=1, cutoff=0.8)
        hint = f"did you mean --{near[0]}?" if near else "take it out"
        yield _error(name, f"--{name} is not known to Agave {series}: {hint}")
    elif _number(data["since"].get(known, "0.0")) > now:
        first = data["since"][known]
        yield _error(name, f"--{name} comes with Agave {first}, not {series}: take it out")
    elif deprecated and _number(deprecated["in"]) <= now:
        since = deprecated["in"]
        text = f"--{name} is deprecated since Agave {since}: {_instead(deprecated)}."
        yield Finding(WARNING, name, text)


@functools.cache
def _takes() -> dict[str, str]:
    kinds = ("switches", "values", "optional_values", "lists")
    return {name: kind for kind in kinds for name in table()[kind]}


def _judge_values(name: str, values: list[str], again: bool) -> Iterator[Finding]:
    kind = _takes().get(name)
    if kind == "switches" and values:
        yield _error(name, f"--{name} takes no value, but {' '.join(values)} follows it")
    if kind in ("values", "lists") and not values:
        yield _error(name, f"--{name} needs a value: give one, or take it out")
    if kind in ("values", "optional_values") and len(values) > 1:
        yield _error(name, f"--{name} takes one value, not {' '.join(values)}")
    if kind in ("switches", "values", "optional_values") and again:
        yield _error(name, f"--{name} is given more than once: keep one")
    words = table()["choices"].get(name)
    for value in values if words else []:
        if value not in words:
            yield _error(name, f"--{name} is {value}: give one of {', '.join(words)}")


def _judge_company(seen: Mapping[str, list[str]]) -> Iterator[Finding]:
    for name in seen:
        for other in table()["requires"].get(name, []):
            if other not in seen:
                yield _error(name, f"--{name} needs --{other} beside it: give both or neither")
        for other in table()["conflicts"].get(name, []):
            if other in seen:
                yield _error(name, f"--{name} and --{other} exclude each other: give one of them")


def _judge_ports(seen: Mapping[str, list[str]], series: str) -> Iterator[Finding]:
    for name in ("rpc-port", "gossip-port"):
        for value in seen.get(name, []):
            if value.isdigit() and not 0 < int(value) < 65536:
                yield _error(name, f"--{name} is {value}, which is no port: give 1 to 65535")
    least = table()["series"][series]["port_range_width"]
    for value in seen.get("dynamic-port-range", []):
        match = re.fullmatch(r"(\d+)-(\d+)", value)
        if not match or int(match[2]) > 65535:
            yield _error(
                "dynamic-port-range",
                f"--dynamic-port-range is {value}: give a first and a last port, such as 8000-8030",
            )
            continue
        first, last = int(match[1]), int(match[2])
        if last - first < least:
            yield _error(
                "dynamic-port-range",
                f"--dynamic-port-range {value} spans {last - first} ports, and Agave {series} "
                f"needs {least} (last less first): give {first}-{first + least} or wider",
            )


def _judge_xdp(
    seen: Mapping[str, list[str]], series: str, capabilities: Sequence[str]
) -> Iterator[Finding]:
    asked = next((name for name in seen if "xdp-" in name), None)
    default = table()["series"][series].get("xdp_by_default") and "no-xdp" not in seen
    if not asked and not default:
        return
    wanted = list(XDP_CAPABILITIES)
    # Before 4.2 the four were asked for whatever the mode.
    if any(name.endswith("xdp-zero-copy") for name in seen) or _number(series) < (4, 2):
        wanted += ZERO_COPY_CAPABILITIES
    missing = [name for name in wanted if name not in capabilities]
    if missing:
        why = f"--{asked}" if asked else f"XDP, which Agave {series} uses by default,"
        yield _error(
            asked or "no-xdp",
            f"{why} needs the capabilities {' '.join(missing)}, which the unit does not give: add "
            + ("them" if asked or "no-xdp" not in _takes() else "them, or give --no-xdp"),
        )
    if default and "allow-private-addr" in seen:
        yield _error(
            "allow-private-addr",
            "--allow-private-addr does not work with XDP, whose gossip leaves out private "
            "addresses: give --no-xdp beside it",
        )
