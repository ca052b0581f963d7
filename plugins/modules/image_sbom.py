#!/usr/bin/python
"""Ansible module: write the bill of materials of an image of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import sbom
from ansible_collections.drydock.ops.plugins.module_utils.image_contents import (
    ContentsError,
    of_image,
)

DOCUMENTATION = r"""
module: image_sbom
short_description: Write the bill of materials of an image (CycloneDX 1.6)
description:
  - Lists Debian's packages (dpkg's status), Python's (dist-info) and Node's (node_modules) of an
    image that podman has. Nothing of the image is run.
  - The bill is checked against CycloneDX's schema, and is the same for the same image and commit.
options:
  image: {description: Name and tag of the image., type: str, required: true}
  name: {description: What the bill calls it., type: str, required: true}
  tag: {description: Its tag., type: str, required: true}
  revision: {description: Commit that it was built of., type: str, required: true}
  committed: {description: When that was made (ISO 8601)., type: str, required: true}
  path: {description: File to write., type: path, required: true}
attributes:
  check_mode:
    support: full
    details: Reads the image and writes nothing.
author: [Drydock]
"""

EXAMPLES = r"""
- name: Write the bill of materials
  drydock.ops.image_sbom:
    image: 111111111111.dkr.ecr.us-east-1.amazonaws.com/drydock-dev-hello:0a1b2c3d4e5f-6a7b8c9d0e1f
    name: hello
    tag: 0a1b2c3d4e5f-6a7b8c9d0e1f
    revision: "{{ source.revision }}"
    committed: "{{ source.committed }}"
    path: .drydock/evidence/dev/sbom/hello-0a1b2c3d4e5f-6a7b8c9d0e1f.cdx.json
"""

RETURN = r"""
path: {description: The file., type: str, returned: success}
packages: {description: Packages by kind (deb, pypi, npm)., type: dict, returned: success}
"""


def write(path: Path, text: str) -> bool:
    """Write a file where it holds something else. Returns whether it did."""
    if path.is_file() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(text)
    return True


def main(make: Any = AnsibleModule) -> None:
    words = ("image", "name", "tag", "revision", "committed")
    module = make(
        argument_spec={
            **{word: {"type": "str", "required": True} for word in words},
            "path": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    want = module.params
    if not sbom.HAS_CYCLONEDX:
        module.fail_json(msg=sbom.MISSING)
    try:
        contents = of_image(want["image"])
        bill = sbom.bill(contents, want["name"], want["tag"], want["revision"], want["committed"])
        text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
        changed = not module.check_mode and write(Path(want["path"]), text)
    except (ContentsError, ValueError, OSError) as error:
        module.fail_json(msg=f"The bill of materials of {want['image']} was not written: {error}.")
    counts = contents.counts
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no package"
    module.exit_json(
        changed=changed, path=want["path"], packages=counts,
        evidence=[f"bill of materials of {want['name']}:{want['tag']}: {said}, {want['path']}"],
    )  # fmt: skip


if __name__ == "__main__":
    main()
