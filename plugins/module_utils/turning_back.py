"""The way back from a release that is still taking over: ECS turns the clients back at once."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    GOING,
    POLL_SECONDS,
    DeploymentFailed,
    Service,
    newest,
    service_deployment,
    short,
    turned_words,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment


def stoppable(service: Service, now: dict[str, Any], target: str) -> dict[str, Any] | None:
    """Return the service deployment that has to be stopped to get to a revision; None for none.

    now: the service as ECS describes it. target: ARN of the task definition to return to.
    Raises DeploymentFailed where the way back leads elsewhere.
    """
    going = newest(service, now)
    if going is None or going["status"] not in GOING:
        return None
    arns = [one["arn"] for one in going["sourceServiceRevisions"]]
    found = service.ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"]
    sources = [one["taskDefinition"] for one in found]
    if going["status"] == "IN_PROGRESS" and target in sources:
        return going
    ways = ", ".join(short(one) for one in sources) or "no release"
    raise DeploymentFailed(
        f"{service.name} is on its way to {short(now['taskDefinition'])} "
        f"({going['status']}, {turned_words(going)}), from which the way back is to {ways} only, "
        f"not to {short(target)}: wait until it is done, or return to that. Nothing was changed."
    )


def stop(service: Service, going: dict[str, Any], journal: Journal, what: str) -> dict[str, Any]:
    """Have ECS take a service deployment back; return the module's result without the waiting."""
    # Nothing could undo it but a release; the service is whole with the revision of before.
    journal.begin(what, None, keep=True)
    arn = going["serviceDeploymentArn"]
    service.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    deployment = {"id": short(arn), "stopped": arn, "at": moment(), "step": what}
    return {"finished": False, "progress": "the clients are turned back", "deployment": deployment}


def observe_stop(service: Service, deployment: dict[str, Any], wait: float) -> dict[str, Any]:
    """Watch a service deployment that is being taken back, `wait` seconds at most.

    Returns {finished, progress, deployment}; raises DeploymentFailed.
    """
    end = time.monotonic() + wait
    while True:
        going = service_deployment(service, deployment["stopped"])
        progress = f"{going['status']}; {turned_words(going)}"
        finished = going["status"] == "ROLLBACK_SUCCESSFUL"
        if not finished and going["status"] not in GOING:
            raise DeploymentFailed(
                f"Service deployment {deployment['id']} of {service.name} was to be taken back, "
                f"but is {going['status']}: {going.get('statusReason') or 'ECS gives no reason'}. "
                "Look at what serves and run the playbook again; it decides on what it finds then."
            )
        if finished or progress != deployment.get("progress") or time.monotonic() >= end:
            seen = {**deployment, "progress": progress}
            return {"finished": finished, "progress": progress, "deployment": seen}
        time.sleep(POLL_SECONDS)
