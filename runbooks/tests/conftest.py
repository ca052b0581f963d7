"""What the runbooks' checks share. They are run by the role runbook, at its Verify."""

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
    """What the runbook says of itself and its environment; empty outside of one."""
    return json.loads(os.environ.get("DRYDOCK_RUNBOOK", "{}"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _facts():
        mark = pytest.mark.skip(reason="checks what a runbook has mended: run the runbook")
        for item in items:
            item.add_marker(mark)


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    return _facts()


@pytest.fixture(scope="session")
def outputs(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each stack puts out."""
    return facts["outputs"]


@pytest.fixture(scope="session")
def aws(facts: dict[str, Any]) -> Callable[[str], Any]:
    """Return a function from a service's name to its client."""
    settings = Config(connect_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})

    @functools.cache
    def client(service: str) -> Any:
        return boto3.client(service, region_name=facts["region"], config=settings)

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
