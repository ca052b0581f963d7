#!/usr/bin/python
"""Ansible module: find a node's disks and judge whether each may be used. Changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: data_disks
short_description: Find disks by what they are, and refuse those that hold something else
description:
  - Finds for each of O(disks) its block device, and looks what is on it.
  - A disk is to be formatted only if it is empty, which is no file system, no partition table, no
    other signature that blkid knows, and zeros at its beginning. It is ours if it has the file
    system O(filesystem) with the label of its name. Anything else is refused.
  - Nothing is written.
options:
  disks:
    description:
      - What belongs on a disk → C(mount), C(device) (as EC2 calls it; used where it exists) and
        C(ids) (paths with wildcards that are tried after it).
    type: dict
    required: true
  filesystem: {description: File system of the disks., type: str, required: true}
  volumes:
    description:
      - EC2's block device mappings of the host, as the inventory plugin has them. A Nitro instance
        names disks as it likes (/dev/nvme1n1), and under the volume's ID the right one is found.
    type: list
    elements: dict
    default: []
attributes:
  check_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Find the disks
  drydock.ops.data_disks:
    filesystem: ext4
    disks:
      accounts:
        mount: /mnt/accounts
        device: /dev/sdf
        ids: [/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_*]
"""

RETURN = r"""
disks:
  description: For each disk its name, path, mount, label, and made (it has our file system).
  type: list
  elements: dict
  returned: success
"""

_LOOKED_AT = 1 << 20  # bytes at the beginning of a disk that must be zero for it to be empty


class DiskRefused(Exception):
    """A disk that can't be used as asked; the message says what is on it and what to do."""


def label_of(name: str) -> str:
    """Return the label of a disk's file system; XFS takes 12 characters."""
    return f"sol-{name}"[:12]


def candidates(disk: dict[str, Any], volumes: list[dict[str, Any]]) -> list[Path]:
    """Return the paths under which a disk may be found, best first."""
    found = [
        Path("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + volume.replace("-", ""))
        for mapping in volumes
        if mapping.get("device_name") == disk.get("device")
        and (volume := (mapping.get("ebs") or {}).get("volume_id"))
    ]
    found += [Path(disk["device"])] if disk.get("device") else []
    for pattern in disk.get("ids") or []:
        found += sorted(Path("/").glob(pattern.lstrip("/")))
    return found


def signature(run: Any, path: str) -> dict[str, str]:
    """Return what blkid reads from the disk itself (never its cache), empty for nothing.

    run: AnsibleModule.run_command. Raises DiskRefused where the disk can't be read.
    """
    code, out, err = run(["blkid", "--probe", "--output", "export", path])
    if code == 2:
        return {}
    if code == 8:
        raise DiskRefused(
            f"{path} has signatures of several kinds, so that it is not clear what is on it: look "
            "with wipefs (which changes nothing without --all)."
        )
    if code:
        raise DiskRefused(f"{path} can't be read: {err.strip() or f'blkid ended with {code}'}.")
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def zeroed(path: Path) -> bool:
    with path.open("rb") as disk:
        return not any(disk.read(_LOOKED_AT))


def mounts(table: str) -> dict[int, str]:
    """Return mount points by the number of the device there, from /proc/mounts' text."""
    rows = (line.split() for line in table.splitlines())
    points = [row[1] for row in rows if row[0].startswith("/dev/")]
    return {Path(point).stat().st_dev: point for point in points if Path(point).is_dir()}


def judge(
    name: str,
    disk: dict[str, Any],
    path: Path,
    found: dict[str, str],
    empty: bool,
    filesystem: str,
    elsewhere: str | None,
) -> dict[str, Any]:
    """Return the disk as the tasks need it. Raises DiskRefused where it is somebody else's."""
    label = label_of(name)
    ours = found.get("TYPE") == filesystem and found.get("LABEL") == label
    what = " ".join(
        f"{key.lower()} {found[key]}" for key in ("TYPE", "LABEL", "PTTYPE", "UUID") if key in found
    )
    if elsewhere and elsewhere != disk["mount"]:
        raise DiskRefused(
            f"{path}, which is to be the disk of {name}, is mounted on {elsewhere}: correct "
            "solana_rpc_disks, or unmount it there."
        )
    if not ours and (found or not empty):
        raise DiskRefused(
            f"{path}, which is to be the disk of {name}, is not empty "
            f"({what or 'no file system, but data'}), and was left as it is. If what is on it may "
            f"go, empty it by hand (wipefs --all {path}; blkdiscard or dd for data without a file "
            f"system); if it is {name} of another node, e2label or xfs_admin names it {label}; "
            "if it is another disk, correct solana_rpc_disks."
        )
    return {"name": name, "path": str(path), "mount": disk["mount"], "label": label, "made": ours}


def find(module: AnsibleModule) -> list[dict[str, Any]]:
    """Return all disks, judged. Raises DiskRefused, OSError."""
    mounted = mounts(Path("/proc/mounts").read_text(encoding="utf-8"))
    taken: set[int] = set()
    result = []
    for name, disk in module.params["disks"].items():
        tried = candidates(disk, module.params["volumes"])
        there = {path: path.stat() for path in tried if path.is_block_device()}
        path = next((path for path in there if there[path].st_rdev not in taken), None)
        if path is None:
            raise DiskRefused(
                f"There is no disk for {name}: of {', '.join(map(str, tried)) or 'no path'} none "
                "is there and free. Attach it, or correct device and ids in solana_rpc_disks."
            )
        number = there[path].st_rdev
        taken.add(number)
        found = signature(module.run_command, str(path))
        empty = not found and zeroed(path)
        filesystem = module.params["filesystem"]
        result.append(judge(name, disk, path, found, empty, filesystem, mounted.get(number)))
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "disks": {"type": "dict", "required": True},
            "filesystem": {"type": "str", "required": True},
            "volumes": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, disks=find(module))
    except (DiskRefused, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
