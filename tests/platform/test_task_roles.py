"""A task finds the AWS API and its role's credentials as on Fargate, from its first line on."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drydock.images import DEBIAN
from tests.platform.conftest import Cloud, wait_for

CLUSTER, GROUP = "roles", "/tests/roles"
# No SDK in the image: asks as they do, and then the API who it is.
ASK = """
import json, os, urllib.request as web
path = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
said = {"path": path}
if path:
    given = json.load(web.urlopen("http://169.254.170.2" + path))
    try:
        web.urlopen("http://169.254.170.2/v2/credentials/another")
    except web.HTTPError as error:
        said["another"] = error.code
    scope = "/20260101/" + os.environ["AWS_REGION"] + "/sts/aws4_request"
    asked = web.Request(
        os.environ["AWS_ENDPOINT_URL"], b"Action=GetCallerIdentity&Version=2011-06-15",
        {"Authorization": "AWS4-HMAC-SHA256 Credential=" + given["AccessKeyId"] + scope,
         "X-Amz-Security-Token": given["Token"], "Host": "sts.amazonaws.com"},
    )
    said["role"], said["expires"] = given["RoleArn"], given["Expiration"]
    said["caller"] = web.urlopen(asked).read().decode()
print(json.dumps(said))
"""


@pytest.fixture
def role(cloud: Cloud) -> Iterator[str]:
    iam = cloud.client("iam")
    yield iam.create_role(RoleName="tests-task", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.delete_role(RoleName="tests-task")


@pytest.fixture
def says(cloud: Cloud) -> Iterator[Callable[..., dict[str, Any]]]:
    """Run the program above in a task; return its ID and what it says."""
    ecs, logs = cloud.client("ecs"), cloud.client("logs")
    ecs.create_cluster(clusterName=CLUSTER)
    logs.create_log_group(logGroupName=GROUP)

    def run(**definition: Any) -> dict[str, Any]:
        options = {"awslogs-group": GROUP, "awslogs-region": "us-east-1",
                   "awslogs-stream-prefix": "task"}  # fmt: skip
        made = ecs.register_task_definition(
            family="asks", networkMode="awsvpc", cpu="256", memory="128",
            containerDefinitions=[{
                "name": "asks", "image": DEBIAN, "command": ["python3", "-c", ASK],
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            }],
            **definition,
        )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
        arn = ecs.run_task(
            cluster=CLUSTER, taskDefinition=made, launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": cloud.vpc.private_subnets}},
        )["tasks"][0]["taskArn"]  # fmt: skip

        def ended() -> dict[str, Any] | None:
            (task,) = ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"]
            return task if task["lastStatus"] == "STOPPED" else None

        task = wait_for(ended, 60, "the task ends")
        identifier = arn.rpartition("/")[2]
        stream = {"logGroupName": GROUP, "logStreamName": f"task/asks/{identifier}"}
        lines = [event["message"] for event in logs.get_log_events(**stream)["events"]]
        assert task["containers"][0]["exitCode"] == 0, (task, lines)
        return {"id": identifier, **json.loads(lines[-1])}

    yield run
    ecs.delete_cluster(cluster=CLUSTER)
    logs.delete_log_group(logGroupName=GROUP)


def test_a_task_acts_as_its_role(says: Callable[..., dict[str, Any]], role: str) -> None:
    said = says(taskRoleArn=role)
    assert said["role"] == role
    assert f"assumed-role/tests-task/{said['id']}" in said["caller"]
    assert said["another"] == 404
    assert said["expires"].endswith("Z")


def test_a_task_without_a_role_is_given_nothing(says: Callable[..., dict[str, Any]]) -> None:
    assert says()["path"] is None
