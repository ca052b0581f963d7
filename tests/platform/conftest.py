"""One embedded cloud for the whole layer, and a VPC of the tests' own in it."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from drydock import lifecycle
from drydock.podman import Podman
from drydock.settings import Settings

_given: set[int] = set()


def free_range() -> str:
    """A /16 that nothing has: several clouds may be tested beside each other.

    Left out are what the machine routes, what podman has a network for (without a container it
    has no route) and what was given before.
    """
    routes = ["ip", "-4", "route", "show"]
    networks = ["podman", "network", "ls", "--format={{range .Subnets}}{{.Subnet}} {{end}}"]
    taken = "".join(
        " " + subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for command in (routes, networks)
    )
    choices = [n for n in range(96, 128) if n not in _given and f"10.{n}." not in taken]
    _given.add(chosen := random.choice(choices))  # noqa: S311 (not for secrets)
    return f"10.{chosen}.0.0/16"


@dataclass(frozen=True)
class Vpc:
    """A VPC for tests: two public and two private subnets, and a group open within it."""

    id: str
    cidr: str
    public_subnets: list[str]
    private_subnets: list[str]
    security_group: str


@dataclass
class Cloud:
    """The running embedded cloud, as a test sees it."""

    settings: Settings
    podman: Podman
    vpc: Vpc | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return self.settings.endpoint

    def client(self, service: str) -> Any:
        """A boto3 client of the cloud; made once."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.settings.region,
                aws_access_key_id="tests",
                aws_secret_access_key="test",
            )
        return self._clients[service]

    def status(self) -> dict:
        return lifecycle.control(self.settings, "status")

    def ssh(self, address: str, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command on a host with the operator's key."""
        return subprocess.run(
            ["ssh", "-q", "-i", self.settings.home / "ssh/drydock",
             "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
             "-o", "ConnectTimeout=5", f"admin@{address}", command],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip


def wait_for(condition: Callable[[], Any], seconds: float, what: str, every: float = 0.2) -> Any:
    """Waits until a condition gives something true and returns it; fails saying what didn't."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(every)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """Starts the cloud, or uses the one that runs; stops it only if it was started here."""
    settings = Settings.from_environment()
    was_up = lifecycle.alive(settings.home)
    lifecycle.up(settings, lambda text: print(f"drydock: {text}", flush=True))
    running = Cloud(settings, Podman(settings))
    ec2 = running.client("ec2")
    cidr = free_range()
    vpc_id = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    prefix = cidr.removesuffix(".0.0/16")
    subnets = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"{prefix}.{n}.0/24", AvailabilityZone=zone)[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate(["us-east-1a", "us-east-1b"] * 2)
    ]
    group = ec2.create_security_group(GroupName="tests", Description="tests", VpcId=vpc_id)
    running.vpc = Vpc(vpc_id, cidr, subnets[:2], subnets[2:], group["GroupId"])
    yield running
    if was_up:
        ec2.delete_security_group(GroupId=group["GroupId"])
        for subnet in subnets:
            ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc_id)
    else:
        lifecycle.down(settings, lambda text: print(f"drydock: {text}", flush=True))
