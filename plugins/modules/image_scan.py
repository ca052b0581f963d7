#!/usr/bin/python
"""Ansible module: hold what is known of an image's packages against a policy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.advisories import ask
from ansible_collections.drydock.ops.plugins.module_utils.image_policy import (
    PolicyError,
    check,
    judge,
    refusal,
)

DOCUMENTATION = r"""
module: image_scan
short_description: Refuse an image of whose packages too much is known
description:
  - Asks the sources that the policy names about the packages of a bill of materials and fails
    where a finding is above the policy. Changes nothing.
  - C(debian) is the security archive of the image's release, signed, through apt; a package of
    which it has a newer version is C(outdated). C(osv) is an API as osv.dev has it.
options:
  image: {description: What sentences call it., type: str, required: true}
  sbom: {description: CycloneDX file that image_sbom has written., type: path, required: true}
  policy:
    description:
      - C(refuse), severities that stop an image (critical, high, medium, low, unknown, outdated);
        C(refuse_unfixed), whether also without a version that mends it; C(sources), debian and osv
        with their addresses, null for none, and C(system) for the security archive that this
        machine's apt uses; C(unreachable), for each of them refuse or tell;
        C(exceptions), each with package, advisory, reason and until (a day).
    type: dict
    required: true
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Hold the image against the policy
  drydock.ops.image_scan:
    image: hello:0a1b2c3d4e5f-6a7b8c9d0e1f
    sbom: .drydock/evidence/dev/sbom/hello-0a1b2c3d4e5f-6a7b8c9d0e1f.cdx.json
    policy:
      refuse: [critical, high, outdated]
      sources: {debian: system, osv: "https://api.osv.dev"}
      unreachable: {debian: refuse, osv: refuse}
"""

RETURN = r"""
told: {description: Findings that stop nothing., type: list, elements: str, returned: success}
excepted: {description: Findings let pass., type: list, elements: str, returned: success}
notes: {description: Sources not asked., type: list, elements: str, returned: success}
"""


def main(make: Any = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "image": {"type": "str", "required": True},
            "sbom": {"type": "path", "required": True},
            "policy": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    want = module.params
    policy = want["policy"]
    try:
        check(policy)
        bill = json.loads(Path(want["sbom"]).read_text())
        findings, silent = ask(bill, policy.get("sources", {}))
        verdict = judge(findings, silent, policy, datetime.now(UTC).date())
    except PolicyError as error:
        module.fail_json(msg=f"{error} Nothing was changed.")
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{want['sbom']} can't be read: {error}. Nothing was changed.")
    if stopped := refusal(want["image"], verdict):
        module.fail_json(msg=stopped)
    excepted = [f"{found.sentence()}; let pass: {why}" for found, why in verdict.excepted]
    told = [found.sentence() for found in verdict.told]
    for sentence in verdict.notes:
        module.warn(f"{want['image']}: {sentence}")
    module.exit_json(
        changed=False, told=told, excepted=excepted, notes=verdict.notes,
        evidence=[
            f"{want['image']} scanned: {len(told)} findings below the policy, {len(excepted)} let "
            "pass", *excepted, *told[:20], *verdict.notes,
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
