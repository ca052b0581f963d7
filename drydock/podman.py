"""The only module that runs podman.

The command line is used rather than podman's socket: it is the same on podman 4 and 5,
needs no service process that could be left behind, and every call can be repeated by hand.
"""

import base64
import contextlib
import ipaddress
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drydock import bridges
from drydock.errors import DrydockError
from drydock.settings import Settings

HOME_LABEL = "drydock.home"
KIND_LABEL = "drydock.kind"
ID_LABEL = "drydock.id"
_SET_BY_USER = "3"  # NET_ADDR_SET in the kernel's netdevice.h
_CPU_PERIOD = 100_000  # microseconds, the kernel's own default


class PodmanError(DrydockError):
    """podman refused; ``stderr`` holds its words."""

    def __init__(self, command: Sequence[str], code: int, stderr: str):
        self.code, self.stderr = code, stderr.strip()
        last = self.stderr.splitlines()[-1] if self.stderr else "no output"
        super().__init__(f"podman {command[0]} failed (exit {code}): {last}")


@dataclass(frozen=True)
class Part:
    """A container of the cloud, as podman sees it.

    Attributes:
        name: container name, unique on the machine.
        kind: task, load-balancer, database, cache, registry.
        id: what the API calls the thing this part belongs to.
        state: podman's word: created, running, paused, exited, dead …
        exit_code: of the last run; meaningful when exited.
    """

    name: str
    kind: str
    id: str
    state: str
    exit_code: int
    pid: int
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.state in ("running", "paused")


@dataclass(frozen=True)
class Result:
    """Exit code and output of a command run inside a part."""

    code: int
    stdout: str
    stderr: str


