"""Faults: what is broken shows at the part, and undoing mends it."""

import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from drydock.__main__ import main
from drydock.images import DEBIAN

from .conftest import Cloud, wait_for

CLUSTER, SERVICE = "fault-tests", "drydock-test-web-shop"
# Keeps connections open, as real servers do.
SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = os.environ.get("VERSION", "good").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


@dataclass
class Faults:
    """The command line, as a person at it sees it."""

    capture: Any

    def run(self, *words: str) -> tuple[int, str, str]:
        self.capture.readouterr()
        code = main(["fault", *words])
        out, err = self.capture.readouterr()
        return code, out, err

    def make(self, *words: str) -> dict:
        code, out, err = self.run(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def row(self, identifier: str) -> dict:
        rows = json.loads(self.run("list", "--json")[1])
        return next(row for row in rows if row["id"] == identifier)

    def undo(self, identifier: str) -> None:
        for _ in range(2):  # the second time there is nothing to do
            code, _, err = self.run("undo", identifier)
            assert code == 0, err
        assert self.row(identifier)["state"] == "undone"


@pytest.fixture
def faults(cloud: Cloud, capsys: pytest.CaptureFixture) -> Iterator[Faults]:
    made = Faults(capsys)
    yield made
    code, _, err = made.run("undo", "--all")
    assert code == 0, err
    assert not cloud.podman.parts("fault")


@dataclass
class Service:
    cloud: Cloud

    @property
    def tasks(self) -> dict[str, str]:
        """Running tasks' ids to their addresses."""
        rows = self.cloud.status()["tasks"]
        return {r["id"]: r["ip"] for r in rows if r["service"] == SERVICE
                and r["status"] == "RUNNING"}  # fmt: skip

    def wait(self, count: int = 2) -> dict[str, str]:
        def ready() -> bool:
            return len(self.tasks) == count and all(
                answer(ip)[0] == 200 for ip in self.tasks.values()
            )

        wait_for(ready, 60, f"{count} tasks answer")
        return self.tasks

    def describe(self) -> dict:
        ecs = self.cloud.client("ecs")
        return ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]


