"""The images that the embedded cloud brings: nothing is pulled from a hub.

``debian`` is a Debian 13 made by mmdebstrap from the system's package mirror; it, and ``node`` with
Node.js, are what workloads run on (Dockerfiles take it as ``BASE``); ``node_build`` is what pages
and Node's packages are built with (``BUILD_BASE``), ``uv`` what installs Python's (``UV``);
``parts`` runs behind the API; ``host`` is a machine with systemd, made when the first of its
release is wanted. Nothing in them is of one cloud, so that all clouds of a machine share them and
the layers that are built on them.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drydock.errors import DrydockError
from drydock.podman import Podman

DEBIAN = "localhost/drydock/debian:trixie"
PARTS = "localhost/drydock/parts:trixie"
NODE = "localhost/drydock/node:trixie"
NODE_BUILD = "localhost/drydock/node-build:trixie"
UV = "localhost/drydock/uv:latest"
PACKAGES = ("ca-certificates", "curl", "nginx-light", "python3")
SUITES = {"12": "bookworm", "13": "trixie"}  # of hosts, by what images' names say
# What Debian's own image for EC2 has, as far as it is noticed.
HOST_PACKAGES = (
    "bzip2", "ca-certificates", "cloud-init", "cron", "curl", "dbus", "iproute2", "iputils-ping",
    "e2fsprogs", "kmod", "less", "libpam-systemd", "locales", "logrotate", "openssh-server",
    "procps", "python3", "sudo", "systemd", "systemd-sysv", "udev", "unattended-upgrades", "zstd",
)  # fmt: skip
# Kept in the image's package cache, so that roles install them without fetching them.
HOST_CACHE = (
    "acl", "chrony", "haproxy", "linux-cpupower", "needrestart", "nftables",
    "prometheus-node-exporter", "python3-boto3", "xfsprogs",
)  # fmt: skip
RECIPE = "drydock.recipe"  # label: what the image was made from
_HERE = Path(__file__).parent
_LOCK = Path("/run/drydock-images.lock")


def _recipe(*contents: str | bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content.encode() if isinstance(content, str) else content)
    return digest.hexdigest()[:16]


def ensure(podman: Podman, say: Callable[[str], None]) -> None:
    """Makes the images whose recipe has changed or that are missing.

    Args:
        say: told what is being made, one sentence at a time.

    Raises:
        DrydockError: the package mirror can't be reached, the disk is full, …
    """
    # Clouds of several folders may want them at the same time.
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        debian = _recipe("trixie minbase", *PACKAGES)
        if podman.image_label(DEBIAN, RECIPE) != debian:
            say("making a Debian 13 image (about 40 s, once)")
            _bootstrap(podman, debian, "trixie", PACKAGES, DEBIAN)
        # Side by side: each mostly waits for the mirror.
        with ThreadPoolExecutor() as workers:
            making = [workers.submit(one, podman, debian, say) for one in (_parts, _node, _uv)]
            for one in making:
                one.result()


def _parts(podman: Podman, debian: str, say: Callable[[str], None]) -> None:
    recipe = _recipe(debian, (_HERE / "parts.Containerfile").read_text())
    if podman.image_label(PARTS, RECIPE) != recipe:
        say("making the image of databases, caches and load balancers (about 40 s, once)")
        _build(podman, "parts", PARTS, recipe, _HERE)


def _node(podman: Podman, debian: str, say: Callable[[str], None]) -> None:
    text = (_HERE / "node.Containerfile").read_text()
    running = _recipe(debian, text, "nodejs")
    building = _recipe(running, text, "npm")
    if podman.image_label(NODE, RECIPE) != running:
        say("making the image with Node.js (about 40 s, once)")
        _build(podman, "node", NODE, running, _HERE, {"BARE": DEBIAN, "DEBS": "nodejs"})
    if podman.image_label(NODE_BUILD, RECIPE) != building:
        say("making the image that Node.js's packages are built with (about 40 s, once)")
        _build(podman, "node", NODE_BUILD, building, _HERE, {"BARE": NODE, "DEBS": "npm"})


def _uv(podman: Podman, _debian: str, say: Callable[[str], None]) -> None:
    """As its makers publish it: nothing but the program, the one that set this project up."""
    program = Path(sys.executable).parent / "uv"
    text = (_HERE / "uv.Containerfile").read_text()
    recipe = _recipe(text, program.read_bytes())
    if podman.image_label(UV, RECIPE) != recipe:
        say("making the image of uv, which installs Python's packages")
        context = podman.settings.folder("tmp", "uv-image")
        shutil.copy2(program, context / "uv")
        _build(podman, "uv", UV, recipe, context)
        shutil.rmtree(context)


def host(podman: Podman, suite: str, say: Callable[[str], None]) -> str:
    """The image of a machine with this Debian release; made if its recipe has changed.

    Args:
        suite: bookworm or trixie.

    Raises:
        DrydockError: the package mirror can't be reached, the disk is full, …
    """
    image, bare = f"localhost/drydock/host:{suite}", f"localhost/drydock/host-bare:{suite}"
    files = sorted((_HERE / "host").iterdir())
    bootstrapped = _recipe(suite, *HOST_PACKAGES)
    recipe = _recipe(
        bootstrapped,
        *HOST_CACHE,
        (_HERE / "host.Containerfile").read_text(),
        *(file.read_bytes() for file in files),
    )
    # Clouds of several folders, and tests of roles, may want it at the same time.
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if podman.image_label(image, RECIPE) != recipe:
            say(f"making the image of hosts with Debian {suite} (about a minute, once)")
            if podman.image_label(bare, RECIPE) != bootstrapped:
                _bootstrap(podman, bootstrapped, suite, HOST_PACKAGES, bare)
            arguments = {"BOOTSTRAPPED": bare, "DEBS": " ".join(HOST_CACHE)}
            _build(podman, "host", image, recipe, _HERE / "host", arguments)
    return image


def _bootstrap(
    podman: Podman, recipe: str, suite: str, packages: Sequence[str], image: str
) -> None:
    folder = podman.settings.folder("tmp")
    archive = folder / f"debian-{suite}.tar"
    done = subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(packages)}",
            suite,
            str(archive),
        ],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise DrydockError(
            f"mmdebstrap could not make an image of Debian {suite}: {last}. It needs the package "
            "mirror that this machine's apt uses, and some 500 MB of disk."
        )
    podman.command(
        "import", "--quiet", f"--change=LABEL {RECIPE}={recipe}", str(archive), image, timeout=300
    )
    archive.unlink()


def _build(
    podman: Podman,
    name: str,
    image: str,
    recipe: str,
    context: Path,
    arguments: Mapping[str, str] | None = None,
) -> None:
    podman.command(
        "build",
        "--quiet",
        "--pull=never",
        "--layers=false",
        f"--label={RECIPE}={recipe}",
        *(f"--build-arg={key}={value}" for key, value in (arguments or {}).items()),
        f"--file={_HERE / name}.Containerfile",
        f"--tag={image}",
        str(context),
        timeout=900,
    )
