"""An instance's address is one that nothing else in its subnet has.

moto 5.2 counts a subnet's addresses for instances alone, while tasks, databases and load
balancers have some of them.
"""

from collections.abc import Callable

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance
from moto.ec2.models.subnets import Subnet

from drydock.errors import DrydockError
from drydock.moto import ec2

_allocate: list[Callable[[str], str]] = []


def addresses_from(allocate: Callable[[str], str]) -> None:
    """Says where a new instance's address comes from: subnet id → IP address."""
    _allocate[:] = [allocate]


def apply() -> None:
    """Wraps the choice of an address; without a cloud it stays moto's."""
    by_moto = Subnet.get_available_subnet_ip

    def choose(self: Subnet, instance: Instance) -> str:
        # moto's own default VPCs have no network here.
        if not _allocate or self.vpc_id not in ec2.vpcs():
            return by_moto(self, instance)
        try:
            address = _allocate[0](self.id)
        except DrydockError as error:
            raise EC2ClientError("InsufficientFreeAddressesInSubnet", str(error)) from error
        self._subnet_ips[address] = instance
        return address

    Subnet.get_available_subnet_ip = choose
