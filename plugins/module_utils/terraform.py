"""Starting terraform in a clean environment, and its errors as sentences."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What an operator's shell may hold and must not steer a run: extra arguments, variables,
# another workspace, and logs (a trace writes secrets to stderr).
STRAY = re.compile(
    r"TF_(CLI_ARGS|VAR_|WORKSPACE|LOG|DATA_DIR|INPUT|REATTACH_PROVIDERS|CLI_CONFIG_FILE)"
)
MAX_ERROR = 3000


def environment(base: Mapping[str, str], data_dir: str, cli_config: str) -> dict[str, str]:
    """Return the variables for a terraform process.

    cli_config: path of a CLI configuration; used only where that file exists, else the
    operator's own TF_CLI_CONFIG_FILE stays.
    """
    clean = {key: value for key, value in base.items() if not STRAY.match(key)}
    config = (
        cli_config if cli_config and Path(cli_config).is_file() else base.get("TF_CLI_CONFIG_FILE")
    )
    if config:
        clean["TF_CLI_CONFIG_FILE"] = config
    return {
        **clean,
        "TF_DATA_DIR": data_dir,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


def run(
    words: list[str], folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run terraform in a folder without a terminal and return its result, whatever it is."""
    return subprocess.run(
        words,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def setting(value: Any) -> str:
    """Return a value as -backend-config takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(text: str) -> str:
    """Drop the box that Terraform draws around an error, and colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [re.sub(r"^[╷│╵] ?", "", line).rstrip() for line in text.splitlines()]
    return "\n".join(lines).strip()


def _field(text: str, name: str) -> str:
    found = re.search(rf"^\s*{name}:\s+(.+)$", text, re.M)
    return found.group(1).strip() if found else "?"


def met_a_lock(stderr: str) -> bool:
    """Return whether terraform did nothing because another holds the lock of the state."""
    text = _plain(stderr)
    return "Error acquiring the state lock" in text and bool(re.search(r"^\s*ID:", text, re.M))


def explain(stderr: str, stack: str, environment_name: str) -> str:
    """Return what terraform said on stderr as a sentence that says what to do.

    Known causes get a sentence of their own; any other is Terraform's own text.
    """
    text = _plain(stderr)
    where = f"Stack {stack} of {environment_name}"
    if met_a_lock(text):
        operation = _field(text, "Operation").removeprefix("OperationType").lower()
        return (
            f"{where}: its state is locked (lock {_field(text, 'ID')}) by {_field(text, 'Who')} "
            f"for {operation} since {_field(text, 'Created')}. Wait until that terraform has "
            f"ended; where it has died: runbooks/state-lock-stuck.yml -e stack={stack}."
        )
    if "Saved plan is stale" in text:
        return (
            f"{where}: its state was changed after the plan was made, so the plan was not applied. "
            "Start the playbook again to see and apply a new plan."
        )
    if ("S3 bucket" in text and "does not exist" in text) or "NoSuchBucket" in text:
        return f"{where}: its state bucket does not exist; run playbooks/bootstrap.yml first."
    if "Inconsistent dependency lock file" in text or "doesn't match any of the checksums" in text:
        return (
            f"{where}: the providers at hand are not those of its .terraform.lock.hcl. Give the "
            "pinned "
            f"version, or accept a new one with `terraform providers lock`. Terraform said: "
            f"{_errors(text)}"
        )
    if "Failed to query available provider packages" in text:
        return (
            f"{where}: the provider could not be fetched. Check the network, or give a filesystem "
            "mirror "
            f"by TF_CLI_CONFIG_FILE. Terraform said: {_errors(text)}"
        )
    return f"{where}: {_errors(text)}"


def _errors(text: str) -> str:
    """Return the errors of a text without the warnings before them, cut to a readable length."""
    start = text.find("Error: ")
    errors = text[start:] if start >= 0 else text
    return errors if len(errors) <= MAX_ERROR else f"{errors[:MAX_ERROR]}…"
