"""What a task is made of, without starting one."""

import resource
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from drydock.controllers.ecs.container import options
from drydock.controllers.ecs.container_log import Lines
from drydock.controllers.ecs.health_check import Probe
from drydock.controllers.ecs.model import Service, Task
from drydock.errors import DrydockError
from drydock.moto import ecs, secrets
from drydock.moto.ecs import Definition
from drydock.settings import ACCOUNT_ID


def task(volumes: tuple = (), overrides: dict | None = None, **container) -> Task:
    made = {"name": "web", "image": "web:1", **container}
    definition = Definition("arn:web:1", "web", True, "awsvpc", (made,), volumes, 256, 512)
    return Task(definition, "us-east-1", "c", ip="10.0.0.9", overrides=overrides or {})


def flags(**given) -> list[str]:
    return options(task(**given), Path("/home/task"))


# --- podman's flags ------------------------------------------------------------------------


def test_defaults():
    made = flags()
    assert "--hostname=ip-10-0-0-9" in made
    assert "--memory=512m" in made and "--memory-swap=512m" in made
    assert "--cpu-shares=256" in made
    assert "--cpus=0.25" in made  # a quarter of a processor and no more, as on Fargate
    assert "--no-healthcheck" in made  # the image's own is not ECS's
    assert "--http-proxy=false" in made
    assert not [flag for flag in made if flag.startswith(("--volume", "--read-only", "--user"))]


def test_a_container_s_own_limits_win():
    made = flags(memory=128, cpu=64)
    assert "--memory=128m" in made and "--cpu-shares=64" in made
    assert "--cpus=0.25" in made  # the task's


def test_what_the_definition_asks_for():
    made = flags(
        entryPoint=["/bin/sh", "-c"],
        user="65534:65534",
        workingDirectory="/srv",
        readonlyRootFilesystem=True,
        linuxParameters={
            "tmpfs": [{"containerPath": "/tmp", "size": 16, "mountOptions": ["noexec"]}],  # noqa: S108
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
        volumes=({"name": "host", "host": {"sourcePath": "/data"}}, {"name": "empty"}),
        mountPoints=[
            {"sourceVolume": "host", "containerPath": "/d", "readOnly": True},
            {"sourceVolume": "empty", "containerPath": "/e"},
        ],
    )
    for flag in (
        '--entrypoint=["/bin/sh", "-c"]', "--user=65534:65534", "--workdir=/srv", "--read-only",
        "--read-only-tmpfs=false", "--tmpfs=/tmp:size=16m,noexec", "--cap-drop=ALL",
        "--cap-add=NET_BIND_SERVICE", "--volume=/data:/d:ro", "--volume=/e",
    ):  # fmt: skip
        assert flag in made


def test_a_limit_above_the_machine_s_is_lowered(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 20000))
    made = flags(ulimits=[{"name": "nofile", "softLimit": 4096, "hardLimit": 65536}])
    assert "--ulimit=nofile=4096:20000" in made


def test_run_task_s_overrides():
    override = {"name": "web", "command": ["x"], "environment": [{"name": "A", "value": "2"}]}
    made = task(
        overrides={"containerOverrides": [override, {"name": "other", "command": ["y"]}]},
        environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        command=["z"],
    ).container
    assert made["command"] == ["x"]
    assert {v["name"]: v["value"] for v in made["environment"]} == {"A": "2", "B": "1"}


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [("256", "vcpu", 256), (".25 vCPU", "vcpu", 256), ("1 vcpu", "vcpu", 1024),
     ("1GB", "gb", 1024), ("0.5 GB", "gb", 512), (None, "gb", 0)],
)  # fmt: skip
def test_amounts(text, unit, amount):
    assert ecs._amount(text, unit) == amount


# --- logs ----------------------------------------------------------------------------------

AT = b"2026-11-21T00:58:15.032321484+00:00"
MS = 1795222695032


def test_lines_are_read_whole():
    lines = Lines()
    assert lines.read(AT + b" stdout F one\n" + AT + b" stderr F \n") == [(MS, "one"), (MS, "")]


def test_a_long_line_comes_together_even_when_cut_within_a_letter():
    lines = Lines()
    first, second = "é".encode()[:1], "é".encode()[1:]
    assert lines.read(AT + b" stdout P " + first + b"\n") == []
    found = lines.read(AT + b" stderr F other\n" + AT + b" stdout F " + second + b"\n")
    assert found == [(MS, "other"), (MS, "é")]


def test_a_last_line_without_an_end_is_not_lost():
    lines = Lines()
    assert lines.read(AT + b" stdout P last\n", last=True) == [(MS, "last")]


def test_only_a_newline_ends_a_line_and_rubbish_is_skipped():
    odd = "a\x0b\u2028b".encode()
    assert Lines().read(b"cut off\n" + AT + b" stdout F " + odd + b"\n") == [(MS, odd.decode())]


