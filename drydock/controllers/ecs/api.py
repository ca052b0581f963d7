"""The ECS calls about services and tasks; moto answers all others.

Shapes, defaults and refusals: ECS API reference (2014-11-13).
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from drydock.controllers.ecs.model import REVISION, Service, Task, arn, count, now
from drydock.errors import ApiError
from drydock.moto import ec2, ecs, elbv2
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.ecs import Definition

Params = dict[str, Any]
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


def refuse(text: str, code: str = "InvalidParameterException") -> ApiError:
    return ApiError(code, text)


class Registry:
    """Every service and task, and the lock that guards them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.services: dict[tuple[str, str, str], Service] = {}
        self.tasks: dict[str, Task] = {}

    def of(self, service: Service) -> list[Task]:
        return [task for task in self.tasks.values() if task.service is service]

    def in_cluster(self, region: str, cluster: str) -> tuple[list[Service], list[Task]]:
        """The services that are not gone, and every task."""
        return (
            [s for s in self.services.values()
             if (s.region, s.cluster) == (region, cluster) and s.status != "INACTIVE"],
            [t for t in self.tasks.values() if (t.region, t.cluster) == (region, cluster)],
        )  # fmt: skip


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
        handlers = (
            self.create_service, self.update_service, self.delete_service,
            self.describe_services, self.list_services, self.run_task, self.stop_task,
            self.describe_tasks, self.list_tasks, self.describe_clusters, self.delete_cluster,
        )  # fmt: skip
        return {("ecs", _camel(handler.__name__)): self._guarded(handler) for handler in handlers}

    def _guarded(self, handler: Handler) -> Handler:
        def guarded(context: Context, params: Params) -> Params | None:
            with self._registry.lock:
                return handler(context, params)

        return guarded

    # --- services ----------------------------------------------------------------

    def create_service(self, context: Context, params: Params) -> Params:
        cluster, name = _cluster(context, params), params["serviceName"]
        key = (context.region, cluster, name)
        if (old := self._registry.services.get(key)) and old.status != "INACTIVE":
            raise refuse(
                "Unable to Start a service that is still Draining."
                if old.status == "DRAINING"
                else "Creation of service was not idempotent."
            )
        attributes = {**_DEFAULTS, **{k: params[k] for k in _STORED if params.get(k) is not None}}
        attributes["deploymentConfiguration"] = {
            **_DEPLOYMENT_DEFAULTS, **attributes.get("deploymentConfiguration", {})
        }  # fmt: skip
        attributes |= _launch_kind(context, cluster, params)
        if attributes["loadBalancers"]:
            attributes.setdefault("healthCheckGracePeriodSeconds", 0)
        definition = _definition(context, params.get("taskDefinition", ""))
        attributes["taskDefinition"] = definition.arn
        _check_service(attributes, definition)
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
            given["deploymentConfiguration"] = {
                **service.configuration, **given["deploymentConfiguration"]
            }  # fmt: skip
        if "capacityProviderStrategy" in given:
            given["launchType"] = None
        definition = service.primary.definition
        if params.get("taskDefinition"):
            definition = _definition(context, params["taskDefinition"])
        attributes = {**service.attributes, **given, "taskDefinition": definition.arn}
        attributes = {key: value for key, value in attributes.items() if value is not None}
        _check_service(attributes, definition)
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

    def delete_service(self, context: Context, params: Params) -> Params:
        service = self._service(context, params)
        if service.status == "ACTIVE":
            if service.desired and not params.get("force"):
                raise refuse("The service cannot be stopped while it is scaled above 0.")
            service.status, service.desired = "DRAINING", 0
            self._wake()
        return {"service": self._describe(service)}

    def describe_services(self, context: Context, params: Params) -> Params:
        cluster = _cluster(context, params)
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
        services, _ = self._registry.in_cluster(context.region, _cluster(context, params))
        arns = [
            s.arn for s in services
            if params.get("launchType") in (None, s.attributes.get("launchType"))
        ]  # fmt: skip
        return _page("serviceArns", arns, params, 10)

    def _service(self, context: Context, params: Params) -> Service:
        key = (context.region, _cluster(context, params), params["service"].split("/")[-1])
        service = self._registry.services.get(key)
        if service is None or service.status == "INACTIVE":
            raise ApiError("ServiceNotFoundException", "Service not found.")
        return service

    def _describe(self, service: Service, *, tags: bool = True) -> Params:
        known = ecs.tags(service.region, service.cluster, service.name) if tags else None
        return service.describe(self._registry.of(service), tags=known)

    # --- tasks -------------------------------------------------------------------

    def run_task(self, context: Context, params: Params) -> Params:
        cluster = _cluster(context, params)
        definition = _definition(context, params["taskDefinition"])
        subnets = _subnets(params, definition)
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
                launch=task_launch(_launch_kind(context, cluster, params)),
                overrides=params.get("overrides") or {},
                tags=tags,
            )
            self._registry.tasks[task.arn] = task
            self._launch(task)
            made.append(task.describe(tags=True))
        return {"tasks": made, "failures": []}

    def stop_task(self, context: Context, params: Params) -> Params:
        task = self._task(context, _cluster(context, params), params["task"])
        if task is None:
            raise refuse("The referenced task was not found.")
        task.stop("UserInitiated", params.get("reason") or "Task stopped by user")
        self._wake()
        return {"task": task.describe(tags=True)}

    def describe_tasks(self, context: Context, params: Params) -> Params:
        cluster = _cluster(context, params)
        found, failures = [], []
        for word in params["tasks"]:
            if task := self._task(context, cluster, word):
                found.append(task.describe(tags="TAGS" in params.get("include", [])))
            else:
                missing = arn(context.region, f"task/{cluster}/{word.split('/')[-1]}")
                failures.append({"arn": missing, "reason": "MISSING"})
        return {"tasks": found, "failures": failures}

    def list_tasks(self, context: Context, params: Params) -> Params:
        cluster = _cluster(context, params)
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
        return _page("taskArns", arns, params, 100)

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
        services, tasks = self._registry.in_cluster(context.region, _cluster(context, params))
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


