"""The gate's rules as custom checks of checkov: `make lint` holds the HCL against them.

checkov sees one resource at a time and no environment, so rules that need the others, and what
only an inventory says, are left to the gate.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from policies import RULES
from policies.model import UNKNOWN, Resource, Rule, View

REFERENCE = re.compile(r"\b(var|local|module|data|each|count|aws_\w+)\.|\$\{")


def bare(part: Any) -> Any:
    """Take an attribute's value out of the list that checkov holds it in; blocks stay in theirs.

    A policy, which checkov has decoded, is an attribute. So is an empty dict: it stands where
    an attribute of a variable that is an object could not be worked out.
    """
    if not isinstance(part, list) or len(part) != 1:
        return part
    if part[0] == {}:
        return UNKNOWN
    return part[0] if not isinstance(part[0], dict) or "Statement" in part[0] else part


def plain(value: Any) -> Any:
    """Return checkov's values as Terraform's: each is in a list there, and may be unresolved."""
    if isinstance(value, dict):
        return {key: plain(bare(part)) for key, part in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return UNKNOWN if isinstance(value, str) and REFERENCE.search(value) else value


def register(rule: Rule) -> None:
    """Make one of checkov's checks of a rule; its registry keeps it."""

    class Check(BaseResourceCheck):
        def __init__(self) -> None:
            super().__init__(
                name=f"{rule.title} {rule.cure}",
                id=rule.id.replace("DRYDOCK", "CKV_DRYDOCK"),
                categories=[CheckCategories.GENERAL_SECURITY],
                supported_resources=list(rule.types) or ["aws_*"],
            )

        def scan_resource_conf(self, conf: dict[str, Any]) -> CheckResult:
            address = str(conf.get("__address__") or self.entity_path.rpartition(":")[2])
            resource = Resource(address, self.entity_type, plain(conf))
            view = View(stack="*", allow_http=True, resources=[resource], whole=False)
            problems = [one for one in rule.check(resource, view) if "can't be known" not in one]
            if problems and conf.get("dynamic"):
                # Which blocks there will be is for the gate to see, on the plan.
                return CheckResult.UNKNOWN
            return CheckResult.FAILED if problems else CheckResult.PASSED

    Check()


for one in RULES:
    if one.alone:
        register(one)
