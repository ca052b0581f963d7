#!/usr/bin/python
"""Ansible module: tell people that a runbook was opened or closed."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.notices import send

DOCUMENTATION = r"""
module: runbook_notice
short_description: Tell people about a runbook, on an SNS topic and by a webhook
description:
  - A notice that can't be sent is a warning, never a failure. In check mode nothing is sent.
options:
  subject: {description: One line., type: str, required: true}
  lines: {description: The rest., type: list, elements: str, default: []}
  topic: {description: ARN of an SNS topic; empty for none., type: str, default: ""}
  webhook:
    description: URL that takes Slack's incoming JSON (C(text)); empty for none. It is a secret.
    type: str
    default: ""
  region: {description: AWS region of the topic., type: str, required: true}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Tell people
  drydock.ops.runbook_notice:
    subject: "high-5xx opened in dev"
    topic: arn:aws:sns:us-east-1:111111111111:drydock-dev-alarms
    region: us-east-1
"""

RETURN = r"""
sent:
  description: Ways on which the notice was sent (C(sns), C(webhook)).
  type: list
  elements: str
  returned: always
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "subject": {"type": "str", "required": True},
            "lines": {"type": "list", "elements": "str", "default": []},
            "topic": {"type": "str", "default": ""},
            "webhook": {"type": "str", "default": "", "no_log": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, sent=[])
    sent, problems = send(**module.params)
    for problem in problems:
        module.warn(problem)
    module.exit_json(changed=False, sent=sent)


if __name__ == "__main__":
    main()
