"""Auto Scaling groups, launch templates and placement groups, as a client of the API sees them."""

import base64
import functools
import threading
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import boto3
import botocore.exceptions
import pytest

from drydock.audit import Audit
from drydock.controllers.scaling import FleetController, controller
from drydock.gateway import Gateway, serve
from drydock.metrics import Metrics
from drydock.moto import cloudwatch, patches
from drydock.moto.patches import elbv2
from drydock.settings import Settings

REGION = "eu-west-3"  # no other test's
KEY = "arn:aws:kms:eu-west-3:123456789012:key/00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator:
    """A boto3 client of a service, answered by the gateway with all patches."""
    patches.apply()
    audit = Audit(tmp_path_factory.mktemp("audit") / "audit.jsonl")
    server = serve(Gateway(audit, patches.operations(), {}), 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    @functools.cache
    def make(service: str):
        return boto3.client(
            service, region_name=REGION, endpoint_url=f"http://127.0.0.1:{server.port}",
            aws_access_key_id="tests", aws_secret_access_key="tests",
        )  # fmt: skip

    yield make
    server.shutdown()


@pytest.fixture(scope="module")
def network(client) -> dict:
    """A VPC with subnets in two zones, and a security group."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{number}.0/24", AvailabilityZone=zone)
        for number, zone in enumerate((f"{REGION}a", f"{REGION}b"))
    ]
    group = ec2.create_security_group(GroupName="node", Description="-", VpcId=vpc)
    return {"subnets": [one["Subnet"]["SubnetId"] for one in subnets], "group": group["GroupId"]}


@pytest.fixture
def template(client, network) -> Iterator[str]:
    """A launch template with tags of its own, an io2 disk, and no public address."""
    made = client("ec2").create_launch_template(
        LaunchTemplateName="node",
        TagSpecifications=[_tags("launch-template", Owner="me")],
        LaunchTemplateData={
            "ImageId": "ami-0deb1a00000000012",
            "InstanceType": "m7i.large",
            "UserData": base64.b64encode(b"first").decode(),
            "MetadataOptions": {"HttpTokens": "required"},
            "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": False,
                                   "Groups": [network["group"]]}],
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3"}},
                {"DeviceName": "/dev/sdf", "Ebs": {
                    "VolumeSize": 100, "VolumeType": "io2", "Iops": 5000, "Encrypted": True,
                    "KmsKeyId": KEY}},
            ],
            "TagSpecifications": [_tags("volume", Owner="me")],
        },
    )["LaunchTemplate"]["LaunchTemplateId"]  # fmt: skip
    yield made
    client("ec2").delete_launch_template(LaunchTemplateId=made)


@pytest.fixture
def group(client, network, template) -> Iterator[str]:
    """An empty group that may hold 8, every second one above the first on Spot."""
    auto = client("autoscaling")
    auto.create_auto_scaling_group(
        AutoScalingGroupName="fleet", MinSize=0, MaxSize=8, DesiredCapacity=0,
        VPCZoneIdentifier=",".join(network["subnets"]), DefaultInstanceWarmup=77,
        PlacementGroup="fleet", TerminationPolicies=["OldestInstance"],
        ServiceLinkedRoleARN="arn:aws:iam::123456789012:role/own",
        Tags=[{"Key": "Role", "Value": "node", "PropagateAtLaunch": True}],
        MixedInstancesPolicy={
            "InstancesDistribution": {"OnDemandBaseCapacity": 1,
                                      "OnDemandPercentageAboveBaseCapacity": 50},
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"},
                "Overrides": [{"InstanceType": "r7a.large"}, {"InstanceType": "r6a.large"}],
            },
        },
    )  # fmt: skip
    yield "fleet"
    auto.delete_auto_scaling_group(AutoScalingGroupName="fleet", ForceDelete=True)


def _tags(kind: str, **tags: str) -> dict:
    return {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}


def _group(client) -> dict:
    found = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["fleet"])
    return found["AutoScalingGroups"][0]


def _instances(client) -> list[dict]:
    wanted = [{"Name": "tag:Role", "Values": ["node"]},
              {"Name": "instance-state-name", "Values": ["running"]}]  # fmt: skip
    found = client("ec2").describe_instances(Filters=wanted)["Reservations"]
    return [instance for one in found for instance in one["Instances"]]


def _scale(client, count: int) -> None:
    client("autoscaling").set_desired_capacity(AutoScalingGroupName="fleet", DesiredCapacity=count)


def test_settings_stay_as_they_were_given(client, group):
    def kept() -> tuple:
        found = _group(client)
        policy = found["MixedInstancesPolicy"]["LaunchTemplate"]
        return (
            found["DefaultInstanceWarmup"], found["PlacementGroup"], found["TerminationPolicies"],
            found["ServiceLinkedRoleARN"], [one["InstanceType"] for one in policy["Overrides"]],
        )  # fmt: skip

    given = (77, "fleet", ["OldestInstance"], "arn:aws:iam::123456789012:role/own",
             ["r7a.large", "r6a.large"])  # fmt: skip
    assert kept() == given
    client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=group, MaxSize=7)
    assert kept() == given and _group(client)["MaxSize"] == 7
    client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=group, DefaultInstanceWarmup=5, TerminationPolicies=["Default"]
    )
    assert kept() == (5, "fleet", ["Default"], *given[3:])


def test_instances_are_what_the_template_says_in_both_zones(client, network, group):
    _scale(client, 4)
    made = _instances(client)
    assert Counter(one["SubnetId"] for one in made) == dict.fromkeys(network["subnets"], 2)
    one = made[0]
    assert one["InstanceType"] == "r7a.large" and one["MetadataOptions"]["HttpTokens"] == "required"
    assert [found["GroupId"] for found in one["SecurityGroups"]] == [network["group"]]
    assert "PublicIpAddress" not in one and one["Placement"]["GroupName"] == "fleet"
    tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "fleet"
    assert tags["aws:ec2launchtemplate:version"] == "1"
    shown = _group(client)["Instances"]
    assert {(it["LifecycleState"], it["HealthStatus"]) for it in shown} == {
        ("InService", "Healthy")
    }
    assert {it["LaunchTemplate"]["Version"] for it in shown} == {"1"}


def test_disks_are_the_templates_with_its_tags(client, group):
    _scale(client, 1)
    disks = {it["DeviceName"]: it["Ebs"]["VolumeId"]
             for it in _instances(client)[0]["BlockDeviceMappings"]}  # fmt: skip
    assert sorted(disks) == ["/dev/sdf", "/dev/xvda"]
    found = client("ec2").describe_volumes(VolumeIds=[disks["/dev/sdf"]])["Volumes"][0]
    assert (found["Size"], found["VolumeType"], found["Iops"]) == (100, "io2", 5000)
    assert found["KmsKeyId"] == KEY and {"Key": "Owner", "Value": "me"} in found["Tags"]
    _scale(client, 0)
    gone = client("ec2").describe_volumes(
        Filters=[{"Name": "volume-id", "Values": list(disks.values())}]
    )
    assert gone["Volumes"] == []


def test_spot_instances_are_the_share_that_was_asked_for(client, group):
    _scale(client, 5)
    kinds = Counter(one.get("InstanceLifecycle", "on demand") for one in _instances(client))
    assert kinds == {"on demand": 3, "spot": 2}


def test_the_fullest_zone_gives_up_its_newest(client, network, group):
    _scale(client, 3)
    before = _instances(client)
    newest = [one for one in before if one["SubnetId"] == network["subnets"][0]][-1]
    _scale(client, 2)
    left = {one["InstanceId"] for one in _instances(client)}
    assert left == {one["InstanceId"] for one in before} - {newest["InstanceId"]}


def test_targets_come_and_leave_with_their_instances(client, network, group):
    vpc = client("ec2").describe_subnets(SubnetIds=network["subnets"])["Subnets"][0]["VpcId"]
    elb = client("elbv2")
    arn = elb.create_target_group(
        Name="fleet", Protocol="TCP", Port=8899, VpcId=vpc, TargetType="instance",
        HealthCheckProtocol="TCP",
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    client("autoscaling").attach_load_balancer_target_groups(
        AutoScalingGroupName=group, TargetGroupARNs=[arn]
    )

    def registered() -> set[str]:
        found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {it["Target"]["Id"] for it in found if it["TargetHealth"]["State"] != "draining"}

    _scale(client, 2)
    assert registered() == {one["InstanceId"] for one in _instances(client)}
    lost = registered().pop()
    client("ec2").terminate_instances(InstanceIds=[lost])
    assert (
        registered() == {one["InstanceId"] for one in _instances(client)} and len(registered()) == 2
    )
    assert lost not in registered()
    _scale(client, 0)
    assert registered() == set()


def test_overrides_that_are_not_shown_are_refused(client, network, template):
    with pytest.raises(botocore.exceptions.ClientError, match="WeightedCapacity"):
        client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName="weighted", MinSize=0, MaxSize=1,
            VPCZoneIdentifier=network["subnets"][0],
            MixedInstancesPolicy={"LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template},
                "Overrides": [{"InstanceType": "r7a.large", "WeightedCapacity": "2"}]}},
        )  # fmt: skip


def test_a_templates_own_tags_are_not_those_of_what_it_launches(client, template):
    ec2 = client("ec2")
    version = ec2.describe_launch_template_versions(LaunchTemplateId=template)
    data = version["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert [it["ResourceType"] for it in data["TagSpecifications"]] == ["volume"]
    own = ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"][0]
    assert own["Tags"] == [{"Key": "Owner", "Value": "me"}]


def test_a_later_version_is_launched_with_its_user_data(client, template, group):
    ec2 = client("ec2")
    ec2.create_launch_template_version(
        LaunchTemplateId=template,
        LaunchTemplateData={"ImageId": "ami-0deb1a00000000013", "InstanceType": "m7i.large",
                            "UserData": base64.b64encode(b"second").decode()},
    )  # fmt: skip
    specification = {"LaunchTemplateId": template, "Version": "2"}
    client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=group,
        MixedInstancesPolicy={"LaunchTemplate": {"LaunchTemplateSpecification": specification}},
    )
    _scale(client, 1)
    one = _instances(client)[0]
    assert one["ImageId"] == "ami-0deb1a00000000013"
    told = ec2.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute="userData")
    assert base64.b64decode(told["UserData"]["Value"]) == b"second"


def test_debians_images_are_found_by_who_published_them(client):
    found = client("ec2").describe_images(
        Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}]
    )["Images"]
    assert [(one["ImageId"], one["RootDeviceName"]) for one in found] == [
        ("ami-0deb1a00000000012", "/dev/xvda")
    ]


def test_placement_groups_live_as_on_aws(client):
    ec2 = client("ec2")
    made = ec2.create_placement_group(
        GroupName="racks", Strategy="spread", TagSpecifications=[_tags("placement-group", a="1")]
    )["PlacementGroup"]
    assert (made["State"], made["SpreadLevel"]) == ("available", "rack")
    ec2.create_tags(Resources=[made["GroupId"]], Tags=[{"Key": "b", "Value": "2"}])
    shown = ec2.describe_placement_groups(GroupNames=["racks"])["PlacementGroups"][0]
    assert {tag["Key"]: tag["Value"] for tag in shown["Tags"]} == {"a": "1", "b": "2"}
    with pytest.raises(botocore.exceptions.ClientError, match="Duplicate"):
        ec2.create_placement_group(GroupName="racks")
    ec2.delete_placement_group(GroupName="racks")
    with pytest.raises(botocore.exceptions.ClientError, match=r"InvalidPlacementGroup\.Unknown"):
        ec2.describe_placement_groups(GroupNames=["racks"])


def test_a_placement_group_in_use_stays(client, group):
    ec2 = client("ec2")
    ec2.create_placement_group(GroupName="fleet", Strategy="spread")
    with pytest.raises(botocore.exceptions.ClientError, match="InUse"):
        ec2.delete_placement_group(GroupName="fleet")


def test_policies_and_hooks_hold_nothing_that_nobody_gave(client, group):
    auto = client("autoscaling")
    auto.put_lifecycle_hook(
        AutoScalingGroupName=group, LifecycleHookName="drain",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=60,
    )  # fmt: skip
    hook = auto.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"][0]
    assert not hook.keys() & {"RoleARN", "NotificationTargetARN"}
    auto.put_scaling_policy(
        AutoScalingGroupName=group, PolicyName="load", PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "TargetValue": 5.0,
            "CustomizedMetricSpecification": {
                "Namespace": "Drydock/Solana", "MetricName": "m", "Statistic": "Average"},
        },
    )  # fmt: skip
    policy = auto.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"][0]
    assert policy["Enabled"] and "PredictiveScalingConfiguration" not in policy


# --- following an alarm --------------------------------------------------------------------

OWN = {"Namespace": "Drydock/Solana", "MetricName": "RpcRequestsPerSecond", "Statistic": "Average",
       "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "fleet"}]}  # fmt: skip


class Follower:
    """A controller of its own clock, that reads what the test says."""

    def __init__(self, client, tmp_path, monkeypatch):
        self.client, self.now, self.value = client, 1000.0, 0.0
        monkeypatch.setattr(controller, "time", SimpleNamespace(monotonic=lambda: self.now))
        settings = Settings(tmp_path, 4720, 4721)
        self.controller = FleetController(SimpleNamespace(settings=settings, metrics=Metrics()))
        self.controller._readings = SimpleNamespace(latest=lambda alarm: self.value)
        self.warmup = settings.scaled(77)  # the group's own

    def follow(self, **tracking) -> list[str]:
        """Puts a policy; the names of its alarms."""
        self.client("autoscaling").put_scaling_policy(
            AutoScalingGroupName="fleet", PolicyName="load", PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={
                "TargetValue": 100.0, "CustomizedMetricSpecification": OWN, **tracking},
        )  # fmt: skip
        found = self.client("autoscaling").describe_policies(AutoScalingGroupName="fleet")
        return [alarm["AlarmName"] for alarm in found["ScalingPolicies"][0]["Alarms"]]

    def step(self, value: float, seconds: float = 0.0, **states: str) -> int:
        """Lets time pass, a value and alarms come; the number of instances after it."""
        self.value, self.now = value, self.now + seconds
        for one in cloudwatch.alarms(REGION):
            one.state = states.get("high" if "-AlarmHigh-" in one.name else "low", "OK")
        self.controller.reconcile()
        return len(_instances(self.client))


@pytest.fixture
def follower(client, group, tmp_path, monkeypatch) -> Follower:
    return Follower(client, tmp_path, monkeypatch)


def test_a_policy_has_two_alarms_on_its_metric_and_takes_them_with_it(client, follower):
    high, low = follower.follow()
    assert high.startswith("TargetTracking-fleet-AlarmHigh-") and "-AlarmLow-" in low
    given = cloudwatch.alarm(REGION, high).parameters
    assert (given["Namespace"], given["Threshold"]) == ("Drydock/Solana", 100.0)
    assert given["Dimensions"] == OWN["Dimensions"]
    assert follower.follow(TargetValue=120.0, DisableScaleIn=True) == [high]
    assert cloudwatch.alarm(REGION, high).parameters["Threshold"] == 120.0
    client("autoscaling").delete_policy(AutoScalingGroupName="fleet", PolicyName="load")
    assert cloudwatch.alarms(REGION) == []


def test_a_group_grows_with_its_load_and_shrinks_without(client, follower):
    follower.follow()
    _scale(client, 2)
    assert follower.step(150.0) == 2  # no alarm, whatever the value
    assert follower.step(150.0, high="ALARM") == 3
    assert follower.step(150.0, seconds=6, high="ALARM") == 3  # what comes is still warming up
    assert follower.step(900.0, seconds=follower.warmup + 6, high="ALARM") == 8  # MaxSize
    assert follower.step(10.0, seconds=follower.warmup + 6, low="ALARM") == 1
    causes = [one.cause for one in follower.controller._activities.listed(REGION, "fleet")]
    assert len(causes) == 3 and "-AlarmLow-" in causes[0] and "policy load" in causes[0]


def test_activities_say_why(client, follower):
    follower.follow()
    _scale(client, 1)
    follower.step(300.0, high="ALARM")
    follower.step(300.0)
    call = follower.controller.operations()["autoscaling", "DescribeScalingActivities"]
    told = call(SimpleNamespace(region=REGION), {"AutoScalingGroupName": "fleet"})["Activities"][0]
    assert (told["StatusCode"], told["Description"]) == (
        "Successful", "Setting desired capacity to 3.")  # fmt: skip


def test_a_group_that_was_told_not_to_listen_does_not(client, follower):
    follower.follow()
    _scale(client, 1)
    client("autoscaling").suspend_processes(
        AutoScalingGroupName="fleet", ScalingProcesses=["AlarmNotification"]
    )
    assert follower.step(300.0, high="ALARM") == 1


def test_a_group_takes_policies_and_alarms_with_it(client, network, template, follower):
    auto = client("autoscaling")
    auto.create_auto_scaling_group(
        AutoScalingGroupName="short", MinSize=0, MaxSize=1, VPCZoneIdentifier=network["subnets"][0],
        LaunchTemplate={"LaunchTemplateId": template},
    )  # fmt: skip
    auto.put_scaling_policy(
        AutoScalingGroupName="short", PolicyName="cpu", PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={"TargetValue": 50.0, "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ASGAverageCPUUtilization"}},
    )  # fmt: skip
    assert len(cloudwatch.alarms(REGION)) == 2
    auto.delete_auto_scaling_group(AutoScalingGroupName="short", ForceDelete=True)
    assert cloudwatch.alarms(REGION) == []
    assert auto.describe_policies(PolicyNames=["cpu"])["ScalingPolicies"] == []


def test_a_network_load_balancers_arn_says_so(client, network, monkeypatch):
    monkeypatch.setattr(elbv2, "_allocate", [lambda subnet: "10.99.0.9"])
    elb = client("elbv2")
    made = elb.create_load_balancer(Name="net", Type="network", Subnets=network["subnets"])
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    assert ":loadbalancer/net/net/" in arn
    elb.delete_load_balancer(LoadBalancerArn=arn)
