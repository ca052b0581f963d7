"""AWX's objects, made of jobs/ and awx/controller.yml: arguments of the modules of awx.awx."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import jobs_survey as survey
import yaml
from jobs_definitions import Definitions, Job

# A survey's question types by the fields' types; with choices they are multiplechoice.
_QUESTIONS = {"str": "text", "list": "text", "int": "integer", "float": "float"}

Objects = dict[str, list[dict[str, Any]]]


def objects(project: Path, found: Definitions) -> Objects:
    """All objects of the controller, by module, in the order in which they can be made.

    Each has ``label``, ``arguments`` of the module, and ``needs``: "endpoint/name" of the objects
    that the module looks up. What holds a secret has ``itself``, as others need it, and
    ``variables``: names in the environment whose values belong into its arguments.
    """
    controller = yaml.safe_load((project / "awx/controller.yml").read_text())
    organization = controller["organization"]
    here = _need("organizations", organization)
    made: Objects = {
        "organization": [_one({"name": organization})],
        "execution_environment": [
            _one({**controller["execution_environment"], "organization": organization}, here)
        ],
        "project": [
            _one(
                {
                    **controller["project"],
                    "organization": organization,
                    "scm_type": "git",
                    "scm_clean": True,
                    "scm_update_on_launch": True,
                    "default_environment": controller["execution_environment"]["name"],
                    "wait": False,
                },
                here,
                _need("execution_environments", controller["execution_environment"]["name"]),
            )
        ],
    }
    for module in (
        "credential",
        "notification_template",
        "inventory",
        "inventory_source",
        "job_template",
        "workflow_job_template",
        "workflow_job_template_node",
        "link",
        "schedule",
    ):
        made[module] = []
    for name, one in found.notifications.items():
        arguments = {
            "name": name,
            "organization": organization,
            "description": one["description"],
            "notification_type": "webhook",
            "notification_configuration": {
                "http_method": "POST",
                "headers": {"Content-Type": "application/json"},
            },
        }
        itself = _need("notification_templates", name)
        made["notification_template"].append(
            _one(arguments, here, itself=itself, variables=[one["url_from"]])
        )
    for environment in controller["environments"]:
        _Environment(environment, controller, found, made).add()
    return made


def _need(endpoint: str, name: str) -> str:
    return f"{endpoint}/{name}"


def _one(arguments: dict[str, Any], *needs: str, **more: Any) -> dict[str, Any]:
    names = (arguments.get(key) for key in ("workflow_job_template", "identifier", "name"))
    label = ", ".join(filter(None, names))
    return {"label": label, "arguments": arguments, "needs": list(needs), **more}


def survey_spec(fields: dict[str, survey.Field]) -> dict[str, Any]:
    """AWX's survey of a job's fields. Yes or no is a choice of true and false.

    What has no default is left out of the question, so that an answer that is not given stays so.
    """
    return {"name": "", "description": "", "spec": [_question(*item) for item in fields.items()]}


def _question(name: str, field: survey.Field) -> dict[str, Any]:
    kind, default = field["type"], field.get("default")
    found: dict[str, Any] = {
        "variable": name,
        "question_name": name,
        "question_description": " ".join(field["description"].split()),
        "required": bool(field.get("required", False)),
        "type": _QUESTIONS.get(kind, "multiplechoice"),
    }
    if kind == "bool" or field.get("choices"):
        found["type"] = "multiplechoice"
        found["choices"] = ["false", "true"] if kind == "bool" else list(field["choices"])
        default = str(default).lower() if isinstance(default, bool) else default
    elif kind == "str":
        found |= {"min": field.get("minimum", 0), "max": survey.longest(field)}
    elif kind == "list":
        # Words and the commas between them: AWX limits the characters.
        found |= {"min": 0, "max": survey.longest(field) * 64}
        default = ",".join(default or []) or None
    else:
        found |= {"min": field["minimum"], "max": field["maximum"]}
    if default is not None:
        found["default"] = default
    return found


def variables(values: dict[str, Any]) -> dict[str, Any]:
    """Values of a step or a schedule as AWX takes them: prompts apart, yes or no as in surveys."""
    extra = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in values.items()
        if name not in survey.RESERVED
    }
    found: dict[str, Any] = {"extra_data": extra} if extra else {}
    if "limit" in values:
        found["limit"] = values["limit"]
    if "check" in values:
        found["job_type"] = "check" if values["check"] else "run"
    return found


class _Environment:
    """Adds what one environment has. Names begin with the environment's."""

    def __init__(
        self, name: str, controller: dict[str, Any], found: Definitions, made: Objects
    ) -> None:
        self.name = name
        self.controller = controller
        self.found = found
        self.made = made
        self.organization = controller["organization"]
        self.here = _need("organizations", self.organization)

    def add(self) -> None:
        for name, one in self.controller["credentials"].items():
            names = [
                value.replace("_ENV_", f"_{self.name.upper()}_") for value in one["inputs"].values()
            ]
            self._add(
                "credential",
                {
                    "name": f"{self.name} {name}",
                    "organization": self.organization,
                    "credential_type": one["credential_type"],
                    "inputs": dict.fromkeys(one["inputs"], ""),
                    "update_secrets": False,
                },
                self.here,
                itself=_need("credentials", f"{self.name} {name}"),
                variables=names,
            )
        jobs = [job for job in self.found.jobs.values() if self.name in job.environments]
        for folders in sorted({tuple(job.inventories) for job in jobs}):
            self._inventory(list(folders))
        for job in jobs:
            self._job(job)
        for workflow in self.found.workflows.values():
            if self.name in workflow.environments:
                steps = workflow.steps_of(self.name)
                self._workflow(workflow.name, workflow.description, steps)
        for job in jobs:
            for schedule in job.schedules:
                if self.name in schedule.environments:
                    self._add(
                        "schedule",
                        {
                            "name": f"{self.name} {job.name} {schedule.name}",
                            "unified_job_template": f"{self.name} {job.name}",
                            "rrule": schedule.rule.text,
                            "enabled": True,
                            **variables(schedule.values),
                        },
                        _need("unified_job_templates", f"{self.name} {job.name}"),
                    )

    def _add(self, module: str, arguments: dict[str, Any], *needs: str, **more: Any) -> None:
        self.made[module].append(_one(arguments, *needs, **more))

    def _inventory_name(self, folders: list[str]) -> str:
        return " with ".join([self.name, *folders])

    def _inventory(self, folders: list[str]) -> None:
        """An inventory with a source for each folder, read from the project before each job."""
        name = self._inventory_name(folders)
        self._add("inventory", {"name": name, "organization": self.organization}, self.here)
        project = self.controller["project"]["name"]
        for folder in ["", *folders]:
            path = "/".join(filter(None, ("inventories", folder, self.name)))
            self._add(
                "inventory_source",
                {
                    "name": f"{name}: {path}",
                    "inventory": name,
                    "organization": self.organization,
                    "source": "scm",
                    "source_project": project,
                    "source_path": path,
                    "overwrite": True,
                    "overwrite_vars": True,
                    "update_on_launch": True,
                    # Nodes are found by asking EC2.
                    **({"credential": f"{self.name} aws"} if folder else {}),
                },
                _need("inventories", name),
                _need("projects", project),
                *([_need("credentials", f"{self.name} aws")] if folder else []),
            )

    def _job(self, job: Job) -> None:
        credentials = [f"{self.name} {one}" for one in job.credentials]
        inventory = self._inventory_name(job.inventories)
        environment = self.controller["execution_environment"]["name"]
        self._add(
            "job_template",
            {
                "name": f"{self.name} {job.name}",
                "organization": self.organization,
                "description": job.description,
                "project": self.controller["project"]["name"],
                "playbook": job.playbook,
                "inventory": inventory,
                "execution_environment": environment,
                "credentials": credentials,
                # A rehearsal unless somebody chooses otherwise.
                "job_type": "check" if job.changes else "run",
                "ask_job_type_on_launch": job.changes,
                "ask_limit_on_launch": job.limit,
                "diff_mode": job.changes,
                "allow_simultaneous": False,
                "timeout": job.timeout_minutes * 60,
                "extra_vars": job.variables,
                "survey_enabled": bool(job.survey),
                **({"survey_spec": survey_spec(job.survey)} if job.survey else {}),
                **self._notify(job.notify),
            },
            self.here,
            _need("projects", self.controller["project"]["name"]),
            _need("inventories", inventory),
            _need("execution_environments", environment),
            *(_need("credentials", one) for one in credentials),
            *(
                _need("notification_templates", one)
                for names in job.notify.values()
                for one in names
            ),
        )
        if self.name in job.approval:
            steps = [
                {"job": job.name, "values": {"check": True}},
                {"approval": f"{job.name} changes {self.name}: is the rehearsal what is wanted?"},
                {"job": job.name, "values": {"check": False}},
            ]
            self._workflow(f"{job.name} with approval", job.description, steps, job)

    def _notify(self, notify: dict[str, list[str]]) -> dict[str, list[str]]:
        return {f"notification_templates_{event}": names for event, names in notify.items()}

    def _workflow(
        self, name: str, description: str, steps: list[dict[str, Any]], asks: Job | None = None
    ) -> None:
        """A workflow of steps in a row. ``asks`` is the job whose survey and limit it asks for."""
        workflow = f"{self.name} {name}"
        people = sorted(self.found.notifications)
        self._add(
            "workflow_job_template",
            {
                "name": workflow,
                "organization": self.organization,
                "description": description,
                "allow_simultaneous": False,
                "notification_templates_approvals": people,
                "notification_templates_error": people,
                "ask_limit_on_launch": bool(asks and asks.limit),
                "survey_enabled": bool(asks and asks.survey),
                **({"survey_spec": survey_spec(asks.survey)} if asks and asks.survey else {}),
            },
            self.here,
            *(_need("notification_templates", one) for one in people),
        )
        self._nodes(workflow, steps)

    def _nodes(self, workflow: str, steps: list[dict[str, Any]]) -> None:
        """The steps as nodes, and then the links between them: a link needs both its ends."""
        names = [f"{number}-{step.get('job', 'approval')}" for number, step in enumerate(steps, 1)]
        itself = _need("unified_job_templates", workflow)
        base = {"workflow_job_template": workflow, "organization": self.organization}
        for identifier, step in zip(names, steps, strict=True):
            if "approval" in step:
                node = {
                    "approval_node": {
                        "name": f"{workflow}: approval",
                        "description": step["approval"],
                        "timeout": self.controller["approval_timeout_minutes"] * 60,
                    }
                }
                needs = [itself]
            else:
                template = f"{self.name} {step['job']}"
                node = {"unified_job_template": template, **variables(step.get("values", {}))}
                needs = [itself, _need("unified_job_templates", template)]
            self._add(
                "workflow_job_template_node", {**base, "identifier": identifier, **node}, *needs
            )
        for identifier, after in pairwise(names):
            self._add("link", {**base, "identifier": identifier, "success_nodes": [after]}, itself)
