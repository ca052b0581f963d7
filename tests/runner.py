"""A playbook run as AWX runs it: by ansible-runner, from a private data dir of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import ansible_runner

from drydock.settings import PROJECT


def run_by_runner(
    private: Path,
    playbook: str,
    variables: dict[str, Any],
    *,
    inventory: str = "local",
    limit: str | None = None,
    check: bool = False,
) -> ansible_runner.Runner:
    """Run a playbook (path in the project) and wait for its end.

    Secrets go into `variables` and nowhere else: ansible-runner writes its whole environment
    and command line into artifacts/<ident>/command, but only reads env/extravars.
    """
    folder = private / "env"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    extravars = folder / "extravars"
    descriptor = os.open(extravars, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(variables, file)
    words = ["--check", "--diff"] if check else []
    return ansible_runner.run(
        private_data_dir=str(private),
        project_dir=str(PROJECT),
        playbook=str(PROJECT / playbook),
        inventory=str(PROJECT / "inventories" / inventory),
        limit=limit,
        cmdline=" ".join(words) or None,
        envvars={
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "PATH": f"{PROJECT}/.venv/bin:{os.environ['PATH']}",
        },
        settings={"idle_timeout": 600, "job_timeout": 1800},
        quiet=True,
    )
