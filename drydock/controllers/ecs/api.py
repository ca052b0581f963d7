"""The ECS calls about services and tasks; moto answers all others.

Shapes, defaults and refusals: ECS API reference (2014-11-13).
"""

from collections.abc import Callable, Mapping

from drydock.controllers.ecs import strategy
from drydock.controllers.ecs.checks import (
    Params,
    check_service,
    cluster_of,
    find_definition,
    find_subnets,
    launch_kind,
    page_of,
    refuse,
)
from drydock.controllers.ecs.model import REVISION, Service, Task, arn, count
from drydock.controllers.ecs.registry import Registry
from drydock.errors import ApiError
from drydock.moto import ecs
from drydock.moto.api import PASS, Context, Handler

_STORED = (
    "availabilityZoneRebalancing", "capacityProviderStrategy", "deploymentConfiguration",
    "deploymentController", "enableECSManagedTags", "enableExecuteCommand",
    "healthCheckGracePeriodSeconds", "launchType", "loadBalancers", "networkConfiguration",
    "placementConstraints", "placementStrategy", "platformVersion", "propagateTags",
    "schedulingStrategy", "serviceConnectConfiguration", "serviceRegistries",
    "volumeConfigurations", "vpcLatticeConfigurations",
)  # fmt: skip
_DEFAULTS: Params = {
    "availabilityZoneRebalancing": "DISABLED",
    "deploymentController": {"type": "ECS"},
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "loadBalancers": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "propagateTags": "NONE",
    "schedulingStrategy": "REPLICA",
    "serviceRegistries": [],
}
_DEPLOYMENT_DEFAULTS: Params = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
}