def task_launch(attributes: Params) -> Params:
    """A task's launch fields from a service's or RunTask's."""
    if strategy := attributes.get("capacityProviderStrategy"):
        heaviest = max(strategy, key=lambda s: (s.get("base", 0), s.get("weight", 0)))
        return {"launchType": "FARGATE", "capacityProviderName": heaviest["capacityProvider"]}
    return {"launchType": attributes.get("launchType", "FARGATE")}


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _cluster(context: Context, params: Params) -> str:
    name = (params.get("cluster") or "default").split("/")[-1]
    if not ecs.cluster_active(context.region, name):
        raise ApiError("ClusterNotFoundException", "Cluster not found.")
    return name


def _page(key: str, arns: list[str], params: Params, size: int) -> Params:
    start = int(params.get("nextToken") or 0)
    end = start + (params.get("maxResults") or size)
    return {key: arns[start:end]} | ({"nextToken": str(end)} if end < len(arns) else {})


def _launch_kind(context: Context, cluster: str, params: Params) -> Params:
    """launchType or capacityProviderStrategy, the cluster's default filled in."""
    if params.get("launchType") and params.get("capacityProviderStrategy"):
        raise refuse(
            "Specifying both a launch type and capacity provider strategy is not supported."
        )
    strategy = params.get("capacityProviderStrategy")
    if not strategy and not params.get("launchType"):
        strategy = ecs.default_capacity_strategy(context.region, cluster)
    kind = (
        {"capacityProviderStrategy": [{"weight": 0, "base": 0, **item} for item in strategy]}
        if strategy
        else {"launchType": params.get("launchType") or "EC2"}
    )
    if kind.get("launchType") == "EC2":
        return kind
    return {**kind, "platformVersion": params.get("platformVersion", "LATEST"),
            "platformFamily": "Linux"}  # fmt: skip


