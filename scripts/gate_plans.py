"""Makes the plans that the gate's tests judge: real plans of the changes in tests/gate/changes.py.

The sample stack is applied to moto in this process, then changes are planned from a copy of it.
`python scripts/gate_plans.py [NAME…]` writes tests/gate/plans/<name>.json, without what no
rule looks at. Needs terraform and the provider (`make setup`).
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from drydock.moto import patches, rds  # noqa: E402
from tests.gate.changes import PLANS, SAMPLE, batches, edited  # noqa: E402

HOME = Path(os.environ.get("DRYDOCK_HOME", PROJECT / ".drydock")).resolve()
PORT = 47611


def terraform(folder: Path, *words: str) -> str:
    """Run terraform in a folder; end the program where it fails."""
    settings = HOME / "terraform.rc"
    done = subprocess.run(
        ["terraform", *words],
        cwd=folder,
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "CHECKPOINT_DISABLE": "1",
            **({"TF_CLI_CONFIG_FILE": str(settings)} if settings.exists() else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{folder.name}: terraform {words[0]}: {done.stderr or done.stdout}")
    return done.stdout


def outside(what: str) -> None:
    """Make by hand what a change imports."""
    settings = {
        "endpoint_url": f"http://127.0.0.1:{PORT}", "region_name": "us-east-1",
        "aws_access_key_id": "test", "aws_secret_access_key": "test",
    }  # fmt: skip
    if what == "bucket":
        boto3.client("s3", **settings).create_bucket(Bucket="found-outside")
    elif what == "log-group":
        boto3.client("logs", **settings).create_log_group(logGroupName="/found/outside")


def useful(plan: dict[str, Any]) -> dict[str, Any]:
    """Return what the gate reads of a plan."""

    def module(one: dict[str, Any]) -> dict[str, Any]:
        return {
            "resources": [
                {key: part[key] for key in ("address", "provider_config_key")}
                for part in one.get("resources", [])
            ],
            "module_calls": {
                name: {"module": module(call.get("module", {}))}
                for name, call in one.get("module_calls", {}).items()
            },
        }

    held = {
        key: plan[key]
        for key in ("format_version", "variables", "resource_changes", "resource_drift")
        if key in plan
    }
    for entry in held["resource_changes"] + held.get("resource_drift", []):
        change = entry["change"]
        for side in ("before", "after"):
            if isinstance(change.get(side), dict):
                change[side] = {k: v for k, v in change[side].items() if v is not None}
        if change["actions"] == ["no-op"]:
            entry["change"] = {
                key: change[key] for key in ("actions", "before", "importing") if key in change
            }
    held["configuration"] = {"root_module": module(plan["configuration"]["root_module"])}
    return held


def start_databases(ended: threading.Event) -> None:
    """Have databases that are being created available, as the embedded cloud does behind moto."""
    while not ended.wait(0.5):
        for database in rds.databases():
            if database.status == "creating":
                rds.set_status(database, "available")


def main() -> None:
    wanted = set(sys.argv[1:])
    patches.apply()  # what it forgets, as the tags of a stream
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=PORT, verbose=False)
    server.start()
    ended = threading.Event()
    threading.Thread(target=start_databases, args=(ended,), daemon=True).start()
    work = Path(tempfile.mkdtemp(prefix="gate-plans-"))
    PLANS.mkdir(exist_ok=True)
    try:
        base = work / "base"
        shutil.copytree(SAMPLE, base)
        values = ["-var=environment=local", "-var=account_id=123456789012"]
        terraform(base, "init", "-no-color", "-input=false")
        terraform(base, "apply", "-no-color", "-auto-approve", "-input=false", *values)
        for name, changes in batches().items():
            if wanted and name not in wanted:
                continue
            folder = work / name
            shutil.copytree(base, folder, symlinks=True)
            edited(changes, folder)
            more = []
            for change in changes:
                outside(change.outside)
                more += [f"-var={key}={value}" for key, value in change.variables.items()]
            terraform(folder, "init", "-no-color", "-input=false")
            terraform(
                folder, "plan", "-no-color", "-input=false", "-refresh=false", "-out=plan",
                *values, *more,
            )  # fmt: skip
            plan = json.loads(terraform(folder, "show", "-json", "plan"))
            text = json.dumps(useful(plan), separators=(",", ":"), sort_keys=True)
            (PLANS / f"{name}.json").write_text(text + "\n")
            print(f"{name}: {len(text)} bytes", flush=True)
            shutil.rmtree(folder)
    finally:
        ended.set()
        server.stop()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
