"""An instance of a fleet is a host that one can log in to, serves through a load balancer, keeps
its sysctls to itself and is replaced when it dies."""

import base64
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.platform.conftest import Cloud, wait_for

PORT, HEALTH = 8899, 8898
SYSCTL = Path("/proc/sys/vm/max_map_count")
# Two servers, as on a node: what is balanced, and what the balancer asks.
USER_DATA = f"""#!/bin/sh
set -eu
mkdir /srv/www && hostname >/srv/www/index.html && cd /srv/www
for port in {PORT} {HEALTH}; do
  systemd-run --unit "web-$port" --working-directory /srv/www python3 -m http.server "$port"
done
"""
IMDS = """
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
  http://169.254.169.254/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id
"""


class Fleet:
    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self.scaling, self.elb = cloud.client("autoscaling"), cloud.client("elbv2")

    def running(self) -> list[dict[str, Any]]:
        return [row for row in self.cloud.status()["hosts"]
                if row["group"] == "hosts" and row["runs"]]  # fmt: skip

    def run(self, address: str, command: str) -> str:
        """Runs a command over SSH; empty while the host isn't ready."""
        return self.cloud.ssh(address, command).stdout.strip()

    def health(self, group: str) -> dict[str, str]:
        rows = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {row["Target"]["Id"]: row["TargetHealth"]["State"] for row in rows}


@pytest.fixture
def fleet(cloud: Cloud) -> Iterator[tuple[Fleet, str, str]]:
    """A group of one host behind a network load balancer: (fleet, target group, address)."""
    made = Fleet(cloud)
    ec2, vpc = cloud.client("ec2"), cloud.vpc
    images = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])
    ec2.create_launch_template(
        LaunchTemplateName="hosts",
        LaunchTemplateData={
            "ImageId": images["Images"][0]["ImageId"], "InstanceType": "t3.micro",
            "KeyName": "drydock", "UserData": base64.b64encode(USER_DATA.encode()).decode(),
            "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [vpc.security_group]}],
            "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}],
        },
    )  # fmt: skip
    group = made.elb.create_target_group(
        Name="hosts", Protocol="TCP", Port=PORT, VpcId=vpc.id, TargetType="instance",
        HealthCheckProtocol="HTTP", HealthCheckPort=str(HEALTH), HealthCheckPath="/",
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    balancer = made.elb.create_load_balancer(
        Name="hosts", Type="network", Scheme="internal", Subnets=vpc.private_subnets
    )["LoadBalancers"][0]
    made.elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="TCP", Port=PORT,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    made.scaling.create_auto_scaling_group(
        AutoScalingGroupName="hosts", MinSize=0, MaxSize=2, DesiredCapacity=1,
        VPCZoneIdentifier=",".join(vpc.private_subnets), TargetGroupARNs=[group],
        LaunchTemplate={"LaunchTemplateName": "hosts", "Version": "1"},
    )  # fmt: skip
    yield made, group, balancer["DNSName"]
    made.scaling.delete_auto_scaling_group(AutoScalingGroupName="hosts", ForceDelete=True)
    made.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    made.elb.delete_target_group(TargetGroupArn=group)
    ec2.delete_launch_template(LaunchTemplateName="hosts")
    wait_for(lambda: not cloud.podman.parts("host"), 60, "the hosts are gone")


def test_a_host_lives_serves_dies_and_is_replaced(fleet: tuple[Fleet, str, str]):
    hosts, group, balancer = fleet
    machine = SYSCTL.read_text()
    host = wait_for(hosts.running, 300, "a host runs")[0]

    wait_for(lambda: hosts.run(host["address"], "sudo id -un") == "root", 60, "SSH as admin")
    assert hosts.run(host["address"], IMDS) == host["id"]
    assert hosts.run(host["address"], "readlink /dev/sdf").startswith("/dev/loop")
    wrote = "sudo sysctl -q -w vm.max_map_count=1234567 net.core.rmem_max=134217728 && "
    read = hosts.run(host["address"], wrote + "sudo sysctl -n vm.max_map_count net.core.rmem_max")
    assert read.split() == ["1234567", "134217728"]
    assert SYSCTL.read_text() == machine, "the machine's own sysctl was changed"

    wait_for(lambda: hosts.health(group) == {host["id"]: "healthy"}, 60, "the target is healthy")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{balancer}:{PORT}/", timeout=10) as answer:
        assert answer.read().decode().strip() == f"ip-{host['address'].replace('.', '-')}"

    hosts.cloud.podman.kill(hosts.cloud.podman.part_name("host", host["id"]))
    other = wait_for(
        lambda: [one for one in hosts.running() if one["id"] != host["id"]], 60, "another host runs"
    )[0]
    wait_for(
        lambda: hosts.health(group).get(other["id"]) == "healthy", 90, "it is healthy in its turn"
    )
    devices = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert host["id"] not in devices, "the dead host's disk is still attached"
