#!/usr/bin/python
"""Ansible module for the frame's own test: turns a switch that is a parameter of SSM."""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import client
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment

VALUES = {"well": "on", "fails": "half", "hangs": "half", "useless": "sideways"}


def main():
    module = AnsibleModule(
        argument_spec={
            key: {"type": "str", "required": True}
            for key in ("name", "mode", "environment", "table", "region")
        },
        supports_check_mode=True,
    )
    want = module.params
    ssm = client("ssm", want["region"])
    old = ssm.get_parameter(Name=want["name"])["Parameter"]["Value"]
    new = VALUES[want["mode"]]
    diff = {"before": f"{want['name']}={old}\n", "after": f"{want['name']}={new}\n"}
    if module.check_mode or old == new:
        module.exit_json(changed=old != new, diff=diff)
    journal = Journal(
        client("dynamodb", want["region"]), want["table"], want["environment"], Run.current()
    )
    step = f"Turn {want['name']}"
    put = {"Name": want["name"], "Type": "String", "Overwrite": True}
    undo = {"service": "ssm", "operation": "put_parameter", "region": want["region"]}
    journal.begin(step, [{**undo, "parameters": {**put, "Value": old}}])
    ssm.put_parameter(**put, Value=new)
    if want["mode"] == "fails":
        module.fail_json(msg="The switch is stuck half-way.")
    if want["mode"] == "hangs":
        time.sleep(300)
    journal.done(step)
    module.exit_json(
        changed=True,
        diff=diff,
        runbook_evidence={
            "actions": [{"at": moment(), "what": f"turned {new}", "target": want["name"]}]
        },
    )


if __name__ == "__main__":
    main()
