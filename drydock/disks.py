"""Volumes as loop devices over sparse files, which take room only where they are written."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from drydock.errors import DrydockError


def attach(file: Path, gigabytes: int) -> str:
    """The loop device of a file, both made if need be; returns e.g. ``/dev/loop7``.

    Args:
        gigabytes: GiB, as EC2 counts a volume's size.

    Raises:
        DrydockError: this machine has no loop devices, or none free.
    """
    for device, back in _loops():
        if back == file:
            return device
    if not file.exists():
        with file.open("wb") as made:
            os.truncate(made.fileno(), gigabytes * 2**30)
    done = _losetup("--find", "--show", str(file))
    if done.returncode:
        raise DrydockError(
            f"No loop device for {file.name}: {done.stderr.strip()}. Disks of instances need "
            "/dev/loop-control; end clouds that are not used, or launch without volumes."
        )
    return done.stdout.strip()


def detach(below: Path, spare: Callable[[Path], bool] = lambda _: False) -> int:
    """Lets go of every loop device whose file is, or was, below a folder; how many there were.

    Args:
        spare: whether files below a folder within are somebody's who lives.
    """
    found = [
        device
        for device, back in _loops()
        if back.is_relative_to(below)
        and not any(
            spare(folder) for folder in back.parents if folder != below and below in folder.parents
        )
    ]
    for device in found:
        _losetup("--detach", device)
    return len(found)


def _loops() -> Iterator[tuple[str, Path]]:
    listed = json.loads(_losetup("--list", "--json", "--output", "NAME,BACK-FILE").stdout or "{}")
    for row in listed.get("loopdevices", []):
        if back := row["back-file"]:
            yield row["name"], Path(back.removesuffix(" (deleted)"))


def _losetup(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["losetup", *words], capture_output=True, text=True, check=False)