def answer(ip: str, path: str = "/", timeout: float = 1.0) -> tuple[int, str, float]:
    """Status, body and seconds; status 0 when nothing came."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://{ip}:8080{path}", timeout=timeout) as got:
            status, body = got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        status, body = error.code, ""
    except OSError as error:
        status, body = 0, str(error)
    return status, body, time.monotonic() - began


@pytest.fixture(scope="module")
def service(cloud: Cloud) -> Iterator[Service]:
    ecs = cloud.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    container = {
        "name": "web", "image": DEBIAN, "essential": True, "command": ["python3", "-c", SERVER],
        "portMappings": [{"containerPort": 8080}], "stopTimeout": 2,
        "environment": [{"name": "VERSION", "value": "good"}, {"name": "COLOUR", "value": "blue"}],
    }  # fmt: skip
    definition = ecs.register_task_definition(
        family="web", networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
        cpu="256", memory="128", containerDefinitions=[container],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    ecs.create_service(
        cluster=CLUSTER, serviceName=SERVICE, taskDefinition=definition, desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": cloud.vpc.private_subnets, "securityGroups": [cloud.vpc.security_group],
            }
        },
    )  # fmt: skip
    yield Service(cloud)
    ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)

    def gone() -> bool:
        with contextlib.suppress(ecs.exceptions.ClientError):
            ecs.delete_cluster(cluster=CLUSTER)
            return True
        return False

    wait_for(gone, 60, "the tests' cluster is gone")


def test_a_wrong_target_is_answered_with_what_there_is(faults, service):
    service.wait()
    code, _, err = faults.run("pause", "shops")
    assert code == 1 and "Nothing is called shops" in err and SERVICE in err
    assert all(task in err for task in service.tasks)
    code, _, err = faults.run("kill", "web_shop", "--tasks", "5")
    assert code == 1 and "not 5" in err
    code, _, err = faults.run("undo", "f999")
    assert code == 1 and "no fault f999" in err


def test_a_paused_task_hangs_until_it_is_undone(cloud, faults, service):
    tasks = service.wait()
    fault = faults.make("pause", "web_shop")
    [paused] = fault["parts"]
    [other] = set(tasks) - {paused}
    assert answer(tasks[paused])[0] == 0 and answer(tasks[other])[0] == 200
    assert faults.row(fault["id"])["state"] == "active"
    faults.undo(fault["id"])
    assert answer(tasks[paused])[0] == 200


def test_a_killed_task_is_replaced_and_its_fault_gone(faults, service):
    before = set(service.wait())
    fault = faults.make("kill", "web_shop")
    wait_for(lambda: before - set(service.tasks) == set(fault["parts"]), 10, "it is noticed")
    service.wait()
    assert faults.row(fault["id"])["state"] == "gone"
    assert "gone with its part" in faults.run("list")[1]


def test_a_partition_drops_packets_of_all_or_of_one(cloud, faults, service):
    tasks = service.wait()
    one, two = sorted(tasks)
    fault = faults.make("partition", one)
    assert answer(tasks[one])[0] == 0
    faults.undo(fault["id"])
    assert answer(tasks[one])[0] == 200
    fault = faults.make("partition", one, "--from", two)
    assert answer(tasks[one])[0] == 200

    def reaches() -> bool:
        get = f"import socket; socket.create_connection(('{tasks[one]}', 8080), 1)"
        name = cloud.podman.part_name("task", two)
        return cloud.podman.execute(name, ["python3", "-c", get]).code == 0

    assert not reaches()
    faults.undo(fault["id"])
    assert reaches()


def ask(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    content = b""
    while not content.endswith(b"good"):
        content += connection.recv(999)


def test_slow_delays_answers_of_new_and_old_connections(faults, service):
    ip = service.wait()[task := min(service.tasks)]
    with socket.create_connection((ip, 8080)) as old:
        ask(old)
        fault = faults.make("slow", task, "--delay", "700ms")
        with pytest.raises(ConnectionResetError):  # so that its client comes again
            old.settimeout(2)
            ask(old)
    status, body, seconds = answer(ip, timeout=5)
    assert (status, body) == (200, "good") and 0.7 <= seconds < 1.7
    code, _, err = faults.run("errors", task)
    assert code == 1 and "undo it first" in err
    faults.undo(fault["id"])
    assert answer(ip)[2] < 0.5


def test_slow_by_processor(cloud, faults, service):
    ip = service.wait()[task := min(service.tasks)]
    name = cloud.podman.part_name("task", task)
    spin = "import time; t = time.time(); sum(range(9_000_000))"
    spin += "; print((time.time() - t) / time.process_time())"

    def waits() -> float:
        """Seconds on the clock for each of the processor."""
        return float(cloud.podman.execute(name, ["python3", "-c", spin]).stdout)

    def quota() -> str:
        files = "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null"
        return cloud.podman.execute(name, ["sh", "-c", files]).stdout

    own = quota()
    fault = faults.make("slow", task, "--cpu", "5%")
    throttled = waits()
    assert quota() != own
    faults.undo(fault["id"])
    assert throttled > 8 and waits() < throttled / 2
    assert quota() == own  # the task's own cap, not none
    assert answer(ip)[0] == 200


def test_errors_come_for_their_share_of_requests_and_not_on_passed_paths(faults, service):
    ip = service.wait()[task := min(service.tasks)]
    fault = faults.make("errors", task, "--share", "50%", "--status", "503", "--pass", "/well")
    seen = Counter(answer(ip)[0] for _ in range(60))
    assert set(seen) == {200, 503} and 15 < seen[503] < 45
    assert {answer(ip, "/well?deep=1")[0] for _ in range(20)} == {200}
    faults.undo(fault["id"])
    assert {answer(ip)[0] for _ in range(20)} == {200}


@pytest.fixture
def balanced(cloud: Cloud, service: Service) -> Iterator[Callable[[], dict[str, str]]]:
    """A load balancer before the service's tasks; gives the targets' health by address."""
    elb, name = cloud.client("elbv2"), "fault-tests"
    balancer = elb.create_load_balancer(Name=name, Subnets=cloud.vpc.public_subnets)[
        "LoadBalancers"
    ][0]
    group = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId=cloud.vpc.id, TargetType="ip",
        HealthCheckPath="/well", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2, UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    targets = [{"Id": ip, "Port": 8080} for ip in service.wait().values()]
    elb.register_targets(TargetGroupArn=group, Targets=targets)

    def health() -> dict[str, str]:
        told = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in told}

    health.address = balancer["DNSName"]
    wait_for(lambda: set(health().values()) == {"healthy"}, 40, "targets are healthy")
    yield health
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    elb.delete_target_group(TargetGroupArn=group)


def test_users_see_errors_while_health_checks_stay_green(faults, service, balanced):
    assert {answer(balanced.address)[0] for _ in range(10)} == {200}
    fault = faults.make("errors", "web_shop", "--all", "--share", "100%")
    deadline = time.monotonic() + 16  # three health checks
    while time.monotonic() < deadline:
        assert {answer(balanced.address)[0] for _ in range(5)} == {500}
        time.sleep(0.5)
    assert set(balanced().values()) == {"healthy"}
    faults.undo(fault["id"])
    assert {answer(balanced.address)[0] for _ in range(10)} == {200}


def test_a_sticky_fault_follows_the_service_s_new_tasks(cloud, faults, service):
    service.wait()
    fault = faults.make("errors", "web_shop", "--sticky", "--no-pass")
    tasks = service.tasks
    assert {answer(ip)[0] for ip in tasks.values()} == {500}
    cloud.podman.kill(cloud.podman.part_name("task", min(tasks)))
    wait_for(lambda: len(new := service.tasks) == 2 and min(tasks) not in new, 20, "a new task")
    wait_for(
        lambda: {answer(ip)[0] for ip in service.tasks.values()} == {500}, 10, "the new one errs"
    )
    assert faults.row(fault["id"])["state"] == "active"
    wait_for(lambda: len(cloud.podman.parts("fault")) == 2, 10, "no relay without its task")
    faults.undo(fault["id"])
    assert {answer(ip)[0] for ip in service.tasks.values()} == {200}


def test_a_bad_release_goes_out_and_back(faults, service):
    service.wait()
    before = service.describe()["taskDefinition"]
    code, _, err = faults.run("deploy", "web_shop", "--drop-secret", "TOKEN")
    assert code == 1 and "no secret TOKEN" in err
    fault = faults.make("deploy", "web_shop", "--set", "VERSION=bad")
    wait_for(lambda: {answer(ip)[1] for ip in service.wait().values()} == {"bad"}, 120, "bad")
    after = service.describe()["taskDefinition"]
    shown = service.cloud.client("ecs").describe_task_definition(taskDefinition=after)
    [container] = shown["taskDefinition"]["containerDefinitions"]
    assert {"name": "COLOUR", "value": "blue"} in container["environment"]
    faults.undo(fault["id"])
    assert service.describe()["taskDefinition"] == before
    wait_for(lambda: {answer(ip)[1] for ip in service.wait().values()} == {"good"}, 120, "good")


# --- database ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def query(cloud: Cloud) -> Iterator[Callable[[str], str]]:
    """A small instance, asked as its master; its name is ``query.name``."""
    rds, name = cloud.client("rds"), f"fault-{uuid.uuid4().hex[:6]}"
    rds.create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="t", SubnetIds=cloud.vpc.private_subnets
    )
    rds.create_db_instance(
        DBInstanceIdentifier=name, Engine="postgres", EngineVersion="17.4", AllocatedStorage=20,
        DBInstanceClass="db.t4g.micro", DBName="app", MasterUsername="captain",
        MasterUserPassword="planted-for-tests", DBSubnetGroupName=name,
    )  # fmt: skip

    def describe() -> dict:
        return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    wait_for(lambda: describe()["DBInstanceStatus"] == "available", 90, "the database")
    address = describe()["Endpoint"]["Address"]

    def ask(sql: str) -> str:
        with psycopg.connect(
            host=address, dbname="app", user="captain", password="planted-for-tests",
            sslmode="require", autocommit=True, connect_timeout=20,
        ) as connection:  # fmt: skip
            rows = connection.execute(sql).fetchall()
        return "\n".join(str(row[0]) for row in rows)

    ask.name = name
    yield ask
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    wait_for(lambda: name not in str(cloud.client("rds").describe_db_instances()), 60, "it is gone")
    rds.delete_db_subnet_group(DBSubnetGroupName=name)


def _sessions(query: Callable[[str], str], user: str, application: str) -> Counter:
    rows = query(
        f"SELECT state FROM pg_stat_activity WHERE usename = '{user}' "  # noqa: S608
        f"AND application_name = '{application}'"
    )
    return Counter(rows.splitlines())


def test_a_full_server_is_as_full_as_it_gets(faults, query):
    most = int(query("SHOW max_connections"))
    fault = faults.make("fill-connections", "database", "--share", "100%")
    assert "opened" in fault["note"] and "FATAL" in fault["note"]
    with pytest.raises(psycopg.OperationalError, match=r"remaining connection slots|too many"):
        query("SELECT 1")
    assert most > 20 and faults.row(fault["id"])["state"] == "active"
    faults.undo(fault["id"])
    wait_for(lambda: _asks(query), 10, "there are free ones again")


def _asks(query: Callable[[str], str]) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        return query("SELECT 1") == "1"
    return False


@pytest.mark.parametrize(
    ("state", "shown"),
    [("idle", "idle"), ("idle-in-transaction", "idle in transaction"), ("active", "active")],
)
def test_connections_are_held_in_a_state(faults, query, state, shown):
    fault = faults.make(
        "fill-connections", query.name, "--count", "12", "--state", state, "--application", "leak"
    )
    assert _sessions(query, "captain", "leak") == {shown: 12}
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    assert query(f"{ended} WHERE application_name = 'leak'") == "12"
    wait_for(lambda: not _sessions(query, "captain", "leak"), 10, "they end")
    wait_for(lambda: faults.row(fault["id"])["state"] == "gone", 10, "and don't come again")


def test_connections_come_again_as_a_role_of_their_own(faults, query):
    fault = faults.make(
        "fill-connections", "database", "--share", "50%", "--as", "stranger", "--reopen",
        "--application", "x",
    )  # fmt: skip
    most = int(query("SHOW max_connections"))
    used = int(query("SELECT count(*) FROM pg_stat_activity WHERE backend_type='client backend'"))
    assert most / 2 <= used <= most / 2 + 3
    before = _sessions(query, "stranger", "x")["idle"]
    assert fault["note"] == f"{before} of {before} connections opened"
    assert query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename='stranger'"
    ) == str(before)
    wait_for(lambda: _sessions(query, "stranger", "x")["idle"] == before, 20, "they come again")
    faults.undo(fault["id"])
    assert query("SELECT count(*) FROM pg_roles WHERE rolname = 'stranger'") == "0"
    text = faults.run("list", "--json")[1] + str(fault)
    assert "planted-for-tests" not in text


def test_a_slow_database_delays_each_round_trip_and_then_no_more(faults, query):
    def seconds() -> float:
        began = time.monotonic()
        query("SELECT 1")
        return time.monotonic() - began

    quick = seconds()
    fault = faults.make("slow", query.name, "--delay", "300ms")
    slow = seconds()
    faults.undo(fault["id"])
    # Connecting over TLS, logging in and asking take five round trips at least.
    assert slow > quick + 1.2 and seconds() < quick + 1.0


def test_a_disk_is_filled_but_never_the_machine_s(cloud, faults, query):
    fault = faults.make("fill-disk", query.name, "--leave", "19GiB")
    [file] = cloud.settings.folder("parts", "database").glob("*/*.fill")
    assert 0.8 * 2**30 < file.stat().st_blocks * 512 <= 2**30
    faults.undo(fault["id"])
    assert not file.exists()
    cloud.client("rds").modify_db_instance(
        DBInstanceIdentifier=query.name, AllocatedStorage=60000, ApplyImmediately=True
    )
    code, _, err = faults.run("fill-disk", query.name, "--leave", "0")
    assert code == 1 and "this machine" in err
    assert not list(cloud.settings.folder("parts", "database").glob("*/*.fill"))
