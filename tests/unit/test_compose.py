"""compose.yaml runs what the inventories release: the same images, ports, paths and variables."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
HOSTS = PROJECT / "inventories/common/hosts"
COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
BALANCER = (PROJECT / "compose/haproxy.cfg").read_text()
# What is not of an inventory: how AWS is found where no task's role is.
AWS = {"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
# Spelled out in the inventories and another here: why.
OTHER_VALUES = {"DATABASE_SSL": "the public image of PostgreSQL has no certificate"}


def workloads() -> dict[str, dict]:
    """name → what the inventories say of it."""
    return {
        name: host
        for path in sorted(HOSTS.glob("*.yml"))
        for name, host in (yaml.safe_load(path.read_text()).get("workloads") or {"hosts": {}})[
            "hosts"
        ].items()
    }


def settings(folder: str) -> dict:
    """All of the variables of inventories/common/`folder`, as they are written."""
    found = {}
    for path in sorted((PROJECT / "inventories/common" / folder).glob("*.yml")):
        found |= yaml.safe_load(path.read_text()) or {}
    return found


WORKLOADS = workloads()
VARIABLES = settings("vars")


def usual(text: str) -> str:
    """What a value is where no variable of compose is set: the default in ${NAME:-default}."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def of_dockerfile(name: str, instruction: str) -> list[str]:
    text = (PROJECT / WORKLOADS[name]["workload"]["context"] / "Dockerfile").read_text()
    return re.findall(rf"^{instruction} (.+)$", text, flags=re.MULTILINE)


def test_all_workloads_are_there():
    assert len(WORKLOADS) == 9, "the search has lost the workloads"
    built = {name for name, service in COMPOSE["services"].items() if "build" in service}
    assert built == set(WORKLOADS)


@pytest.mark.parametrize("name", WORKLOADS)
def test_image(name: str):
    build = COMPOSE["services"][name]["build"]
    assert build["context"] == WORKLOADS[name]["workload"]["context"]
    given = {argument: usual(value) for argument, value in build["args"].items()}
    images = VARIABLES["base_images"]
    wanted = {
        argument: images[re.fullmatch(r"\{\{ base_images\.(\w+) \}\}", value)[1]]
        for argument, value in WORKLOADS[name]["release"]["build_args"].items()
    }
    assert given == wanted
    known = dict(line.split("=", 1) for line in of_dockerfile(name, "ARG"))
    assert {argument: known[argument] for argument in given} == given


def test_images_are_built_with_the_uv_that_is_pinned():
    version = re.match(r"uv==([\d.]+)", (PROJECT / "requirements-uv.txt").read_text())[1]
    assert VARIABLES["base_images"]["uv"].endswith(f"/uv:{version}")


@pytest.mark.parametrize("name", WORKLOADS)
def test_variables(name: str):
    release = WORKLOADS[name]["release"]
    given = COMPOSE["services"][name].get("environment", {})
    assert set(given) - AWS == {*release["environment"], *release.get("secrets", {})}
    assert all(isinstance(value, str) for value in given.values())
    for variable, value in release["environment"].items():
        if "{{" not in value and variable not in OTHER_VALUES:
            assert given[variable] == value, variable


@pytest.mark.parametrize("name", WORKLOADS)
def test_who_has_permissions_finds_aws(name: str):
    workload = WORKLOADS[name]["workload"]
    needs = bool(workload.get("permissions") or workload.get("database_secret"))
    given = set(COMPOSE["services"][name].get("environment", {}))
    assert given & AWS == (AWS if needs else set())


def test_values_that_the_inventories_compute():
    services = {name: one.get("environment", {}) for name, one in COMPOSE["services"].items()}
    for name, host in WORKLOADS.items():
        connections = host["workload"].get("connections")
        if isinstance(connections, int):
            assert services[name]["DATABASE_POOL_MAX"] == str(connections)
    assert json.loads(services["market_data"]["POOLS"]) == VARIABLES["event_pools"]
    assert services["listener"]["ACCOUNTS"].split(",") == list(VARIABLES["event_pools"])
    assert services["consumer"]["EVENT_TYPES"].split(",") == VARIABLES["event_types"]
    assert services["rpc_cache"]["CALLER_RATE"] == str(VARIABLES["rpc_caller_rate"])


def test_the_load_balancer_sends_as_the_rules_do():
    rules = []
    for name in sorted(
        (one for one in WORKLOADS if "path_patterns" in WORKLOADS[one]["workload"]),
        key=lambda one: WORKLOADS[one]["workload"]["priority"],
    ):
        workload = WORKLOADS[name]["workload"]
        first = workload["path_patterns"][0]
        if first == "/*":
            rules.append(f"default_backend {name}")
        else:
            assert workload["path_patterns"] == [first, f"{first}/*"]
            rules.append(f"use_backend {name} if {{ path -m reg ^{first}(/|$) }}")
        assert f"server task {name}:{workload['port']}\n" in BALANCER
        assert of_dockerfile(name, "EXPOSE") == [str(workload["port"])]
    assert rules == re.findall(r"^    ((?:use|default)_backend .+)$", BALANCER, re.MULTILINE)


def test_emulator_is_the_one_that_is_pinned():
    pinned = re.search(r"^moto\S*==(\S+)", (PROJECT / "requirements.in").read_text(), re.MULTILINE)
    assert usual(COMPOSE["services"]["aws"]["image"]).rpartition(":")[2] == pinned[1]


def test_what_the_variables_name_is_made():
    made = (PROJECT / "compose/aws.py").read_text()
    prefix = re.search(r'^NAME = "(.+)"$', made, re.MULTILINE)[1]
    for service in COMPOSE["services"].values():
        for variable in ("STREAM_NAME", "LEASE_TABLE", "DEAD_LETTER_QUEUE_URL"):
            if value := service.get("environment", {}).get(variable):
                name = value.rpartition("/")[2].removeprefix(f"{prefix}-events")
                assert (variable == "STREAM_NAME" and not name) or f'{{events}}{name}"' in made
    login = COMPOSE["services"]["trading_api"]["environment"]["DATABASE_SECRET_ARN"]
    assert login.endswith(f":secret:{prefix}-database")


def test_nothing_is_open_beyond_this_machine():
    ports = [port for one in COMPOSE["services"].values() for port in one.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_podman_compose_reads_it():
    done = subprocess.run(
        [sys.executable, "-m", "podman_compose", "--file", "compose.yaml", "config", "--services"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(COMPOSE["services"])
