"""How a resource type is billed: one rule per type, from its attributes to lines of the bill.

Prices stand in costs/prices.yml, assumed quantities in costs/usage.yml; what AWS bills by is said
on the pricing page that prices.yml names for the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOURS = 730.0  # AWS's month


class Unpriced(Exception):
    """A resource that a rule can't price; the text says why."""


@dataclass(frozen=True)
class Resource:
    """A resource as Terraform knows it. `values` lacks what is known after apply only."""

    address: str
    type: str
    stack: str
    values: Mapping[str, Any]

    @property
    def module(self) -> str:
        """The module instance it is in; empty for the root."""
        return self.address.rpartition(f".{self.type}.")[0]


@dataclass(frozen=True)
class Line:
    """A line before its price: quantity in the unit of the row `price` of prices.yml.

    assumed: the assumption in usage.yml that the quantity stands on, empty where it is known.
    factor: of the row's price, for a discount.
    """

    what: str
    quantity: float
    price: str
    assumed: str = ""
    factor: float = 1.0


@dataclass(frozen=True)
class Context:
    """What a rule may look at besides the resource."""

    resources: Sequence[Resource]
    usage: Mapping[str, float]
    tasks: Mapping[str, float]

    def amount(self, name: str) -> float:
        """Return an assumption of usage.yml."""
        if name not in self.usage:
            raise Unpriced(f"costs/usage.yml has no row {name}")
        return self.usage[name]

    def use(self, what: str, name: str, price: str, times: float = 1.0) -> Line:
        """Return a line whose quantity is an assumption of usage.yml, times a factor."""
        return Line(what, self.amount(name) * times, price, assumed=name)

    def zones(self, subnets: Any) -> tuple[float, str]:
        """Return in how many zones something stands: its subnets, or the assumption's name too."""
        return (len(subnets), "") if subnets else (self.amount("zones"), "zones")

    def beside(self, resource: Resource, kind: str) -> list[Resource]:
        """Return the resources of a type in the same module instance."""
        return [one for one in self.resources if one.type == kind and one.module == resource.module]


def block(value: Any) -> dict[str, Any]:
    """Return the one block of a list of blocks, or an empty one."""
    return (value or [{}])[0] or {}


Rule = Callable[[Resource, Context], Iterator[Line]]
RULES: dict[str, Rule] = {}


