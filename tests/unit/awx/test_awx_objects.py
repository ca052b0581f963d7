"""AWX's objects are what the modules of awx.awx document, and refer only to each other."""

import re
from pathlib import Path
from typing import Any

import ansible_collections
import jobs_awx
import jobs_definitions as definitions
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .conftest import PROJECT

MODULES = {"link": "workflow_job_template_node"}
# Endpoint in which each module makes its objects; needs are named by it.
ENDPOINTS = {
    "organization": "organizations",
    "execution_environment": "execution_environments",
    "project": "projects",
    "credential": "credentials",
    "notification_template": "notification_templates",
    "inventory": "inventories",
    "job_template": "unified_job_templates",
    "workflow_job_template": "unified_job_templates",
}
# A survey as AWX takes it: question types with limits, and those with choices.
NUMBERS = ("text", "integer", "float")


@pytest.fixture(scope="module")
def made(found: definitions.Definitions) -> jobs_awx.Objects:
    return jobs_awx.objects(PROJECT, found)


def documented(module: str) -> dict[str, Any]:
    """A module's argument spec, as its DOCUMENTATION has it."""
    folders = [Path(path) / "awx/awx/plugins/modules" for path in ansible_collections.__path__]
    path = next(one for one in folders if one.is_dir()) / f"{module}.py"
    text = re.search(
        r"^DOCUMENTATION = r?(['\"]{3})(.*?)\1", path.read_text(), re.DOTALL | re.MULTILINE
    )
    assert text, path
    return _spec(yaml.safe_load(text[2])["options"])


def _spec(options: dict[str, Any]) -> dict[str, Any]:
    keys = ("type", "required", "choices", "elements", "aliases")
    return {
        name: {key: one[key] for key in keys if one.get(key) is not None}
        for name, one in options.items()
    }


def test_every_object_is_as_its_module_documents(made: jobs_awx.Objects) -> None:
    assert {name: len(ones) for name, ones in made.items()} == {
        "organization": 1,
        "execution_environment": 1,
        "project": 1,
        "credential": 6,
        "notification_template": 1,
        "inventory": 6,
        "inventory_source": 9,
        "job_template": 65,
        "workflow_job_template": 11,
        "workflow_job_template_node": 44,
        "link": 33,
        "schedule": 12,
    }
    for name, ones in made.items():
        spec = documented(MODULES.get(name, name))
        for one in ones:
            errors = ArgumentSpecValidator(spec).validate(one["arguments"]).error_messages
            assert not errors, (name, one["label"], errors)


def test_the_documentation_would_find_a_wrong_object(made: jobs_awx.Objects) -> None:
    arguments = made["job_template"][0]["arguments"]
    for wrong in ({"job_type": "rehearse"}, {"survey": {}}, {"timeout": "long"}):
        validator = ArgumentSpecValidator(documented("job_template"))
        assert validator.validate({**arguments, **wrong}).error_messages


def test_objects_refer_to_what_is_made_before(made: jobs_awx.Objects) -> None:
    there: set[str] = set()
    order = list(made)
    # The playbook writes credentials and who is told before what names them.
    assert order.index("notification_template") < order.index("inventory")
    for name, ones in made.items():
        for one in ones:
            assert set(one["needs"]) <= there, one["label"]
        if name in ENDPOINTS:
            there |= {f"{ENDPOINTS[name]}/{one['arguments']['name']}" for one in ones}
            assert len({one["arguments"]["name"] for one in ones}) == len(ones)
    written = re.findall(
        r"^ +loop: \"\{\{ awx_objects\.(\w+) \}\}",
        (PROJECT / "playbooks/awx-apply.yml").read_text(),
        re.M,
    )
    assert written == order


def test_job_templates(made: jobs_awx.Objects, found: definitions.Definitions) -> None:
    templates = {one["arguments"]["name"]: one["arguments"] for one in made["job_template"]}
    for environment in ("dev", "staging", "prod"):
        for job in found.jobs.values():
            if environment not in job.environments:
                continue
            template = templates.pop(f"{environment} {job.name}")
            assert (PROJECT / template["playbook"]).is_file()
            # What changes something is a rehearsal unless somebody says otherwise.
            assert (template["job_type"] == "check") is job.changes
            assert template["ask_job_type_on_launch"] is job.changes
            asked = {one["variable"] for one in template.get("survey_spec", {"spec": []})["spec"]}
            assert asked == set(job.survey)
    assert templates == {}
    sources = {one["arguments"]["source_path"] for one in made["inventory_source"]}
    assert all((PROJECT / source).is_dir() for source in sources)


