"""A deleted cluster can still be described as INACTIVE, but ListClusters names it no more.

Moto lists it for ever, so that whoever goes through the list meets ClusterNotFoundException.
"""

from moto.ecs.models import EC2ContainerServiceBackend


def _list_clusters(self: EC2ContainerServiceBackend) -> list[str]:
    return [cluster.arn for cluster in self.clusters.values() if cluster.status != "INACTIVE"]


def apply() -> None:
    EC2ContainerServiceBackend.list_clusters = _list_clusters
