"""What the checks of the runbooks share. Role runbook runs them once the alarms are green."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

# What an assert compared is shown for modules that tests take their checks from too.
pytest.register_assert_rewrite("ecs_checks")


def _facts() -> dict[str, Any]:
    """What the role says of the run; empty outside of it."""
    return json.loads(os.environ.get("DRYDOCK_RUNBOOK", "{}"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _facts():
        mark = pytest.mark.skip(reason="checks what a runbook has mended: run by role runbook")
        for item in items:
            item.add_marker(mark)


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    """runbook, host, environment, region, outputs of the stacks, inputs, decision, alarms."""
    return _facts()


@pytest.fixture(scope="session")
def aws(facts: dict[str, Any]) -> Callable[[str], Any]:
    """Return a function from a service's name to its client."""
    settings = Config(connect_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})

    @functools.cache
    def client(service: str) -> Any:
        return boto3.client(service, region_name=facts["region"], config=settings)

    return client
