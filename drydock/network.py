"""A VPC is a podman network with the VPC's CIDR; a part's address comes out of its subnet."""

import ipaddress
import json
import subprocess
import threading

from drydock.errors import ApiError, DrydockError
from drydock.moto import ec2
from drydock.podman import Podman

# AWS keeps the first four addresses of a subnet and its last for itself
# (VPC user guide, "Subnet CIDR blocks").
_RESERVED = 4


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

    def prune(self) -> None:
        """Removes the networks of VPCs that are gone."""
        with self._lock:
            for vpc_id in self._made - set(ec2.vpcs()):
                self._podman.remove_network(self.name(vpc_id))
                self._made.discard(vpc_id)


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
