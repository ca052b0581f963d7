"""A launch template's own tags stay its own, and every version can be launched.

moto 5.2 also writes the template's tags into what it launches, which Terraform would take away
at every plan, and leaves the user data of later versions undecoded.
"""

from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.utils import parse_user_data


def apply() -> None:
    """Replaces how a template keeps a version."""

    def create_version(
        self: LaunchTemplate, data: dict[str, Any], description: str
    ) -> LaunchTemplateVersion:
        data = dict(data)
        kept = [spec for spec in data.pop("TagSpecifications", None) or []
                if spec.get("ResourceType") != "launch-template"]  # fmt: skip
        if kept:
            data["TagSpecifications"] = kept
        if not isinstance(data.get("UserData"), Base64EncodedString):
            data["UserData"] = parse_user_data(data.get("UserData"))
        version = LaunchTemplateVersion(self, len(self.versions) + 1, data, description)
        self.versions.append(version)
        return version

    LaunchTemplate.create_version = create_version
