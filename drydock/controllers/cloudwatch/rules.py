"""Rules of composite alarms: ALARM(a) AND (OK("b") OR NOT INSUFFICIENT_DATA(c))."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

from drydock.moto.cloudwatch import refuse

_STATE = re.compile(
    r"\b(ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"([^\"]*)\"|'([^']*)'|([^()\s\"']+))\s*\)"
)
_WORDS = {"AND": "and", "OR": "or", "NOT": "not", "TRUE": "True", "FALSE": "False"}


@dataclass(frozen=True)
class Rule:
    """A rule that was read.

    Attributes:
        terms: (state, alarm's name) of each term, in order.
    """

    terms: tuple[tuple[str, str], ...]
    _tree: ast.expr

    @property
    def names(self) -> list[str]:
        """The alarms it is about, each once."""
        return list(dict.fromkeys(name for _, name in self.terms))

    def holds(self, states: Mapping[str, str]) -> bool:
        """Whether the rule is true, from each alarm's state by its name."""
        return self._of(self._tree, states)

    def _of(self, node: ast.expr, states: Mapping[str, str]) -> bool:
        match node:
            case ast.Constant(value=value):
                return bool(value)
            case ast.Name(id=term):
                state, name = self.terms[int(term[1:])]
                return states.get(name) == state
            case ast.UnaryOp(operand=inner):
                return not self._of(inner, states)
            case ast.BoolOp(op=op, values=values):
                made = (self._of(one, states) for one in values)
                return all(made) if isinstance(op, ast.And) else any(made)
        raise AssertionError(node)


def parse(text: str) -> Rule:
    """Reads an AlarmRule; alarms may be named or given as ARNs.

    Raises:
        ApiError: ValidationError that names the rule and what is wrong with it.
    """
    terms: list[tuple[str, str]] = []

    def term(found: re.Match[str]) -> str:
        name = next(one for one in found.groups()[1:] if one is not None)
        terms.append((found[1], name.split(":alarm:", 1)[-1] if name[:4] == "arn:" else name))
        return f" _{len(terms) - 1} "

    python = re.sub(
        r"\b(AND|OR|NOT|TRUE|FALSE)\b", lambda word: _WORDS[word[1]], _STATE.sub(term, text)
    )
    try:
        tree = ast.parse(" ".join(python.split()), mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError) as error:
        raise refuse(
            f"AlarmRule '{text}' can't be read ({error}); it is made of ALARM(name), OK(name), "
            "INSUFFICIENT_DATA(name), TRUE, FALSE, AND, OR, NOT and parentheses."
        ) from None
    return Rule(tuple(terms), tree)


def _check(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=bool()):
            return
        case ast.Name(id=name) if re.fullmatch(r"_\d+", name):
            return
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            _check(inner)
        case ast.BoolOp(values=values):
            for value in values:
                _check(value)
        case _:
            raise ValueError(f"unexpected '{ast.unparse(node)}'")
