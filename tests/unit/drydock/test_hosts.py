"""What hosts are told and made of, without a container."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from drydock import disks, images
from drydock.controllers.hosts import metadata
from drydock.moto import fleets, instances, patches
from drydock.moto.autoscaling import Target
from drydock.network import router

REGION = "us-east-1"
TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"


@pytest.fixture
def ec2():
    patches.apply()
    with mock_aws():
        yield boto3.client("ec2", region_name=REGION)


@pytest.fixture
def fleet(ec2):
    """A group of two Debian hosts with a disk, a key and a role."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="node", AssumeRolePolicyDocument="{}")
    profile = iam.create_instance_profile(InstanceProfileName="node")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    instances.import_key(REGION, "operator", _public_key())
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])
    ec2.create_launch_template(
        LaunchTemplateName="node",
        LaunchTemplateData={
            "ImageId": image["Images"][0]["ImageId"],
            "InstanceType": "t3.micro",
            "KeyName": "operator",
            "IamInstanceProfile": {"Arn": profile},
            "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}},
                {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3}},
            ],
        },
    )
    boto3.client("autoscaling", region_name=REGION).create_auto_scaling_group(
        AutoScalingGroupName="fleet", MinSize=0, MaxSize=3, DesiredCapacity=2,
        VPCZoneIdentifier=subnet, LaunchTemplate={"LaunchTemplateName": "node", "Version": "1"},
        Tags=[{"Key": "Role", "Value": "solana_rpc", "PropagateAtLaunch": True}],
    )  # fmt: skip
    return Target(REGION, "fleet", 0, 3, {})


def _public_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.generate().public_key()
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return public.public_bytes(*form).decode()


def _running() -> list[instances.Instance]:
    return [one for one in instances.instances() if one.state == "running"]


def test_an_instance_is_read_as_its_template_says(fleet):
    one = _running()[0]
    assert one.release == "13"
    assert images.SUITES[one.release] == "trixie"
    assert [(disk.device, disk.gigabytes) for disk in one.volumes] == [("/dev/sdf", 3)]
    assert one.key[0] == "operator"
    assert one.key[1].startswith("ssh-ed25519 ")
    assert (one.group, one.tags["Role"], one.tags_shown) == ("fleet", "solana_rpc", True)


def test_an_instance_that_died_is_replaced_and_no_other(fleet):
    dead, kept = _running()
    instances.died(dead.id, "the host has ended")
    assert fleets.replace_dead(fleet) == [dead.id]
    now = {one.id for one in _running()}
    assert kept.id in now
    assert dead.id not in now
    assert len(now) == 2
    assert fleets.replace_dead(fleet) == []


def test_nothing_is_replaced_while_that_is_suspended(fleet):
    boto3.client("autoscaling", region_name=REGION).suspend_processes(
        AutoScalingGroupName="fleet", ScalingProcesses=["ReplaceUnhealthy"]
    )
    instances.died(_running()[0].id, "the host has ended")
    assert fleets.replace_dead(fleet) == []
    assert len(_running()) == 1


def test_metadata_tell_place_tags_and_credentials(fleet):
    one = _running()[0]
    found = metadata.tree(one)
    assert metadata.look_up(found, "meta-data/instance-id") == one.id
    assert metadata.look_up(found, "meta-data/tags/instance/Role") == "solana_rpc"
    assert metadata.look_up(found, "meta-data/public-keys/") == "0=0"
    assert metadata.look_up(found, "meta-data/block-device-mapping/ebs1") == "sdf"
    assert metadata.look_up(found, "meta-data/autoscaling/target-lifecycle-state") == "InService"
    assert metadata.look_up(found, "meta-data/iam/security-credentials") == "node"
    assert '"AccessKeyId"' in metadata.look_up(found, "meta-data/iam/security-credentials/node")
    assert metadata.look_up(found, "meta-data/nothing") is None
    assert metadata.look_up(found, "user-data") is None


def test_metadata_want_a_token_that_was_given(fleet):
    one = _running()[0]
    service = SimpleNamespace(_find=lambda: one, _tokens={})
    ask = lambda path, headers: metadata.Metadata.answer(service, path, headers)  # noqa: E731
    give = lambda headers: metadata.Metadata.token(service, "/latest/api/token", headers)  # noqa: E731
    assert give({})[0] == 400
    assert give({TTL: "21601"})[0] == 400
    assert give({TTL: "60", "X-Forwarded-For": "10.0.0.1"})[0] == 403
    status, token = give({TTL.lower(): "60"})
    assert status == 200
    assert ask("/latest/meta-data/instance-id", {})[0] == 401
    assert ask("/latest/meta-data/instance-id", {TOKEN: "wrong"})[0] == 401
    assert ask("/latest/meta-data/instance-id", {TOKEN: token}) == (200, one.id)
    assert ask("/2021-03-23/meta-data/nothing", {TOKEN: token})[0] == 404


def test_a_vpc_is_answered_at_its_first_address():
    assert router("10.77.0.0/16") == "10.77.0.1"


def test_a_disk_keeps_its_device_and_is_let_go(tmp_path: Path):
    if subprocess.run(["losetup", "--find"], capture_output=True, check=False).returncode:
        pytest.skip("this machine has no loop devices for us")
    file = tmp_path / "vol-1"
    device = disks.attach(file, 1)
    try:
        assert disks.attach(file, 1) == device
        assert file.stat().st_size == 2**30
        assert file.stat().st_blocks == 0
    finally:
        living = file.parent
        assert disks.detach(tmp_path.parent, spare=lambda folder: folder == living) == 0
        assert disks.detach(tmp_path) == 1
    assert disks.detach(tmp_path) == 0
