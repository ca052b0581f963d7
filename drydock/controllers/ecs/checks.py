"""What ECS refuses, and what it fills in, of what a call asks for.

Shapes, defaults and refusals: ECS API reference (2014-11-13).
"""

from typing import Any

from drydock.controllers.ecs import strategy
from drydock.errors import ApiError
from drydock.moto import ec2, ecs, elbv2
from drydock.moto.api import Context
from drydock.moto.ecs import Definition

Params = dict[str, Any]


def refuse(text: str, code: str = "InvalidParameterException") -> ApiError:
    return ApiError(code, text)


def cluster_of(context: Context, params: Params) -> str:
    name = (params.get("cluster") or "default").split("/")[-1]
    if not ecs.cluster_active(context.region, name):
        raise ApiError("ClusterNotFoundException", "Cluster not found.")
    return name


def page_of(key: str, arns: list[str], params: Params, size: int) -> Params:
    start = int(params.get("nextToken") or 0)
    end = start + (params.get("maxResults") or size)
    return {key: arns[start:end]} | ({"nextToken": str(end)} if end < len(arns) else {})


def launch_kind(context: Context, cluster: str, params: Params) -> Params:
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


def find_definition(context: Context, name: str) -> Definition:
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


def find_subnets(attributes: Params, definition: Definition) -> list[ec2.Subnet]:
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


def check_service(attributes: Params, definition: Definition) -> None:
    controller = attributes["deploymentController"]["type"]
    if controller != "ECS":
        raise refuse(f"The embedded cloud has no deployment controller {controller}; use ECS.")
    if attributes["schedulingStrategy"] != "REPLICA":
        raise refuse("The daemon scheduling strategy is not supported; use REPLICA.")
    configuration = attributes["deploymentConfiguration"]
    strategy.check(configuration, attributes["loadBalancers"])
    if configuration["minimumHealthyPercent"] >= 100 and configuration["maximumPercent"] <= 100:
        raise refuse("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will "
                     "block deployments.")  # fmt: skip
    find_subnets(attributes, definition)
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
