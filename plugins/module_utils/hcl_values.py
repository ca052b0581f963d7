"""Values of HCL expressions that may be known in part, and Terraform's functions on them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.policies.model import UNKNOWN


class Json:
    """What jsonencode made, with its parts still to be seen."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Reference:
    """An attribute of a resource whose value may be known (`value`) or not."""

    def __init__(self, address: str, path: list[str], value: Any = UNKNOWN) -> None:
        self.address, self.path, self.value = address, path, value

    def __str__(self) -> str:
        return f"⟦{'.'.join([self.address, *self.path])}⟧"


def attribute(value: Any, key: Any) -> Any:
    """Return what `value.key` or `value[key]` is."""
    if isinstance(value, Reference):
        held = attribute(value.value, key)
        if held is None or held is UNKNOWN or isinstance(held, Mapping | list):
            # Terraform leaves what is unknown out of a plan's values.
            missing = held is None and isinstance(value.value, Mapping) and key in value.value
            return None if missing else Reference(value.address, [*value.path, str(key)], held)
        return held
    if isinstance(value, Mapping):
        return value.get(key, value.get(str(key), UNKNOWN))
    if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return UNKNOWN


def known(value: Any) -> bool:
    return isinstance(value, str | int | float) and "⟦" not in str(value)


def plain(value: Any) -> Any:
    """Return a value as rules take it: data, text with ⟦…⟧ in it, UNKNOWN."""
    if isinstance(value, Json):
        return plain(value.value)
    if isinstance(value, Reference):
        return value.value if isinstance(value.value, Mapping | list) else str(value)
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value


def text_of(parts: list[Any]) -> Any:
    """Return parts of a template as one text, with ⟦…⟧ for what is not known."""
    text = ""
    for part in parts:
        if part is UNKNOWN or isinstance(part, Json | Mapping | list):
            text += "⟦?⟧"
        elif isinstance(part, bool):
            text += str(part).lower()
        elif part is not None:
            text += str(part)
    return text


def operate(sign: str, left: Any, right: Any) -> Any:
    if sign in ("==", "!="):
        # A reference is something, whatever it will be.
        for one, other in ((left, right), (right, left)):
            if one is None and (
                isinstance(other, Reference) or (isinstance(other, str) and "⟦" in other)
            ):
                return sign == "!="
    if isinstance(left, Reference) or isinstance(right, Reference):
        return UNKNOWN
    if sign in ("||", "&&"):
        sides = [side for side in (left, right) if isinstance(side, bool)]
        decided = sign == "||"
        if decided in sides:
            return decided
        return (not decided) if len(sides) == 2 else UNKNOWN
    if any(side is UNKNOWN or (isinstance(side, str) and "⟦" in side) for side in (left, right)):
        return UNKNOWN
    work: dict[str, Callable[[Any, Any], Any]] = {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        ">": lambda a, b: a > b,
        "<=": lambda a, b: a <= b,
        ">=": lambda a, b: a >= b,
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "%": lambda a, b: a % b,
    }
    try:
        return work[sign](left, right)
    except (TypeError, ZeroDivisionError):
        return UNKNOWN


def _lists(*values: Any) -> list[Any]:
    if any(not isinstance(value, list) for value in values):
        raise ValueError("not a list")
    return [one for value in values for one in value]


def _decode(value: Any) -> Any:
    if isinstance(value, Json):
        return value.value
    return json.loads(value) if isinstance(value, str) and "⟦" not in value else UNKNOWN


def _merge(*values: Any) -> Any:
    found: dict[str, Any] = {}
    for value in values:
        if value is None:
            continue
        if not isinstance(value, Mapping):
            return UNKNOWN
        found |= value
    return found


def _flatten(value: list[Any]) -> list[Any]:
    found: list[Any] = []
    for one in value:
        found += _flatten(one) if isinstance(one, list) else [one]
    return found


def _lookup(value: Mapping[str, Any], key: str, default: Any = UNKNOWN) -> Any:
    return value.get(key, default) if isinstance(value, Mapping) and known(key) else UNKNOWN


def _first(*values: Any) -> Any:
    for value in values:
        if value is UNKNOWN:
            return UNKNOWN
        if value not in (None, ""):
            return value
    return UNKNOWN


def _join(separator: str, values: list[Any]) -> Any:
    parts: list[Any] = []
    for value in _lists(values):
        parts += [separator, value] if parts else [value]
    return text_of(parts)


def _format(pattern: str, *values: Any) -> Any:
    if re.search(r"%(?!s|d|v|%)", pattern):
        return UNKNOWN
    rest = iter(values)
    pieces = re.split(r"(%[sdv%])", pattern)
    return text_of(["%" if p == "%%" else next(rest) if p[:1] == "%" else p for p in pieces])


def _same(value: Any) -> Any:
    return value


def _listed(value: Any) -> Any:
    return list(value.values()) if isinstance(value, Mapping) else value


def _fully(value: Any) -> Any:
    """Return text as it is known; raise where it is not."""
    if not isinstance(value, str) or "⟦" in value:
        raise ValueError("not known")
    return value


def _one(value: list[Any]) -> Any:
    if len(value) > 1:
        raise ValueError("more than one")
    return value[0] if value else None


def _contains(values: list[Any], wanted: Any) -> Any:
    if wanted in values:
        return True
    return UNKNOWN if not known(wanted) or not all(known(v) for v in values) else False


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "jsonencode": Json,
    "jsondecode": _decode,
    "concat": _lists,
    "merge": _merge,
    "flatten": _flatten,
    "compact": lambda v: [one for one in v if one not in (None, "")],
    "distinct": lambda v: [one for i, one in enumerate(v) if one not in v[:i]],
    "sort": lambda v: sorted(map(_fully, v)) if all(known(one) for one in v) else v,
    "reverse": lambda v: v[::-1],
    "toset": _listed, "tolist": _listed, "tomap": _same, "tostring": _same, "tonumber": _same,
    "sensitive": _same, "nonsensitive": _same, "ephemeralasnull": _same,
    "keys": lambda v: sorted(v), "values": lambda v: [v[key] for key in sorted(v)],
    "lookup": _lookup, "coalesce": _first, "join": _join, "format": _format, "one": _one,
    "element": lambda v, i: v[i % len(v)],
    "length": lambda v: len(_fully(v) if isinstance(v, str) else v),
    "contains": _contains,
    "lower": lambda v: _fully(v).lower(), "upper": lambda v: _fully(v).upper(),
    "trimsuffix": lambda v, s: _fully(v).removesuffix(s),
    "trimprefix": lambda v, s: _fully(v).removeprefix(s),
    "trimspace": lambda v: _fully(v).strip(),
    "startswith": lambda v, s: _fully(v).startswith(s),
    "endswith": lambda v, s: _fully(v).endswith(s),
    "split": lambda s, v: _fully(v).split(s),
    "replace": lambda v, a, b: v.replace(a, b) if a[:1] != "/" and "⟦" not in a else UNKNOWN,
    "range": lambda *v: list(range(*v)),
    "zipmap": lambda k, v: dict(zip(k, v, strict=True)),
    "min": min, "max": max, "floor": lambda v: int(v // 1), "ceil": lambda v: int(-(-v // 1)),
    "slice": lambda v, a, b: v[a:b],
    "formatlist": lambda p, v: [_format(p, one) for one in v],
    "setunion": _lists, "base64encode": _same,
}  # fmt: skip
