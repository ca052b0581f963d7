"""What a task that asks AWS costs: in a process of its own, and in the worker of its task.

    make up && python benchmarks/modules.py [--tasks 10]

Runs a play of so many drydock.ops.stack_outputs against inventories/local three times in each
way, by turns, and prints the CPU seconds of a task (user and system, children included) and
their ratio. The way is chosen by a copy of the collection with or without its action plugin.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TASK = """
    - drydock.ops.stack_outputs:
        environment: "{{ environment_name }}"
        bucket: "{{ state_bucket }}"
        region: "{{ aws_region }}"
        stacks: [bootstrap]
        optional: true
"""
PLAY = """
- hosts: bootstrap
  gather_facts: false
  environment: "{{ operator_environment }}"
  tasks:
"""


def seconds(folder: Path, tasks: int) -> float:
    """CPU seconds of a play of so many tasks. Raises CalledProcessError where it fails."""
    (folder / "play.yml").write_text(PLAY + TASK * tasks)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [PROJECT / ".venv/bin/ansible-playbook", "-i", PROJECT / "inventories/local",
         "-e", f"project_dir={PROJECT}", folder / "play.yml"],
        cwd=PROJECT, stdout=subprocess.DEVNULL, check=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
             "ANSIBLE_COLLECTIONS_PATH": str(folder)},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=10)
    tasks = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as name:
        ways = {way: Path(name) / way for way in ("process", "worker")}
        for folder in ways.values():
            shutil.copytree(PROJECT / "collections", folder)
        (
            ways["process"] / "ansible_collections/drydock/ops/plugins/action/stack_outputs.py"
        ).unlink()
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(3):
            for way, folder in ways.items():
                took[way].append((seconds(folder, tasks + 1) - seconds(folder, 1)) / tasks)
    medians = {way: statistics.median(found) for way, found in took.items()}
    for way, median in medians.items():
        print(f"{way:8} {median:6.2f} s of CPU a task")
    print(f"ratio    {medians['process'] / medians['worker']:6.1f}")


if __name__ == "__main__":
    main()
