"""ecs-tasks-flapping: what a task needs to start goes away while it runs; then the task goes."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from drydock.faults.release import worse
from tests.platform.conftest import wait_for

from .drill import Platform, rehearse

RUNBOOK = "ecs-tasks-flapping"
HELLO = ("-e", "workload=hello")
ALARM = "hello-tasks"
MENDING = 45


class Releases:
    """Releases of hello, made as any is: through the API."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.ecs = platform.cloud.client("ecs")
        self.service = platform.service_name("hello")

    @property
    def current(self) -> str:
        return self.platform.service("hello")["taskDefinition"]

    def definition(self) -> dict:
        shown = self.ecs.describe_task_definition(taskDefinition=self.current, include=["TAGS"])
        return worse(shown["taskDefinition"], {"set": {"DRILL_RELEASE": "1"}}) | {
            "tags": shown["tags"]
        }

    def release(self, **container: object) -> str:
        """Releases the current revision with a changed container; waits until it is complete."""
        wanted = self.definition()
        wanted["containerDefinitions"][0].update(container)
        made = self.ecs.register_task_definition(**wanted)["taskDefinition"]["taskDefinitionArn"]
        self.run(made)
        return made

    def run(self, arn: str) -> None:
        self.ecs.update_service(
            cluster=self.platform.cluster, service=self.service, taskDefinition=arn
        )

        def complete() -> bool:
            found = self.platform.service("hello")["deployments"]
            return len(found) == 1 and found[0]["rolloutState"] == "COMPLETED"

        wait_for(complete, 90, f"{arn} is complete")

    def kill_one(self) -> None:
        self.platform.fault("kill", "hello", "--tasks", "1")


@pytest.fixture
def releases(platform: Platform) -> Iterator[Releases]:
    found = Releases(platform)
    before = found.current
    yield found
    if found.current != before:
        found.run(before)


@contextlib.contextmanager
def _secret(platform: Platform, name: str) -> Iterator[str]:
    """A secret of the workload's own; gone at the end, if not before."""
    secrets = platform.cloud.client("secretsmanager")
    arn = secrets.create_secret(
        Name=f"drydock-local/hello/{name}",
        SecretString="hunter2-of-the-drill",
        Tags=[{"Key": "Environment", "Value": "local"}],
    )["ARN"]
    try:
        yield arn
    finally:
        with contextlib.suppress(secrets.exceptions.ResourceNotFoundException):
            secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


@pytest.mark.beside
def test_an_image_that_is_gone_is_left_for_the_one_before(
    platform: Platform, releases: Releases
) -> None:
    """The registry has lost the running image; nobody notices until a task has to be replaced."""
    before = releases.current
    image = releases.definition()["containerDefinitions"][0]["image"]
    repository, _, tag = image.rpartition(":")
    ecr = platform.cloud.client("ecr")
    name = repository.split("/", 1)[1]
    (layers,) = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}])["images"]
    ecr.put_image(repositoryName=name, imageManifest=layers["imageManifest"], imageTag="drill")
    releases.release(image=f"{repository}:drill")

    def lose() -> None:
        ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "drill"}])
        releases.kill_one()

    done = rehearse(
        platform,
        RUNBOOK,
        *HELLO,
        alarm=ALARM,
        inject=lose,
        says=("image", "CannotPullContainerError", f"run {before.rsplit('/', 1)[1]} instead of"),
        mending=MENDING,
    )
    assert releases.current == before
    assert len(done.record["runbook"]["actions"]) == 1


def test_a_secret_that_is_gone_is_named_and_left(platform: Platform, releases: Releases) -> None:
    """The deployment before it does not need the secret; had it, the run would only name it."""
    before = releases.current
    with _secret(platform, "drill") as arn:
        releases.release(secrets=[{"name": "DRILL", "valueFrom": arn}])

        def lose() -> None:
            platform.cloud.client("secretsmanager").delete_secret(
                SecretId=arn, ForceDeleteWithoutRecovery=True
            )
            releases.kill_one()

        done = rehearse(
            platform,
            RUNBOOK,
            *HELLO,
            alarm=ALARM,
            inject=lose,
            says=("secret", arn, "ResourceInitializationError"),
            mending=MENDING,
        )
    assert releases.current == before
    for run in (done.check, done.run, done.again):
        assert "hunter2-of-the-drill" not in run.output
    assert "hunter2-of-the-drill" not in json.dumps(done.record)