class Podman:
    """podman, bound to one cloud: names, labels and configuration are filled in."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._bridges: dict[str, str] = {}  # of each network, its interface on the machine
        self._environment = dict(os.environ)
        for variable, file in (
            ("CONTAINERS_CONF", "containers.conf"),
            ("CONTAINERS_REGISTRIES_CONF", "registries.conf"),
        ):
            if (settings.home / file).exists():
                self._environment[variable] = str(settings.home / file)

    def command(
        self,
        *arguments: str,
        check: bool = True,
        timeout: float | None = 120,
        secrets: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Result:
        """Runs podman.

        Args:
            check: raise PodmanError on a non-zero exit.
            timeout: seconds; PodmanError when it runs out.
            secrets: variables added to podman's own environment only, so that
                ``--env NAME`` hands them on without their values in a process list.
        """
        try:
            done = subprocess.run(
                ["podman", *arguments],
                cwd=self.settings.folder("tmp"),  # conmon writes a file `oom` where it stands
                env={**self._environment, **(secrets or {})},
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            raise DrydockError("podman is not installed; run `make setup`.") from None
        except subprocess.TimeoutExpired:
            raise PodmanError(arguments, -1, f"no answer within {timeout:g} s") from None
        if check and done.returncode:
            raise PodmanError(arguments, done.returncode, done.stderr)
        return Result(done.returncode, done.stdout, done.stderr)

    # --- parts -----------------------------------------------------------------

    def part_name(self, kind: str, identifier: str) -> str:
        """The container name of a part: stable, so that a crash leaves nothing unfindable."""
        return f"drydock-{self.settings.tag}-{kind}-{identifier}"

    def run(
        self,
        kind: str,
        identifier: str,
        image: str,
        command: Sequence[str] = (),
        *,
        network: str | None = None,
        ip: str | None = None,
        environment: Mapping[str, str] | None = None,
        mounts: Sequence[tuple[Path, str, str]] = (),
        labels: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        prepare: Callable[[int], None] | None = None,
    ) -> str:
        """Starts a part in the background and returns its container name.

        Args:
            environment: handed over without values on the command line.
            mounts: (source, target, "ro" | "rw").
            options: further flags of ``podman run``.
            prepare: called with the ID of a process in the part's namespaces, before its own
                program starts; what it raises is raised, and nothing is left.

        Raises:
            PodmanError: the image is missing, the address is taken, …; nothing is left.
        """
        name = self.part_name(kind, identifier)
        environment = dict(environment or {})
        arguments = ["create"] if prepare else ["run", "--detach"]
        arguments += ["--pull=never", f"--name={name}"]
        all_labels = {
            HOME_LABEL: str(self.settings.home),
            KIND_LABEL: kind,
            ID_LABEL: identifier,
            **(labels or {}),
        }
        arguments += [f"--label={key}={value}" for key, value in all_labels.items()]
        if network:
            arguments.append(f"--network={network}")
            # One hardware address for each IP: what remembers a part that is gone finds the
            # next one at its address at once.
            arguments += [f"--ip={ip}", f"--mac-address={hardware_address(ip)}"] if ip else []
        arguments += [f"--env={key}" for key in environment]
        arguments += [f"--volume={source}:{target}:{mode}" for source, target, mode in mounts]
        try:
            self.command(*arguments, *options, image, *command, secrets=environment)
            if prepare:
                self.command("init", name)
                prepare(int(self.command("inspect", "--format={{.State.Pid}}", name).stdout))
                self.command("start", name)
        except DrydockError:
            self.remove(name)
            raise
        if network:
            self._pin_bridge(network)
        return name

    def parts(self, kind: str | None = None, *, every_home: bool = False) -> list[Part]:
        """The parts of this cloud (or of every cloud on the machine), running or not."""
        label = HOME_LABEL if every_home else f"{HOME_LABEL}={self.settings.home}"
        arguments = ["ps", "--all", "--format=json", f"--filter=label={label}"]
        if kind:
            arguments.append(f"--filter=label={KIND_LABEL}={kind}")
        rows = json.loads(self.command(*arguments).stdout or "[]") or []
        return [
            Part(
                name=row["Names"][0],
                kind=row["Labels"].get(KIND_LABEL, ""),
                id=row["Labels"].get(ID_LABEL, ""),
                state=row["State"],
                exit_code=row.get("ExitCode", 0),
                pid=row.get("Pid", 0),
                labels=row["Labels"],
            )
            for row in rows
        ]

    def execute(
        self,
        name: str,
        command: Sequence[str],
        *,
        timeout: float = 30,
        user: str | None = None,
        stdin: str | None = None,
    ) -> Result:
        """Runs a command inside a part; exit code 124 when the time runs out."""
        flags = [f"--user={user}"] if user else []
        flags += ["--interactive"] if stdin is not None else []
        try:
            return self.command(
                "exec", *flags, name, *command, check=False, timeout=timeout, stdin=stdin
            )
        except PodmanError as error:
            return Result(124, "", error.stderr)

    def start(self, name: str) -> None:
        """Starts a part that has ended, as it was: same address, same files."""
        self.command("start", name)

    def stop(self, name: str, grace: float) -> None:
        """SIGTERM (or the image's stop signal), then SIGKILL after ``grace`` seconds."""
        self.command(
            "stop", "--ignore", f"--time={int(grace)}", name, check=False, timeout=grace + 30
        )

    def kill(self, name: str, signal: str = "KILL") -> None:
        self.command("kill", f"--signal={signal}", name)

    def pause(self, name: str) -> None:
        """Freezes every process of a part; nothing is told to anyone."""
        self.command("pause", name)

    def unpause(self, name: str) -> None:
        self.command("unpause", name)

    def cpu_cap(self, name: str) -> float | None:
        """The share of one processor that a part is capped at; None without a cap."""
        found = self.command("inspect", "--format={{.HostConfig.NanoCpus}}", name).stdout
        return int(found) / 1e9 or None

    def limit_cpu(self, name: str, share: float | None) -> None:
        """Caps a running part at a share of one processor; None takes the cap away."""
        if share is None:
            share = os.cpu_count() or 1  # podman 4.3 takes neither 0 nor -1 for "no cap"
        quota = max(int(share * _CPU_PERIOD), 1000)  # the kernel's least
        self.command("update", f"--cpu-period={_CPU_PERIOD}", f"--cpu-quota={quota}", name)

    def remove(self, *names: str) -> None:
        """Removes parts and their anonymous volumes, whatever state they are in."""
        if names:
            self.command("rm", "--force", "--time=0", "--volumes", "--ignore", *names, check=False)

    # --- networks --------------------------------------------------------------

    def networks(self, *, every_home: bool = False) -> list[dict]:
        """Networks of the cloud: ``{"name", "subnets": [{"subnet", "gateway"}], "labels"}``."""
        label = HOME_LABEL if every_home else f"{HOME_LABEL}={self.settings.home}"
        listed = self.command("network", "ls", "--quiet", f"--filter=label={label}").stdout.split()
        if not listed:
            return []
        return json.loads(self.command("network", "inspect", *listed).stdout)

    def create_network(self, name: str, subnet: str) -> None:
        """Makes a network, unless it is there (podman 4.3 knows no ``--ignore``)."""
        if not self.command("network", "exists", name, check=False).code:
            return
        self.command(
            "network",
            "create",
            "--disable-dns",
            f"--subnet={subnet}",
            f"--label={HOME_LABEL}={self.settings.home}",
            name,
        )
        if interface := self._interface(name):
            bridges.note(self.settings.path("bridges"), interface, subnet)

    def _interface(self, network: str) -> str:
        """A network's bridge on the machine."""
        inspected = self.command("network", "inspect", network, check=False)
        rows = json.loads(inspected.stdout or "[]") if not inspected.code else []
        return rows[0].get("network_interface", "") if rows else ""

    def _pin_bridge(self, network: str) -> None:
        """Keeps a network's gateway at one hardware address.

        A bridge takes the lowest of its ports' until it is given its own. So a container that
        came or went could change it, and for up to ten seconds, until the others' ARP entries
        had expired, none of them could answer the machine.
        """
        if network not in self._bridges:
            self._bridges[network] = self._interface(network)
        bridge = Path("/sys/class/net") / (self._bridges[network] or "none")
        with contextlib.suppress(OSError):  # its last container has just gone
            if (bridge / "addr_assign_type").read_text().strip() != _SET_BY_USER:
                address = (bridge / "address").read_text().strip()
                subprocess.run(
                    ["ip", "link", "set", "dev", bridge.name, "address", address],
                    capture_output=True,
                    check=False,
                )

    def remove_network(self, name: str) -> None:
        self.command("network", "rm", "--force", name, check=False)
        self._bridges.pop(name, None)

    def remove_bridges(self) -> int:
        """Removes the bridges of networks that are gone; says how many there were."""
        known = {one["subnet"] for row in self.networks() for one in row["subnets"]}
        return bridges.take_down(self.settings.path("bridges"), known)

    # --- images ----------------------------------------------------------------

    def pull(self, image: str, user: str, password: str) -> None:
        """Pulls an image from a registry that wants a password; PodmanError when it can't."""
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        folder = self.settings.folder("tmp")
        # mkstemp's file is 0600: a password must not be read from a process list either.
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json") as file:
            json.dump({"auths": {image.split("/")[0]: {"auth": token}}}, file)
            file.flush()
            self.command("pull", "--quiet", f"--authfile={file.name}", image, timeout=300)

    def image_label(self, image: str, label: str) -> str | None:
        """A label of a local image; None when the image or the label is missing."""
        found = self.command("image", "inspect", "--format=json", image, check=False)
        if found.code:
            return None
        return (json.loads(found.stdout)[0].get("Labels") or {}).get(label)

    def events(self) -> subprocess.Popen:
        """A stream of JSON lines, one for each life event of this cloud's parts.

        The caller ends the process; the kernel does if the caller is killed.
        """
        return subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig=KILL",
                "podman",
                "events",
                "--format=json",
                f"--filter=label={HOME_LABEL}={self.settings.home}",
            ],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        )


def hardware_address(ip: str) -> str:
    """A locally administered address made of an IPv4 address."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x64" + ipaddress.ip_address(ip).packed)


def read_events(process: subprocess.Popen) -> Iterator[dict]:
    """Parses the lines of :meth:`Podman.events` until the stream ends."""
    for line in process.stdout or ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue
