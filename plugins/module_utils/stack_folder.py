"""The folder in which terraform works on one stack of one environment: initialised once, variables
in a private file that is gone afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils import terraform


class TerraformError(Exception):
    """A terraform command failed; the text is a sentence."""


ARGUMENTS: dict[str, Any] = {
    "stack": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "project_path": {"type": "path", "required": True},
    "data_dir": {"type": "path", "required": True},
    "cli_config": {"type": "path", "default": ""},
    "backend_config": {"type": "dict", "required": True},
}


class StackFolder:
    """terraform for one stack; nothing of it takes the state's lock."""

    def __init__(self, want: dict[str, Any], terraform_path: str) -> None:
        """want: values of ARGUMENTS; terraform_path: the program."""
        self.want, self.binary = want, terraform_path
        self.project, self.data_dir = Path(want["project_path"]), Path(want["data_dir"])
        self.plans = self.data_dir / "plans"
        self.variables = terraform.environment(os.environ, str(self.data_dir), want["cli_config"])
        os.umask(0o077)
        self.plans.mkdir(parents=True, exist_ok=True)

    def run(self, *words: str, good: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run a terraform command. Raises TerraformError where its code is not a good one."""
        done = terraform.run([self.binary, *words], self.project, self.variables)
        if done.returncode not in good:
            said = done.stderr or done.stdout
            raise TerraformError(
                terraform.explain(said, self.want["stack"], self.want["environment"])
            )
        return done

    def init(self) -> None:
        """Initialise unless the folder is, for the very same inputs (see M(terraform_plan))."""
        mark, wanted = self.data_dir / "initialised", self._fingerprint()
        if mark.is_file() and mark.read_text() == wanted:
            return
        mark.unlink(missing_ok=True)
        settings = [
            f"-backend-config={key}={terraform.setting(value)}"
            for key, value in self.want["backend_config"].items()
        ]
        self.run("init", "-no-color", "-reconfigure", "-lockfile=readonly", *settings)
        mark.write_text(wanted)

    def _fingerprint(self) -> str:
        """Return a digest of all that `terraform init` depends on."""
        digest = hashlib.sha256()
        cli_config = self.variables.get("TF_CLI_CONFIG_FILE", "")
        backend = json.dumps(self.want["backend_config"], sort_keys=True)
        for part in (backend, self.binary, cli_config):
            digest.update(part.encode() + b"\0")
        for path in (cli_config, self.binary):
            if path and Path(path).is_file():
                digest.update(str(Path(path).stat().st_mtime_ns).encode())
        for path in (self.project / ".terraform.lock.hcl", *sorted(self.project.glob("*.tf"))):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def state(self) -> dict[str, Any]:
        """Return the state as `terraform show -json` puts it, with marks of what is sensitive."""
        self.init()
        return json.loads(self.run("show", "-no-color", "-json").stdout)

    def plan(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the plan's JSON, made without the state's lock and kept nowhere.

        values: of the stack's variables.
        """
        self.init()
        with tempfile.TemporaryDirectory(dir=self.plans, prefix="look-") as name:
            variables, plan = Path(name) / "variables.tfvars.json", Path(name) / "plan.tfplan"
            variables.write_text(json.dumps(values))
            self.run("plan", "-no-color", "-lock=false", f"-var-file={variables}", f"-out={plan}")
            return json.loads(self.run("show", "-no-color", "-json", str(plan)).stdout)
