"""A bill of materials of an image, in CycloneDX 1.6, the same for the same image and source."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.image_contents import Contents, Package

try:
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL

    HAS_CYCLONEDX = True
except ImportError:  # pragma: no cover - said by the modules
    HAS_CYCLONEDX = False

MISSING = (
    "cyclonedx-python-lib is not installed for the Python that runs Ansible: install the "
    "project's requirements.txt into it (`make setup`)."
)


def package_url(package: Package, release: dict[str, str]) -> PackageURL:
    """Return a package's URL (purl specification), with Debian's release in it."""
    if package.kind == "deb":
        distribution = release.get("ID") or "debian"
        number = release.get("VERSION_ID") or release.get("VERSION_CODENAME", "")
        qualifiers = {"arch": package.architecture, "distro": f"{distribution}-{number}"}
        return PackageURL("deb", distribution, package.name, package.version, qualifiers)
    scope, _, name = package.name.rpartition("/")
    return PackageURL(package.kind, scope or None, name, package.version)


def component(package: Package, release: dict[str, str]) -> Component:
    url = package_url(package, release)
    properties = []
    if package.source:
        # Advisories of Debian are of source packages.
        properties = [
            Property(name="drydock:source", value=package.source),
            Property(name="drydock:source_version", value=package.source_version),
        ]
    return Component(
        name=package.name, version=package.version, type=ComponentType.LIBRARY, purl=url,
        bom_ref=url.to_string(), properties=properties,
    )  # fmt: skip


def bill(contents: Contents, name: str, tag: str, revision: str, committed: str) -> dict[str, Any]:
    """Return the bill of an image as JSON's data.

    name, tag: of the image. revision: the commit it was built of, made at `committed` (ISO 8601),
    which is the bill's time: no clock and no chance are in it. Raises ValueError where the result
    is no valid CycloneDX.
    """
    about = Component(
        name=name, version=tag, type=ComponentType.CONTAINER, bom_ref=f"{name}:{tag}",
        properties=[
            Property(name="drydock:revision", value=revision),
            *(Property(name=f"drydock:{key}", value=contents.release[key])
              for key in ("ID", "VERSION_ID", "VERSION_CODENAME") if key in contents.release),
        ],
    )  # fmt: skip
    made = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{name}:{tag}"),
        metadata=BomMetaData(component=about, timestamp=datetime.fromisoformat(committed)),
        components=[component(one, contents.release) for one in sorted(contents.packages)],
    )
    made.register_dependency(about, made.components)
    text = JsonV1Dot6(made).output_as_string(indent=2)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise ValueError(f"the bill of {name}:{tag} is no valid CycloneDX: {wrong}")
    return json.loads(text)
