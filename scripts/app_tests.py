"""Runs the workloads' own tests against a real PostgreSQL and a real Valkey: all, or those named.

Both run in containers of the embedded cloud's image for parts, for as long as the tests do.
Each app brings its pinned ``requirements-dev.txt``; its venv is kept until those change.
"""

import dataclasses
import hashlib
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock import images, lifecycle  # noqa: E402
from drydock.podman import Podman  # noqa: E402
from drydock.settings import Settings  # noqa: E402
from drydock.tls import Authority  # noqa: E402

_POSTGRES = """
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
install -d -o postgres /run/data
umask 077; printenv PASSWORD > /run/password; chown postgres /run/password
setpriv --reuid=postgres --regid=postgres --clear-groups \
  "$bin/initdb" --no-sync --pgdata=/run/data/pg --username=tests --pwfile=/run/password \
  --auth-host=scram-sha-256 >/dev/null
echo "host all all all scram-sha-256" >> /run/data/pg/pg_hba.conf
exec setpriv --reuid=postgres --regid=postgres --clear-groups \
  "$bin/postgres" -D /run/data/pg -c listen_addresses='*' -c unix_socket_directories=/tmp \
  -c fsync=off -c max_connections=200
"""


def _environment_of(app: Path) -> Path:
    """The app's venv, made anew when its pins have changed; returns its python."""
    pins = app / "requirements-dev.txt"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    venv = PROJECT / ".drydock/venvs" / app.name
    python, stamp = venv / "bin/python", venv / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"app tests: installing {pins.relative_to(PROJECT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        subprocess.run(
            ["uv", "pip", "install", "--quiet", f"--python={python}", "--require-hashes",
             f"--requirement={pins}"],
            env={**os.environ, "UV_LINK_MODE": "copy"},
            check=True,
        )  # fmt: skip
        stamp.write_text(wanted)
    return python


def _wait(podman: Podman, name: str, *command: str) -> None:
    deadline = time.monotonic() + 30
    while podman.execute(name, command).code:
        if time.monotonic() > deadline:
            sys.exit(f"{name} did not come up:\n{podman.command('logs', name).stderr}")
        time.sleep(0.1)


def _chosen(names: list[str]) -> list[Path]:
    """The apps' folders: those named, or all that have tests."""
    apps = sorted(path.parent for path in PROJECT.glob("apps/*/requirements-dev.txt"))
    if unknown := set(names) - {app.name for app in apps}:
        known = ", ".join(app.name for app in apps)
        sys.exit(f"No app with tests is named {', '.join(sorted(unknown))}. Name some of {known}.")
    return [app for app in apps if not names or app.name in names]


def main(names: list[str]) -> int:
    """Runs the tests of the apps named, or of all; returns the first failing exit code."""
    apps = _chosen(names)
    base = Settings.from_environment()
    # A home of its own, held while the tests run: whoever cleans up dead clouds leaves it be,
    # and finds it once this process is gone.
    settings = dataclasses.replace(base, home=base.home / "app-tests")
    for one in (base, settings):  # the images are built with the first's
        lifecycle.configure_podman(one)
    podman = Podman(settings)
    authority = Authority(base.folder("ca"))
    images.ensure(Podman(base), authority.certificate, print)
    password = secrets.token_urlsafe(16)
    code = 0
    with lifecycle.hold(settings):
        podman.remove(*(part.name for part in podman.parts()))
        try:
            database = podman.run(
                "test", "postgres", images.PARTS, ["sh", "-c", _POSTGRES],
                environment={"PASSWORD": password},
            )  # fmt: skip
            cache = podman.run(
                "test", "valkey", images.PARTS,
                ["valkey-server", "--protected-mode", "no", "--save", ""],
            )  # fmt: skip
            _wait(podman, database, "pg_isready", "--host=/tmp")
            _wait(podman, cache, "valkey-cli", "ping")
            address = {
                name: podman.command(
                    "inspect", "--format={{.NetworkSettings.IPAddress}}", name
                ).stdout.strip()
                for name in (database, cache)
            }
            for app in apps:
                done = subprocess.run(
                    [str(_environment_of(app)), "-m", "pytest", "-q", "-p", "no:cacheprovider"],
                    cwd=app,
                    env={
                        **os.environ,
                        "TEST_DATABASE_HOST": address[database],
                        "TEST_DATABASE_PORT": "5432",
                        "TEST_DATABASE_NAME": "postgres",
                        "TEST_DATABASE_USER": "tests",
                        "TEST_DATABASE_PASSWORD": password,
                        "TEST_REDIS_URL": f"redis://{address[cache]}:6379/0",
                    },
                    check=False,
                )
                code = code or done.returncode
        finally:
            podman.remove(*(part.name for part in podman.parts()))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
