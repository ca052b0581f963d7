"""How much of a playbook's time is Terraform's own.

    python benchmarks/terraform_share.py bootstrap provision [-- -e vpc_cidr=10.99.0.0/16]

Runs playbooks against inventories/local with a `terraform` on PATH that notes when each call
begins and ends, then prints the calls and two ratios of the same run:

- whole / terraform: wall time of the playbook to the time in which any terraform ran;
- whole / plain: to the time in which init, plan or apply ran, which a person who types the
  commands needs too (validate, show and output are ours).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PLAIN = {"init", "plan", "apply"}
_SHIM = """#!{python}
import json, os, subprocess, sys, time
begun = time.time()
code = subprocess.call([{terraform!r}, *sys.argv[1:]])
words = [word for word in sys.argv[1:] if not word.startswith("-")] or ["version"]
with open({log!r}, "a") as file:
    file.write(json.dumps([words[0], os.path.basename(os.getcwd()), begun, time.time()]) + "\\n")
sys.exit(code)
"""


def _covered(spans: list[tuple[float, float]]) -> float:
    """Seconds covered by any of the spans."""
    total, reached = 0.0, 0.0
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def measure(playbook: str, further: list[str]) -> None:
    """Runs one playbook and prints its table; exits when the playbook fails."""
    terraform = shutil.which("terraform")
    if not terraform:
        sys.exit("terraform is not on PATH; run `make setup`.")
    with tempfile.TemporaryDirectory() as folder:
        log, shim = Path(folder, "calls.jsonl"), Path(folder, "terraform")
        shim.write_text(_SHIM.format(python=sys.executable, terraform=terraform, log=str(log)))
        shim.chmod(0o755)
        begun = time.time()
        done = subprocess.run(
            ["ansible-playbook", "-i", "inventories/local", f"playbooks/{playbook}.yml", *further],
            cwd=PROJECT,
            env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        whole = time.time() - begun
        if done.returncode:
            sys.exit(done.stdout[-3000:])
        calls = [json.loads(line) for line in log.read_text().splitlines()]
    print(f"{playbook}: {whole:.1f} s")
    for word, stack, start, end in calls:
        print(f"  {start - begun:6.1f} s  {stack:12} {word:10} {end - start:6.1f} s")
    every = _covered([(start, end) for _, _, start, end in calls])
    plain = _covered([(start, end) for word, _, start, end in calls if word in PLAIN])
    print(f"  any terraform {every:.1f} s: ratio {whole / every:.2f}")
    print(f"  init, plan, apply {plain:.1f} s: ratio {whole / plain:.2f}")


if __name__ == "__main__":
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    for name in words[:end] or ["bootstrap", "provision"]:
        measure(name, words[end + 1 :])
