"""What the checks of the running platform share. They are run by playbooks/verify.yml."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import requests
import testinfra
from botocore.config import Config
from testinfra.host import Host


def _facts() -> dict[str, Any]:
    """Return what verify.yml says of the environment; empty outside of it."""
    return json.loads(os.environ.get("DRYDOCK_VERIFY", "{}"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _facts():
        mark = pytest.mark.skip(reason="checks a running platform: use playbooks/verify.yml")
        for item in items:
            item.add_marker(mark)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    facts = _facts()
    if "workload" in metafunc.fixturenames:
        metafunc.parametrize("workload", sorted(facts.get("workloads", {})))
    if "stack" in metafunc.fixturenames:
        metafunc.parametrize("stack", sorted(facts.get("stacks", [])))


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    return _facts()


@pytest.fixture(scope="session")
def outputs(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each stack puts out."""
    return facts["outputs"]


@pytest.fixture(scope="session")
def aws(facts: dict[str, Any]) -> Callable[..., Any]:
    """Return a function from a service's name, and a region where it is not the environment's
    own, to its client."""
    settings = Config(connect_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})

    @functools.cache
    def client(service: str, region: str = "") -> Any:
        return boto3.client(service, region_name=region or facts["region"], config=settings)

    return client


@pytest.fixture(scope="session")
def host() -> Host:
    """The machine that the checks run on."""
    return testinfra.get_host("local://")


@pytest.fixture(scope="session")
def url(outputs: dict[str, dict[str, Any]]) -> str:
    """Address of the load balancer."""
    return outputs["platform"]["url"].rstrip("/")


@pytest.fixture(scope="session")
def web() -> requests.Session:
    """A client that waits 10 s for an answer and no longer."""
    session = requests.Session()
    session.request = functools.partial(session.request, timeout=10)  # type: ignore[method-assign]
    return session


@pytest.fixture(scope="session")
def states(aws: Callable[[str], Any], facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The state of each stack, as it lies in the bucket."""
    found = {}
    for stack in facts["stacks"]:
        key = f"{facts['environment']}/{stack}.tfstate"
        body = aws("s3").get_object(Bucket=facts["state_bucket"], Key=key)["Body"]
        found[stack] = json.loads(body.read())
    return found
