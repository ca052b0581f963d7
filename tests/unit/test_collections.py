"""Whoever has ansible-core alone gets the collections that the project uses, as they are here."""

import json
import re
from pathlib import Path

import ansible_collections
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
# A module, filter or plugin of another collection, by its full name.
_NAME = re.compile(
    r"(?<![\w./])((?:amazon|ansible|awx|community|containers)\.(?!builtin\b)\w+)\.[a-z]\w+"
)


def _listed() -> dict[str, str]:
    """Collection → its version in requirements.yml."""
    found = yaml.safe_load((PROJECT / "requirements.yml").read_text())["collections"]
    return {one["name"]: one["version"] for one in found}


def test_every_collection_that_is_used_is_listed() -> None:
    used = {
        name
        for folder in ("inventories", "playbooks", "roles", "runbooks")
        for path in (PROJECT / folder).rglob("*.yml")
        for name in _NAME.findall(path.read_text())
    }
    assert used == set(_listed())


@pytest.mark.parametrize(("name", "version"), _listed().items())
def test_the_bundle_carries_the_listed_version(name: str, version: str) -> None:
    folders = [Path(path) / name.replace(".", "/") for path in ansible_collections.__path__]
    manifest = next(folder for folder in folders if folder.is_dir()) / "MANIFEST.json"
    assert json.loads(manifest.read_text())["collection_info"]["version"] == version
