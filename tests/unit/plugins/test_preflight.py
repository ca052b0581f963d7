"""Wrong inputs, each told with its cure before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.modules import preflight

ENVIRONMENTS = {
    "dev": {"account_id": "111111111111", "vpc_cidr": "10.20.0.0/16"},
    "staging": {"account_id": "222222222222", "vpc_cidr": "10.30.0.0/16"},
}
WORKLOAD = {
    "context": "apps/hello",
    "port": 8080,
    "path_patterns": ["/*"],
    "priority": 10,
    "health_path": "/health",
    "desired_count": 2,
    "min_count": 2,
    "max_count": 4,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "apps/hello").mkdir(parents=True)
    (tmp_path / "apps/hello/Dockerfile").touch()
    return tmp_path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder: Path, text: str, code: int = 0) -> None:
    file = folder / "tool"
    file.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("name", ["", "nope"])
def test_an_unknown_environment_is_told_the_known_ones(name: str) -> None:
    (problem,) = preflight.check_environment(name, ENVIRONMENTS)
    assert "dev, staging" in problem
    assert preflight.check_environment("dev", ENVIRONMENTS) == []


@pytest.mark.parametrize(
    ("cidr", "part"),
    [
        ("10.30.0.0/16", "overlaps that of staging"),
        ("10.30.128.0/20", "overlaps that of staging"),
        ("10.20.0.0", "from /16 to /24"),
        ("10.20.0.1/16", "not a network"),
        ("ten", "not a network"),
        ("", "not a network"),
        ("10.0.0.0/8", "from /16 to /24"),
        ("10.50.0.0/28", "from /16 to /24"),
        ("fd00::/16", "from /16 to /24"),
    ],
)
def test_a_bad_range_is_refused(cidr: str, part: str) -> None:
    problems = preflight.check_cidr("dev", cidr, ENVIRONMENTS)
    assert part in problems[0]
    assert cidr in problems[0]


@pytest.mark.parametrize("cidr", ["10.20.0.0/16", "10.50.0.0/24"])
def test_a_good_range_passes(cidr: str) -> None:
    assert preflight.check_cidr("dev", cidr, ENVIRONMENTS) == []


@pytest.mark.parametrize("text", ["Tool v1.11.4", "tool version 2.0", "tool 1.11"])
def test_a_tool_that_is_new_enough_passes(programs: Path, text: str) -> None:
    program(programs, text)
    assert preflight.check_tool("tool", "1.11.0") == []


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [("Tool v1.9.8", 0, "is 1.9.8"), ("no", 1, "failed"), ("no number", 0, "failed")],
)
def test_a_tool_that_will_not_do_is_named(programs: Path, text: str, code: int, part: str) -> None:
    program(programs, text, code)
    (problem,) = preflight.check_tool("tool", "1.11.0")
    assert part in problem


@pytest.mark.parametrize("name", ["terraform", "podman", "git"])
def test_a_missing_tool_comes_with_its_cure(programs: Path, name: str) -> None:
    (problem,) = preflight.check_tool(name, "1.0")
    assert f"{name} is not on PATH" in problem
    assert preflight.INSTALL[name] in problem


def test_a_sound_workload_passes(project: Path) -> None:
    assert preflight.check_workloads({"hello": WORKLOAD}, {}, project) == []


@pytest.mark.parametrize("field", preflight.WORKLOAD_FIELDS)
def test_a_missing_field_is_named_with_file_and_host(project: Path, field: str) -> None:
    broken = {key: value for key, value in WORKLOAD.items() if key != field}
    files = {"hello": str(project / "inventories/dev/hosts/hello.yml")}
    (problem,) = preflight.check_workloads({"hello": broken}, files, project)
    assert problem.startswith("inventories/dev/hosts/hello.yml: ")
    assert f"hello has no workload.{field}" in problem


def test_the_workloads_connections_fit_into_the_database() -> None:
    one = {**WORKLOAD, "database": True, "connections": 9}  # by 4 tasks
    pools = {"a": one, "b": one, "hello": WORKLOAD}
    assert preflight.check_connections(pools, 80) == []
    assert preflight.check_connections(pools, 0) == []
    (problem,) = preflight.check_connections(pools, 79)
    assert "72 connections (a 36, b 36)" in problem and "the database takes 79" in problem
    for unsaid in (None, 0, True, "9"):
        (problem,) = preflight.check_connections({"a": {**one, "connections": unsaid}}, 80)
        assert "workload.connections is" in problem


def test_a_workload_that_checks_itself_needs_no_clients(project: Path) -> None:
    checked = {"context", "desired_count", "min_count", "max_count"}
    alone = {key: value for key, value in WORKLOAD.items() if key in checked}
    consumers = {name: {**alone, "health_command": ["CMD", "true"]} for name in ("a", "b")}
    assert preflight.check_workloads(consumers, {}, project) == []
    # With paths it has clients, and without a command nobody would check it.
    served = {"a": {**consumers["a"], "path_patterns": ["/*"]}, "b": alone}
    problems = preflight.check_workloads(served, {}, project)
    assert any("a has no workload.health_path" in problem for problem in problems)
    assert any("health_command" in problem and "b has no" in problem for problem in problems)


def test_a_context_without_dockerfile_and_twin_priorities_are_refused(project: Path) -> None:
    twins = {"a": WORKLOAD, "b": {**WORKLOAD, "context": "apps/none", "port": "8080"}}
    problems = preflight.check_workloads(twins, {}, project)
    assert any("no Dockerfile" in problem and "apps/none" in problem for problem in problems)
    assert any("priority" in problem and "which a has" in problem for problem in problems)
    assert any("workload.port of b" in problem for problem in problems)


def test_a_workload_without_definition_is_refused(project: Path) -> None:
    (problem,) = preflight.check_workloads({"hello": {}}, {}, project)
    assert "no definition" in problem


def test_the_right_account_is_named(aws: Any) -> None:
    caller, problems = preflight.check_account("123456789012", "dev", "us-east-1")
    assert problems == []
    assert caller.startswith("arn:aws:")


def test_another_account_is_refused(aws: Any) -> None:
    _, (problem,) = preflight.check_account("111111111111", "dev", "us-east-1")
    assert "123456789012" in problem
    assert "111111111111" in problem


def test_no_credentials_are_told_apart(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _, (problem,) = preflight.check_account("123456789012", "dev", "us-east-1")
    assert "no AWS credentials" in problem
    monkeypatch.setenv("AWS_PROFILE", "nope")
    _, (problem,) = preflight.check_account("123456789012", "dev", "us-east-1")
    assert "nope" in problem


def test_an_endpoint_that_does_not_answer_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    _, (problem,) = preflight.check_account("123456789012", "dev", "us-east-1")
    assert "does not answer" in problem
    assert "127.0.0.1:9" in problem


def test_a_shell_that_would_steer_terraform_is_refused() -> None:
    said = preflight.check_shell({"TF_VAR_region": "x", "TF_CLI_ARGS_plan": "y", "HOME": "/"})
    assert preflight.check_shell({"AWS_ENDPOINT_URL_S3": "http://x"})
    assert "TF_CLI_ARGS_plan, TF_VAR_region" in said[0]
    assert "unset" in said[0]
    assert preflight.check_shell({"TF_CLI_CONFIG_FILE": "z", "TF_IN_AUTOMATION": "1"}) == []


def test_another_environment_s_broken_range_is_named() -> None:
    said = preflight.check_cidr("dev", "10.20.0.0/16", {"prod": {"vpc_cidr": "10.40.1.0/16"}})
    assert "prod" in said[0] and "10.40.1.0/16" in said[0]
