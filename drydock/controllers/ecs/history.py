"""The ECS calls about what was deployed when: service deployments and service revisions.

Shapes and statuses: ECS API reference, ``ServiceDeployment`` and ``ServiceRevision``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from drydock.controllers.ecs import scheduler
from drydock.controllers.ecs.checks import Params, cluster_of, page_of, refuse
from drydock.controllers.ecs.deployment import GOING, Deployment, Rollout, arn
from drydock.controllers.ecs.model import Service, count
from drydock.controllers.ecs.registry import Registry
from drydock.errors import ApiError
from drydock.moto.api import Context, Handler


class History:
    """Handlers of the calls; ``wake`` asks the controller for a pass."""

    def __init__(self, registry: Registry, wake: Callable[[], None]):
        self._registry, self._wake = registry, wake

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return self._registry.operations((
            self.list_service_deployments, self.describe_service_deployments,
            self.describe_service_revisions, self.stop_service_deployment,
        ))  # fmt: skip

    def list_service_deployments(self, context: Context, params: Params) -> Params:
        key = (context.region, cluster_of(context, params), params["service"].split("/")[-1])
        service = self._registry.services.get(key)
        if service is None:
            raise ApiError("ServiceNotFoundException", "Service not found.")
        made = params.get("createdAt") or {}
        rollouts = {
            rollout_arn(service, one): one for one in service.rollouts
            if (not params.get("status") or one.status in params["status"])
            and (not made.get("after") or one.times["createdAt"] >= made["after"])
            and (not made.get("before") or one.times["createdAt"] <= made["before"])
        }  # fmt: skip
        page = page_of("serviceDeployments", list(rollouts), params, 100)
        page["serviceDeployments"] = [
            _brief(service, rollouts[name]) for name in page["serviceDeployments"]
        ]
        return page

    def describe_service_deployments(self, context: Context, params: Params) -> Params:
        known = {
            rollout_arn(service, one): (service, one)
            for service in self._registry.services.values() for one in service.rollouts
        }  # fmt: skip
        asked = params["serviceDeploymentArns"]
        return {
            "serviceDeployments": [self._whole(*known[name]) for name in asked if name in known],
            "failures": _missing(asked, known),
        }

    def describe_service_revisions(self, context: Context, params: Params) -> Params:
        known: dict[str, tuple[Service, Deployment]] = {}
        for service in self._registry.services.values():
            for rollout in service.rollouts:
                # Of a rollback too: its tasks may be the first whose image is known.
                for deployment in (rollout.back, rollout.target):
                    if deployment:
                        name = revision_arn(service, deployment)
                        if name not in known or not known[name][1].digest:
                            known[name] = (service, deployment)
        asked = params["serviceRevisionArns"]
        return {
            "serviceRevisions": [_revision(*known[name]) for name in asked if name in known],
            "failures": _missing(asked, known),
        }

    def stop_service_deployment(self, context: Context, params: Params) -> Params:
        name = params["serviceDeploymentArn"]
        for service in self._registry.services.values():
            for rollout in service.rollouts:
                if rollout_arn(service, rollout) == name:
                    self._stop(service, rollout, params.get("stopType") or "ROLLBACK")
                    return {"serviceDeploymentArn": name}
        raise ApiError("ServiceDeploymentNotFoundException", f"There is no {name}.")

    def _stop(self, service: Service, rollout: Rollout, kind: str) -> None:
        if rollout.status != "IN_PROGRESS":
            raise ApiError(
                "ConflictException", f"The service deployment is {rollout.status}; only one that "
                "is IN_PROGRESS can be stopped.",
            )  # fmt: skip
        if kind != "ROLLBACK":
            raise refuse(f"The embedded cloud does not know stopType {kind}; use ROLLBACK.")
        if not service.last_completed:
            raise refuse("There is no completed deployment to roll back to.")
        if rollout.shift and rollout.shift.reached("CLEAN_UP"):
            raise ApiError(
                "ConflictException", "The service deployment is at CLEAN_UP: what it would be "
                "rolled back to is being removed.",
            )  # fmt: skip
        rollout.status = "ROLLBACK_REQUESTED"
        self._wake()

    # --- shapes --------------------------------------------------------------------

    def _whole(self, service: Service, rollout: Rollout) -> Params:
        shown = {
            **_brief(service, rollout),
            **rollout.times,
            "sourceServiceRevisions": [
                self._counts(service, d) | _weights(rollout, d) for d in rollout.sources
            ],
            "targetServiceRevision": self._counts(service, rollout.target)
            | _weights(rollout, rollout.target),
            "deploymentConfiguration": rollout.configuration,
            "deploymentCircuitBreaker": _breaker(service, rollout),
        }
        if rollout.shift:
            shown["lifecycleStage"] = rollout.shift.stage
            asked = rollout.shift.hooks
            shown["lifecycleHookDetails"] = [hook.describe() for hook in asked.all] if asked else []
        if rollout.back:
            shown["rollback"] = {
                "reason": rollout.back_reason,
                "startedAt": rollout.back.created,
                "serviceRevisionArn": revision_arn(service, rollout.back),
            }
        if asked := rollout.configuration.get("alarms"):
            state = "TRIGGERED" if rollout.red else _watching(rollout, bool(asked.get("enable")))
            shown["alarms"] = {
                "status": state,
                "alarmNames": asked.get("alarmNames", []),
                "triggeredAlarmNames": rollout.red,
            }
        return shown

    def _counts(self, service: Service, deployment: Deployment) -> dict[str, Any]:
        """How many tasks of a revision there are, whichever deployment made them."""
        deployments = [
            d for d in service.deployments if d.revision_id == deployment.revision_id
        ]  # fmt: skip
        tasks = [t for t in self._registry.of(service) if t.deployment in deployments]
        running, pending = count(tasks)
        wanted = sum(service.desired if d is service.primary else d.keep for d in deployments)
        return {
            "arn": revision_arn(service, deployment),
            "requestedTaskCount": wanted,
            "runningTaskCount": running,
            "pendingTaskCount": pending,
        }


def _weights(rollout: Rollout, deployment: Deployment) -> dict[str, float]:
    """The percent of trials and clients that a revision has; empty of a rolling deployment."""
    shift = rollout.shift
    if shift is None or deployment not in (shift.target, shift.source):
        return {}
    trial, share = shift.trial, shift.share
    if deployment is shift.source:
        trial, share = 100 - trial, 100 - share
    return {"requestedTestTrafficWeight": trial, "requestedProductionTrafficWeight": share}


def rollout_arn(service: Service, rollout: Rollout) -> str:
    return arn(service.region, f"service-deployment/{service.cluster}/{service.name}/{rollout.id}")


def revision_arn(service: Service, deployment: Deployment) -> str:
    return arn(
        service.region,
        f"service-revision/{service.cluster}/{service.name}/{deployment.revision_id}",
    )


def _missing(asked: list[str], known: Mapping[str, object]) -> list[Params]:
    return [{"arn": name, "reason": "MISSING"} for name in asked if name not in known]


def _brief(service: Service, rollout: Rollout) -> Params:
    shown = {
        "serviceDeploymentArn": rollout_arn(service, rollout),
        "serviceArn": service.arn,
        "clusterArn": arn(service.region, f"cluster/{service.cluster}"),
        "targetServiceRevisionArn": revision_arn(service, rollout.target),
        "status": rollout.status,
        "statusReason": rollout.reason or None,
    }
    return shown | {k: rollout.times.get(k) for k in ("createdAt", "startedAt", "finishedAt")}


def _watching(rollout: Rollout, enabled: bool) -> str:
    if not enabled:
        return "DISABLED"
    return "MONITORING" if rollout.status in GOING else "MONITORING_COMPLETE"


def _breaker(service: Service, rollout: Rollout) -> Params:
    asked = rollout.configuration.get("deploymentCircuitBreaker") or {}
    state = _watching(rollout, bool(asked.get("enable")))
    return {
        "status": "TRIGGERED" if rollout.tripped else state,
        "failureCount": rollout.target.failed if rollout.status in GOING else rollout.failed,
        "threshold": scheduler.threshold(service.desired),
    }


def _revision(service: Service, deployment: Deployment) -> Params:
    kept = {
        key: value for key, value in deployment.revision.items()
        if key in ("capacityProviderStrategy", "launchType", "platformVersion", "loadBalancers",
                   "serviceRegistries", "networkConfiguration", "serviceConnectConfiguration",
                   "volumeConfigurations", "vpcLatticeConfigurations")
    }  # fmt: skip
    return {
        **kept,
        "serviceRevisionArn": revision_arn(service, deployment),
        "serviceArn": service.arn,
        "clusterArn": arn(service.region, f"cluster/{service.cluster}"),
        "taskDefinition": deployment.definition.arn,
        "containerImages": [
            {"containerName": container["name"], "image": container["image"],
             "imageDigest": deployment.digest or None}
            for container in deployment.definition.containers
        ],
        "guardDutyEnabled": False,
        "createdAt": deployment.created,
    }  # fmt: skip
