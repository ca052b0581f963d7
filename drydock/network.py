"""A VPC is a podman network with the VPC's CIDR; a part's address comes out of its subnet."""

import ipaddress
import json
import socket
import struct
import subprocess
import threading
from collections.abc import Iterable

from drydock.errors import ApiError, DrydockError
from drydock.moto import ec2
from drydock.podman import Part, Podman

# AWS keeps the first four addresses of a subnet and its last for itself
# (VPC user guide, "Subnet CIDR blocks").
_RESERVED = 4
_ARP, _BROADCAST = 0x0806, b"\xff" * 6


class Networks:
    """Addresses and networks of the cloud's parts."""

    def __init__(self, podman: Podman):
        self._podman = podman
        # Two locks: an API call that needs an address never waits for podman's networks.
        self._addresses, self._lock = threading.Lock(), threading.Lock()
        self._taken: set[str] = set()
        self._made: set[str] = set()

    def name(self, vpc_id: str) -> str:
        return f"drydock-{self._podman.settings.tag}-{vpc_id}"

    def allocate(self, subnet_id: str) -> str:
        """Reserves a free IPv4 address of a subnet until :meth:`release`.

        Raises:
            DrydockError: no such subnet, or no address left in it.
        """
        subnet = ec2.subnet(subnet_id)
        if subnet is None:
            raise DrydockError(f"Subnet {subnet_id} does not exist.")
        with self._addresses:
            hosts = ipaddress.ip_network(subnet.cidr).hosts()
            for number, address in enumerate(hosts, start=1):
                if number >= _RESERVED and str(address) not in self._taken:
                    self._taken.add(str(address))
                    return str(address)
        raise DrydockError(f"Subnet {subnet_id} ({subnet.cidr}) has no free address.")

    def release(self, address: str) -> None:
        with self._addresses:
            self._taken.discard(address)

    def ensure(self, vpc_id: str) -> str:
        """Makes the VPC's network if need be; returns its name."""
        with self._lock:
            if vpc_id not in self._made:
                self._podman.create_network(self.name(vpc_id), ec2.vpcs()[vpc_id])
                self._made.add(vpc_id)
        return self.name(vpc_id)

    def of_subnet(self, subnet_id: str) -> str:
        """The network that a part in this subnet joins, made if need be."""
        subnet = ec2.subnet(subnet_id)
        if subnet is None:
            raise DrydockError(f"Subnet {subnet_id} does not exist.")
        return self.ensure(subnet.vpc_id)

    def endpoint(self, subnet_id: str, port: int) -> str:
        """Where the AWS API answers what is in a subnet: at the router of its VPC.

        Raises:
            DrydockError: no such subnet.
        """
        subnet = ec2.subnet(subnet_id)
        if subnet is None:
            raise DrydockError(f"Subnet {subnet_id} does not exist.")
        return f"http://{router(ec2.vpcs()[subnet.vpc_id])}:{port}"

    def move(self, address: str, network: str, holder: Part, others: Iterable[Part]) -> None:
        """Gives an endpoint's address to one part, and takes it away from the others first.

        The address is a second one of the holder's ``eth0``. What runs in the parts isn't
        asked, so this works when one of the others is paused. Clients' next packets go to
        the holder, which resets connections that it doesn't know. Safe to repeat.

        Raises:
            DrydockError: the holder is gone.
        """
        for other in others:
            if other.pid:
                # It may not have the address, or have died meanwhile with all its addresses.
                _ip(other, "address", "del", f"{address}/32", "dev", "eth0")
        done = _ip(holder, "address", "replace", f"{address}/32", "dev", "eth0")
        shown = _ip(holder, "-json", "link", "show", "dev", "eth0")
        if done.returncode or shown.returncode:
            reason = (done.stderr + shown.stderr).strip()
            raise DrydockError(f"{holder.name} can't take the address {address}: {reason}")
        self._announce(address, network, json.loads(shown.stdout)[0]["address"])

    def _announce(self, address: str, network: str, hardware: str) -> None:
        """Tells all who remember an address where it is now: the parts, and this machine."""
        inspected = self._podman.command("network", "inspect", network).stdout
        bridge = json.loads(inspected)[0]["network_interface"]
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((bridge, _ARP))
            raw.send(gratuitous_arp(address, hardware))
        subprocess.run(
            ["ip", "neighbour", "del", address, "dev", bridge], capture_output=True, check=False
        )

    def prune(self) -> None:
        """Removes the networks of VPCs that are gone."""
        with self._lock:
            for vpc_id in self._made - set(ec2.vpcs()):
                self._podman.remove_network(self.name(vpc_id))
                self._made.discard(vpc_id)


def router(cidr: str) -> str:
    """The address of a VPC's router: the first of its range (VPC user guide, "Subnet sizing")."""
    return str(ipaddress.ip_network(cidr)[1])


def gratuitous_arp(address: str, hardware: str) -> bytes:
    """An Ethernet frame that announces an IPv4 address's hardware address (RFC 5227, 3)."""
    mac, ip = bytes.fromhex(hardware.replace(":", "")), ipaddress.ip_address(address).packed
    request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    return _BROADCAST + mac + struct.pack("!H", _ARP) + request + mac + ip + bytes(6) + ip


def _ip(part: Part, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``ip`` in a part's network, whatever the part itself has or does."""
    return subprocess.run(
        ["nsenter", f"--target={part.pid}", "--net", "ip", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def refuse_overlap(cidr: str) -> None:
    """Refuses a VPC whose addresses this machine, or another VPC, already routes.

    Raises:
        ApiError: ``InvalidVpc.Conflict``, naming both ranges.
    """
    wanted = ipaddress.ip_network(cidr)
    for vpc_id, other in ec2.vpcs().items():
        if wanted.overlaps(ipaddress.ip_network(other)):
            raise ApiError(
                "InvalidVpc.Conflict",
                f"{cidr} overlaps {other} of {vpc_id}; parts of both would share one machine's "
                "routes. Choose another vpc_cidr.",
            )
    for route in json.loads(
        subprocess.run(
            ["ip", "-json", "-4", "route", "show"], capture_output=True, text=True, check=True
        ).stdout
        or "[]"
    ):
        if route["dst"] != "default" and wanted.overlaps(
            ipaddress.ip_network(route["dst"], strict=False)
        ):
            raise ApiError(
                "InvalidVpc.Conflict",
                f"{cidr} overlaps {route['dst']}, which this machine routes to "
                f"{route.get('dev', 'another network')}. Choose another vpc_cidr.",
            )
