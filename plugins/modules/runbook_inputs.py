"""Documentation of the action plugin runbook_inputs, which does all the work."""

DOCUMENTATION = r"""
module: runbook_inputs
short_description: Check what a runbook was given with -e against its metadata
description:
  - Fails with a sentence that names every input that is unknown, of the wrong type or out of its
    limits. A variable of the inventory is no unknown input. Changes nothing.
options:
  runbook: {description: Name of the runbook., type: str, required: true}
  inputs:
    description:
      - The C(inputs) of the runbook's metadata. Each is an option as in an argument spec (type,
        choices, default, required, description, no_log), and may have C(minimum) and C(maximum).
    type: dict
    required: true
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Check the inputs
  drydock.ops.runbook_inputs:
    runbook: high-5xx
    inputs: "{{ runbook_meta.inputs }}"
  register: inputs
"""

RETURN = r"""
inputs:
  description:
    - Value of each input, in its type; the default, or null, where none was given. The values of
      secrets are masked; a task that needs one reads the variable of that name.
  type: dict
  returned: success
"""
