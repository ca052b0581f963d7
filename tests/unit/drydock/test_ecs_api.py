"""ECS's answers about services and tasks, as a deploy and Terraform read them."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from drydock.controllers.ecs.api import Api
from drydock.controllers.ecs.registry import Registry
from drydock.errors import ApiError
from drydock.moto.api import PASS, Context

HERE = Context("us-east-1")


class Cloud:
    """The API without containers: launched tasks stay where they are."""

    def __init__(self, ecs, subnets: list[str]):
        self.registry, self.launched, self.wakes = Registry(), [], 0
        api = Api(self.registry, self.launched.append, self._wake)
        self._calls = {action: call for (_, action), call in api.operations().items()}
        self.ecs = ecs
        self.network = {"awsvpcConfiguration": {"subnets": subnets}}
        self.ecs.create_cluster(clusterName="c")
        self.first, self.second = self.define(), self.define()

    def _wake(self):
        self.wakes += 1

    def define(self, *names: str, mode: str = "awsvpc") -> str:
        containers = [
            {"name": name, "image": "web", "memory": 128, "portMappings": [{"containerPort": 80}]}
            for name in names or ("web",)
        ]
        return self.ecs.register_task_definition(
            family="web", networkMode=mode, containerDefinitions=containers, cpu="256", memory="512"
        )["taskDefinition"]["taskDefinitionArn"]

    def call(self, action: str, **params):
        return self._calls[action](HERE, {"cluster": "c", **params})

    def create(self, **more) -> dict:
        given = {"serviceName": "web", "taskDefinition": self.first, "desiredCount": 2,
                 "networkConfiguration": self.network, "launchType": "FARGATE"}  # fmt: skip
        return self.call("CreateService", **{**given, **more})["service"]

    def update(self, **params) -> dict:
        return self.call("UpdateService", service="web", **params)["service"]

    def describe(self, **more) -> dict:
        return self.call("DescribeServices", services=["web"], **more)["services"][0]


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple]:
    """moto with two subnets; made once, for its EC2 takes seconds."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        ecs, ec2 = (boto3.client(name, region_name="us-east-1") for name in ("ecs", "ec2"))
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24")["Subnet"]["SubnetId"]
            for n in (0, 1)
        ]
        yield ecs, subnets


@pytest.fixture
def cloud(aws) -> Cloud:
    return Cloud(*aws)


def test_defaults_are_filled_in(cloud):
    made = cloud.create()
    assert made["deploymentConfiguration"] == {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING",
    }  # fmt: skip
    assert made["deploymentController"] == {"type": "ECS"}
    assert (made["launchType"], made["platformVersion"]) == ("FARGATE", "LATEST")
    assert made["schedulingStrategy"] == "REPLICA" and made["propagateTags"] == "NONE"
    assert made["status"] == "ACTIVE" and made["deployments"][0]["platformVersion"] == "1.4.0"
    assert "healthCheckGracePeriodSeconds" not in made


def test_what_was_given_comes_back(cloud):
    given = {
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "deploymentConfiguration": {
            "maximumPercent": 150, "minimumHealthyPercent": 50, "strategy": "ROLLING",
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "alarms": {"alarmNames": ["a"], "enable": True, "rollback": True},
        },
        "enableECSManagedTags": True, "enableExecuteCommand": True, "platformVersion": "1.4.0",
        "healthCheckGracePeriodSeconds": 60, "propagateTags": "SERVICE",
        "availabilityZoneRebalancing": "ENABLED",
        "serviceRegistries": [{"registryArn": "arn:r"}],
    }  # fmt: skip
    cloud.create(**given, launchType=None, tags=[{"key": "a", "value": "b"}])
    shown = cloud.describe()
    assert {key: shown[key] for key in given} == given
    assert "launchType" not in shown and "tags" not in shown
    assert cloud.describe(include=["TAGS"])["tags"] == [{"key": "a", "value": "b"}]


