"""Runs the roles' tests on hosts: molecule, for the role solana_rpc.

Its two hosts need no cloud, and stand beside any that is up. Nothing of them is left, also when it
fails or is interrupted; what a killed run leaves is removed by `make down`.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock import lifecycle  # noqa: E402
from scripts import bare_hosts  # noqa: E402


def main() -> int:
    """Runs molecule's sequence; returns its exit code."""
    settings, begun = bare_hosts.home("role-tests"), time.monotonic()
    with lifecycle.hold(settings):
        # Its own default is one folder for all clones, in which a killed run's hosts are "created".
        notes = settings.folder("molecule")
        shutil.rmtree(notes)
        environment = {**os.environ, "MOLECULE_EPHEMERAL_DIRECTORY": str(notes)}
        try:
            done = subprocess.run(
                ["molecule", "test"], cwd=PROJECT / "roles/solana_rpc", env=environment
            )
        finally:
            bare_hosts.Hosts(settings).down()
    print(f"solana_rpc on two hosts: {time.monotonic() - begun:.0f} s", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
