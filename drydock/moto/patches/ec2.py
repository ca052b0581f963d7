"""A security-group rule keeps its description whatever its other end is.

moto 5.2 returns the description of rules with a CIDR only, so that Terraform would mend rules
between groups at every plan.
"""

from moto.ec2.models.security_groups import SecurityGroupRule


def _description(rule: SecurityGroupRule) -> str | None:
    for end in (rule.ip_range, rule.source_group):
        if text := end.get("Description"):
            return text
    return None


def apply() -> None:
    """Replaces the property on moto's rule."""
    SecurityGroupRule.description = property(_description)
