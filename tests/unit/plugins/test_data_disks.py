"""Which disks a node may take, and which are somebody's."""

from pathlib import Path

import pytest
from ansible_collections.drydock.ops.plugins.modules.data_disks import (
    DiskRefused,
    candidates,
    judge,
    label_of,
    mounts,
    signature,
    zeroed,
)

DISK = {"mount": "/mnt/accounts", "device": "/dev/sdf", "ids": []}
OURS = {"TYPE": "ext4", "LABEL": "sol-accounts"}


def _judged(found: dict, empty: bool = False, elsewhere: str | None = None) -> dict:
    return judge("accounts", DISK, Path("/dev/sdf"), found, empty, "ext4", elsewhere)


def test_an_empty_disk_is_to_be_made():
    assert _judged({}, empty=True) == {
        "name": "accounts", "path": "/dev/sdf", "mount": "/mnt/accounts", "label": "sol-accounts",
        "made": False,
    }  # fmt: skip


def test_ours_is_kept():
    assert _judged(OURS, elsewhere="/mnt/accounts")["made"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"TYPE": "ext4", "LABEL": "sol-ledger"}, "label sol-ledger"),
        ({"TYPE": "ext4", "UUID": "1234"}, "uuid 1234"),
        ({"TYPE": "xfs", "LABEL": "sol-accounts"}, "type xfs"),
        ({"PTTYPE": "gpt"}, "pttype gpt"),
        ({}, "no file system, but data"),
    ],
)
def test_what_is_somebody_elses_is_left_alone(found, words):
    with pytest.raises(DiskRefused, match=r"/dev/sdf.*not empty.*left as it is") as refused:
        _judged(found)
    assert words in str(refused.value)


def test_what_is_mounted_elsewhere_is_in_use():
    with pytest.raises(DiskRefused, match="mounted on /data"):
        _judged(OURS, elsewhere="/data")


def test_a_volume_is_found_by_its_id_first():
    volumes = [
        {"device_name": "/dev/sdg", "ebs": {"volume_id": "vol-0b"}},
        {"device_name": "/dev/sdf", "ebs": {"volume_id": "vol-0a"}},
    ]
    assert candidates(DISK, volumes) == [
        Path("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0a"),
        Path("/dev/sdf"),
    ]


def test_disks_of_the_instance_are_found_by_a_pattern(tmp_path):
    for name in ("nvme-b", "nvme-a", "other"):
        (tmp_path / name).touch()
    disk = {"mount": "/mnt/accounts", "ids": [f"{tmp_path}/nvme-*"]}
    assert candidates(disk, []) == [tmp_path / "nvme-a", tmp_path / "nvme-b"]


def test_labels_fit_into_xfs():
    assert len(label_of("accounts")) == 12


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((2, "", ""), {}),
        ((0, "DEVNAME=/dev/x\nTYPE=ext4\n", ""), {"DEVNAME": "/dev/x", "TYPE": "ext4"}),
    ],
)
def test_blkid_is_read(answer, expected):
    assert signature(lambda _command: answer, "/dev/x") == expected


@pytest.mark.parametrize(("code", "words"), [(8, "several kinds"), (4, "can't be read: no such")])
def test_a_disk_that_cannot_be_told_is_refused(code, words):
    with pytest.raises(DiskRefused, match=words):
        signature(lambda _command: (code, "", "no such"), "/dev/x")


def test_data_without_a_file_system_is_no_emptiness(tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(4096))
    assert zeroed(disk)
    disk.write_bytes(bytes(4096) + b"x")
    assert not zeroed(disk)


def test_mount_points_are_known_by_their_device():
    table = "proc /proc proc rw 0 0\n/dev/root / ext4 rw 0 0\n"
    assert mounts(table) == {Path("/").stat().st_dev: "/"}
