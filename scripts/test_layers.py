"""Runs the layers of the tests in two lanes, side by side.

A lane waits for parts and timers most of the time, so that two of them take little longer than
the longer one. Each has an embedded cloud of its own: the second lane's is set by the variables
given as words (``DRYDOCK_HOME=… DRYDOCK_PORT=…``). What only computes steps back for what is timed.
Ends with what failed and a table of times; exits 1 when a layer failed.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

# name of a lane → its layers: the quick ones, then the timed ones, for later the other lane has
# its drills. The site is the longest of all by far, so that nothing comes before it.
LANES = {
    "site": ("test-site",),
    "parts": (
        "lint", "test-unit", "test-frame", "test-platform", "test-terraform", "test-apps",
        "test-roles",
    ),
}  # fmt: skip
# Nobody waits for these with a stop-watch.
POLITE = ("lint", "test-unit", "test-terraform", "test-apps", "test-roles")
# Lines that say what failed, in a layer's output of thousands; and how many of its last.
_FAILURE = re.compile(r"FAILED|^ERROR |fatal: \[|^\[ERROR\]|^E   |Error \d+$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SHOWN = 30
OWN_CLOUD = {"parts": dict(word.split("=", 1) for word in sys.argv[1:])}


@dataclass
class Report:
    """What ran: rows of (layer, seconds, passed), in the order in which they ended.

    Attributes:
        failures: layer → the last lines of its output that tell of a failure.
    """

    rows: list[tuple[str, float, bool]] = field(default_factory=list)
    failures: dict[str, deque[str]] = field(default_factory=dict)
    printing: threading.Lock = field(default_factory=threading.Lock)

    def run(self, layer: str, lane: str) -> None:
        """Runs one make target; its lines bear the lane's name."""
        begun = time.monotonic()
        words = ["make", "--no-print-directory", layer]
        # A test is shown when it has ended: dots have no end for minutes.
        words.append("PYTEST=python -m pytest -v")
        process = subprocess.Popen(
            ["nice", "--adjustment=10", *words] if layer in POLITE else words,
            cwd=PROJECT,
            env={**os.environ, **OWN_CLOUD.get(lane, {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        self.say("", lane)
        self.say(f"== make {layer}", lane)
        telling: deque[str] = deque(maxlen=_SHOWN)
        for line in process.stdout:
            self.say(line.rstrip("\n"), lane)
            plain = _COLOUR.sub("", line).rstrip().lstrip("│ ")
            if _FAILURE.search(plain):
                telling.append(plain[:600])
        passed = process.wait() == 0
        if not passed:
            self.failures[layer] = telling
        self.rows.append((layer, time.monotonic() - begun, passed))

    def say(self, text: str, lane: str) -> None:
        with self.printing:
            print(f"{lane:5} | {text}", flush=True)

    def lanes(self) -> None:
        """Runs the lanes side by side, in each its layers, of which none needs the one before."""
        threads = [
            threading.Thread(target=lambda lane=lane: [self.run(one, lane) for one in LANES[lane]])
            for lane in LANES
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main() -> int:
    """Runs all layers; returns the exit code."""
    report, begun = Report(), time.monotonic()
    report.lanes()
    # A log is read from its end: what failed is told there again.
    for layer, lines in report.failures.items():
        print(f"\n{layer} failed:", *lines, sep="\n  ")
    print()
    for layer, seconds, passed in report.rows:
        print(f"  {layer:16} {seconds:6.0f} s  {'passed' if passed else 'FAILED'}")
    print(f"  {'all':16} {time.monotonic() - begun:6.0f} s")
    # A layer that never came to its row has not passed.
    layers = {layer for some in LANES.values() for layer in some}
    return 0 if {layer for layer, _, passed in report.rows if passed} == layers else 1


if __name__ == "__main__":
    sys.exit(main())