def _definition(context: Context, name: str) -> Definition:
    found = ecs.definition(context.region, name)
    if found is None:
        raise ApiError("ClientException", f"TaskDefinition not found: {name}.")
    if not found.active:
        raise ApiError("ClientException", f"TaskDefinition is inactive: {name}.")
    if len(found.containers) != 1:
        names = ", ".join(container["name"] for container in found.containers)
        raise refuse(
            f"{found.arn} has the containers {names}; the embedded cloud runs one container in "
            "a task (docs/fidelity.md). Leave the others out here."
        )
    for unknown in ("efsVolumeConfiguration", "dockerVolumeConfiguration"):
        if any(volume.get(unknown) for volume in found.volumes):
            raise refuse(f"{found.arn} has a volume with {unknown}; the embedded cloud knows "
                         "bind mounts only (docs/fidelity.md).")  # fmt: skip
    if found.containers[0].get("environmentFiles"):
        raise refuse(f"{found.arn} has environmentFiles, which the embedded cloud does not read "
                     "(docs/fidelity.md); use environment and secrets.")  # fmt: skip
    return found


def _subnets(attributes: Params, definition: Definition) -> list[ec2.Subnet]:
    """The subnets of networkConfiguration."""
    if definition.network_mode != "awsvpc":
        raise refuse(
            f"{definition.arn} has networkMode '{definition.network_mode}'; in the embedded "
            "cloud a task has an address of its own: use 'awsvpc'."
        )
    vpc = (attributes.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if not vpc or not vpc.get("subnets"):
        raise refuse("Network Configuration must be provided when networkMode 'awsvpc' is "
                     "specified.")  # fmt: skip
    found = []
    for name in vpc["subnets"]:
        subnet = ec2.subnet(name)
        if subnet is None:
            raise refuse(
                f"Error retrieving subnet information for [{name}]: The subnet ID '{name}' does "
                "not exist (ErrorCode: InvalidSubnetID.NotFound)"
            )
        found.append(subnet)
    return found


def _check_service(attributes: Params, definition: Definition) -> None:
    controller = attributes["deploymentController"]["type"]
    if controller != "ECS":
        raise refuse(f"The embedded cloud has no deployment controller {controller}; use ECS.")
    if attributes["schedulingStrategy"] != "REPLICA":
        raise refuse("The daemon scheduling strategy is not supported; use REPLICA.")
    configuration = attributes["deploymentConfiguration"]
    if configuration["strategy"] != "ROLLING":
        raise refuse(f"The embedded cloud has no deployment strategy {configuration['strategy']}; "
                     "use ROLLING.")  # fmt: skip
    if configuration["minimumHealthyPercent"] >= 100 and configuration["maximumPercent"] <= 100:
        raise refuse("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will "
                     "block deployments.")  # fmt: skip
    _subnets(attributes, definition)
    for balancer in attributes["loadBalancers"]:
        name, port = balancer.get("containerName"), balancer.get("containerPort")
        container = definition.containers[0]
        if container["name"] != name:
            raise refuse(f"The container {name} does not exist in the task definition.")
        ports = [mapping.get("containerPort") for mapping in container.get("portMappings", [])]
        if port not in ports:
            raise refuse(f"The container {name} did not have a container port {port} defined.")
        group = balancer.get("targetGroupArn", "")
        if not elbv2.has_listener(group):
            raise refuse(f"The target group with targetGroupArn {group} does not have an "
                         "associated load balancer.")  # fmt: skip


def stopped_at(task: Task) -> float:
    """Seconds since a task was STOPPED; 0 while it is not."""
    stopped = task.times.get("stoppedAt") if task.status == "STOPPED" else None
    return (now() - stopped).total_seconds() if stopped else 0.0
