"""Entries of network ACLs, as a client of the API sees them."""

import threading
from collections.abc import Iterator

import boto3
import pytest

from drydock.audit import Audit
from drydock.gateway import Gateway, serve
from drydock.moto.patches import ec2_acls

REGION = "eu-west-2"  # no other test's


@pytest.fixture(scope="module")
def ec2(tmp_path_factory) -> Iterator:
    """A boto3 client, answered by the gateway with this patch."""
    ec2_acls.apply()
    server = serve(Gateway(Audit(tmp_path_factory.mktemp("audit") / "audit.jsonl"), {}, {}), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield boto3.client(
        "ec2", region_name=REGION, endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id="tests", aws_secret_access_key="tests",
    )  # fmt: skip
    server.shutdown()


def _entries(ec2, acl: str) -> dict[int, dict]:
    found = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
    return {entry["RuleNumber"]: entry for entry in found if not entry["Egress"]}


def test_an_entry_keeps_type_and_code_of_its_icmp(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.98.0.0/16")["Vpc"]["VpcId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    common = {"NetworkAclId": acl, "RuleAction": "allow", "Egress": False}
    too_large = {"Protocol": "1", "CidrBlock": "0.0.0.0/0", "RuleNumber": 100}
    ec2.create_network_acl_entry(**common, **too_large, IcmpTypeCode={"Type": 3, "Code": 4})
    web = {"Protocol": "6", "CidrBlock": "0.0.0.0/0", "RuleNumber": 110}
    ec2.create_network_acl_entry(**common, **web, PortRange={"From": 80, "To": 80})
    entries = _entries(ec2, acl)
    assert entries[100]["IcmpTypeCode"] == {"Type": 3, "Code": 4}
    assert "IcmpTypeCode" not in entries[110]

    ec2.replace_network_acl_entry(**common, **too_large, IcmpTypeCode={"Type": 8, "Code": 0})
    entries = _entries(ec2, acl)
    assert entries[100]["IcmpTypeCode"] == {"Type": 8, "Code": 0}
    assert entries[110]["PortRange"] == {"From": 80, "To": 80}
