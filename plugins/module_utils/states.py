"""What a state holds: addresses, and attributes without what is secret.

Input is a state as it lies in its bucket (format 4) or as `terraform show -json` puts it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.plans import MASK, SECRET_NAME

_KEY = r'(\[("[^"\\$%{}\n]*"|\d+)\])?'
_MODULE = rf"module\.[A-Za-z_][\w-]*{_KEY}"
ADDRESS = re.compile(rf"^({_MODULE}\.)*(?!module\.)([a-z]\w*\.[A-Za-z_][\w-]*{_KEY})$")
MODULE = re.compile(rf"^{_MODULE}(\.{_MODULE})*$")


def addresses(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return address → {type, id, managed} of all that a state (format 4) holds."""
    found = {}
    for resource in state.get("resources", []):
        head = f"{resource['module']}." if resource.get("module") else ""
        data = "data." if resource["mode"] == "data" else ""
        for instance in resource["instances"]:
            key = instance.get("index_key")
            index = "" if key is None else f"[{json.dumps(key)}]"
            address = f"{head}{data}{resource['type']}.{resource['name']}{index}"
            found[address] = {
                "type": resource["type"],
                "id": str(instance.get("attributes", {}).get("id", "")),
                "managed": not data,
            }
    return found


def find(state: dict[str, Any], address: str) -> dict[str, Any] | None:
    """Return a resource of a state from `terraform show -json`; None where there is none."""
    modules = [state.get("values", {}).get("root_module", {})]
    while modules:
        module = modules.pop()
        for resource in module.get("resources", []):
            if resource["address"] == address:
                return resource
        modules += module.get("child_modules", [])
    return None


def attributes(value: Any, marks: Any, name: str = "") -> list[str]:
    """Return `name: value` for each leaf, with what is sensitive, or so named, masked.

    marks: the part of `sensitive_values` that belongs to the value.
    """
    if marks is True or (SECRET_NAME.search(name) and value not in (None, "", [], {})):
        return [f"{name}: {MASK}"]
    if isinstance(value, dict) and value:
        parts = [(f"{name}.{key}" if name else key, key, value[key]) for key in sorted(value)]
    elif isinstance(value, list) and value:
        parts = [(f"{name}[{index}]", index, one) for index, one in enumerate(value)]
    else:
        return [f"{name}: {json.dumps(value, ensure_ascii=False)}"]
    lines = []
    for path, key, one in parts:
        try:
            mark = marks[key]
        except (KeyError, IndexError, TypeError):
            mark = False
        lines += attributes(one, mark, path)
    return lines
