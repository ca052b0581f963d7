"""Fields of a job's survey: what a definition may say, and what a value must be.

A field has ``type`` (str, int, float, bool or list of words) and ``description``; it may have
``required``, ``default``, ``choices``, ``minimum`` and ``maximum`` (of a number, of a str's
characters, of a list's words) and ``dangerous``: values that are never a default.
"""

import difflib
import math
import re
from typing import Any

Field = dict[str, Any]

TYPES = ("str", "int", "float", "bool", "list")
KEYS = {"type", "description", "required", "default", "choices", "minimum", "maximum", "dangerous"}
# Fields that jobs have besides: how Ansible is called, never variables of a playbook.
CHECK: Field = {
    "type": "bool",
    "description": "Rehearse only: show what would change, and change nothing.",
    "default": True,
    "dangerous": [False],
}
LIMIT: Field = {
    "type": "str",
    "description": "Hosts of the inventory to keep to, as for --limit; none for all.",
    "maximum": 200,
}
APPROVE: Field = {
    "type": "str",
    "description": "The environment's name, from whoever has read the rehearsal.",
    "maximum": 20,
}
# Fields that the frame of every runbook has (roles/runbook).
FORCE: Field = {
    "type": "bool",
    "description": "Go on although the alarms say there is no need, or not now.",
    "default": False,
    "dangerous": [True],
}
CONFIRM: Field = {
    "type": "str",
    "description": "The environment's name, where the inventory asks for it.",
    "maximum": 20,
}
RESERVED = ("check", "limit", "approve")
# Limits of what says none: a name, and some names.
_LONGEST = {"str": 128, "list": 20}
_WORDS = {"yes": True, "true": True, "on": True, "1": True}
_WORDS |= {"no": False, "false": False, "off": False, "0": False}
_HOSTS = re.compile(r"[\w.,:!&*-]+")


class BadValue(ValueError):
    """A value that a field can't have; the text is the rest of a sentence about it."""


def longest(field: Field) -> int:
    """The most characters of a str, or words of a list."""
    return int(field.get("maximum", _LONGEST[field["type"]]))


def convert(field: Field, value: object) -> Any:
    """Returns a value as the field's type, from text or from YAML.

    Raises:
        BadValue: another type, beyond the limits, or none of the choices.
    """
    typed = _CONVERTERS[field["type"]](field, value)
    choices = field.get("choices")
    for one in typed if isinstance(typed, list) else [typed]:
        if choices and one not in choices:
            raise BadValue(f"is none of {', '.join(map(str, choices))}")
    return typed


def _bool(field: Field, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    raise BadValue("is neither yes nor no")


def _number(field: Field, value: object) -> int | float:
    kind = int if field["type"] == "int" else float
    what = "whole number" if kind is int else "number"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadValue(f"is no {what}")
    if kind is int and not re.fullmatch(r"-?\d+", str(value)):
        raise BadValue(f"is no {what}")
    try:
        number = kind(value)
    except ValueError:
        raise BadValue(f"is no {what}") from None
    if not math.isfinite(number):
        raise BadValue(f"is no {what}")
    low, high = field.get("minimum", -math.inf), field.get("maximum", math.inf)
    if not low <= number <= high:
        raise BadValue(f"is not from {low} to {high}")
    return number


def _text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise BadValue("is no text")
    low, high = field.get("minimum", 0), longest(field)
    if not low <= len(value) <= high:
        raise BadValue(f"has {len(value)} characters, not {low} to {high}")
    return _plain(value)


def _list(field: Field, value: object) -> list[str]:
    words = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        raise BadValue("is no list of words with commas between them")
    words = [one for one in words if one]
    low, high = field.get("minimum", 0), longest(field)
    if not low <= len(words) <= high:
        raise BadValue(f"has {len(words)} words, not {low} to {high}")
    return [_plain(one) for one in words]


def _plain(text: str) -> str:
    """Text that Ansible takes as it is: extra variables are templates."""
    if re.search(r"\{[{%#]", text):
        raise BadValue("holds a template, which Ansible would evaluate")
    if not text.isprintable():
        raise BadValue("holds characters that can't be printed")
    return text


_CONVERTERS = {"bool": _bool, "int": _number, "float": _number, "str": _text, "list": _list}


def field_problems(name: str, field: object) -> list[str]:
    """What is wrong with a field's definition, each as a sentence without its subject's job."""
    if not isinstance(field, dict):
        return [f"field {name} holds no mapping: give it a type and a description."]
    found = []
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        found.append(f"field {name} is no name of a variable: use a-z, 0-9 and _.")
    if unknown := set(field) - KEYS:
        found.append(
            f"field {name} has the unknown {', '.join(sorted(unknown))}; "
            f"a field has {', '.join(sorted(KEYS))}."
        )
    if field.get("type") not in TYPES:
        return [*found, f"field {name} has the type {field.get('type')}: use {', '.join(TYPES)}."]
    if not field.get("description"):
        found.append(f"field {name} has no description: say what it does, in a sentence.")
    kind = field["type"]
    if kind in ("int", "float") and not {"minimum", "maximum"} <= set(field):
        found.append(f"field {name} is a number without limits: give it minimum and maximum.")
    default = field.get("default")
    if field.get("required") and default is not None:
        found.append(f"field {name} is required and has a default: leave out one of the two.")
    if kind == "bool" and default is None and not field.get("required"):
        found.append(f"field {name} is a yes or no without default: give it the one that is safe.")
    for value in [*([] if default is None else [default]), *field.get("dangerous", [])]:
        try:
            convert(field, value)
        except BadValue as error:
            found.append(f"field {name}: the value {value} {error}.")
    if default is not None and default in field.get("dangerous", []):
        found.append(
            f"field {name} has the dangerous default {default}: take another, or make it required."
        )
    return found


def values(fields: dict[str, Field], given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Returns (typed values with defaults, sentences on those that can't be).

    What is empty counts as not given, so a playbook keeps its own default.
    """
    found: dict[str, Any] = {}
    problems = []
    for name in sorted(set(given) - set(fields)):
        near = difflib.get_close_matches(name, fields, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        problems.append(
            f"{name} is no field of it{hint} (fields: {', '.join(sorted(fields)) or 'none'})."
        )
    for name, field in fields.items():
        value = given.get(name)
        if value in (None, "", []):
            value = field.get("default")
        if value in (None, "", []):
            if field.get("required"):
                problems.append(f"{name} is missing: {_sentence(field)}")
            continue
        try:
            found[name] = convert(field, value)
            if name == "limit" and not _HOSTS.fullmatch(found[name]):
                raise BadValue("is no pattern of hosts")
        except BadValue as error:
            problems.append(f"{name}={value} {error}: {_sentence(field)}")
    return found, problems


def _sentence(field: Field) -> str:
    text = " ".join(str(field["description"]).split())
    choices = field.get("choices")
    return text + (f" (one of {', '.join(map(str, choices))})" if choices else "")
