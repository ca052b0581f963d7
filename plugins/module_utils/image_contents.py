"""What is installed in an image: Debian's, Python's and Node's packages, read from its files.

Nothing of the image is run: its files come as `podman export` writes them.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.parser import HeaderParser
from typing import IO

DPKG = re.compile(r"var/lib/dpkg/(status|status\.d/[^/]+)")
PYTHON = re.compile(r"(?:.*/)?[^/]+\.(?:dist|egg)-info/(?:METADATA|PKG-INFO)")
NODE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@]+/package\.json")
RELEASE = re.compile(r"(?:etc|usr/lib)/os-release")


class ContentsError(Exception):
    """An image could not be read; the text says why."""


@dataclass(frozen=True, order=True)
class Package:
    """One installed package.

    Attributes:
        kind: deb, pypi or npm, as in a package URL.
        source: of a Debian binary package, the source package and its version; else empty.
    """

    kind: str
    name: str
    version: str
    architecture: str = ""
    source: str = ""
    source_version: str = ""


@dataclass
class Contents:
    """All that an image holds.

    Attributes:
        release: fields of /etc/os-release, such as ID and VERSION_CODENAME.
    """

    packages: set[Package] = field(default_factory=set)
    release: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        kinds = [one.kind for one in self.packages]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def debian(text: str) -> Iterable[Package]:
    """Yield the installed packages of a dpkg status file (dpkg(1), deb-control(5))."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        read = HeaderParser().parsestr(paragraph)
        if not read["Package"] or not read["Version"]:
            continue
        # status.d of images without dpkg has no Status: what is listed there is installed.
        if read["Status"] and not read["Status"].endswith(" installed"):
            continue
        found = re.match(r"(\S+)(?:\s+\(([^)]+)\))?", read["Source"] or read["Package"])
        source, version = found.groups() if found else (read["Package"], None)
        yield Package("deb", read["Package"], read["Version"], read["Architecture"] or "",
                      source, version or read["Version"])  # fmt: skip


def python(text: str) -> Iterable[Package]:
    """Yield the package of a dist-info; its name as the index spells it (PEP 503)."""
    read = HeaderParser().parsestr(text)
    if read["Name"] and read["Version"]:
        yield Package("pypi", re.sub(r"[-_.]+", "-", read["Name"]).lower(), read["Version"])


def node(text: str) -> Iterable[Package]:
    """Yield the package of a package.json; none where it is only a part of another's."""
    try:
        read = json.loads(text)
    except ValueError:
        return
    if isinstance(read, dict) and read.get("name") and read.get("version"):
        yield Package("npm", str(read["name"]), str(read["version"]))


def os_release(text: str) -> dict[str, str]:
    """Return the fields of an os-release file (os-release(5))."""
    rows = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in rows}


def of_archive(archive: IO[bytes]) -> Contents:
    """Read a file system from a tar stream. Raises ContentsError where it is none."""
    found = Contents()
    try:
        with tarfile.open(fileobj=archive, mode="r|") as files:
            for member in files:
                _take(found, files, member)
    except tarfile.TarError as error:
        raise ContentsError(f"its files can't be read ({error})") from error
    return found


def _take(found: Contents, files: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    name = member.name.removeprefix("./").lstrip("/")
    readers = ((DPKG, debian), (PYTHON, python), (NODE, node))
    reader = next((read for pattern, read in readers if pattern.fullmatch(name)), None)
    if not member.isfile() or not (reader or RELEASE.fullmatch(name)):
        return
    held = files.extractfile(member)
    text = held.read().decode(errors="replace") if held else ""
    if reader:
        found.packages.update(reader(text))
    else:
        found.release = os_release(text)


def of_image(image: str, podman: str = "podman") -> Contents:
    """Read an image of this machine. Raises ContentsError."""
    made = subprocess.run(
        [podman, "create", "--pull=never", image, "none"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        raise ContentsError(f"there is no container of it ({made.stderr.strip()})")
    container = made.stdout.strip().splitlines()[-1]
    try:
        with subprocess.Popen([podman, "export", container], stdout=subprocess.PIPE) as files:
            found = of_archive(files.stdout)
            while files.stdout.read(1 << 20):
                pass
        if files.returncode:
            raise ContentsError(f"podman export ended with {files.returncode}")
    finally:
        remove = [podman, "rm", "--force", "--volumes", container]
        subprocess.run(remove, capture_output=True, check=False)
    return found
