#!/usr/bin/python
"""Ansible module: find and move the state of the stack that makes the state bucket."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import terraform
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)

DOCUMENTATION = r"""
module: bootstrap_state
short_description: Keep the bootstrap stack's own state in the bucket that it makes
description:
  - The bucket for states cannot hold the state of the stack that makes it before it exists, nor
    while it is destroyed. Until then that state lies in a file on this machine.
  - C(home=found) says where the state is now, from the states themselves and not from notes, so
    that a run that was killed between any two steps can be taken up again. It lays out the
    folder in which Terraform keeps this stack's state in the file.
  - C(home=bucket) and C(home=file) move it there with C(terraform init -migrate-state). The old
    place is given up only when the new one is seen to hold the same state.
  - A file left by an account or a cloud that is gone is put aside, not deleted.
options:
  environment: {description: Name of the environment., type: str, required: true}
  account_id: {description: Account of the environment., type: str, required: true}
  home:
    description: Where the state is to be; C(found) only looks.
    type: str
    choices: [found, bucket, file]
    default: found
  project_path: {description: Folder of the stack's HCL., type: path, required: true}
  modules_path: {description: Folder of the modules that it uses., type: path, required: true}
  data_dir: {description: TF_DATA_DIR of the stack., type: path, required: true}
  cli_config:
    description: Terraform CLI configuration; used if it exists.
    type: path
    default: ''
  backend_config: {description: Settings of the S3 backend., type: dict, required: true}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Find the state
  drydock.ops.bootstrap_state:
    environment: dev
    account_id: "111111111111"
    project_path: terraform/stacks/bootstrap
    modules_path: terraform/modules
    data_dir: .drydock/terraform/dev/bootstrap
    backend_config: "{{ state_backend }}"
"""

RETURN = r"""
home:
  description: Where the state is; C(none) if there is none yet.
  type: str
  returned: success
project_path:
  description: Folder to start Terraform in for the state where it is now.
  type: str
  returned: success
backend_config:
  description: Settings of the backend for the state where it is now.
  type: dict
  returned: success
put_aside:
  description: Where a file left by another account or cloud was put; else empty.
  type: str
  returned: success
"""

# An override file replaces the stack's backend block (Terraform, "Override Files").
OVERRIDE = 'terraform {\n  backend "local" {}\n}\n'


class StateError(Exception):
    """The state cannot be found or moved safely; the text says why and what to do."""


def holds_something(state: dict[str, Any] | None) -> bool:
    return bool(state and state.get("resources"))


def objects_of(state: dict[str, Any] | None) -> set[tuple[str, ...]]:
    """Return what a state knows to exist, each by address and ID.

    States are compared by this: Terraform gives a state that it moves a new lineage and serial.
    """
    return {
        (
            resource.get("module", ""),
            resource["type"],
            resource["name"],
            str(instance.get("index_key", "")),
            str(instance.get("attributes", {}).get("id", "")),
        )
        for resource in (state or {}).get("resources", [])
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    }


def accounts_of(state: dict[str, Any]) -> set[str]:
    """Return the AWS accounts that a state's ARNs name."""
    return set(re.findall(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}):", json.dumps(state)))


class BootstrapState:
    """The state of the bootstrap stack of one environment, in its two possible places."""

    def __init__(
        self, want: dict[str, Any], s3: Any, terraform_path: str, check_mode: bool
    ) -> None:
        self.want, self.s3, self.binary, self.check_mode = want, s3, terraform_path, check_mode
        self.bucket = want["backend_config"]["bucket"]
        self.key = want["backend_config"]["key"]
        self.data_dir = Path(want["data_dir"])
        self.file = self.data_dir / "bootstrap.tfstate"
        self.folder = self.data_dir / "file-backend"
        self.put_aside = ""

    def in_file(self) -> dict[str, Any] | None:
        """Return the state in the file, None if there is none."""
        try:
            text = self.file.read_text()
        except FileNotFoundError:
            return None
        # Terraform leaves an empty file where it moved a state away.
        return json.loads(text) if text.strip() else None

    def in_bucket(self) -> dict[str, Any] | None:
        """Return the state in the bucket, None if there is none."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=self.key)
        except Exception as error:
            if error_code(error) in ("NoSuchKey", "NoSuchBucket"):
                return None
            raise
        return json.loads(answer["Body"].read())

    def bucket_exists(self) -> bool:
        try:
            self.s3.head_bucket(Bucket=self.bucket)
        except Exception as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                return False
            raise
        return True

    def find(self) -> str:
        """Return where the state is (bucket, file or none), and clear away what is only left "
        "over."""
        here, there = self.in_file(), self.in_bucket()
        if holds_something(here):
            mine, theirs = objects_of(here), objects_of(there)
            if theirs and mine == theirs:
                # It was moved, and the run ended before the file was given up.
                self._drop_file()
            elif theirs and mine < theirs:
                return "file"  # a destroy was on its way
            elif theirs or accounts_of(here) - {self.want["account_id"]}:
                self._put_aside()
            else:
                return "file"
        if holds_something(there):
            return "bucket"
        if self.bucket_exists():
            raise StateError(
                f"The bucket {self.bucket} exists, but neither it nor {self.file} holds the state "
                "of the "
                f"bootstrap stack of {self.want['environment']}. If another machine began this "
                "bootstrap, "
                "finish it there; if the bucket's state was lost, bring back an older version of "
                f"{self.key}; if the bucket is empty and nobody's, delete it."
            )
        return "none"

    def _drop_file(self) -> None:
        if not self.check_mode:
            self.file.unlink(missing_ok=True)
            self.file.with_name(self.file.name + ".backup").unlink(missing_ok=True)

    def _put_aside(self) -> None:
        aside = self.file.with_name(f"{self.file.name}.left-{int(time.time())}")
        self.put_aside = str(aside)
        if not self.check_mode:
            self.file.replace(aside)

    def lay_out(self) -> Path:
        """Make the folder in which this stack's backend is the file. Returns the stack's folder "
        "in it."""
        stack = self.folder / "stacks" / "bootstrap"
        shutil.rmtree(self.folder, ignore_errors=True)
        stack.mkdir(parents=True)
        project = Path(self.want["project_path"]).resolve()
        for source in (*project.glob("*.tf"), project / ".terraform.lock.hcl"):
            (stack / source.name).symlink_to(source)
        # Modules are named relative to the stack: ../../modules.
        (self.folder / "modules").symlink_to(Path(self.want["modules_path"]).resolve())
        (stack / "backend_override.tf").write_text(OVERRIDE)
        return stack

    def setting(self, home: str) -> tuple[Path, dict[str, Any]]:
        """Return (folder to start Terraform in, backend settings) for a home."""
        if home == "bucket":
            # Without the key the backend would ask for S3's own encryption instead of the bucket's.
            state = self.in_bucket() or self.in_file() or {}
            key = state.get("outputs", {}).get("kms_key_arn", {}).get("value")
            return Path(self.want["project_path"]), {
                **self.want["backend_config"],
                **({"kms_key_id": key} if key else {}),
            }
        return self.lay_out(), {"path": str(self.file)}

    def move(self, home: str) -> None:
        """Move the state to home (bucket or file) and check that it got there whole."""
        old_home = "file" if home == "bucket" else "bucket"
        before = self.in_file() if home == "bucket" else self.in_bucket()
        if before is None:
            raise StateError(f"There is no state in the {old_home} that could be moved.")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # Start from a known place: the folder may have been left in either.
        (self.data_dir / "initialised").unlink(missing_ok=True)
        self._init(old_home, "-reconfigure")
        self._init(home, "-migrate-state", "-force-copy")
        after = self.in_bucket() if home == "bucket" else self.in_file()
        if objects_of(after) != objects_of(before):
            raise StateError(
                f"Terraform moved the bootstrap state to the {home}, but what lies there is not "
                "the same "
                f"state; the old one was kept in the {old_home}. Compare the two before anything "
                "else."
            )
        if home == "bucket":
            self._drop_file()

    def _init(self, home: str, *words: str) -> None:
        folder, settings = self.setting(home)
        options = [
            f"-backend-config={key}={terraform.setting(value)}" for key, value in settings.items()
        ]
        done = terraform.run(
            [self.binary, "init", "-no-color", "-lockfile=readonly", *words, *options],
            folder,
            terraform.environment(os.environ, str(self.data_dir), self.want["cli_config"]),
        )
        if done.returncode:
            raise StateError(
                terraform.explain(done.stderr or done.stdout, "bootstrap", self.want["environment"])
            )


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "account_id": {"type": "str", "required": True},
            "home": {"type": "str", "choices": ["found", "bucket", "file"], "default": "found"},
            "project_path": {"type": "path", "required": True},
            "modules_path": {"type": "path", "required": True},
            "data_dir": {"type": "path", "required": True},
            "cli_config": {"type": "path", "default": ""},
            "backend_config": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    os.umask(0o077)
    try:
        state = BootstrapState(
            want,
            client("s3", want["backend_config"]["region"]),
            module.get_bin_path("terraform", required=True),
            module.check_mode,
        )
        home, changed = state.find(), False
        if want["home"] not in ("found", home) and home != "none":
            changed = True
            if not module.check_mode:
                state.move(want["home"])
                home = want["home"]
        project_path, backend_config = state.setting(home)
    except StateError as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"State of bootstrap of {want['environment']}"))
    if state.put_aside:
        module.warn(
            f"A bootstrap state of another account or cloud was put aside: {state.put_aside}"
        )
    module.exit_json(
        changed=changed,
        home=home,
        project_path=str(project_path),
        backend_config=backend_config,
        put_aside=state.put_aside,
        evidence=[f"bootstrap state moved to the {home}"]
        if changed and not module.check_mode
        else [],
    )


if __name__ == "__main__":
    main()
