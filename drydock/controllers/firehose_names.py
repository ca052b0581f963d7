"""The keys of the objects that Firehose writes.

Source: Amazon Data Firehose developer guide, "Custom prefixes for Amazon S3 objects" and "Amazon
S3 object name format".
"""

import datetime
import re
import uuid

from drydock.moto.firehose import Delivery

_EXPRESSION = re.compile(r"!\{([^}]*)\}")
# A pattern of Java's DateTimeFormatter: text in quotes, a letter as often as it is repeated, or
# whatever stands for itself.
_WORD = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z'])")
_PARTS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_DEFAULT = "!{timestamp:yyyy/MM/dd/HH}/"


def unknown(prefix: str) -> list[str]:
    """The expressions of a prefix that are not evaluated here: all but times of the parts above,
    such as weeks, names of months, random strings and partition keys."""
    return [found[0] for found in _EXPRESSION.finditer(prefix) if _strftime(found[1]) is None]


def key(delivery: Delivery, at: float) -> str:
    """A new object's key.

    Args:
        at: epoch seconds when the oldest record in it came; keys are in UTC.
    """
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    prefix = delivery.destination.prefix
    if not _EXPRESSION.search(prefix):
        prefix += _DEFAULT
    evaluated = _EXPRESSION.sub(lambda found: moment.strftime(_strftime(found[1]) or ""), prefix)
    return (
        f"{evaluated}{delivery.name}-{delivery.version}-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"
        f"{delivery.destination.extension}"
    )


def _strftime(expression: str) -> str | None:
    """An expression as Python writes such patterns; None when it is not known."""
    namespace, _, pattern = expression.partition(":")
    words = list(_WORD.finditer(pattern))
    if namespace != "timestamp" or "".join(word[0] for word in words) != pattern:
        return None
    made = ""
    for quoted, letters, _, other in (word.groups() for word in words):
        if letters and letters not in _PARTS:
            return None
        # Two quotes are one that is meant, within quotes too.
        plain = other or (quoted or "").replace("''", "'") or "'"
        made += _PARTS[letters] if letters else plain.replace("%", "%%")
    return made