def test_the_cluster_s_default_strategy_is_taken(cloud):
    cloud.ecs.put_cluster_capacity_providers(
        cluster="c", capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
    )  # fmt: skip
    made = cloud.create(launchType=None)
    assert made["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE"


def test_the_answer_to_an_update_names_the_deployment(cloud):
    first = cloud.create()["deployments"][0]["id"]
    updated = cloud.update(taskDefinition=cloud.second)
    ids = [(d["id"], d["status"]) for d in updated["deployments"]]
    assert ids[1] == (first, "ACTIVE") and ids[0][1] == "PRIMARY" and ids[0][0] != first
    assert updated["taskDefinition"] == cloud.second
    assert [(d["id"], d["status"]) for d in cloud.describe()["deployments"]] == ids
    assert cloud.wakes == 2


@pytest.mark.parametrize(
    "params",
    [
        {"desiredCount": 5},
        {"healthCheckGracePeriodSeconds": 9},
        {"deploymentConfiguration": {"maximumPercent": 150}},
        {"enableExecuteCommand": True},
        {"propagateTags": "SERVICE"},
    ],
)
def test_what_makes_no_deployment(cloud, params):
    before = cloud.create()
    after = cloud.update(**params, taskDefinition=cloud.first)
    assert [d["id"] for d in after["deployments"]] == [d["id"] for d in before["deployments"]]


def test_what_makes_one(cloud):
    cloud.create()
    other = {
        "awsvpcConfiguration": {"subnets": cloud.network["awsvpcConfiguration"]["subnets"][:1]}
    }
    for number, params in enumerate(
        ({"forceNewDeployment": True}, {"taskDefinition": "web"}, {"platformVersion": "1.4.0"},
         {"networkConfiguration": other}), start=2,
    ):  # fmt: skip
        assert len(cloud.update(**params)["deployments"]) == number


def test_a_partial_deployment_configuration_keeps_the_rest(cloud):
    cloud.create(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True}})
    shown = cloud.update(deploymentConfiguration={"maximumPercent": 150})
    assert shown["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True}
    assert shown["deploymentConfiguration"]["maximumPercent"] == 150


def test_a_family_means_its_newest_revision(cloud):
    assert cloud.create(taskDefinition="web")["taskDefinition"] == cloud.second


def test_delete(cloud):
    cloud.create()
    with pytest.raises(ApiError, match="scaled above 0"):
        cloud.call("DeleteService", service="web")
    with pytest.raises(ApiError, match="ClusterContainsServices"):
        cloud.call("DeleteCluster")
    shown = cloud.call("DeleteService", service="web", force=True)["service"]
    assert (shown["status"], shown["desiredCount"]) == ("DRAINING", 0)
    with pytest.raises(ApiError, match="ServiceNotActive"):
        cloud.update(desiredCount=1)
    with pytest.raises(ApiError, match="still Draining"):
        cloud.create()
    next(iter(cloud.registry.services.values())).status = "INACTIVE"
    assert cloud.describe()["status"] == "INACTIVE"
    assert cloud.call("ListServices")["serviceArns"] == []
    assert cloud.call("DeleteCluster") is PASS
    assert cloud.create()["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"taskDefinition": "none"}, "TaskDefinition not found: none"),
        ({"networkConfiguration": None}, "Network Configuration must be provided"),
        ({"cluster": "none"}, "ClusterNotFoundException"),
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "CODE_DEPLOY"),
        ({"schedulingStrategy": "DAEMON"}, "daemon"),
        ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "BLUE_GREEN"),
        ({"deploymentConfiguration": {"maximumPercent": 100}}, "cannot be 100"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "both a launch type"),
        ({"loadBalancers": [{"containerName": "no", "containerPort": 80}]}, "container no does"),
        ({"loadBalancers": [{"containerName": "web", "containerPort": 9}]}, "container port 9"),
        ({"loadBalancers": [{"containerName": "web", "containerPort": 80,
                             "targetGroupArn": "arn:none"}]}, "associated load balancer"),
    ],
)  # fmt: skip
def test_refusals(cloud, params, words):
    with pytest.raises(ApiError, match=words):
        cloud.create(**params)
    assert not cloud.registry.services


def test_definitions_that_cannot_run_here_are_refused(cloud):
    with pytest.raises(ApiError, match=r"containers a, b.*one container"):
        cloud.create(taskDefinition=cloud.define("a", "b"))
    with pytest.raises(ApiError, match="use 'awsvpc'"):
        cloud.create(taskDefinition=cloud.define(mode="bridge"))
    cloud.ecs.deregister_task_definition(taskDefinition=cloud.first)
    with pytest.raises(ApiError, match="inactive"):
        cloud.create()


def test_tasks(cloud):
    made = cloud.call(
        "RunTask", taskDefinition="web", count=3, startedBy="me", launchType="FARGATE",
        networkConfiguration=cloud.network,
    )["tasks"]  # fmt: skip
    assert len(cloud.launched) == 3 and len({t["attachments"][0]["id"] for t in made}) == 3
    subnets = [task["attachments"][0]["details"][0]["value"] for task in made]
    assert set(subnets) == set(cloud.network["awsvpcConfiguration"]["subnets"])
    page = cloud.call("ListTasks", maxResults=2)
    assert len(page["taskArns"]) == 2
    rest = cloud.call("ListTasks", maxResults=2, nextToken=page["nextToken"])
    assert len(rest["taskArns"]) == 1 and "nextToken" not in rest
    assert cloud.call("ListTasks", startedBy="other")["taskArns"] == []
    stopped = cloud.call("StopTask", task=made[0]["taskArn"])["task"]
    assert stopped["desiredStatus"] == "STOPPED"
    assert stopped["stoppedReason"] == "Task stopped by user"
    listed = cloud.call("ListTasks", desiredStatus="STOPPED")["taskArns"]
    assert listed == [made[0]["taskArn"]]
    found = cloud.call("DescribeTasks", tasks=[made[1]["taskArn"], "none"])
    assert [task["taskArn"] for task in found["tasks"]] == [made[1]["taskArn"]]
    assert found["failures"][0]["reason"] == "MISSING"
    cloud.call("DescribeClusters", clusters=["c"])
    shown = cloud.ecs.describe_clusters(clusters=["c"])["clusters"][0]
    assert (shown["pendingTasksCount"], shown["runningTasksCount"]) == (2, 0)
    with pytest.raises(ApiError, match="ClusterContainsTasks"):
        cloud.call("DeleteCluster")
