"""VPCs and subnets as EC2's API holds them."""

from dataclasses import dataclass

from moto.backends import get_backend

from drydock.settings import ACCOUNT_ID


@dataclass(frozen=True)
class Subnet:
    """A subnet: ``cidr`` is what its parts' addresses are taken from, ``zone`` its
    availability zone."""

    id: str
    vpc_id: str
    cidr: str
    zone: str


def vpcs() -> dict[str, str]:
    """VPC id → CIDR, every region; the default VPCs that moto makes are left out."""
    return {
        vpc.id: vpc.cidr_block
        for backend in list(get_backend("ec2")[ACCOUNT_ID].values())
        for vpc in list(backend.vpcs.values())
        if not vpc.is_default
    }


def subnet(subnet_id: str) -> Subnet | None:
    """Looks a subnet up by id in every region."""
    for backend in list(get_backend("ec2")[ACCOUNT_ID].values()):
        for zone in list(backend.subnets.values()):
            if subnet_id in zone:
                found = zone[subnet_id]
                return Subnet(found.id, found.vpc_id, found.cidr_block, found.availability_zone)
    return None
