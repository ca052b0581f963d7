"""Modules that run in the worker of their task see and say what they would in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import Ended, LocalModule

from drydock.settings import PROJECT

SPEC = {"name": {"type": "str", "required": True}, "count": {"type": "int", "default": 2}}


def made(check_mode: bool = False, **arguments: Any) -> LocalModule:
    return LocalModule(arguments, check_mode=check_mode).make(
        argument_spec=SPEC, supports_check_mode=True
    )


def ended(end: Any, *words: Any, **result: Any) -> dict[str, Any]:
    with pytest.raises(Ended) as raised:
        end(*words, **result)
    return raised.value.result


def test_arguments_are_checked_and_given_their_types() -> None:
    assert made(name="a", count="3").params == {"name": "a", "count": 3}
    assert made(name="a").params["count"] == 2
    assert made(check_mode=True, name="a").check_mode
    for wrong, says in (
        ({}, "missing required arguments: name"),
        ({"name": "a", "count": "many"}, "int"),
        ({"name": "a", "colour": "red"}, "colour"),
    ):
        with pytest.raises(AnsibleActionFail, match=says):
            made(**wrong)
    with pytest.raises(AnsibleActionFail, match="no check mode"):
        LocalModule({"name": "a"}, check_mode=True).make(SPEC, supports_check_mode=False)


def test_it_ends_once_past_all_that_catches_errors() -> None:
    module = made(name="a")
    with pytest.raises(Ended):
        try:
            module.exit_json(changed=True)
        except Exception:  # as modules do around what AWS may refuse
            pytest.fail("caught")
    assert ended(module.exit_json, found=(1, 2)) == {"changed": False, "found": [1, 2]}
    failure = {"changed": False, "failed": True, "msg": "no", "left": True}
    assert ended(module.fail_json, "no", left=True) == failure
    assert ended(module.get_bin_path, "no-such-program", required=True)["failed"]
    assert module.get_bin_path("no-such-program") is None
    assert module.get_bin_path("sh").endswith("/sh")


PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Ask
      drydock.ops.stack_outputs: {environment: dev, bucket: b, region: us-east-1, stacks: [one]}
      environment: {AWS_PROFILE: "nobody-{{ 1 + 1 }}", AWS_CONFIG_FILE: /dev/null}
      ignore_errors: true
      register: asked
    - name: The task's environment was used, and is not the next one's
      ansible.builtin.assert:
        that:
          - asked is failed
          - "'profile (nobody-2) could not be found' in asked.msg"
          - lookup('ansible.builtin.env', 'AWS_PROFILE') == 'everybody'
"""


def test_a_task_s_environment_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "play.yml"],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_INVENTORY_ENABLED": "host_list",
            "DRYDOCK_HOME": str(tmp_path / "home"),
            "AWS_PROFILE": "everybody",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
