"""Starting and stopping the embedded cloud, and cleaning up after one that died.

One process serves a cloud. It holds a lock on ``<home>/gateway.lock`` for as long as it
lives, so whether a cloud is alive never depends on a process id that may have been reused.
"""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drydock import disks, images
from drydock.errors import DrydockError
from drydock.podman import HOME_LABEL, Podman
from drydock.settings import PROJECT, Settings

Say = Callable[[str], None]
_START_SECONDS = 60
_STOP_SECONDS = 30
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback has no proxy


# --- is it alive? ------------------------------------------------------------------


def _lock_file(home: Path) -> Path:
    return home / "gateway.lock"


def alive(home: Path) -> bool:
    """Whether a gateway process holds the cloud of this home folder."""
    try:
        with _lock_file(home).open("rb") as file:
            # Shared, so that two who look do not take each other for the gateway.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    """Lets one ``up`` or ``down`` of a home run, the next one wait for it."""
    with settings.path("lifecycle.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def hold(settings: Settings) -> Iterator[None]:
    """Holds the cloud's lock; DrydockError when another process does."""
    path = settings.path("gateway.lock")
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DrydockError(f"The embedded cloud in {settings.home} already runs.") from None
        yield


def control(settings: Settings, name: str, timeout: float = 30) -> dict:
    """Asks the running gateway; DrydockError when there is none."""
    shown = _ask(settings, name, None, timeout)
    if shown["home"] != str(settings.home):
        raise DrydockError(
            f"The embedded cloud at {settings.endpoint} is another one's, of {shown['home']}. Stop "
            "it there with `make down`, or choose another port with DRYDOCK_PORT."
        )
    return shown


def command(settings: Settings, name: str, given: dict, timeout: float = 180) -> dict:
    """Tells the running gateway to do something; DrydockError when it refuses."""
    control(settings, "status")  # it is this home's
    return _ask(settings, name, given, timeout)


def _ask(settings: Settings, name: str, given: dict | None, timeout: float) -> dict:
    request = urllib.request.Request(  # noqa: S310 (our own loopback address)
        f"{settings.endpoint}/_drydock/{name}",
        data=None if given is None else json.dumps(given).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with _DIRECT.open(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        shown = json.loads(error.read() or b"{}")
        raise DrydockError(shown.get("error") or f"{name}: the gateway says {error}.") from None
    except OSError as error:
        raise DrydockError(
            f"No embedded cloud answers at {settings.endpoint} ({error}). Start it with "
            "`python -m drydock up`."
        ) from None


# --- up ------------------------------------------------------------------------------


def up(settings: Settings, say: Say) -> None:
    """Starts the cloud, or says that it already runs.

    Raises:
        DrydockError: not root, a tool is missing, a port is taken, the gateway did not start.
    """
    with _one_at_a_time(settings):
        if alive(settings.home):
            say(f"already running at {settings.endpoint}")
        else:
            _start(settings, say)


def _start(settings: Settings, say: Say) -> None:
    _check(settings)
    # First of all: the shell may name these files already, and podman refuses to start without.
    configure_podman(settings)
    sweep(settings, say)
    podman = Podman(settings)
    images.ensure(podman, say)
    say(f"starting the gateway at {settings.endpoint}")
    log_path = settings.path("log", "gateway.log")
    settings.audit.unlink(missing_ok=True)  # of the cloud before
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "drydock", "serve"],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DrydockError(
                f"The gateway ended at once (exit {process.returncode}): {_last_line(log_path)}"
            )
        try:
            control(settings, "status", timeout=2)
            return
        except DrydockError:
            pass
        time.sleep(0.1)
    raise DrydockError(f"The gateway did not become ready in {_START_SECONDS} s; see {log_path}.")


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _check(settings: Settings) -> None:
    if os.geteuid() != 0:
        raise DrydockError(
            "The embedded cloud gives its containers addresses of their own, which needs root: "
            "run it with sudo."
        )
    for tool in ("podman", "mmdebstrap", "ip"):
        if not shutil.which(tool):
            raise DrydockError(f"{tool} is not installed; run `make setup`.")
    for variable, port in (
        ("DRYDOCK_PORT", settings.port),
        ("DRYDOCK_REGISTRY_PORT", settings.registry_port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise DrydockError(
                    f"Port {port} on 127.0.0.1 is taken{_holder(port)}. Stop that, or choose "
                    f"another port with {variable}."
                ) from None


def _holder(port: int) -> str:
    if not shutil.which("ss"):
        return ""
    listing = subprocess.run(
        ["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r'\("([^"]+)",pid=(\d+)', listing)
    return f" by {found[1]} (pid {found[2]})" if found else ""


# What a machine without CAP_SYS_RESOURCE needs: crun and podman's default limits ask for
# more than it may have.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
pids_limit = 0
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""


def configure_podman(settings: Settings) -> None:
    """Writes the podman configuration that this cloud, and builds for it, use.

    ``registries.conf`` says that the registry on loopback speaks plain HTTP;
    ``containers.conf`` keeps within this machine's limits.
    """
    import resource

    settings.path("registries.conf").write_text(
        f'[[registry]]\nlocation = "{settings.registry}"\ninsecure = true\n'
    )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    unlimited = resource.RLIM_INFINITY
    settings.path("containers.conf").write_text(
        _CONTAINERS_CONF.format(
            files=20000 if files == unlimited else min(files, 20000),
            processes=32768 if processes == unlimited else min(processes, 32768),
        )
    )


# --- down ----------------------------------------------------------------------------


def down(settings: Settings, say: Say) -> None:
    """Ends the gateway and removes every part, network, mount and process of this cloud."""
    with _one_at_a_time(settings):
        _end_gateway(settings, say)
        sweep(settings, say)


def _end_gateway(settings: Settings, say: Say) -> None:
    if alive(settings.home):
        pid = _gateway_pid(settings.home)
        if pid is None:
            raise DrydockError(
                f"A gateway holds {_lock_file(settings.home)} but its cloud.json is unreadable; "
                "end that process by hand (`fuser -v` on the lock names it)."
            )
        say(f"stopping the gateway (pid {pid})")
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            if _wait(lambda: not alive(settings.home) and not _runs(pid), _STOP_SECONDS):
                break


def _gateway_pid(home: Path) -> int | None:
    try:
        return int(json.loads((home / "cloud.json").read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _runs(pid: int) -> bool:
    """Whether the process is there and more than a zombie, which has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def sweep(settings: Settings, say: Say) -> None:
    """Removes what dead clouds left on the machine: this home's, and any whose home is dead.

    Finds containers and networks by label, mounts by path, and folders of parts by place;
    never touches the parts of another cloud that is alive.
    """
    if not shutil.which("podman"):
        return
    podman = Podman(settings)
    _end_terraforms(settings, say)
    _unmount(settings.home / "tmp")
    # A `podman run` that outlived the gateway would bring its container up after the look.
    _wait(lambda: not _starting(settings.home), _STOP_SECONDS)
    for _ in range(5):
        if not _sweep_once(podman, say):
            break
    else:
        left = [part.name for part in podman.parts()] + [net["name"] for net in podman.networks()]
        raise DrydockError(f"These can't be removed: {', '.join(left) or 'parts of other clouds'}.")
    if left := podman.remove_bridges():
        say(f"removed {left} bridges of networks that are gone")
    # Not those of another cloud that lives in a folder of this one's, as the tests' second does.
    if loops := disks.detach(settings.home, spare=alive):
        say(f"detached {loops} disks of instances")
    for name in ("cloud.json", "faults.json", "parts", "tmp"):
        path = settings.home / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _sweep_once(podman: Podman, say: Say) -> bool:
    """Removes what can be found; says whether there was anything of a dead cloud."""
    own = str(podman.settings.home)
    found = False
    parts = podman.parts(every_home=True)
    networks = podman.networks(every_home=True)
    homes = {part.labels[HOME_LABEL] for part in parts}
    homes |= {network["labels"][HOME_LABEL] for network in networks}
    for home in sorted(homes):
        if alive(Path(home)):
            continue
        stale = [part for part in parts if part.labels[HOME_LABEL] == home]
        nets = [net["name"] for net in networks if net["labels"][HOME_LABEL] == home]
        if stale or nets:
            found = True
            whose = "" if home == own else f" of a cloud that was in {home}"
            say(f"removing {len(stale)} containers and {len(nets)} networks{whose}")
        for part in stale:
            _remove(podman, part.name, say)
        for name in nets:
            podman.remove_network(name)
    return found


def _remove(podman: Podman, name: str, say: Say) -> None:
    """Removes a part even when podman's idea of it is out of date (power loss, kill -9)."""
    for attempt in (
        ("rm", "--force", "--time=0", "--volumes", "--ignore", name),
        ("container", "cleanup", name),
        ("rm", "--force", "--time=0", "--volumes", "--ignore", name),
    ):
        podman.command(*attempt, check=False)
        if podman.command("container", "exists", name, check=False).code:
            return
    say(f"{name} could not be removed yet")


def _processes(file: str) -> Iterator[tuple[Path, list[bytes]]]:
    """Each process's folder in /proc, with the words of its ``cmdline`` or ``environ``."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone meanwhile
            yield entry, (entry / file).read_bytes().split(b"\0")


def _starting(home: Path) -> bool:
    """Whether a podman that makes a part of this cloud still runs."""
    sign = f"--label={HOME_LABEL}={home}".encode()
    return any(words[0].endswith(b"podman") and sign in words for _, words in _processes("cmdline"))


def _end_terraforms(settings: Settings, say: Say) -> None:
    """Ends terraforms, and providers that outlived theirs, which worked against this dead cloud.

    Without an API to talk to they would try again for minutes. They are known by two things
    in their environment: their data folder below this home, and this cloud's endpoint; a
    terraform of another environment has another endpoint or none.
    """
    folder = f"TF_DATA_DIR={settings.home}/".encode()
    endpoint = f"AWS_ENDPOINT_URL={settings.endpoint}".encode()
    for entry, variables in _processes("environ"):
        if endpoint in variables and any(word.startswith(folder) for word in variables):
            with suppress(OSError):  # gone meanwhile
                program = (entry / "comm").read_text().strip()
                if program.startswith("terraform"):
                    os.kill(int(entry.name), signal.SIGKILL)
                    say(f"ended {program} (pid {entry.name}), left from an earlier run")


def _unmount(below: Path) -> None:
    """Unmounts what an interrupted image build left mounted below a folder."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for target in sorted(mounted, reverse=True):
        if Path(target).is_relative_to(below):
            subprocess.run(["umount", "--lazy", target], check=False)
