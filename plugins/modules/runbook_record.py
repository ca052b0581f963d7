"""Documentation of the action plugin runbook_record, which does all the work."""

DOCUMENTATION = r"""
module: runbook_record
short_description: Show lines at the terminal and keep facts in the evidence of a runbook
description:
  - Changes nothing. What looks like a secret is masked in both.
options:
  show:
    description: Lines for the person at the terminal.
    type: list
    elements: str
    default: []
  evidence:
    description:
      - Merged into C(runbook) of the evidence record. Lists are appended to what is there,
        dictionaries merged, other values replace.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Keep what was measured
  drydock.ops.runbook_record:
    show: ["The outage of writes lasted {{ outage.seconds }} s."]
    evidence: {facts: [{name: write outage, seconds: "{{ outage.seconds }}"}]}
"""