# --- health checks -------------------------------------------------------------------------


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr("drydock.controllers.ecs.tasks.time.monotonic", lambda: self.now)


class Container:
    def __init__(self, code: int):
        self.code, self.commands = code, []

    def execute(self, command, timeout):
        self.commands.append((command, timeout))
        return self.code


CHECK = {"command": ["CMD-SHELL", "curl localhost"], "interval": 5, "timeout": 2, "retries": 3}


def test_a_probe_keeps_its_interval_and_counts_failures_in_a_row(monkeypatch):
    clock, container = Clock(monkeypatch), Container(1)
    probe = Probe(CHECK)
    said = []
    for code in (1, 1, 0, 1, 1, 1, 1, 0):
        container.code = code
        said.append(probe.due(container.execute))
        assert probe.due(container.execute) is None  # not yet due
        clock.now += 5
    bad, good = "UNHEALTHY", "HEALTHY"
    assert said == [None, None, good, None, None, bad, bad, good]
    assert container.commands[0] == (["/bin/sh", "-c", "curl localhost"], 2)


def test_failures_in_the_start_period_do_not_count_until_it_was_well_once(monkeypatch):
    clock, container = Clock(monkeypatch), Container(1)
    probe = Probe({**CHECK, "startPeriod": 30, "retries": 1})
    assert probe.due(container.execute) is None
    clock.now += 5
    container.code = 0
    assert probe.due(container.execute) == "HEALTHY"
    clock.now += 5
    container.code = 1
    assert probe.due(container.execute) == "UNHEALTHY"


@pytest.mark.parametrize("check", [None, {"command": ["NONE"]}])
def test_no_check_no_probe(check):
    container = Container(0)
    assert Probe(check).due(container.execute) is None and not container.commands


# --- shapes --------------------------------------------------------------------------------


def test_a_stop_keeps_its_first_reason():
    made = task()
    made.status = "RUNNING"
    made.stop("UserInitiated", "first")
    made.stop("EssentialContainerExited", "second")
    shown = made.describe()
    assert (shown["stopCode"], shown["stoppedReason"]) == ("UserInitiated", "first")
    assert (shown["lastStatus"], shown["desiredStatus"]) == ("DEACTIVATING", "STOPPED")


def test_a_service_shows_its_counts_by_deployment():
    service = Service("us-east-1", "c", "web", {"deploymentConfiguration": {}}, 2)
    first = service.deploy(task().definition, 0)
    first.become("COMPLETED", "")
    old = task()
    old.service, old.deployment, old.status = service, first, "RUNNING"
    second = service.deploy(task().definition, 1)
    new = task()
    new.service, new.deployment = service, second
    shown = service.describe([old, new])
    rows = [(d["status"], d["runningCount"], d["pendingCount"]) for d in shown["deployments"]]
    assert rows == [("PRIMARY", 0, 1), ("ACTIVE", 1, 0)]
    assert (shown["runningCount"], shown["pendingCount"]) == (1, 1)


def test_events_are_few_and_never_twice_the_same():
    service = Service("us-east-1", "c", "web", {}, 1)
    for number in range(300):
        service.say(f"event {number // 2}")
    assert len(service.events) == 100
    assert service.events[0]["message"] == "(service web) event 149"


# --- secrets -------------------------------------------------------------------------------


@pytest.fixture
def cloud(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


@pytest.fixture
def secret(cloud):
    value = '{"user": "me", "port": 5432}'
    return cloud("secretsmanager").create_secret(Name="unit", SecretString=value)["ARN"]


def test_a_secret_whole_and_by_key(secret):
    assert secrets.resolve(secret, "us-east-1") == '{"user": "me", "port": 5432}'
    assert secrets.resolve(f"{secret}:user::", "eu-west-1") == "me"
    assert secrets.resolve(f"{secret}:port:AWSCURRENT:", "us-east-1") == "5432"


@pytest.mark.parametrize("suffix", [":none::", "-no-such", ":user:AWSPENDING:", ":user::none"])
def test_what_is_missing_is_named_and_no_value_told(secret, suffix):
    with pytest.raises(DrydockError, match="arn:aws:secretsmanager") as refused:
        secrets.resolve(secret + suffix, "us-east-1")
    assert "5432" not in str(refused.value)


def test_a_parameter_by_name_or_arn(cloud):
    cloud("ssm").put_parameter(Name="/unit/level", Value="quiet", Type="SecureString")
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT_ID}:parameter/unit/level"
    assert secrets.resolve("/unit/level", "us-east-1") == "quiet"
    assert secrets.resolve(arn, "eu-west-1") == "quiet"
    with pytest.raises(DrydockError, match="invalid parameters: /unit/none"):
        secrets.resolve("/unit/none", "us-east-1")
