"""Action plugin: check what a runbook was given with -e against its metadata."""

from __future__ import annotations

import copy
import difflib
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.drydock.ops.plugins.module_utils.redaction import MASK, SECRET_NAME

# Of the frame itself, for every runbook; and what AWX and ansible-runner add on their own.
FRAME = ("confirm", "force")
FOREIGN = ("awx_", "tower_", "ansible_", "runbook_")
# Keys of metadata that argument specs don't know.
OWN = ("minimum", "maximum", "example")


def argument_spec(inputs: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the inputs of a runbook's metadata as an Ansible argument spec."""
    return {
        name: {key: value for key, value in options.items() if key not in OWN}
        for name, options in inputs.items()
    }


def check(
    runbook: str, inputs: dict[str, dict[str, Any]], given: dict[str, Any], known: set[str]
) -> tuple[dict[str, Any], list[str]]:
    """Check the extra variables. Returns (typed inputs with their defaults, sentences).

    given: all extra variables; known: variables that the inventory and the playbook define,
    which -e may override.
    """
    problems = []
    for name in sorted(set(given) - set(inputs) - known - set(FRAME)):
        if name.startswith(FOREIGN):
            continue
        near = difflib.get_close_matches(name, [*inputs, *FRAME], n=1)
        problems.append(
            f"{name} is no input of this runbook"
            + (f"; did you mean {near[0]}?" if near else "")
            + f" (inputs: {', '.join(sorted([*inputs, *FRAME]))})."
        )
    validated = ArgumentSpecValidator(argument_spec(inputs)).validate(
        {name: given[name] for name in inputs if given.get(name) is not None}
    )
    problems += [f"{message}." for message in validated.error_messages]
    typed = {name: validated.validated_parameters.get(name) for name in inputs}
    for name, options in inputs.items():
        value = typed[name]
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        low, high = options.get("minimum"), options.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            limits = " and ".join(
                f"{word} {limit}"
                for word, limit in (("at least", low), ("at most", high))
                if limit is not None
            )
            problems.append(f"{name}={value} must be {limits}: {options.get('description', '')}")
    return typed, [f"Runbook {runbook}: {problem}" for problem in problems]


def shown(inputs: dict[str, dict[str, Any]], typed: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs as anybody may see them: the values of secrets masked."""
    return {
        name: MASK
        if value is not None and (inputs[name].get("no_log") or SECRET_NAME.search(name))
        else value
        for name, value in typed.items()
    }


class ActionModule(ActionBase):
    """See the documentation in plugins/modules/runbook_inputs.py."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("runbook", "inputs"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _, arguments = self.validate_argument_spec(
            {
                "runbook": {"type": "str", "required": True},
                "inputs": {"type": "dict", "required": True},
            }
        )
        manager = task_vars["hostvars"]._variable_manager
        given = {name: self._templar.template(value) for name, value in manager.extra_vars.items()}
        typed, problems = check(
            arguments["runbook"],
            arguments["inputs"],
            given,
            self._known(manager, task_vars["inventory_hostname"]),
        )
        if problems:
            result.update(failed=True, msg=" ".join(problems) + " Nothing was changed.")
            return result
        # Results are printed by -vvv and kept by ansible-runner, so no secret is among them.
        result.update(changed=False, inputs=shown(arguments["inputs"], typed))
        return result

    @staticmethod
    def _known(manager: Any, host: str) -> set[str]:
        """Return the names of variables that are there without any -e."""
        without = copy.copy(manager)
        without._extra_vars = {}
        found = without._inventory.get_host(host)
        return set(without.get_vars(host=found, include_hostvars=False))
