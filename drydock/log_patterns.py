"""Filter patterns of CloudWatch Logs: terms, JSON, and fields between spaces.

After "Filter pattern syntax for metric filters, subscription filters, filter log events, and
Live Tail" in CloudWatch Logs' guide.
"""

import functools
import json
import math
import operator
import re
from collections.abc import Callable
from typing import Any

from drydock.errors import ApiError

# Looks a selector up in an event; _ABSENT when it has no such field.
Lookup = Callable[[str], Any]
Condition = Callable[[Lookup], bool]
_ABSENT = object()

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<selector>\$(?:\.[\w*\-]+|\[(?:\d+|\*)\]|\["[^"]*"\]|\['[^']*'\])+)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<regex>%(?:[^%\\]|\\.)*%)
    | (?P<sign>&&|\|\||!=|>=|<=|=|>|<|\(|\))
    | (?P<word>[^\s()=<>!&|"]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"\.([\w*\-]+)|\[(\d+|\*)\]|\[[\"']([^\"']*)[\"']\]")
_TERM = re.compile(r"([?-]?)(?:\"((?:[^\"\\]|\\.)*)\"|%((?:[^%\\]|\\.)*)%|(\w+))(?=\s|$)")
_FIELD = re.compile(r"\"([^\"]*)\"|\[([^\]]*)\]|(\S+)")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Pattern:
    """A pattern that was read.

    Attributes:
        text: as it was given.
    """

    def __init__(self, text: str):
        self.text = text.strip()
        self._selectors: list[str] = []
        if self.text.startswith("{"):
            self._find = self._by_json
            self._condition = _Parser(self._inside("}"), self._selectors).condition()
        elif self.text.startswith("["):
            self._find = self._by_fields
            self._fields, self._ellipsis, self._condition = self._columns(self._inside("]"))
        else:
            self._find = self._by_terms
            self._terms = self._read_terms()

    def match(self, message: str) -> dict[str, str] | None:
        """The values of the fields that the pattern names, or None when it does not match."""
        found = self.read(message)
        if found is None:
            return None
        named = ((selector, found(selector)) for selector in self._selectors)
        return {selector: _text(value) for selector, value in named if value is not _ABSENT}

    def read(self, message: str) -> Lookup | None:
        """What looks fields up in a matching message; None when it does not match."""
        return self._find(message)

    def _inside(self, end: str) -> str:
        if not self.text.endswith(end):
            raise _bad(self.text, f"it does not end with {end}")
        return self.text[1:-1].strip()

    def _read_terms(self) -> tuple[list[Any], list[Any], list[Any]]:
        groups: dict[str, list[Callable[[str], bool]]] = {"": [], "?": [], "-": []}
        place = 0
        while place < len(self.text):
            if not (found := _TERM.match(self.text, place)):
                raise _bad(
                    self.text,
                    f"the term '{self.text[place:].split()[0]}' has characters that belong "
                    "between double quotes",
                )
            sign, quoted, regex, word = found.groups()
            if regex is not None:
                groups[sign].append(_searching(self.text, regex))
            else:
                text = word if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                groups[sign].append(_containing(text))
            place = found.end()
            while place < len(self.text) and self.text[place].isspace():
                place += 1
        return groups[""], groups["?"], groups["-"]

    def _by_terms(self, message: str) -> Lookup | None:
        needed, optional, excluded = self._terms
        # AWS passes optional terms over where there are needed ones.
        fits = all(term(message) for term in needed) and (
            bool(needed) or not optional or any(term(message) for term in optional)
        )
        if not fits or any(term(message) for term in excluded):
            return None
        return lambda _: _ABSENT

    def _by_json(self, message: str) -> Lookup | None:
        if message[:1] not in "{[ ":
            return None
        try:
            event = json.loads(message)
        except ValueError:
            return None
        look = functools.partial(select, event)
        return look if self._condition(look) else None

    def _columns(self, text: str) -> tuple[list[str], int | None, Condition]:
        names: list[str] = []
        ellipsis, conditions = None, []
        for number, part in enumerate(_split(text)):
            if part == "...":
                if ellipsis is not None:
                    raise _bad(self.text, "'...' may stand in it once")
                ellipsis = number
                continue
            words = re.match(r"[\w*.\-]*", part.strip())
            name = "$" + (words[0] if words else "") if part else ""
            name = name if len(name) > 1 else f"${number + 1}"
            names.append(name)
            self._selectors.append(name)
            if words and len(words[0]) < len(part.strip()):
                conditions.append(_Parser(part, [], bare=True).condition())
        return names, ellipsis, lambda look: all(one(look) for one in conditions)

    def _by_fields(self, message: str) -> Lookup | None:
        values = [next(v for v in f.groups() if v is not None) for f in _FIELD.finditer(message)]
        if self._ellipsis is None:
            if len(values) != len(self._fields):
                return None
        else:
            if len(values) < len(self._fields):
                return None
            behind = len(self._fields) - self._ellipsis
            values = values[: self._ellipsis] + (values[-behind:] if behind else [])
        event = dict(zip(self._fields, values, strict=True))

        def look(name: str) -> Any:
            return event.get(name, _ABSENT)

        return look if self._condition(look) else None


def _containing(text: str) -> Callable[[str], bool]:
    return lambda message: text in message


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _bad(pattern: str, reason: object) -> ApiError:
    return ApiError("InvalidParameterException", f"Invalid filter pattern '{pattern}': {reason}.")


def _searching(pattern: str, regex: str) -> Callable[[str], bool]:
    try:
        made = re.compile(regex)
    except re.error as error:
        raise _bad(pattern, f"regular expression {regex}: {error}") from None
    return lambda text: made.search(text) is not None


def _split(text: str) -> list[str]:
    """Parts between commas that stand outside quotes and regular expressions."""
    parts = re.findall(r"(?:\"[^\"]*\"|%[^%]*%|[^,])+|(?<=,)(?=,)", text)
    return [part.strip() for part in parts]


def select(event: Any, selector: str) -> Any:
    """The value at ``$.a.b[0]`` in a JSON document; the module's own mark when there is none."""
    found = event
    for name, index, quoted in _STEP.findall(selector):
        key = name or quoted
        if index == "*" or key == "*":
            rest = list(found.values()) if isinstance(found, dict) else found
            found = rest[0] if isinstance(rest, list) and rest else _ABSENT
        elif index:
            here = isinstance(found, list) and int(index) < len(found)
            found = found[int(index)] if here else _ABSENT
        else:
            found = found.get(key, _ABSENT) if isinstance(found, dict) else _ABSENT
        if found is _ABSENT:
            break
    return found


def number(value: Any) -> float | None:
    """A field's value as a finite number, or None when it is none."""
    if isinstance(value, bool):
        return None
    try:
        made = float(value)
    except (TypeError, ValueError):
        return None
    return made if math.isfinite(made) else None


class _Parser:
    """Conditions joined by && and ||, of which && binds tighter.

    Args:
        selectors: gets every selector that is read.
        bare: fields are plain names, as between spaces, not ``$.name``.
    """

    def __init__(self, text: str, selectors: list[str], bare: bool = False):
        self._text, self._selectors, self._bare = text, selectors, bare
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if not found:
                raise _bad(text, f"it can't be read from '{text[place:].strip()}' on")
            self._tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            place = found.end()

    def condition(self) -> Condition:
        made = self._any()
        if self._tokens:
            raise _bad(self._text, f"'{self._tokens[0][1]}' is too much")
        return made

    def _take(self) -> tuple[str, str]:
        if not self._tokens:
            raise _bad(self._text, "it ends too early")
        return self._tokens.pop(0)

    def _next(self, *texts: str) -> bool:
        """Takes the next token if it is one of these."""
        if self._tokens and self._tokens[0][1].upper() in texts:
            self._tokens.pop(0)
            return True
        return False

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._next("||"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda look: any(one(look) for one in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._next("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda look: all(one(look) for one in parts)

    def _one(self) -> Condition:
        if self._next("("):
            inner = self._any()
            if not self._next(")"):
                raise _bad(self._text, "a parenthesis stays open")
            return inner
        kind, selector = self._take()
        if kind != ("word" if self._bare else "selector"):
            raise _bad(self._text, f"'{selector}' is no field; fields begin with $.")
        selector = f"${selector}" if self._bare else selector
        self._selectors.append(selector)
        if self._next("IS"):
            return self._is(selector)
        if self._next("NOT"):
            if not self._next("EXISTS"):
                raise _bad(self._text, "NOT stands before EXISTS only")
            return lambda look: look(selector) is _ABSENT
        if self._next("EXISTS"):
            return lambda look: look(selector) is not _ABSENT
        return self._comparison(selector)

    def _is(self, selector: str) -> Condition:
        for word, value in (("NULL", None), ("TRUE", True), ("FALSE", False)):
            if self._next(word):
                return lambda look: look(selector) is value
        raise _bad(self._text, "IS stands before NULL, TRUE and FALSE only")

    def _comparison(self, selector: str) -> Condition:
        _, sign = self._take()
        kind, value = self._take()
        if sign in _ORDER:
            limit = number(value)
            if limit is None:
                raise _bad(self._text, f"{sign} needs a number, not '{value}'")
            compare = _ORDER[sign]
            return lambda look: (
                (have := number(look(selector))) is not None and compare(have, limit)
            )
        if sign not in ("=", "!="):
            raise _bad(self._text, f"'{sign}' compares nothing")
        equal = self._equality(kind, value)

        def compared(look: Lookup) -> bool:
            have = look(selector)
            # A field that is not there is neither equal nor unequal.
            return have is not _ABSENT and equal(have) == (sign == "=")

        return compared

    def _equality(self, kind: str, value: str) -> Callable[[Any], bool]:
        if kind == "regex":
            search = _searching(self._text, value[1:-1])
            return lambda have: isinstance(have, str) and search(have)
        text = re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "quoted" else value
        wanted = number(value) if kind == "word" else None
        wild = re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)

        def equal(have: Any) -> bool:
            if wanted is not None and not isinstance(have, str):
                return number(have) == wanted
            if wanted is not None and number(have) == wanted:
                return True
            return wild.fullmatch(_text(have)) is not None

        return equal


@functools.lru_cache(maxsize=500)
def compiled(text: str) -> Pattern:
    """Reads a pattern; the empty one matches everything.

    Raises:
        ApiError: InvalidParameterException that names the pattern and what is wrong with it.
    """
    return Pattern(text)
