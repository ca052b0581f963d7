"""Metric math, read with Python's own grammar, of which AWS's is nearly a subset."""

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drydock.errors import ApiError


@dataclass(frozen=True)
class Line:
    """A time series: epoch seconds of a window's start → value; windows of ``period`` seconds.

    Attributes:
        measured: a metric's own series, not an expression's; what METRICS() lists.
    """

    period: int
    points: Mapping[int, float]
    measured: bool = False


Value = float | Line | list[Line]
# Starts of the windows of so many seconds that are asked for: what FILL fills.
Grid = Callable[[int], Sequence[int]]


def _divide(a: float, b: float) -> float:
    return a / b if b else math.nan


def _power(a: float, b: float) -> float:
    try:
        return float(a**b)
    except (OverflowError, ZeroDivisionError, TypeError):
        return math.nan


_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Pow: _power,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.And: lambda a, b: bool(a) and bool(b),
    ast.Or: lambda a, b: bool(a) or bool(b),
}
# Of AWS's spelling, what Python spells otherwise; nothing within quotes is touched.
_SPELLING = (
    (re.compile(r"&&|\bAND\b"), " and "),
    (re.compile(r"\|\||\bOR\b"), " or "),
    (re.compile(r"\^"), "**"),
)
_QUOTED = re.compile(r"(\"[^\"]*\"|'[^']*')")


def refuse(expression: str, reason: object) -> ApiError:
    return ApiError("ValidationError", f"Error in expression '{expression}': {reason}")


