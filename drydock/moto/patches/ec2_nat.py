"""A NAT gateway that is deleted gives its address and its network interface back.

moto 5.2 keeps both, so the address could never be another gateway's.
"""

from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend


def _delete(backend: NatGatewayBackend, nat_gateway_id: str) -> NatGateway:
    gateway = backend.nat_gateways[nat_gateway_id]
    if gateway.state != "deleted":
        for address in backend.addresses:
            if address.eni is gateway._eni:
                backend.disassociate_address(association_id=address.association_id)
        backend.delete_network_interface(gateway._eni.id)
        gateway.state = "deleted"
    return gateway


def apply() -> None:
    """Replaces the call on moto's backend."""
    NatGatewayBackend.delete_nat_gateway = _delete
