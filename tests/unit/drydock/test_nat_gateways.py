"""NAT gateways, as a client of the API sees them."""

import threading
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from drydock.audit import Audit
from drydock.gateway import Gateway, serve
from drydock.moto.patches import ec2_nat

REGION = "eu-west-3"  # no other test's


@pytest.fixture(scope="module")
def ec2(tmp_path_factory) -> Iterator:
    """A boto3 client, answered by the gateway with this patch."""
    ec2_nat.apply()
    server = serve(Gateway(Audit(tmp_path_factory.mktemp("audit") / "audit.jsonl"), {}, {}), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield boto3.client(
        "ec2", region_name=REGION, endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id="tests", aws_secret_access_key="tests",
    )  # fmt: skip
    server.shutdown()


def test_an_address_serves_one_gateway_after_the_other(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.97.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.97.1.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    wanted = {"SubnetId": subnet, "AllocationId": address}
    first = ec2.create_nat_gateway(**wanted)["NatGateway"]["NatGatewayId"]
    with pytest.raises(ClientError, match="AlreadyAssociated"):
        ec2.create_nat_gateway(**wanted)
    ec2.delete_nat_gateway(NatGatewayId=first)
    (left,) = ec2.describe_addresses(AllocationIds=[address])["Addresses"]
    assert not left.get("NetworkInterfaceId")
    second = ec2.create_nat_gateway(**wanted)["NatGateway"]["NatGatewayId"]
    states = {
        one["NatGatewayId"]: one["State"]
        for one in ec2.describe_nat_gateways(NatGatewayIds=[first, second])["NatGateways"]
    }
    assert states == {first: "deleted", second: "available"}