def rule(*types: str) -> Callable[[Rule], Rule]:
    """Register a rule for resource types."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(types, function))
        return function

    return register


# What lies in the network.


@rule("aws_nat_gateway")
def nat_gateway(_resource: Resource, context: Context) -> Iterator[Line]:
    yield Line("hours", HOURS, "nat_gateway.hour")
    yield context.use("data through it", "nat_gb", "nat_gateway.gb")


@rule("aws_eip")
def address(_resource: Resource, _context: Context) -> Iterator[Line]:
    yield Line("public IPv4 address", HOURS, "public_ipv4.hour")


@rule("aws_vpc_endpoint")
def endpoint(resource: Resource, context: Context) -> Iterator[Line]:
    if resource.values.get("vpc_endpoint_type") != "Interface":
        return  # gateways to S3 and DynamoDB are free
    zones, assumed = context.zones(resource.values.get("subnet_ids"))
    yield Line("hours in each zone", HOURS * zones, "vpc_endpoint.hour", assumed)
    yield context.use("data through it", "endpoint_gb", "vpc_endpoint.gb")


@rule("aws_flow_log")
def flow_log(resource: Resource, context: Context) -> Iterator[Line]:
    to_s3 = resource.values.get("log_destination_type") == "s3"
    row = "cloudwatch.vended_s3_gb" if to_s3 else "cloudwatch.log_gb"
    yield context.use("flow logs delivered", "flow_log_gb", row)


@rule("aws_lb")
def load_balancer(resource: Resource, context: Context) -> Iterator[Line]:
    kind = resource.values.get("load_balancer_type") or "application"
    if kind not in ("application", "network"):
        raise Unpriced(f"load_balancer_type is {kind}, for which there is no rule")
    short, unit = ("alb", "lcu") if kind == "application" else ("nlb", "nlcu")
    yield Line("hours", HOURS, f"load_balancer.{short}_hour")
    yield context.use("capacity units", "lcu", f"load_balancer.{unit}_hour", HOURS)
    if not resource.values.get("internal"):
        zones, assumed = context.zones(
            resource.values.get("subnets") or resource.values.get("subnet_mapping")
        )
        yield Line("public IPv4 addresses", HOURS * zones, "public_ipv4.hour", assumed)
        yield context.use("data to clients", "internet_out_gb", "data_transfer.out_gb")


@rule("aws_wafv2_web_acl")
def firewall(resource: Resource, context: Context) -> Iterator[Line]:
    yield Line("web ACL", 1, "waf.acl")
    yield Line("rules", len(resource.values.get("rule") or []), "waf.rule")
    yield context.use("requests", "web_requests", "waf.requests")


@rule("aws_globalaccelerator_accelerator")
def accelerator(_resource: Resource, context: Context) -> Iterator[Line]:
    yield Line("hours", HOURS, "global_accelerator.hour")
    yield context.use("data through it", "accelerator_gb", "global_accelerator.gb")


@rule("aws_route53_zone")
def zone(_resource: Resource, context: Context) -> Iterator[Line]:
    yield Line("hosted zone", 1, "route53.zone")
    yield context.use("queries", "dns_queries", "route53.queries")


@rule("aws_route53_health_check")
def health_check(resource: Resource, _context: Context) -> Iterator[Line]:
    values = resource.values
    yield Line("health check", 1, "route53.check")
    options = [
        str(values.get("type", "")).startswith("HTTPS"),
        str(values.get("type", "")).endswith("STR_MATCH"),
        values.get("request_interval") == 10,
        bool(values.get("measure_latency")),
    ]
    if any(options):
        yield Line("options", sum(options), "route53.check_option")


# What computes.


@rule("aws_ecs_service")
def service(resource: Resource, context: Context) -> Iterator[Line]:
    templates = context.beside(resource, "aws_ecs_task_definition")
    if len(templates) != 1:
        raise Unpriced(f"{len(templates)} task definitions stand in its module, not one")
    template = templates[0].values
    arm = block(template.get("runtime_platform")).get("cpu_architecture") == "ARM64"
    tasks, assumed = _tasks(resource, context)
    ordinary, spot = tasks, 0.0
    for one in resource.values.get("capacity_provider_strategy") or []:
        if one["capacity_provider"] == "FARGATE_SPOT" and one.get("weight"):
            base = sum(
                other.get("base") or 0
                for other in resource.values["capacity_provider_strategy"]
                if other["capacity_provider"] == "FARGATE"
            )
            ordinary, spot = min(tasks, base), max(0.0, tasks - base)
    prefix = "fargate.arm_" if arm else "fargate."
    for name, count, factor in (
        ("", ordinary, 1.0),
        ("Spot ", spot, 1 - context.amount("fargate_spot_discount")),
    ):
        if count:
            vcpus, memory = float(template["cpu"]) / 1024, float(template["memory"]) / 1024
            yield Line(f"{name}vCPUs", HOURS * count * vcpus, f"{prefix}vcpu_hour", assumed, factor)
            yield Line(f"{name}memory", HOURS * count * memory, f"{prefix}gb_hour", assumed, factor)
    yield context.use("metrics of its own", "service_metrics", "cloudwatch.metric")


def _tasks(resource: Resource, context: Context) -> tuple[float, str]:
    """Return how many tasks run on average, and the assumption that this stands on."""
    limits = context.beside(resource, "aws_appautoscaling_target")
    scaling = limits[0].values if limits else {}
    least = (
        # A service that was never released has no floor yet: then the inventory knows it.
        scaling.get("min_capacity")
        or context.tasks.get(resource.values.get("name", ""))
        or resource.values.get("desired_count")
    )
    if not least:
        return context.amount("tasks_unreleased"), "tasks_unreleased"
    most = max(scaling.get("max_capacity") or least, least)
    above = context.amount("scaling_share") * (most - least)
    return least + above, "scaling_share" if above else ""


@rule("aws_ecs_cluster")
def cluster(resource: Resource, context: Context) -> Iterator[Line]:
    settings = {one["name"]: one["value"] for one in resource.values.get("setting") or []}
    if settings.get("containerInsights", "disabled") != "disabled":
        services = sum(one.type == "aws_ecs_service" for one in context.resources)
        yield context.use(
            "metrics of Container Insights", "container_metrics", "cloudwatch.metric", services + 1
        )


@rule("aws_appautoscaling_policy", "aws_autoscaling_policy")
def scaling_policy(resource: Resource, _context: Context) -> Iterator[Line]:
    # AWS watches each target by two alarms of its own making.
    if resource.values.get("policy_type") == "TargetTrackingScaling":
        yield Line("alarms of the target", 2, "cloudwatch.alarm")


@rule("aws_autoscaling_group")
def instance_group(resource: Resource, context: Context) -> Iterator[Line]:
    values = resource.values
    count = max(values.get("desired_capacity") or 0, values.get("min_size") or 0)
    templates = context.beside(resource, "aws_launch_template")
    if len(templates) != 1:
        raise Unpriced(f"{len(templates)} launch templates stand in its module, not one")
    if not count:
        return
    policy = block(values.get("mixed_instances_policy"))
    overrides = block(policy.get("launch_template")).get("override") or []
    kind = overrides[0].get("instance_type") if overrides else templates[0].values["instance_type"]
    mix = block(policy.get("instances_distribution"))
    base = min(count, mix.get("on_demand_base_capacity") or 0)
    share = mix.get("on_demand_percentage_above_base_capacity")
    ordinary = base + (count - base) * (100 if share is None else share) / 100
    if ordinary:
        yield Line(f"instances {kind}", HOURS * ordinary, f"ec2.{kind}")
    if count > ordinary:
        factor = 1 - context.amount("spot_discount")
        yield Line(
            f"Spot instances {kind}",
            HOURS * (count - ordinary),
            f"ec2.{kind}",
            "spot_discount",
            factor,
        )
    # What follows a chain sends as much as it serves, to peers that are anywhere.
    yield context.use("traffic to peers", "node_out_gb", "data_transfer.out_gb", count)
    yield context.use("traffic to peers, through NAT", "node_out_gb", "nat_gateway.gb", count)
    # Each of its metrics is the group's, too.
    yield context.use("metrics of its own", "node_metrics", "cloudwatch.metric", count + 1)
    for mapping in templates[0].values.get("block_device_mappings") or []:
        yield from _volume(block(mapping.get("ebs")), count, mapping.get("device_name", "disk"))
    if block(templates[0].values.get("monitoring")).get("enabled"):
        yield Line("detailed metrics", 7 * count, "cloudwatch.metric")


@rule("aws_instance")
def instance(resource: Resource, _context: Context) -> Iterator[Line]:
    kind = resource.values["instance_type"]
    yield Line(f"instance {kind}", HOURS, f"ec2.{kind}")
    yield from _volume(block(resource.values.get("root_block_device")), 1, "root disk")


@rule("aws_ebs_volume")
def volume(resource: Resource, _context: Context) -> Iterator[Line]:
    values = {**resource.values, "volume_size": resource.values.get("size")}
    yield from _volume({**values, "volume_type": resource.values.get("type")}, 1, "disk")


def _volume(ebs: Mapping[str, Any], count: float, name: str) -> Iterator[Line]:
    kind = ebs.get("volume_type") or "gp3"
    size, iops = ebs.get("volume_size") or 8, ebs.get("iops") or 0
    if kind not in ("gp3", "io2"):
        raise Unpriced(f"{name} is of type {kind}, for which there is no rule")
    yield Line(f"{name}: {kind}", count * size, f"ebs.{kind}_gb")
    if kind == "io2":
        yield Line(f"{name}: IOPS", count * min(iops, 32000), "ebs.io2_iops")
        if iops > 32000:
            yield Line(f"{name}: IOPS", count * (iops - 32000), "ebs.io2_iops_above")
        return
    if iops > 3000:
        yield Line(f"{name}: IOPS", count * (iops - 3000), "ebs.gp3_iops")
    throughput = ebs.get("throughput") or 0
    if throughput > 125:
        yield Line(f"{name}: throughput", count * (throughput - 125), "ebs.gp3_throughput")


@rule("aws_lambda_function")
def function(resource: Resource, context: Context) -> Iterator[Line]:
    arm = (resource.values.get("architectures") or ["x86_64"])[0] == "arm64"
    memory = (resource.values.get("memory_size") or 128) / 1024
    seconds = 1e6 * context.amount("function_seconds") * memory
    yield context.use("requests", "function_requests", "lambda.requests")
    row = "lambda.arm_gb_second" if arm else "lambda.gb_second"
    yield context.use("time that it runs", "function_requests", row, seconds)
