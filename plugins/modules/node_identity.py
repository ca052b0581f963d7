#!/usr/bin/python
"""Ansible module: have a node's identity on the host, from Secrets Manager."""

from __future__ import annotations

import json
import os
import pwd
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # said by the module, with the cure
    boto3 = None

DOCUMENTATION = r"""
module: node_identity
short_description: Write a Solana key pair from Secrets Manager, readable by its owner alone
description:
  - Runs on the node, with the node's own role; the key is neither on the operator's machine nor in
    what the module returns.
  - The file is written whole or not at all, with mode 0400.
options:
  secret: {description: Name or ARN of the secret., type: str, required: true, no_log: false}
  region: {description: AWS region., type: str, required: true}
  path: {description: File of the identity., type: path, required: true}
  owner: {description: User who may read it., type: str, required: true}
attributes:
  check_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Fetch the identity
  drydock.ops.node_identity:
    secret: drydock-dev/solana/identity-1
    region: us-east-1
    path: /etc/solana/identity.json
    owner: solana
"""

RETURN = r""" # """


class IdentityRefused(Exception):
    """No identity; the message never holds any of the secret's value."""


def checked(value: str, secret: str) -> str:
    """Return a key pair as it is written to a file. Raises IdentityRefused for anything else."""
    try:
        numbers = json.loads(value)
    except ValueError:
        numbers = None
    if (
        not isinstance(numbers, list)
        or len(numbers) != 64
        or not all(type(number) is int and 0 <= number <= 255 for number in numbers)
    ):
        raise IdentityRefused(
            f"The value of the secret {secret} is no Solana key pair (a JSON list of 64 numbers "
            "from 0 to 255): store the file that solana-keygen wrote, as it is."
        )
    return json.dumps(numbers, separators=(",", ":"))


def write(path: Path, text: str, owner: str) -> None:
    """Write a file of mode 0400, whole or not at all. Raises OSError, KeyError (no such user)."""
    user = pwd.getpwnam(owner)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o400)
            os.fchown(file.fileno(), user.pw_uid, user.pw_gid)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink()
        raise


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "secret": {"type": "str", "required": True, "no_log": False},
            "region": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "owner": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if boto3 is None:
        module.fail_json(msg="The node has no boto3: apt-get install python3-boto3 there.")
    secret, path = module.params["secret"], Path(module.params["path"])
    try:
        client = boto3.client("secretsmanager", region_name=module.params["region"])
        value = client.get_secret_value(SecretId=secret).get("SecretString") or ""
        wanted = checked(value, secret)
        changed = not path.exists() or path.read_text() != wanted
        if changed and not module.check_mode:
            write(path, wanted, module.params["owner"])
    except (BotoCoreError, ClientError) as error:
        module.fail_json(
            msg=f"The node can't read the secret {secret}: {error}. Its role may read what is "
            "called drydock-<environment>/solana/… and tagged with its environment."
        )
    except (IdentityRefused, OSError, KeyError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
