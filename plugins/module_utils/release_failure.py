"""What a release failed of, named: from ECS's words, the load balancer's checks and the log.

Sources: Elastic Load Balancing API reference, TargetHealth (reason codes); ECS developer guide,
"Stopped tasks error messages". While tasks fail, their targets say why; once they have stopped,
nobody does, so what the checks said is kept as the deployment is watched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact

KEPT = ("Target.FailedHealthChecks", "Target.ResponseCodeMismatch", "Target.Timeout")
WORDS = 3  # last lines of a log that are shown
TASKS = 4  # whose logs are read

Clients = Callable[[str], Any]


def unhealthy(clients: Clients, service: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return address → [reason code, description] of the service's targets that fail their check.

    service: as DescribeServices gives it.
    """
    found = {}
    for group in service.get("loadBalancers", []):
        if "targetGroupArn" not in group:
            continue
        answer = clients("elbv2").describe_target_health(TargetGroupArn=group["targetGroupArn"])
        for one in answer["TargetHealthDescriptions"]:
            health = one["TargetHealth"]
            if health.get("Reason") in KEPT:
                found[one["Target"]["Id"]] = [health["Reason"], health.get("Description", "")]
    return found


def check_of(clients: Clients, service: Mapping[str, Any]) -> dict[str, Any]:
    """Return {port, path, timeout} of the health check that the service's targets must pass."""
    groups = [one for one in service.get("loadBalancers", []) if "targetGroupArn" in one]
    if not groups:
        return {}
    found = clients("elbv2").describe_target_groups(TargetGroupArns=[groups[0]["targetGroupArn"]])
    group = found["TargetGroups"][0]
    return {
        "port": groups[0].get("containerPort", group.get("Port")),
        "path": group.get("HealthCheckPath", "/"),
        "timeout": group.get("HealthCheckTimeoutSeconds", 0),
    }


def log_of(clients: Clients, task: Mapping[str, Any], definition: Mapping[str, Any]) -> list[str]:
    """Return the last lines that a task logged, the oldest first; [] where it has no log."""
    lines: list[str] = []
    for container in definition["containerDefinitions"]:
        log = container.get("logConfiguration") or {}
        options = log.get("options") or {}
        if log.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
            continue
        name = task["taskArn"].rpartition("/")[2]
        logs = clients("logs")
        try:
            events = logs.get_log_events(
                logGroupName=options["awslogs-group"],
                logStreamName=f"{options['awslogs-stream-prefix']}/{container['name']}/{name}",
                limit=WORDS, startFromHead=False,
            )["events"]  # fmt: skip
        except logs.exceptions.ResourceNotFoundException:
            continue
        lines += [redact(event["message"].strip())[:300] for event in events]
    return lines[-WORDS:]


def address(task: Mapping[str, Any]) -> str:
    details = [one for part in task.get("attachments", []) for one in part.get("details", [])]
    return next((one["value"] for one in details if one["name"] == "privateIPv4Address"), "")


def lived(task: Mapping[str, Any]) -> int:
    """Seconds from a task's start until it was asked to stop; 0 where it never ran."""
    start, end = task.get("startedAt"), task.get("stoppingAt") or task.get("stoppedAt")
    return round((end - start).total_seconds()) if start and end else 0


def name(task: Mapping[str, Any], said: list[str], check: Mapping[str, Any], log: list[str]) -> str:
    """Name what a stopped task failed of, with the cure; empty where it can't be told.

    said: [reason code, description] of its target's last failed check; [] where it passed.
    check: as check_of gives it. log: its last lines.
    """
    containers = task.get("containers", [])
    reasons = " ".join(
        [task.get("stoppedReason") or "", *(c.get("reason") or "" for c in containers)]
    )
    if re.search(r"exec format error", " ".join([reasons, *log]), re.IGNORECASE):
        return (
            "exec format error: the image is built for another architecture than the task's "
            "(runtimePlatform); build it for that one"
        )
    if re.search(r"CannotPull|manifest", reasons):
        return "its image can't be pulled: see that the tag is in ECR and the task may read it"
    if re.search(r"CannotStartContainer|CannotCreateContainer", reasons):
        return "its container can't be started: image, entry point and user do not fit"
    if "OutOfMemory" in reasons:
        return "it used more memory than it may: raise workload.memory or mend what uses it"
    codes = {c["exitCode"] for c in containers if c.get("exitCode") is not None}
    if "container health checks" in reasons:
        return (
            f"its own health check (workload.health_command) failed {lived(task)} s after its "
            "start: mend what it asks for, or raise health_grace_seconds if it only needs longer"
        )
    if re.search(r"health checks", reasons, re.IGNORECASE):
        return _unhealthy(said, check, lived(task))
    if codes:
        shown = " and ".join(str(code) for code in sorted(codes))
        return f"its container exits by itself with {shown}: what for stands in its log"
    return ""


def _unhealthy(said: list[str], check: Mapping[str, Any], seconds: int) -> str:
    port, path = check.get("port", "its port"), check.get("path", "its health path")
    begun = f"it was not healthy within {seconds} s of its start: "
    code, words = said or ["", ""]
    status = re.search(r"\b([1-5]\d\d)\b", words)
    if code == "Target.ResponseCodeMismatch":
        return (
            f"{begun}it answered {status[1] if status else 'no 200'} to {path}; mend that, or "
            "raise health_grace_seconds if it only needs longer"
        )
    if code == "Target.Timeout":
        return (
            f"{begun}it answered {path} later than the {check.get('timeout')} s that a check waits"
        )
    if code == "Target.FailedHealthChecks":
        return (
            f"{begun}the container listens on no {port}; have it listen there on all addresses, or "
            "raise health_grace_seconds if it only needs longer to begin"
        )
    return f"{begun}its health check at {port}{path} failed, and how was not seen"


def causes(
    clients: Clients, service: Mapping[str, Any], tasks: list[Mapping[str, Any]],
    definition: Mapping[str, Any], seen: Mapping[str, list[str]],
) -> list[str]:  # fmt: skip
    """Return the sentences on what stopped tasks of a release failed of, the commonest first.

    seen: what `unhealthy` has said while the release was watched.
    """
    named: Counter[str] = Counter()
    logs: dict[str, list[str]] = {}
    check = check_of(clients, service)
    for task in tasks[:TASKS]:
        log = log_of(clients, task, definition)
        found = name(task, seen.get(address(task), []), check, log)
        # Tasks of one cause differ in the seconds that they lived.
        key = next((one for one in named if _alike(one, found)), found)
        if found:
            named[key] += 1
            logs.setdefault(key, log)
            logs[key] = logs[key] or log
    sentences = []
    for cause, _ in named.most_common():
        sentences.append(f"Cause: {cause}.")
        if logs[cause]:
            sentences.append(f"Its log ended with: {' | '.join(logs[cause])}.")
    return sentences


def _alike(one: str, other: str) -> bool:
    return re.sub(r"\d+ s", "", one) == re.sub(r"\d+ s", "", other)
