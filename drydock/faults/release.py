"""A bad release, through the ordinary API as any release goes."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from drydock.errors import DrydockError
from drydock.faults.kinds import Kind
from drydock.faults.store import Fault
from drydock.faults.targets import same_name
from drydock.podman import Part

# What DescribeTaskDefinition shows and RegisterTaskDefinition doesn't take.
_SHOWN_ONLY = (
    "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities",
    "registeredAt", "registeredBy", "deregisteredAt",
)  # fmt: skip


def worse(definition: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A task definition changed as asked; the first container's, or ``container``'s.

    Args:
        options: ``set`` {name: value}, ``drop_secret`` [names], ``image``, ``command`` [words],
            ``container``.

    Raises:
        DrydockError: no such container or secret, or nothing is changed.
    """
    made = {key: value for key, value in definition.items() if key not in _SHOWN_ONLY}
    containers = [dict(container) for container in made["containerDefinitions"]]
    made["containerDefinitions"] = containers
    wanted = options.get("container") or containers[0]["name"]
    container = next((c for c in containers if c["name"] == wanted), None)
    if container is None:
        names = ", ".join(c["name"] for c in containers)
        raise DrydockError(f"There is no container {wanted}; there are: {names}.")
    secrets = {row["name"]: row for row in container.get("secrets", [])}
    for name in options.get("drop_secret") or []:
        if name not in secrets:
            raise DrydockError(
                f"{wanted} has no secret {name}; it has: {', '.join(secrets) or 'none'}."
            )
        del secrets[name]
    given = {row["name"]: row["value"] for row in container.get("environment", [])}
    for name, value in (options.get("set") or {}).items():
        secrets.pop(name, None)  # a name is either; the value replaces a secret too
        given[name] = value
    container["environment"] = [{"name": k, "value": v} for k, v in given.items()]
    container["secrets"] = list(secrets.values())
    for key in ("image", "command"):
        if options.get(key):
            container[key] = options[key]
    if not any(options.get(key) for key in ("set", "drop_secret", "image", "command")):
        raise DrydockError("Say what is bad: --set, --image, --command or --drop-secret.")
    return made


class Deploy(Kind):
    name, undo = "deploy", "updates the service back, if it still runs this release"

    def begin(self, fault: Fault, parts: list[Part]) -> None:
        ecs = self.shop.client("ecs")
        cluster, service = self._find(ecs, fault.target)
        fault.service, before = service["serviceName"], service["taskDefinition"]
        shown = ecs.describe_task_definition(taskDefinition=before, include=["TAGS"])
        made = worse(shown["taskDefinition"], fault.options)
        if tags := shown.get("tags"):
            made["tags"] = tags
        after = ecs.register_task_definition(**made)["taskDefinition"]["taskDefinitionArn"]
        fault.data.update(cluster=cluster, before=before, after=after)
        self.shop.save()
        ecs.update_service(cluster=cluster, service=fault.service, taskDefinition=after)

    @staticmethod
    def _find(ecs: Any, word: str) -> tuple[str, dict[str, Any]]:
        found, names = [], []
        for cluster in ecs.list_clusters()["clusterArns"]:
            arns = [
                arn
                for page in ecs.get_paginator("list_services").paginate(cluster=cluster)
                for arn in page["serviceArns"]
            ]
            for start in range(0, len(arns), 10):  # as many as one call describes
                described = ecs.describe_services(
                    cluster=cluster, services=arns[start : start + 10]
                )
                for service in described["services"]:
                    names.append(service["serviceName"])
                    if same_name(service["serviceName"], word):
                        found.append((cluster, service))
        exact = [pair for pair in found if pair[1]["serviceName"] == word]
        if len(exact or found) != 1:
            raise DrydockError(
                f"{word} is {'several services' if found else 'no service'}; there are: "
                f"{', '.join(names) or 'none'}."
            )
        return (exact or found)[0]

    def _runs(self, fault: Fault) -> bool:
        """Whether the service is still asked to run the bad revision."""
        data = fault.data
        if "after" not in data:
            return False
        try:
            found = self.shop.client("ecs").describe_services(
                cluster=data["cluster"], services=[fault.service]
            )["services"]
        except ClientError:  # the cluster is gone
            return False
        return any(s["status"] == "ACTIVE" and s["taskDefinition"] == data["after"] for s in found)

    def end(self, fault: Fault) -> None:
        if self._runs(fault):
            self.shop.client("ecs").update_service(
                cluster=fault.data["cluster"],
                service=fault.service,
                taskDefinition=fault.data["before"],
            )

    def acts(self, fault: Fault, parts: Mapping[str, Part]) -> bool:
        return self._runs(fault)
