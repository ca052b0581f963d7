"""The main job on the embedded cloud: up, bootstrap, provision, deploy, verify; then a table.

Each step is the very command that a person would type. Exits with the first failing step's
code, after the table of what was done until then.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock import lifecycle  # noqa: E402
from drydock.errors import DrydockError  # noqa: E402
from drydock.settings import Settings  # noqa: E402

PLAYBOOKS = ("bootstrap", "provision", "deploy", "verify")


@dataclass(frozen=True)
class Step:
    """A row of the table; ``seconds`` is wall time."""

    name: str
    seconds: float
    changed: str


def _newest_record(folder: Path, playbook: str, since: float) -> dict:
    """The evidence record that a playbook run has just written; empty if it wrote none."""
    records = [path for path in folder.glob("*.json") if path.stat().st_mtime >= since]
    for path in sorted(records, key=lambda path: path.stat().st_mtime, reverse=True):
        record = json.loads(path.read_text())
        if Path(record["playbook"]).stem == playbook:
            return record
    return {}


def _changed(record: dict) -> str:
    """What a run changed, host by host, in a few words."""
    parts = []
    for host, counts in record.get("hosts", {}).items():
        if counts.get("changed"):
            parts.append(f"{host}: {counts['changed']} changed")
    return ", ".join(parts) or "nothing"


def _play(settings: Settings, playbook: str) -> tuple[int, Step]:
    print(f"\n== ansible-playbook -i inventories/local playbooks/{playbook}.yml", flush=True)
    begun, wall = time.monotonic(), time.time()
    code = subprocess.run(
        ["ansible-playbook", "-i", "inventories/local", f"playbooks/{playbook}.yml"],
        cwd=PROJECT,
        check=False,
    ).returncode
    record = _newest_record(settings.home / "evidence" / "local", playbook, wall)
    changed = _changed(record) if code == 0 else f"FAILED (exit {code})"
    return code, Step(playbook, time.monotonic() - begun, changed)


def _table(steps: list[Step]) -> str:
    rows = [("step", "time", "changed")]
    rows += [(step.name, f"{step.seconds:.0f} s", step.changed) for step in steps]
    rows.append(("all", f"{sum(step.seconds for step in steps):.0f} s", ""))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [
        f"  {name:{widths[0]}}  {seconds:>{widths[1]}}  {changed}"
        for name, seconds, changed in rows
    ]
    lines.insert(1, "  " + "-" * 72)
    return "\n".join(lines)


def main() -> int:
    """Runs the demo; returns the exit code."""
    settings = Settings.from_environment()
    steps: list[Step] = []
    setup = settings.home / "setup.json"
    if setup.exists():
        done = json.loads(setup.read_text())
        packages = done["packages"]
        steps.append(Step("set-up", done["seconds"], f"{packages} Debian packages installed"))
    begun = time.monotonic()
    try:
        was_up = lifecycle.alive(settings.home)
        lifecycle.up(settings, lambda text: print(f"drydock: {text}", flush=True))
    except DrydockError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    started = "nothing" if was_up else "embedded cloud started"
    steps.append(Step("cloud up", time.monotonic() - begun, started))
    code = 0
    for playbook in PLAYBOOKS:
        code, step = _play(settings, playbook)
        steps.append(step)
        if code:
            break
    print(f"\n{_table(steps)}\n")
    if code:
        print(f"demo: {steps[-1].name} failed; what it said is above.", file=sys.stderr)
        return code
    for balancer in lifecycle.control(settings, "status")["load_balancers"]:
        address = f"http://{balancer['address']}"
        print(f"  open  {address}/  (hello)")
        print(f"        {address}/api/trading/instruments/SOL-USD  (twice: X-Cache miss, then hit)")
        print(f"        {address}/api/trading/docs  (place an order)")
    print("\n  python -m drydock status    what runs\n  make down                   remove it all")
    return 0


if __name__ == "__main__":
    os.chdir(PROJECT)
    sys.exit(main())
