"""Workflows do what the project does elsewhere, with as few rights as each job needs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import GITHUB, PROJECT, WORKFLOWS, read, shell, step

ACTIONS = {path.parent.name: read(path) for path in GITHUB.glob("actions/*/action.yml")}
JOBS = [
    pytest.param(workflow, job, id=f"{workflow}-{job}")
    for workflow, data in WORKFLOWS.items()
    for job in data["jobs"]
]
PLAYBOOK = re.compile(r"ansible-playbook -i \"inventories/\$ENVIRONMENT\" (playbooks/[a-z-]+\.yml)")
SIGN_IN = "aws-actions/configure-aws-credentials"


def _job(workflow: str, job: str) -> dict[str, Any]:
    return WORKFLOWS[workflow]["jobs"][job]


def _steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for workflow, data in WORKFLOWS.items():
        for job, detail in data["jobs"].items():
            for one in detail.get("steps", []):
                yield f"{workflow}-{job}", one
    for action, data in ACTIONS.items():
        for one in data["runs"]["steps"]:
            yield action, one


STEPS = list(_steps())
SCRIPTS = [
    pytest.param(one["run"], id=f"{place}: {one['name']}") for place, one in STEPS if "run" in one
]


def test_all_workflows_are_there() -> None:
    assert set(WORKFLOWS) == {
        "infrastructure", "environment", "deploy", "cost-report", "nightly-rehearsal"
    }  # fmt: skip
    assert len(SCRIPTS) > 10


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_step_runs_is_there_and_can_be_run(script: str) -> None:
    # GitHub's values come in by the environment, never as text of the script.
    assert "${{" not in script
    subprocess.run(["bash", "-n", "-c", script], check=True)
    script = script.replace("\\\n", " ")
    known = 0
    for words in (line.split() for line in script.splitlines()):
        if words[:2] == ["sudo", "make"]:
            subprocess.run(["make", "-n", *words[2:]], cwd=PROJECT, check=True, capture_output=True)
            known += 1
        elif words[0] == "ansible-playbook":
            found = PLAYBOOK.match(" ".join(words))
            assert found and (PROJECT / found[1]).is_file()
            known += 1
    # What does neither only moves what is there (reports, comments, rights), or adds a package.
    assert known or {"cat", "chown", "gh", "apt-get"} & set(script.split())


@pytest.mark.parametrize("playbook", sorted({
    found for _, one in STEPS for found in PLAYBOOK.findall(one.get("run", "").replace("\\\n", " "))
}))  # fmt: skip
def test_a_playbook_of_a_step_can_be_read(playbook: str) -> None:
    subprocess.run(
        ["ansible-playbook", "-i", "inventories/dev", "--syntax-check", playbook],
        cwd=PROJECT, check=True, capture_output=True,
    )  # fmt: skip


def test_a_plan_is_made_and_applied_for_the_same_stacks() -> None:
    limit = '--limit "$STACKS"'
    for job, name in (("plan", "Plan"), ("apply", "Apply what was approved")):
        assert limit in step("environment", job, name)["run"]
        assert _job("environment", job)["env"]["STACKS"] == "${{ inputs.stacks }}"


def test_actions_are_pinned_or_the_project_s_own() -> None:
    used = [one["uses"] for _, one in STEPS if "uses" in one]
    used += [job["uses"] for data in WORKFLOWS.values() for job in data["jobs"].values()
             if "uses" in job]  # fmt: skip
    assert len(used) > 10
    for name in used:
        if name.startswith("$/"):
            path = PROJECT / name.removeprefix("$/")
            assert path.is_file() or (path / "action.yml").is_file()
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name)
    for path in GITHUB.rglob("*.yml"):
        for line in path.read_text().splitlines():
            if re.search(r"uses: (?!\$/)", line):
                assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), f"{path.name}: {line}"


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflow_has_no_rights_of_its_own(workflow: str) -> None:
    data = WORKFLOWS[workflow]
    assert data["permissions"] == {}
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(data["on"])
    assert "concurrency" in data or set(data["on"]) == {"workflow_call"}
    assert "secrets." not in (GITHUB / f"workflows/{workflow}.yml").read_text()


@pytest.mark.parametrize(("workflow", "job"), JOBS)
def test_a_job_has_the_rights_that_it_needs_and_an_end(workflow: str, job: str) -> None:
    detail = _job(workflow, job)
    rights, uses = detail["permissions"], [one.get("uses", "") for one in detail.get("steps", [])]
    if "uses" in detail:  # what it calls has rights of its own, and no more than these
        called = WORKFLOWS[Path(detail["uses"]).stem]["jobs"].values()
        needed = {name: right for one in called for name, right in one["permissions"].items()}
        assert rights == needed
        return
    signs_in = any(one.startswith(SIGN_IN) for one in uses)
    assert rights.get("contents") == (
        "read" if any(one.startswith("actions/checkout@") for one in uses) else None
    )
    assert rights.get("id-token") == ("write" if signs_in else None)
    assert rights.get("pull-requests") == ("write" if job == "comment" else None)
    assert set(rights) <= {"contents", "id-token", "pull-requests"}
    assert 0 < detail["timeout-minutes"] <= 150
    assert detail["runs-on"] == "ubuntu-24.04"
    for one in detail["steps"]:
        if one.get("uses", "").startswith("actions/checkout@"):
            assert one["with"]["persist-credentials"] is False
        if one.get("uses", "").startswith(SIGN_IN):
            assert set(one["with"]) == {"aws-region", "role-to-assume"}


def test_who_changes_an_account_waits_for_its_environment() -> None:
    apply = _job("environment", "apply")
    assert apply["environment"] == "${{ inputs.environment }}"
    assert apply["needs"] == "plan"
    assert "needs.plan.outputs.approval != ''" in apply["if"] and "inputs.apply" in apply["if"]
    assert apply["concurrency"]["cancel-in-progress"] is False
    assert _job("deploy", "deploy")["environment"] == "${{ inputs.environment || 'dev' }}"
    # Which role: by the environment's variables, so that no other job has them.
    roles = {
        (workflow, job): one["with"]["role-to-assume"]
        for workflow, data in WORKFLOWS.items()
        for job, detail in data["jobs"].items()
        for one in detail.get("steps", [])
        if one.get("uses", "").startswith(SIGN_IN)
    }
    assert roles == {
        ("environment", "plan"): "${{ inputs.plan_role }}",
        ("environment", "apply"): "${{ vars.APPLY_ROLE }}",
        ("deploy", "deploy"): "${{ vars.DEPLOY_ROLE }}",
        ("cost-report", "cost"): "${{ matrix.plan_role }}",
    }
    given = _job("infrastructure", "environments")["with"]
    assert given["apply"] == (
        "${{ github.event_name != 'pull_request' && github.ref == 'refs/heads/main' }}"
    )
    # What binds the pipeline is not applied by it (docs/decisions.md, 21).
    assert "stacks:!bootstrap:!identity:!security" in given["stacks"]


def test_what_approves_goes_from_the_report_to_the_apply(tmp_path: Path) -> None:
    report = step("environment", "plan", "Show the report")
    plan = _job("environment", "plan")
    assert plan["outputs"] == {"approval": f"${{{{ steps.{report['id']}.outputs.approval }}}}"}
    assert _job("environment", "apply")["env"]["APPROVED_PLAN"] == (
        "${{ needs.plan.outputs.approval }}"
    )
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans/dev.md").write_text("## Plan of dev\n")
    (tmp_path / "plans/dev.approval").write_text("0123.data-4567")
    code, said = shell(report["run"], tmp_path, {
        "ENVIRONMENT": "dev", "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    })  # fmt: skip
    assert code == 0, said
    assert (tmp_path / "output").read_text() == "approval=0123.data-4567\n"
    assert (tmp_path / "summary").read_text() == "## Plan of dev\n"


@pytest.mark.parametrize(("mine", "method"), [("", "POST"), ("7\n9", "PATCH")])
def test_an_environment_has_one_comment(mine: str, method: str, tmp_path: Path) -> None:
    folder = tmp_path / "plans"
    folder.mkdir()
    for name in ("dev", "prod"):
        (folder / f"{name}.md").write_text(f"## Plan of {name}\n")
    program = tmp_path / "gh"
    program.write_text(
        '#!/bin/sh\necho "$head: $*" >> calls\ncase "$*" in *--jq*) printf "%s" "$MINE";; esac\n'
    )
    program.chmod(0o700)
    code, said = shell(step("infrastructure", "comment", "Comment")["run"], tmp_path, {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "MINE": mine, "COMMENTS": "all", "COMMENT": "one",
    })  # fmt: skip
    assert code == 0, said
    calls = [one for one in (tmp_path / "calls").read_text().splitlines() if "--field" in one]
    place = "one/7" if mine else "all"
    assert calls == [
        f"## Plan of {name}: api --method {method} {place} --field body=@plans/{name}.md --silent"
        for name in ("dev", "prod")
    ]


def test_the_environments_of_a_deployment_are_inventories() -> None:
    options = WORKFLOWS["deploy"]["on"]["workflow_dispatch"]["inputs"]["environment"]["options"]
    for name in options:
        assert (PROJECT / "inventories" / name / "hosts").exists()
