"""Runs the layers of the tests: the quick ones first, then two lanes side by side.

A lane waits for parts and timers most of the time, so that two of them take little longer than
the longer one. Each has an embedded cloud of its own: the second lane's is set by the variables
given as words (``DRYDOCK_HOME=… DRYDOCK_PORT=…``). What only computes steps back for what is timed.
Ends with a table of times; exits 1 when a layer failed.
"""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

FIRST = ("lint", "test-unit")
# name of a lane → its layers, the timed ones first: later the other lane has its drills.
LANES = {
    "site": ("test-site",),
    "parts": ("test-frame", "test-platform", "test-terraform", "test-apps", "test-roles"),
}
POLITE = ("test-terraform", "test-apps", "test-roles")  # nobody waits for these with a stop-watch
OWN_CLOUD = {"parts": dict(word.split("=", 1) for word in sys.argv[1:])}


@dataclass
class Report:
    """What ran: rows of (layer, seconds, passed), in the order in which they ended."""

    rows: list[tuple[str, float, bool]] = field(default_factory=list)
    printing: threading.Lock = field(default_factory=threading.Lock)

    def run(self, layer: str, lane: str = "") -> bool:
        """Runs one make target; lines of a lane bear its name. Returns whether it passed."""
        begun = time.monotonic()
        words = ["make", "--no-print-directory", layer]
        if lane:  # a test is shown when it has ended: a line of dots has no end for minutes
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
        for line in process.stdout:
            self.say(line.rstrip("\n"), lane)
        passed = process.wait() == 0
        self.rows.append((layer, time.monotonic() - begun, passed))
        return passed

    def say(self, text: str, lane: str = "") -> None:
        with self.printing:
            print(f"{lane:5} | {text}" if lane else text, flush=True)

    def lane(self, lane: str) -> None:
        """Runs a lane's layers; none of them needs the one before."""
        for layer in LANES[lane]:
            self.run(layer, lane)


def main() -> int:
    """Runs all layers; returns the exit code."""
    report, begun = Report(), time.monotonic()
    if all(report.run(layer) for layer in FIRST):
        lanes = [threading.Thread(target=report.lane, args=(lane,)) for lane in LANES]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
    print()
    for layer, seconds, passed in report.rows:
        print(f"  {layer:16} {seconds:6.0f} s  {'passed' if passed else 'FAILED'}")
    print(f"  {'all':16} {time.monotonic() - begun:6.0f} s")
    return 0 if all(passed for _, _, passed in report.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
