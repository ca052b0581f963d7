"""Documentation of the action plugin alarms_green, which does all the work."""

DOCUMENTATION = r"""
module: alarms_green
short_description: Wait until alarms are green and measure the recovery
description:
  - Waits until every alarm that was red is OK, and none of the others is in ALARM; an alarm
    without data is not green. Shows what is still red. Changes nothing but the lock's expiry.
options:
  names: {description: Names or patterns of alarms., type: list, elements: str, required: true}
  before:
    description: The alarms when the runbook began.
    type: list
    elements: dict
    required: true
  opened: {description: When the runbook began (ISO 8601)., type: str, required: true}
  timeout: {description: Seconds to wait., type: int, required: true}
  pause: {description: Seconds between two looks., type: float, default: 5}
  region: {description: AWS region of the alarms., type: str, required: true}
  lock:
    description: Arguments of environment_lock that renew the lock.
    type: dict
    required: true
  journal:
    description: Arguments of runbook_journal that read the steps.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Wait until the alarms are green
  drydock.ops.alarms_green:
    names: [drydock-dev-hello-5xx]
    before: "{{ runbook.alarms }}"
    opened: "{{ runbook.opened }}"
    timeout: 900
    region: us-east-1
    lock: "{{ runbook_lock }}"
    journal: "{{ runbook_journal | combine({'operation': 'read'}) }}"
"""

RETURN = r"""
recovery:
  description:
    - red_since, opened, first_action, last_action, green; and in seconds red_seconds (of the
      alarm), recovery_seconds (opened to green), of it ours_seconds (opened to the last action)
      and aws_clock_seconds (from there to green).
  type: dict
  returned: success
"""
