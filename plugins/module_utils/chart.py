"""Curves and marks on one time axis, as an SVG that needs nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT = 1000, 64, 16
PANEL, HEAD, GAP = 84, 22, 12  # height of a panel's plot, of its title, between panels
TAG_ROW = 20
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
COMPARISONS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "≥",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


@dataclass(frozen=True)
class Mark:
    """A moment (seconds since the epoch): what happened, and the letter or number it is drawn as.

    kind: fault, red, opened, action, undone, green or closed; the style sheet gives it its colour.
    """

    at: float
    tag: str
    kind: str
    text: str


def clock(moment: float) -> str:
    """Return the time of day in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S")


def number(value: float) -> str:
    """Return a value short enough for an axis."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


class Axis:
    """The time axis that all panels share."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, max(end, start + 1)

    def x(self, moment: float) -> float:
        share = (min(max(moment, self.start), self.end) - self.start) / (self.end - self.start)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> list[float]:
        wanted = (self.end - self.start) / 8
        step = next((one for one in STEPS if one >= wanted), STEPS[-1])
        first = self.start - self.start % step + step
        return [first + step * n for n in range(int((self.end - first) // step) + 1)]


def _segments(points: list[list[float]], period: float) -> list[list[list[float]]]:
    """Return the points in runs: where more than a point is missing, the line is broken."""
    runs: list[list[list[float]]] = []
    for point in points:
        if runs and point[0] - runs[-1][-1][0] <= 2.5 * period:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _panel(curve: dict[str, Any], axis: Axis, top: float) -> list[str]:
    """Return one curve's panel, whose plot begins below `top` by HEAD."""
    points = [one for one in curve["points"] if axis.start <= one[0] <= axis.end]
    threshold = curve.get("threshold")
    values = [value for _at, value in points] + ([threshold] if threshold is not None else [])
    high = max([*values, 0.0]) * 1.15 or 1.0
    low = min([*values, 0.0])
    base = top + HEAD + PANEL

    def y(value: float) -> float:
        return round(base - (value - low) / (high - low) * PANEL, 1)

    out = [
        f'<text class="name" x="{LEFT}" y="{top + 14}">{escape(curve["label"])}'
        f'<tspan class="about" dx="10">{escape(_short(curve["about"]))}</tspan></text>',
        f'<rect class="plot" x="{LEFT}" y="{top + HEAD}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{PANEL}"/>',
    ]
    for value in (low, (low + high) / 2, high):
        out.append(f'<text class="value" x="{LEFT - 6}" y="{y(value) + 4}">{number(value)}</text>')
    if threshold is not None:
        sign = COMPARISONS.get(curve.get("comparison", ""), "")
        out.append(
            f'<line class="threshold" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(threshold)}" '
            f'y2="{y(threshold)}"/><text class="limit" x="{WIDTH - RIGHT - 4}" '
            f'y="{y(threshold) - 4}">alarm at {escape(sign)} {number(threshold)}</text>'
        )
    if not points:
        out.append(
            f'<text class="empty" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{base - PANEL / 2 + 4}">'
            "no data in this time</text>"
        )
    for run in _segments(points, curve["period"]):
        places = [f"{axis.x(at)},{y(value)}" for at, value in run]
        if len(run) > 1:
            out.append(f'<polyline class="curve" points="{" ".join(places)}"/>')
        if len(run) == 1 or len(points) <= 120:
            out += [
                f'<circle class="dot" cx="{place.split(",")[0]}" cy="{place.split(",")[1]}" '
                f'r="2"><title>{clock(at)} {number(value)}</title></circle>'
                for place, (at, value) in zip(places, run, strict=True)
            ]
    return out


def _short(text: str, most: int = 96) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _rows(marks: list[Mark], axis: Axis) -> list[int]:
    """Return for each mark the row of its tag, so that tags do not cover each other."""
    ends: list[float] = []
    rows = []
    for mark in marks:
        x, half = axis.x(mark.at), _half(mark)
        row = next((n for n, end in enumerate(ends) if end < x - half), len(ends))
        if row == len(ends):
            ends.append(x)
        ends[row] = x + half
        rows.append(row)
    return rows


def _half(mark: Mark) -> float:
    """Return half the width of a mark's tag: a circle for two characters, longer for more."""
    return max(8.5, 3.4 * len(mark.tag) + 3)


def draw(
    curves: list[dict[str, Any]],
    marks: list[Mark],
    red: tuple[float, float] | None,
    start: float,
    end: float,
) -> str:
    """Return the SVG: a panel per curve, the marks through all of them, the red time shaded."""
    axis = Axis(start, end)
    marks = sorted(marks, key=lambda mark: mark.at)
    rows = _rows(marks, axis)
    top = (max(rows, default=-1) + 1) * TAG_ROW + 8
    bottom = top + len(curves) * (HEAD + PANEL + GAP)
    out = [
        f'<svg viewBox="0 0 {WIDTH} {bottom + 26}" role="img" '
        'aria-label="Metrics and events on one time axis">'
    ]
    panels: list[str] = []
    for index, curve in enumerate(curves):
        panels += _panel(curve, axis, top + index * (HEAD + PANEL + GAP))
    if red:
        left, right = axis.x(red[0]), axis.x(red[1])
        out.append(
            f'<rect class="redtime" x="{left}" y="{top}" width="{max(right - left, 1):.1f}" '
            f'height="{bottom - top}"/>'
        )
    for tick in axis.ticks():
        x = axis.x(tick)
        out.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
        out.append(f'<text class="time" x="{x}" y="{bottom + 16}">{clock(tick)}</text>')
    out += panels
    for mark, row in zip(marks, rows, strict=True):
        x, y, half = axis.x(mark.at), row * TAG_ROW + 10, _half(mark)
        out.append(
            f'<g class="mark {mark.kind}"><title>{clock(mark.at)} {escape(mark.text)}</title>'
            f'<line x1="{x}" x2="{x}" y1="{y + 8}" y2="{bottom}"/>'
            f'<rect x="{x - half:.1f}" y="{y - 8.5}" width="{2 * half:.1f}" height="17" rx="8.5"/>'
            f'<text x="{x}" y="{y + 3.8}">{escape(mark.tag)}</text></g>'
        )
    out.append("</svg>")
    return "\n".join(out)
