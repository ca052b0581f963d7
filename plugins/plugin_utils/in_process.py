"""Running the collection's own modules inside the worker that has their task.

A module of its own process costs half a second of CPU before it does anything: Ansible zips it,
another Python unzips, compiles and imports it, boto3 with it (benchmarks/modules.py). A worker is
a fork of the playbook's process for one task, in which boto3 is imported already and whose
environment is nobody else's. Only for modules that work where the playbook runs.
"""

from __future__ import annotations

import json
import os
from types import ModuleType
from typing import Any, NoReturn

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.process import get_bin_path
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class Ended(BaseException):
    """A module has called exit_json or fail_json; past its `except Exception`, as SystemExit is."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result)
        self.result = result


class LocalModule:
    """What this collection's modules ask of AnsibleModule, answered in this process.

    Arguments and results pass through JSON as to and from a process: neither side sees what is
    Ansible's own about the other's strings.
    """

    def __init__(self, arguments: dict[str, Any], *, check_mode: bool) -> None:
        self._arguments = json.loads(json.dumps(arguments, default=str))
        self.check_mode = check_mode
        self.params: dict[str, Any] = {}

    def make(self, argument_spec: dict[str, Any], supports_check_mode: bool) -> LocalModule:
        """Stand where a module calls AnsibleModule(…). Raises AnsibleActionFail, as it fails."""
        if self.check_mode and not supports_check_mode:
            raise AnsibleActionFail("this module can't be rehearsed (it has no check mode)")
        validated = ArgumentSpecValidator(argument_spec).validate(self._arguments)
        if validated.error_messages:
            raise AnsibleActionFail("; ".join(validated.error_messages))
        self.params = validated.validated_parameters
        return self

    def exit_json(self, **result: Any) -> NoReturn:
        raise Ended({"changed": False, **json.loads(json.dumps(result))})

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        self.exit_json(failed=True, msg=msg, **result)

    def warn(self, warning: str) -> None:
        display.warning(warning)

    def get_bin_path(self, name: str, required: bool = False) -> str | None:
        try:
            return get_bin_path(name)
        except ValueError as error:
            if required:
                self.fail_json(msg=str(error))
            return None


class LocalAction(ActionBase):
    """An action that runs modules of this collection in the worker that it runs in."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Put this process, which has no other task, into the task's environment."""
        result = super().run(tmp, task_vars)
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        os.environ.update({name: str(value) for name, value in environment.items()})
        return result

    def answer(self, module: ModuleType, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module's main() in the task's check mode; return its result."""
        local = LocalModule(arguments, check_mode=bool(self._task.check_mode))
        try:
            module.main(local.make)
        except Ended as ended:
            return ended.result
        raise AnsibleActionFail(f"{module.__name__} came to no end of its own")


class InProcess(LocalAction):
    """The module of the same name, and nothing else."""

    module: ModuleType

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return {**super().run(tmp, task_vars), **self.answer(self.module, self._task.args)}
