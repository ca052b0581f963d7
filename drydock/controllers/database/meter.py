"""RDS's metrics: what each instance's servers say, and what their containers use."""

import time
from contextlib import suppress
from os import scandir
from pathlib import Path

from drydock.cgroup import Cgroup
from drydock.controller import Cloud, Controller
from drydock.controllers.database.cluster import Cluster
from drydock.controllers.database.configuration import memory, vcpus
from drydock.controllers.database.controller import DatabaseController
from drydock.controllers.database.proxy import ProxyController, console
from drydock.controllers.database.session import Refused
from drydock.controllers.engines import Node
from drydock.moto.rds_proxy import Proxy

_MOST_SECONDS = 2.0  # between two publications, so that no period closes half filled


def used(folder: Path) -> int:
    """Bytes of the files below a folder; some may vanish meanwhile."""
    total = 0
    with suppress(OSError), scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += used(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


class DatabaseMeter(Controller):
    """Publishes ``AWS/RDS``, and tells the instances whose storage is used up."""

    name = "database-metrics"

    def __init__(self, cloud: Cloud, databases: DatabaseController, proxies: ProxyController):
        super().__init__(cloud)
        self.interval = min(_MOST_SECONDS, cloud.settings.scaled(60) / 5)
        self._databases, self._proxies = databases, proxies
        self._cpu: dict[str, tuple[float, float]] = {}  # of a node: when, CPU seconds
        self._due = 0.0

    def reconcile(self) -> None:
        # Whatever starts or dies wakes every controller; a tiny interval measures nothing.
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self.interval * 0.8
        for cluster in list(self._databases.clusters.values()):
            if cluster.database.address:
                self._storage(cluster)
                self._server(cluster)

        for proxy, node in list(self._proxies.running.values()):
            self._proxy(proxy, node)

    def _proxy(self, proxy: Proxy, node: Node) -> None:
        try:
            with console(node, proxy.target.port if proxy.target else 5432) as session:
                counts = {name: int(value or 0) for name, value in session.query("SHOW LISTS")}
        except (OSError, Refused):
            return  # a gap, as on AWS
        own = {"ProxyName": proxy.name}
        for name, value in (
            ("ClientConnections", counts["used_clients"] - 1),  # without this one
            ("DatabaseConnections", counts["used_servers"]),
        ):
            self.cloud.metrics.put(proxy.region, "AWS/RDS", name, own, max(value, 0), "Count")

    def _put(self, cluster: Cluster, name: str, value: float, unit: str) -> None:
        database = cluster.database
        dimensions = {"DBInstanceIdentifier": database.id}
        self.cloud.metrics.put(database.region, "AWS/RDS", name, dimensions, value, unit)

    def _storage(self, cluster: Cluster) -> None:
        free = cluster.database.storage - used(cluster.primary.node.folder)
        self._put(cluster, "FreeStorageSpace", max(free, 0), "Bytes")
        if cluster.full != (free <= 0):
            cluster.full = free <= 0
            self._databases.wake()

    def _server(self, cluster: Cluster) -> None:
        """What only a running server has; a silent one leaves a gap, as on AWS."""
        member, database = cluster.primary, cluster.database
        seen = member.watch.seen
        if seen is None or not member.watch.fresh:
            return
        self._put(cluster, "DatabaseConnections", seen.sessions, "Count")
        # A promoted standby says that it recovers until its promotion is through; it is no replica.
        if seen.recovering and database.source:
            self._put(cluster, "ReplicaLag", seen.lag, "Seconds")
        with suppress(OSError, KeyError):  # the container has just gone
            group = Cgroup.of(seen.pid)
            at, cpu = time.monotonic(), group.cpu_seconds()
            before = self._cpu.get(member.node.id)
            self._cpu[member.node.id] = (at, cpu)
            held = group.memory_bytes()
            least = memory(database.instance_class) - held
            self._put(cluster, "FreeableMemory", max(least, 0), "Bytes")
            if before and cpu >= before[1]:
                share = (cpu - before[1]) / (at - before[0]) / vcpus(database.instance_class)
                self._put(cluster, "CPUUtilization", min(share, 1) * 100, "Percent")