class Api:
    """Handlers of API calls. They change what is asked for and return; ``wake`` does the rest.

    Args:
        launch: gives a new task its life.
        wake: asks the controller for a pass.
    """

    def __init__(
        self, registry: Registry, launch: Callable[[Task], None], wake: Callable[[], None]
    ):
        self._registry, self._launch, self._wake = registry, launch, wake

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return self._registry.operations((
            self.create_service, self.update_service, self.delete_service,
            self.describe_services, self.list_services, self.run_task, self.stop_task,
            self.describe_tasks, self.list_tasks, self.describe_clusters, self.delete_cluster,
        ))  # fmt: skip

    # --- services ----------------------------------------------------------------

    def create_service(self, context: Context, params: Params) -> Params:
        cluster, name = cluster_of(context, params), params["serviceName"]
        key = (context.region, cluster, name)
        if (old := self._registry.services.get(key)) and old.status != "INACTIVE":
            raise refuse(
                "Unable to Start a service that is still Draining."
                if old.status == "DRAINING"
                else "Creation of service was not idempotent."
            )
        attributes = {**_DEFAULTS, **{k: params[k] for k in _STORED if params.get(k) is not None}}
        attributes["deploymentConfiguration"] = strategy.filled(
            {**_DEPLOYMENT_DEFAULTS, **attributes.get("deploymentConfiguration", {})}
        )
        attributes |= launch_kind(context, cluster, params)
        if attributes["loadBalancers"]:
            attributes.setdefault("healthCheckGracePeriodSeconds", 0)
        definition = find_definition(context, params.get("taskDefinition", ""))
        attributes["taskDefinition"] = definition.arn
        check_service(attributes, definition)
        service = Service(*key, attributes, params.get("desiredCount") or 0)
        service.deploy(definition, 0)
        self._registry.services[key] = service
        ecs.publish(*key, params.get("tags", []))
        self._wake()
        return {"service": self._describe(service)}

    def update_service(self, context: Context, params: Params) -> Params:
        service = self._service(context, params)
        if service.status != "ACTIVE":
            raise ApiError("ServiceNotActiveException", "Service was not ACTIVE.")
        given = {k: params[k] for k in _STORED if params.get(k) is not None}
        if "deploymentConfiguration" in given:
            given["deploymentConfiguration"] = strategy.filled(
                {**_without_strategy(service.configuration, given["deploymentConfiguration"]),
                 **given["deploymentConfiguration"]}
            )  # fmt: skip
        if "capacityProviderStrategy" in given:
            given["launchType"] = None
        definition = service.primary.definition
        if params.get("taskDefinition"):
            definition = find_definition(context, params["taskDefinition"])
        attributes = {**service.attributes, **given, "taskDefinition": definition.arn}
        attributes = {key: value for key, value in attributes.items() if value is not None}
        check_service(attributes, definition)
        changed = any(attributes.get(k) != service.attributes.get(k) for k in REVISION)
        service.attributes = attributes
        if changed or params.get("forceNewDeployment"):
            alive = [t for t in self._registry.of(service) if t.deployment is service.primary]
            service.deploy(definition, sum(t.alive for t in alive))
        if params.get("desiredCount") is not None:
            service.desired = params["desiredCount"]
        service.steady = False
        self._wake()
        return {"service": self._describe(service)}

    def counts(self, region: str, cluster: str, name: str) -> ecs.Counts | None:
        """See :func:`drydock.moto.ecs.counts`."""
        with self._registry.lock:
            service = self._registry.services.get((region, cluster, name))
            if service is None or service.status != "ACTIVE":
                return None
            running, _ = count(self._registry.of(service))
            return ecs.Counts(service.desired, running, service.primary.state == "IN_PROGRESS")

    def set_desired(self, region: str, cluster: str, name: str, desired: int) -> None:
        """See :func:`drydock.moto.ecs.set_desired`."""
        with self._registry.lock:
            self.update_service(
                Context(region), {"cluster": cluster, "service": name, "desiredCount": desired}
            )

    def delete_service(self, context: Context, params: Params) -> Params:
        service = self._service(context, params)
        if service.status == "ACTIVE":
            if service.desired and not params.get("force"):
                raise refuse("The service cannot be stopped while it is scaled above 0.")
            service.status, service.desired = "DRAINING", 0
            service.rollouts[0].supersede("the deletion of its service")
            self._wake()
        return {"service": self._describe(service)}

    def describe_services(self, context: Context, params: Params) -> Params:
        cluster = cluster_of(context, params)
        found, failures = [], []
        for word in params.get("services", []):
            name = word.split("/")[-1]
            if service := self._registry.services.get((context.region, cluster, name)):
                found.append(self._describe(service, tags="TAGS" in params.get("include", [])))
            else:
                missing = arn(context.region, f"service/{cluster}/{name}")
                failures.append({"arn": missing, "reason": "MISSING"})
        return {"services": found, "failures": failures}

    def list_services(self, context: Context, params: Params) -> Params:
        services, _ = self._registry.in_cluster(context.region, cluster_of(context, params))
        arns = [
            s.arn for s in services
            if params.get("launchType") in (None, s.attributes.get("launchType"))
        ]  # fmt: skip
        return page_of("serviceArns", arns, params, 10)

    def _service(self, context: Context, params: Params) -> Service:
        key = (context.region, cluster_of(context, params), params["service"].split("/")[-1])
        service = self._registry.services.get(key)
        if service is None or service.status == "INACTIVE":
            raise ApiError("ServiceNotFoundException", "Service not found.")
        return service

    def _describe(self, service: Service, *, tags: bool = True) -> Params:
        known = ecs.tags(service.region, service.cluster, service.name) if tags else None
        return service.describe(self._registry.of(service), tags=known)

    # --- tasks -------------------------------------------------------------------

    def run_task(self, context: Context, params: Params) -> Params:
        cluster = cluster_of(context, params)
        definition = find_definition(context, params["taskDefinition"])
        subnets = find_subnets(params, definition)
        tags = list(params.get("tags", []))
        if params.get("propagateTags") == "TASK_DEFINITION":
            tags += definition.tags
        made = []
        for number in range(params.get("count") or 1):
            subnet = subnets[number % len(subnets)]
            task = Task(
                definition,
                context.region,
                cluster,
                subnet=subnet.id,
                zone=subnet.zone,
                started_by=params.get("startedBy", ""),
                group=params.get("group") or f"family:{definition.family}",
                launch=task_launch(launch_kind(context, cluster, params)),
                overrides=params.get("overrides") or {},
                tags=tags,
            )
            self._registry.tasks[task.arn] = task
            self._launch(task)
            made.append(task.describe(tags=True))
        return {"tasks": made, "failures": []}

    def stop_task(self, context: Context, params: Params) -> Params:
        task = self._task(context, cluster_of(context, params), params["task"])
        if task is None:
            raise refuse("The referenced task was not found.")
        task.stop("UserInitiated", params.get("reason") or "Task stopped by user")
        self._wake()
        return {"task": task.describe(tags=True)}

    def describe_tasks(self, context: Context, params: Params) -> Params:
        cluster = cluster_of(context, params)
        found, failures = [], []
        for word in params["tasks"]:
            if task := self._task(context, cluster, word):
                found.append(task.describe(tags="TAGS" in params.get("include", [])))
            else:
                missing = arn(context.region, f"task/{cluster}/{word.split('/')[-1]}")
                failures.append({"arn": missing, "reason": "MISSING"})
        return {"tasks": found, "failures": failures}

    def list_tasks(self, context: Context, params: Params) -> Params:
        cluster = cluster_of(context, params)
        if params.get("serviceName"):
            name = self._service(context, {**params, "service": params["serviceName"]}).name
        _, tasks = self._registry.in_cluster(context.region, cluster)
        stopped = params.get("desiredStatus") == "STOPPED"
        family = params.get("family", "").split(":")[0]
        arns = [
            task.arn for task in tasks
            if bool(task.stop_code) == stopped
            and (not params.get("serviceName") or task.group == f"service:{name}")
            and (not family or task.definition.family == family)
            and params.get("startedBy") in (None, task.started_by)
            and params.get("launchType") in (None, task.launch.get("launchType"))
        ]  # fmt: skip
        return page_of("taskArns", arns, params, 100)

    def _task(self, context: Context, cluster: str, word: str) -> Task | None:
        name = word.split("/")[-1]
        return self._registry.tasks.get(arn(context.region, f"task/{cluster}/{name}"))

    # --- clusters ----------------------------------------------------------------

    def describe_clusters(self, context: Context, params: Params) -> Params:
        for word in params.get("clusters") or ["default"]:
            cluster = word.split("/")[-1]
            services, tasks = self._registry.in_cluster(context.region, cluster)
            running, pending = count(tasks)
            active = sum(service.status == "ACTIVE" for service in services)
            ecs.set_counts(
                context.region, cluster, running=running, pending=pending, services=active
            )
        return PASS

    def delete_cluster(self, context: Context, params: Params) -> Params:
        services, tasks = self._registry.in_cluster(context.region, cluster_of(context, params))
        if services:
            raise ApiError(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            )
        if any(task.status != "STOPPED" for task in tasks):
            raise ApiError(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            )
        return PASS


def _without_strategy(configuration: Params, given: Params) -> Params:
    """What is left of a configuration when another strategy is asked for."""
    if given.get("strategy") in (None, configuration.get("strategy")):
        return configuration
    own = ("strategy", "bakeTimeInMinutes", "lifecycleHooks", "linearConfiguration",
           "canaryConfiguration")  # fmt: skip
    return {key: value for key, value in configuration.items() if key not in own}


def task_launch(attributes: Params) -> Params:
    """A task's launch fields from a service's or RunTask's."""
    if strategy := attributes.get("capacityProviderStrategy"):
        heaviest = max(strategy, key=lambda s: (s.get("base", 0), s.get("weight", 0)))
        return {"launchType": "FARGATE", "capacityProviderName": heaviest["capacityProvider"]}
    return {"launchType": attributes.get("launchType", "FARGATE")}
