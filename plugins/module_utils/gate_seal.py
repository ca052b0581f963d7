"""What binds a plan that passed the gate to where and when it may be applied.

The plan file is a zip that holds, beside the plan, the state it was made from (`tfstate`, whose
lineage and serial say which state at which change).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAX_AGE = 120  # minutes: as long as the lease of the environment's lock


def digest(plan_file: str | Path) -> str:
    """Return the SHA-256 of a plan file."""
    return hashlib.sha256(Path(plan_file).read_bytes()).hexdigest()


def state_of(plan_file: str | Path) -> tuple[str, int]:
    """Return (lineage, serial) of the state that a plan was made from; ("", 0) for no state.

    Raises ValueError where the file is no plan.
    """
    try:
        with zipfile.ZipFile(plan_file) as file:
            if "tfplan" not in file.namelist():
                raise ValueError(f"{plan_file} is not a plan of Terraform's")
            state = json.loads(file.read("tfstate")) if "tfstate" in file.namelist() else {}
    except (zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise ValueError(f"{plan_file} is not a plan of Terraform's ({error})") from error
    return str(state.get("lineage", "")), int(state.get("serial", 0))


def place(backend_config: dict[str, Any]) -> str:
    """Return where a backend keeps the state: s3://bucket/key or a path."""
    if "bucket" in backend_config:
        return f"s3://{backend_config['bucket']}/{backend_config['key']}"
    return str(backend_config.get("path", ""))


def make(
    plan_file: str | Path, *, stack: str, environment: str, account_id: str,
    backend_config: dict[str, Any], made: str, losses: list[dict[str, str]],
) -> dict[str, Any]:  # fmt: skip
    """Return the seal of a plan that the gate let pass; made: when, in UTC (ISO 8601)."""
    lineage, serial = state_of(plan_file)
    return {
        "sha256": digest(plan_file),
        "stack": stack,
        "environment": environment,
        "account_id": account_id,
        "state": place(backend_config),
        "lineage": lineage,
        "serial": serial,
        "made": made,
        "losses": losses,
    }


def broken(
    seal: dict[str, Any], plan_file: str | Path, *, stack: str, environment: str,
    account_id: str, caller_account: str, backend_config: dict[str, Any],
    state: dict[str, Any] | None, max_age: float = MAX_AGE, now: datetime | None = None,
) -> list[str]:  # fmt: skip
    """Return why a sealed plan may not be applied here and now; nothing where it may.

    account_id: the inventory's; caller_account: that of the credentials. state: the state as it
    is now, None for none. max_age: minutes.
    """
    again = "Start the playbook again: it makes a new plan."
    missing = {"sha256", "stack", "environment", "account_id", "state", "lineage", "serial", "made"}
    if missing - set(seal):
        return [
            f"The plan has no whole seal of the gate (without {min(missing - set(seal))}). {again}"
        ]
    found = []
    here = {
        "stack": stack,
        "environment": environment,
        "account_id": account_id,
        "state": place(backend_config),
    }
    for name, wanted in here.items():
        if seal[name] != wanted:
            found.append(
                f"The plan was made for {name.replace('_id', '')} {seal[name]}, and this is "
                f"{wanted}. {again}"
            )
    if caller_account != account_id:
        found.append(
            f"The credentials are of account {caller_account}, and {environment} is {account_id}. "
            f"Sign in to {account_id}."
        )
    if not Path(plan_file).is_file():
        return [*found, f"The plan {plan_file} is gone. {again}"]
    if digest(plan_file) != seal["sha256"]:
        found.append(f"The plan is not the one that passed the gate (its SHA-256 differs). {again}")
    lineage, serial = str((state or {}).get("lineage", "")), int((state or {}).get("serial", 0))
    # The first plan of a stack has no state to be bound to: there must still be none.
    first = not seal["serial"] or not seal["lineage"]
    if first and state and state.get("resources"):
        found.append(f"The plan was made before there was a state, and now there is one. {again}")
    elif not first and state is None:
        found.append(f"The plan was made from a state that is gone ({seal['state']}). {again}")
    elif not first and lineage != seal["lineage"]:
        found.append(
            f"The plan was made from another state (lineage {seal['lineage']}, here {lineage}). "
            f"{again}"
        )
    elif not first and serial != seal["serial"]:
        found.append(
            f"The state was changed after the plan was made (serial {seal['serial']} then, "
            f"{serial} now). {again}"
        )
    age = ((now or datetime.now(UTC)) - datetime.fromisoformat(seal["made"])).total_seconds() / 60
    if not -1 <= age <= max_age:
        found.append(f"The plan is {age:.0f} minutes old, and {max_age:.0f} are allowed. {again}")
    return found


def spend(folder: str | Path, run: str, stack: str, count: int, budget: str) -> str:
    """Take losses from the budget that all stacks of a run share.

    folder: where the stacks of the environment have their working folders; run: what tells this
    run from others. Returns why the budget is not enough; nothing where it was.
    """
    if budget == "all" or not count:
        return ""
    descriptor = os.open(Path(folder) / "losses.json", os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        spent: dict[str, Any] = json.loads(text) if text else {}
        stacks = spent["stacks"] if spent.get("run") == run else {}
        others = {name: number for name, number in stacks.items() if name != stack}
        if sum(others.values()) + count > int(budget):
            told = ", ".join(f"{name} {number}" for name, number in sorted(others.items()))
            return (
                f"The budget of {budget} is for the whole run, and {told} of it "
                f"{'is' if sum(others.values()) == 1 else 'are'} spent: {stack} needs {count}. "
                f"Allow {sum(others.values()) + count}, or run the stacks one by one with --limit."
            )
        file.seek(0)
        file.truncate()
        json.dump({"run": run, "stacks": {**others, stack: count}}, file)
    return ""
