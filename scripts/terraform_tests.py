"""Validates every stack and runs every module's and stack's ``terraform test``, side by side.

Each start of Terraform costs seconds of CPU, so as many run at once as there are cores; the
output of one run is printed whole. Exits 1 when any run failed.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("DRYDOCK_HOME", PROJECT / ".drydock")).resolve()


def _run(folder: Path, *steps: list[str]) -> tuple[bool, str]:
    """Runs terraform steps in a folder until one fails; its data goes outside the tree."""
    data = HOME / "terraform/tests" / folder.relative_to(PROJECT)
    environment = {**os.environ, "TF_DATA_DIR": str(data), "TF_IN_AUTOMATION": "1"}
    settings = HOME / "terraform.rc"
    if settings.exists():
        environment["TF_CLI_CONFIG_FILE"] = str(settings)
    # Whoever's account the shell points to, a test has no business there.
    for name in list(environment):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            del environment[name]
    environment |= {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    text = ""
    for step in steps:
        done = subprocess.run(
            ["terraform", *step], cwd=folder, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        text += done.stdout + done.stderr
        if done.returncode:
            return False, f"terraform {' '.join(step)}\n{text}"
    return True, text


def main() -> int:
    """Runs everything found under terraform/; returns the exit code."""
    stacks = sorted(path for path in (PROJECT / "terraform/stacks").iterdir() if path.is_dir())
    tested = {path.parent.parent for path in (PROJECT / "terraform").glob("*/*/tests/*.tftest.hcl")}
    jobs = {}
    passed = failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for folder in sorted(set(stacks) | tested):
            # Modules carry no lock file of their own (the stack that calls them does).
            readonly = ["-lockfile=readonly"] if folder in stacks else []
            steps = [
                ["init", "-backend=false", "-input=false", "-no-color", *readonly],
                ["validate", "-no-color"],
            ]
            if folder in tested:
                steps.append(["test", "-no-color"])
            jobs[pool.submit(_run, folder, *steps)] = folder
        for job in as_completed(jobs):
            good, text = job.result()
            name = jobs[job].relative_to(PROJECT)
            lines = text.strip().splitlines()
            print(f"{'ok    ' if good else 'FAILED'} {name}: {lines[-1] if lines else ''}")
            if not good:
                print(text)
            passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
