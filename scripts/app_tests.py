"""Runs the workloads' own tests against a real PostgreSQL and a real Valkey: all, or those named.

Both run in containers of the embedded cloud's image for parts, for as long as the tests do.
Each app brings its pinned ``requirements-dev.txt`` or a ``package-lock.json`` with a script
``test``; what they pin is kept until they change.
"""

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock import images, lifecycle  # noqa: E402
from drydock.podman import Podman  # noqa: E402
from drydock.settings import Settings  # noqa: E402

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

# A test that hangs ends the run after so many seconds and says where.
_PATIENCE = ("-o", "faulthandler_timeout=300", "-o", "faulthandler_exit_on_timeout=true")


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


def packages_of(app: Path) -> None:
    """The packages that the app's package-lock.json pins, installed anew when that has changed."""
    pins = app / "package-lock.json"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    stamp = app / "node_modules/installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"app tests: installing {pins.relative_to(PROJECT)}", flush=True)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=app, check=True,
    )  # fmt: skip
    stamp.write_text(wanted)


def browser() -> str:
    """A Chromium for the Shop's page; Debian's is installed where there is none (half a minute)."""
    for name in ("chromium", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    print("app tests: installing chromium", flush=True)
    subprocess.run(["apt-get", "update", "--quiet=2"], stdout=subprocess.DEVNULL, check=False)
    done = subprocess.run(
        ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", "--no-remove",
         "chromium", "fonts-dejavu-core"],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    found = shutil.which("chromium")
    if done.returncode or not found:
        sys.exit(
            "The Shop's page is tested in a Chromium, and apt-get has none to install. Put "
            "chromium or google-chrome on PATH. No test was run."
        )
    return found


def _tests(names: list[str]) -> list[tuple[Path, list[str]]]:
    """What to run and where: first the apps in Python, then those in Node.js that use them.

    All of their packages are there before the first runs: the page's tests start the services.

    Args:
        names: of the apps to test; empty for all.
    """
    python = sorted(path.parent for path in PROJECT.glob("apps/*/requirements-dev.txt"))
    node = [
        path.parent
        for path in sorted(PROJECT.glob("apps/*/package.json"), reverse=True)
        if "test" in json.loads(path.read_text()).get("scripts", {})
    ]
    known = {app.name: app for app in [*python, *node]}
    if unknown := set(names) - set(known):
        sys.exit(
            f"No app with tests is named {', '.join(sorted(unknown))}. "
            f"Name some of {', '.join(known)}."
        )
    chosen = {known[name] for name in names} or set(known.values())
    needed = chosen | ({known["product"]} if chosen & set(node) else set())
    pythons = {app: str(_environment_of(app)) for app in python if app in needed}
    for app in node:
        if app in chosen or (app.name == "order" and known["frontend"] in chosen):
            packages_of(app)
    return [
        *(
            (app, [pythons[app], "-m", "pytest", "-q", "-p", "no:cacheprovider", *_PATIENCE])
            for app in python
            if app in chosen
        ),
        *((app, ["npm", "test", "--silent"]) for app in node if app in chosen),
    ]


def _wait(podman: Podman, name: str, *command: str) -> None:
    deadline = time.monotonic() + 30
    while podman.execute(name, command).code:
        if time.monotonic() > deadline:
            sys.exit(f"{name} did not come up:\n{podman.command('logs', name).stderr}")
        time.sleep(0.1)


def main(names: list[str]) -> int:
    """Runs the tests of the apps named, or of all; returns the first failing exit code."""
    tests = _tests(names)
    chromium = browser() if any(app.name == "frontend" for app, _ in tests) else ""
    base = Settings.from_environment()
    # A home of its own, held while the tests run: whoever cleans up dead clouds leaves it be,
    # and finds it once this process is gone.
    settings = dataclasses.replace(base, home=base.home / "app-tests")
    for one in (base, settings):  # the images are built with the first's
        lifecycle.configure_podman(one)
    podman = Podman(settings)
    images.ensure(Podman(base), print)
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
            for app, words in tests:
                begin = time.monotonic()
                done = subprocess.run(
                    words,
                    cwd=app,
                    env={
                        **os.environ,
                        "TEST_DATABASE_HOST": address[database],
                        "TEST_DATABASE_PORT": "5432",
                        "TEST_DATABASE_NAME": "postgres",
                        "TEST_DATABASE_USER": "tests",
                        "TEST_DATABASE_PASSWORD": password,
                        "TEST_REDIS_URL": f"redis://{address[cache]}:6379/0",
                        "TEST_PRODUCT_PYTHON": str(PROJECT / ".drydock/venvs/product/bin/python"),
                        "TEST_CHROMIUM": chromium,
                        "TEST_EVIDENCE": str(PROJECT / ".drydock/evidence/shop"),
                    },
                    check=False,
                )
                code = code or done.returncode
                print(f"app tests: {app.name} took {time.monotonic() - begin:.0f} s", flush=True)
        finally:
            podman.remove(*(part.name for part in podman.parts()))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
