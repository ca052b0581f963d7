"""What there is to see of a service on ECS, asked of AWS: metrics, logs, deployments, tasks.

Reads only. What can't be had (a log group that is gone, a metric without data) is left out and
said in `notes`; it must not keep a diagnosis from being made.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.aws import error_code, explain
from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    Service,
    scalable_target,
    short,
)
from ansible_collections.drydock.ops.plugins.module_utils.figures import (
    NOW,
    Series,
    began,
    change,
    read_lines,
    share,
)
from ansible_collections.drydock.ops.plugins.module_utils.observation import (
    Change,
    Observation,
    Release,
    Stopped,
    Task,
)

LOOK_BACK = 180  # periods of metrics that are read
LOG_PERIODS = 12
LOG_LINES = 1000  # newest of each task
MOST_TASKS = 10  # whose logs are read
MOST_RELEASES = 10  # whose share of errors is asked for
SERVED_PERIODS = 60  # of a release's life by which it is judged
ENOUGH_REQUESTS = 20  # for a share of errors to say how well a release served
# Metrics of a target group, how a period's values become one, and how those of two groups do.
OF_GROUPS: dict[str, tuple[str, str, Callable[[Iterable[float]], float]]] = {
    "requests": ("RequestCount", "Sum", sum),
    "errors": ("HTTPCode_Target_5XX_Count", "Sum", sum),
    "latency": ("TargetResponseTime", "p99", max),
}
# What a module that asks about a service is told of it; `period` besides.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "workload": {"type": "str", "required": True},
    "command": {"type": "str", "required": True},
    "cluster": {"type": "str", "required": True},
    "service": {"type": "str", "required": True},
    # None of these for a workload without clients.
    "target_group_arn": {"type": "str", "default": ""},
    "target_group_suffix": {"type": "str", "default": ""},
    "alternate_target_group_arn": {"type": "str", "default": ""},
    "alternate_target_group_suffix": {"type": "str", "default": ""},
    "load_balancer": {"type": "str", "required": True},
    "repository_url": {"type": "str", "required": True},
    "repository_name": {"type": "str", "required": True},
    "database": {"type": "dict", "default": {}},
    "region": {"type": "str", "required": True},
}


def _epoch(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


class ServiceFacts:
    """Asks AWS about one service.

    Args:
        clients: service's name → boto3 client.
        want: the module's parameters (plugins/modules/service_diagnosis.py).
        at: now, in seconds since 1970.
    """

    def __init__(self, clients: Callable[[str], Any], want: Mapping[str, Any], at: float) -> None:
        self.want, self.at, self.notes = want, at, list[str]()
        self.clients = functools.cache(clients)  # to make one reads a service's whole model
        self.period = want["period"]
        self.ecs = self.clients("ecs")
        self.service = Service(self.ecs, want["cluster"], want["service"])
        self._definitions: dict[str, dict[str, Any]] = {}

    def observe(self) -> Observation:
        """Return all there is to judge from."""
        now = self.service.describe()
        series = self.series(self.at - LOOK_BACK * self.period, self.at, self.period)
        since = began(series, self.period, self.at)
        records = self._deployments()
        tasks, kinds, read = self._tasks(since)
        latest = max([*series["requests"], *series["balancer"]], default=self.at) + self.period
        begin = since if since is not None else self.at
        first = latest - NOW * self.period
        database = self.want.get("database") or {}
        return Observation(
            at=self.at,
            period=self.period,
            began=since,
            share=Change(
                share(series, first, self.at + 1),
                share(series, begin - 30 * self.period, begin - 2 * self.period),
            ),
            requests=change(series["requests"], self.period, self.at, since, per=self.period),
            latency=change(series["latency"], self.period, self.at, since),
            cpu=change(series["cpu"], self.period, self.at, since),
            target_errors=int(sum(v for t, v in series["errors"].items() if t >= begin)),
            balancer_errors=int(sum(v for t, v in series["balancer"].items() if t >= begin)),
            kinds=dict(kinds),
            logs=read,
            connections=change(series["connections"], self.period, self.at, None).now or 0,
            limit=database.get("max_connections") or 0,
            desired=now["desiredCount"],
            maximum=self._maximum(now["desiredCount"]),
            current=short(now["taskDefinition"]),
            releases=self._releases(records),
            rolling_back=any(
                one["status"].startswith("ROLLBACK_")
                and one["status"] not in ("ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
                for one in records
            ),
            tasks=tasks,
            stopped=[self.ended(task) for task in self.stopped()],
        )

    def _maximum(self, desired: int) -> int:
        """Return how many tasks autoscaling lets the service have; without it no more than now."""
        scaling = self.clients("application-autoscaling")
        _, limits = scalable_target(scaling, self.want["cluster"], self.want["service"])
        return limits.get("MaxCapacity", desired)

    # --- metrics ----------------------------------------------------------------------

    def series(self, start: float, end: float, period: int) -> dict[str, Series]:
        """Return name → {start of a period: value} of the service's metrics."""
        want = self.want
        balancer = {"LoadBalancer": want["load_balancer"]}
        service = {"ClusterName": want["cluster"], "ServiceName": want["service"]}
        asked = {
            "balancer": ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", balancer, "Sum"),
            "cpu": ("AWS/ECS", "CPUUtilization", service, "Average"),
        }
        if database := want.get("database"):
            one = {"DBInstanceIdentifier": database["identifier"]}
            asked["connections"] = ("AWS/RDS", "DatabaseConnections", one, "Maximum")
        # Releases may take turns in two target groups; together they are the workload.
        for number, suffix in enumerate(self._both("target_group_suffix")):
            group = {**balancer, "TargetGroup": suffix}
            for name, (metric, stat, _) in OF_GROUPS.items():
                asked[f"{name}_{number}"] = ("AWS/ApplicationELB", metric, group, stat)
        found: dict[str, dict[float, float]] = {
            name: {} for name in [*asked, *OF_GROUPS, "connections"]
        }
        pages = (
            self.clients("cloudwatch")
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=[
                    {
                        "Id": name,
                        "MetricStat": {
                            "Metric": {
                                "Namespace": namespace,
                                "MetricName": metric,
                                "Dimensions": [
                                    {"Name": k, "Value": v} for k, v in dimensions.items()
                                ],
                            },
                            "Period": period,
                            "Stat": stat,
                        },
                    }
                    for name, (namespace, metric, dimensions, stat) in asked.items()
                ],
                StartTime=datetime.fromtimestamp(start // period * period, UTC),
                EndTime=datetime.fromtimestamp(end, UTC),
            )
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                    found[result["Id"]][_epoch(moment)] = value
        for name, (_, _, together) in OF_GROUPS.items():
            parts = [part for key, part in found.items() if key.startswith(f"{name}_")]
            for at in {at for part in parts for at in part}:
                found[name][at] = together(part[at] for part in parts if at in part)
        return found

    def _both(self, name: str) -> list[str]:
        """Return what is said of the target group, and of the other one where there are two;
        nothing of a workload without clients."""
        return [value for key in (name, f"alternate_{name}") if (value := self.want.get(key))]

    # --- deployments --------------------------------------------------------------------

    def _deployments(self) -> list[dict[str, Any]]:
        """Return the newest deployments, the newest first, each with its task definition."""
        name = {"cluster": self.want["cluster"], "service": self.want["service"]}
        listed: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = self.ecs.list_service_deployments(**name, maxResults=100, **token)
            listed += page["serviceDeployments"]
            if not page.get("nextToken"):
                break
            token = {"nextToken": page["nextToken"]}
        listed.sort(key=lambda one: _epoch(one.get("startedAt") or one["createdAt"]), reverse=True)
        newest = listed[: 2 * MOST_RELEASES]  # what one DescribeServiceRevisions takes
        arns = sorted({one["targetServiceRevisionArn"] for one in newest})
        revisions = (
            self.ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"]
            if arns
            else []
        )
        known = {one["serviceRevisionArn"]: one["taskDefinition"] for one in revisions}
        return [
            {**one, "definition": known[one["targetServiceRevisionArn"]]}
            for one in newest
            if one["targetServiceRevisionArn"] in known
        ]

    def _releases(self, records: Sequence[dict[str, Any]]) -> list[Release]:
        found: list[Release] = []
        until = self.at
        for number, one in enumerate(records):
            started = _epoch(one.get("startedAt") or one["createdAt"])
            finished = _epoch(one.get("finishedAt")) or None
            earlier = 0 < number <= MOST_RELEASES and one["status"] == "SUCCESSFUL"
            found.append(
                Release(
                    definition=short(one["definition"]),
                    started=started,
                    finished=finished,
                    status=one["status"],
                    share=self._served(finished or started, until) if earlier else None,
                    lacks=self._lacks(one["definition"]) if earlier else "",
                )
            )
            until = started
        return found

    def _served(self, start: float, end: float) -> float | None:
        """Return the usual (median) % of 5xx of a release, of the first 60 periods of its life;
        where next to nothing was asked then, of the last.

        A release that is bad is so from its start; one that was good may have met an incident,
        and an incident may last as long as the newest hour.
        """
        # CloudWatch keeps 60 s for 15 days, 300 s for 63 days, an hour for 455 days.
        days = (self.at - start) / 86400
        period = self.period if days < 15 else 300 if days < 63 else 3600
        # In the periods in which it came and went, others served too.
        first, last = (start // period + 1) * period, end // period * period
        span = SERVED_PERIODS * period
        usual = self._usual(first, min(last, first + span), period)
        return self._usual(max(first, last - span), last, period) if usual is None else usual

    def _usual(self, start: float, end: float, period: int) -> float | None:
        """Return the median % of requests answered 5xx; None where too few were made."""
        if start >= end:
            return None
        series = self.series(start, end, period)
        if sum(series["requests"].values()) < ENOUGH_REQUESTS:
            return None
        # The load balancer's own errors are not this workload's alone: they blame no release.
        return round(
            median(
                100 * series["errors"].get(begin, 0) / asked
                for begin, asked in series["requests"].items()
                if asked
            ),
            2,
        )

    def definition(self, name: str) -> dict[str, Any]:
        if name not in self._definitions:
            self._definitions[name] = self.service.definition(name)
        return self._definitions[name]

    def _lacks(self, arn: str) -> str:
        """Return what a revision needs in order to run and is gone; empty when nothing is."""
        definition = self.definition(arn)
        if definition["status"] != "ACTIVE":
            return "its task definition is deregistered"
        for container in definition["containerDefinitions"]:
            url, _, tag = container["image"].rpartition(":")
            if url != self.want["repository_url"]:
                continue
            try:
                self.clients("ecr").describe_images(
                    repositoryName=self.want["repository_name"], imageIds=[{"imageTag": tag}]
                )
            except Exception as error:
                if error_code(error) != "ImageNotFoundException":
                    raise
                return f"its image {tag} is not in the registry"
        return ""

    # --- tasks --------------------------------------------------------------------------

    def stopped(self) -> list[dict[str, Any]]:
        """Return the tasks that have ended of late, the newest first."""

        def ended(task: dict[str, Any]) -> float:
            return _epoch(task.get("stoppedAt") or task.get("stoppingAt"))

        return sorted(self.service.tasks("STOPPED"), key=ended, reverse=True)

    @staticmethod
    def ended(task: Mapping[str, Any]) -> Stopped:
        return Stopped(
            id=short(task["taskArn"]),
            definition=short(task["taskDefinitionArn"]),
            at=_epoch(task.get("stoppedAt") or task.get("stoppingAt")),
            code=task.get("stopCode", ""),
            reason=task.get("stoppedReason", ""),
        )

    def _tasks(self, since: float | None) -> tuple[list[Task], Counter[str], bool]:
        """Return the running tasks, what failed requests say in their logs, whether any spoke."""
        groups = self._both("target_group_arn")
        health = [
            one
            for group in groups
            for one in self.clients("elbv2").describe_target_health(TargetGroupArn=group)[
                "TargetHealthDescriptions"
            ]
        ]
        states = {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in health}
        # The period in which it began is a mixture; without two whole ones there is too little.
        start = self.at - LOG_PERIODS * self.period
        if since is not None:
            start = min(max(start, since + self.period), self.at - 2 * self.period)
        found, kinds, read = [], Counter[str](), False
        running = sorted(self.service.tasks("RUNNING"), key=lambda one: one["taskArn"])
        for number, task in enumerate(running):
            lines = self.log(task, start) if number < MOST_TASKS else []
            requests, failed, causes = read_lines(lines)
            kinds += causes
            read = read or bool(lines)
            found.append(
                Task(
                    id=short(task["taskArn"]),
                    definition=short(task["taskDefinitionArn"]),
                    target=states.get(address(task), "unused") if groups else own_health(task),
                    lines=requests,
                    errors=failed,
                    age=self.at - _epoch(task.get("startedAt") or task.get("createdAt")),
                )
            )
        return found, kinds, read

    def log(self, task: Mapping[str, Any], start: float, limit: int = LOG_LINES) -> list[str]:
        """Return the newest lines that a task logged since `start`, the oldest first."""
        lines: list[str] = []
        for container in self.definition(task["taskDefinitionArn"])["containerDefinitions"]:
            log = container.get("logConfiguration") or {}
            options = log.get("options") or {}
            if log.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
                continue
            stream = [options["awslogs-stream-prefix"], container["name"], short(task["taskArn"])]
            try:
                lines += [
                    event["message"]
                    for event in self.clients("logs").get_log_events(
                        logGroupName=options["awslogs-group"],
                        logStreamName="/".join(stream),
                        startTime=int(start * 1000),
                        limit=limit,
                        startFromHead=False,
                    )["events"]
                ]
            except Exception as error:
                note = explain(error, f"Log of task {stream[-1][:8]}")
                if error_code(error) != "ResourceNotFoundException":
                    self.notes.append(note)
        return lines


def own_health(task: Mapping[str, Any]) -> str:
    """Return unhealthy where a task's own health check says so; else empty."""
    return "unhealthy" if task.get("healthStatus") == "UNHEALTHY" else ""


def address(task: Mapping[str, Any]) -> str:
    """Return the address of a task in awsvpc mode; empty while it has none."""
    return next(
        (
            detail["value"]
            for attachment in task.get("attachments", [])
            for detail in attachment.get("details", [])
            if detail["name"] == "privateIPv4Address"
        ),
        "",
    )