def parse(expression: str) -> ast.expr:
    """Reads an expression.

    Raises:
        ApiError: ValidationError that names the expression and what is wrong with it.
    """
    parts = _QUOTED.split(expression)
    for number in range(0, len(parts), 2):
        for pattern, python in _SPELLING:
            parts[number] = pattern.sub(python, parts[number])
    try:
        tree = ast.parse("".join(parts).strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise refuse(expression, f"it can't be read ({reason})") from None
    try:
        _check(tree)
    except ValueError as error:
        raise refuse(expression, error) from None
    return tree


def _check(node: ast.expr) -> None:
    """Raises ValueError for what is Python and not metric math."""
    match node:
        case ast.Constant(value=bool()) | ast.Constant(value=None):
            raise ValueError(f"{node.value} is no number")
        case ast.Constant(value=int() | float() | str()) | ast.Name():
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            _check(inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            _check(left), _check(right)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            _check(left), _check(right)
        case ast.BoolOp(values=values) | ast.List(elts=values):
            for value in values:
                _check(value)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in _FUNCTIONS:
                raise ValueError(f"function {name} is not known here; known: {known()}")
            for argument in arguments:
                _check(argument)
        case _:
            raise ValueError(f"'{ast.unparse(node)}' is not metric math")


def known() -> str:
    return ", ".join(sorted(_FUNCTIONS))


def names(tree: ast.expr) -> set[str]:
    """Ids of the metrics and expressions that an expression is made of."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in called and node.id not in _WORDS
    }


def evaluate(expression: str, tree: ast.expr, lines: Mapping[str, Value], grid: Grid) -> Value:
    """Computes an expression.

    Args:
        lines: results of the ids it names.

    Returns:
        A series, several, or a number. A point that can't be computed (division by zero, or
        missing on one side) is missing.

    Raises:
        ApiError: a function was given what it can't take.
    """
    try:
        return _Evaluation(lines, grid).of(tree)
    except (ValueError, TypeError, IndexError) as error:
        raise refuse(expression, error) from None


def _each(function: Callable[..., float], *values: Value) -> Value:
    """Applies a function point by point, where every series has a point."""
    many = [value for value in values if isinstance(value, list)]
    if many:
        size = len(many[0])
        rows = [value if isinstance(value, list) else [value] * size for value in values]
        return [_line(_each(function, *row)) for row in zip(*rows, strict=True)]
    series = [value for value in values if isinstance(value, Line)]
    if not series:
        return float(function(*values))
    moments = set(series[0].points).intersection(*(one.points for one in series[1:]))
    points = {}
    for at in sorted(moments):
        made = float(function(*(v.points[at] if isinstance(v, Line) else v for v in values)))
        if math.isfinite(made):
            points[at] = made
    return Line(max(one.period for one in series), points)


def _line(value: Value) -> Line:
    if not isinstance(value, Line):
        raise ValueError("a time series is needed here")
    return value


def _list(value: Value) -> list[Line]:
    return value if isinstance(value, list) else [_line(value)]


def _fold(function: Callable[[Sequence[float]], float]) -> Callable[["_Evaluation", Value], Value]:
    """SUM and its like: a list of series becomes a series, a series becomes a number."""

    def folded(_: "_Evaluation", value: Value) -> Value:
        if isinstance(value, list):
            if not value:
                raise ValueError("a list without series")
            moments = sorted(set().union(*(one.points for one in value)))
            points = {
                at: function([one.points[at] for one in value if at in one.points])
                for at in moments
            }
            return Line(max(one.period for one in value), points)
        if isinstance(value, Line):
            return function(list(value.points.values())) if value.points else math.nan
        return value

    return folded


def _fill(run: "_Evaluation", value: Value, filler: Value) -> Value:
    if isinstance(value, list):
        return [_line(_fill(run, one, filler)) for one in value]
    line, points = _line(value), {}
    last: float | None = None
    for at in run.grid(line.period):
        if at in line.points:
            last = line.points[at]
        if filler != "REPEAT":
            with_value = filler.points.get(at) if isinstance(filler, Line) else filler
            made = line.points.get(at, with_value)
        else:
            made = last
        if made is not None:
            points[at] = float(made)
    return Line(line.period, points)


def _if(_: "_Evaluation", condition: Value, then: Value, otherwise: Value = math.nan) -> Value:
    return _each(lambda c, a, b: a if c else b, condition, then, otherwise)


def _change(per_second: bool) -> Callable[["_Evaluation", Value], Value]:
    def changed(run: "_Evaluation", value: Value) -> Value:
        if isinstance(value, list):
            return [_line(changed(run, one)) for one in value]
        line = _line(value)
        rows = sorted(line.points.items())
        points = {
            at: (now - before) / ((at - earlier) if per_second else 1)
            for (earlier, before), (at, now) in itertools.pairwise(rows)
        }
        return Line(line.period, points)

    return changed


def _series(run: "_Evaluation", value: Value) -> Value:
    if isinstance(value, int | float):
        period = run.period()
        return Line(period, {at: float(value) for at in run.grid(period)})
    return value


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "ABS": lambda _, value: _each(abs, value),
    "CEIL": lambda _, value: _each(math.ceil, value),
    "FLOOR": lambda _, value: _each(math.floor, value),
    "AVG": _fold(lambda values: sum(values) / len(values)),
    "SUM": _fold(sum),
    "MIN": _fold(min),
    "MAX": _fold(max),
    "FILL": _fill,
    "IF": _if,
    "RATE": _change(per_second=True),
    "DIFF": _change(per_second=False),
    "PERIOD": lambda _, value: float(_line(value).period),
    "FIRST": lambda _, value: _list(value)[0],
    "LAST": lambda _, value: _list(value)[-1],
    "METRIC_COUNT": lambda _, value: float(len(_list(value))),
    "METRICS": lambda run, part="": run.metrics(part),
    "TIME_SERIES": _series,
}
_WORDS = {"REPEAT"}


class _Evaluation:
    def __init__(self, lines: Mapping[str, Value], grid: Grid):
        self._lines, self.grid = lines, grid

    def metrics(self, part: str) -> list[Line]:
        """Every metric's series, or those with ``part`` in their id."""
        return [
            one
            for name, one in self._lines.items()
            if isinstance(one, Line) and one.measured and part in name
        ]

    def period(self) -> int:
        return max((one.period for one in self.metrics("")), default=60)

    def of(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if name in _WORDS:
                    return name
                if name not in self._lines:
                    raise ValueError(f"there is no metric or expression '{name}'")
                return self._lines[name]
            case ast.UnaryOp(op=op, operand=inner):
                sign = -1 if isinstance(op, ast.USub) else 1
                return _each(lambda a: sign * a, self.of(inner))
            case ast.BinOp(left=left, op=op, right=right):
                return _each(_OPERATORS[type(op)], self.of(left), self.of(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _each(_OPERATORS[type(op)], self.of(left), self.of(right))
            case ast.BoolOp(op=op, values=values):
                made = self.of(values[0])
                for value in values[1:]:
                    made = _each(_OPERATORS[type(op)], made, self.of(value))
                return made
            case ast.List(elts=values):
                return [one for value in values for one in _list(self.of(value))]
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _FUNCTIONS[name](self, *(self.of(one) for one in arguments))
        raise ValueError(f"'{ast.unparse(node)}' is not metric math")