def test_surveys(made: jobs_awx.Objects) -> None:
    questions = [
        question
        for name in ("job_template", "workflow_job_template")
        for one in made[name]
        for question in one["arguments"].get("survey_spec", {"spec": []})["spec"]
    ]
    assert len(questions) > 100
    for question in questions:
        kind, default = question["type"], question.get("default")
        assert question["question_description"]
        if kind == "multiplechoice":
            assert default is None or default in question["choices"]
            assert default is not None or question["required"]
            continue
        assert kind in NUMBERS
        assert question["min"] <= question["max"]
        if default is not None:
            size = len(default) if kind == "text" else default
            assert question["min"] <= size <= question["max"]


def test_what_needs_an_approval_gets_its_node(made: jobs_awx.Objects) -> None:
    nodes: dict[str, list[dict[str, Any]]] = {}
    for one in made["workflow_job_template_node"]:
        nodes.setdefault(one["arguments"]["workflow_job_template"], []).append(one["arguments"])
    for job in ("provision", "deploy", "configure-solana", "upgrade-solana"):
        rehearsal, approval, run = nodes[f"prod {job} with approval"]
        assert (rehearsal["job_type"], run["job_type"]) == ("check", "run")
        assert approval["approval_node"]["timeout"] == 240 * 60
        assert f"dev {job} with approval" not in nodes
    for environment, approvals in (("dev", 0), ("staging", 0), ("prod", 1)):
        assert sum("approval_node" in one for one in nodes[f"{environment} site"]) == approvals


def test_schedules_carry_their_rule_and_prompts(made: jobs_awx.Objects) -> None:
    schedules = {one["arguments"]["name"]: one["arguments"] for one in made["schedule"]}
    drill = schedules["staging failover-drill monthly"]
    assert drill["job_type"] == "run"
    assert drill["extra_data"] == {"target": "both"}
    assert "prod failover-drill monthly" not in schedules
    assert schedules["prod drift daily"]["extra_data"] == {"fail_on_drift": "true"}
    pattern = (
        r"DTSTART;TZID=[A-Za-z_/]+:\d{8}T\d{6} RRULE:FREQ=[A-Z]+;INTERVAL=1(;BY[A-Z]+=[\w,]+)*"
    )
    for one in schedules.values():
        assert re.fullmatch(pattern, one["rrule"])


def test_no_secret_is_among_the_objects(made: jobs_awx.Objects) -> None:
    for one in made["credential"]:
        assert not any(one["arguments"]["inputs"].values())
        assert all(
            re.fullmatch(r"DRYDOCK_(DEV|STAGING|PROD)_\w+", name) for name in one["variables"]
        )
        assert one["arguments"]["update_secrets"] is False
    assert "url" not in made["notification_template"][0]["arguments"]["notification_configuration"]


def test_the_execution_environment_is_made_of_the_project_s_own_pins() -> None:
    path = PROJECT / "awx/execution-environment.yml"
    found = yaml.safe_load(path.read_text())
    assert found["version"] == 3
    keys = {"images", "dependencies", "additional_build_files", "options", "additional_build_steps"}
    assert set(found) == keys | {"version"}
    for one in found["additional_build_files"]:
        assert (path.parent / one["src"]).resolve().is_file()
    steps = "\n".join(found["additional_build_steps"]["append_final"])
    assert "--require-hashes" in steps
    setup = (PROJECT / "scripts/setup").read_text()
    pins = re.findall(r"^readonly (TERRAFORM|TERRAFORM_SHA256|RELEASES)=\S+$", setup, re.M)
    assert sorted(pins) == ["RELEASES", "TERRAFORM", "TERRAFORM_SHA256"]
    assert f"({'|'.join(pins)})" in steps
