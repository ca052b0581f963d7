"""ElastiCache: Valkey servers behind each replication group, whichever engine it names.

A group has two addresses besides its nodes' own: the primary endpoint, at the node that takes
writes, and the reader endpoint, at a replica (at the primary while there is none). They stay
when another node becomes primary.
"""

import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drydock.controller import Cloud
from drydock.controllers.cache_metrics import lag, measure
from drydock.controllers.cache_server import START, Server, configuration
from drydock.controllers.engines import EngineController, Node
from drydock.errors import ApiError, DrydockError
from drydock.moto import elasticache
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.elasticache import Cache
from drydock.podman import Part

_PERIOD = 60  # of ElastiCache's metrics, seconds of AWS
_LEVEL_SECONDS = 3.0  # that writes are held for a replica to come level


@dataclass
class Group:
    """What the controller keeps of a replication group.

    Attributes:
        password: of the controller's own user.
        endpoint, reader: addresses of the two endpoints.
        recovering: the member that was primary and is being brought back.
    """

    password: str
    endpoint: str
    reader: str
    recovering: str = ""
    servers: dict[str, Server] = field(default_factory=dict)  # by member
    published: dict[str, dict[str, Any]] = field(default_factory=dict)  # INFO, by member
    published_at: float = 0.0


class CacheController(EngineController):
    name = kind = "cache"
    settled = frozenset({"available"})

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._groups: dict[str, Group] = {}

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {("elasticache", "CreateReplicationGroup"): self._create}

    def _create(self, _context: Context, given: dict[str, Any]) -> dict[str, Any]:
        name = given["ReplicationGroupId"]
        if (given.get("NumNodeGroups") or 1) > 1 or given.get("ClusterMode") == "enabled":
            raise ApiError(
                "InvalidParameterCombination",
                f"The embedded cloud runs one shard, not {given.get('NumNodeGroups')}: leave "
                f"cluster mode disabled for {name}; see docs/fidelity.md.",
            )
        if given.get("TransitEncryptionMode") == "preferred":
            raise ApiError(
                "InvalidParameterValue",
                "The embedded cloud has no port that speaks both TLS and plain text: set "
                f"transit_encryption_mode of {name} to required.",
            )
        if not given.get("CacheSubnetGroupName"):
            raise ApiError(
                "InvalidParameterCombination",
                f"The embedded cloud has no default VPC to run {name} in; name a cache subnet "
                "group.",
            )
        return PASS

    def status(self) -> Mapping[str, object]:
        return {
            "caches": [
                {
                    "id": cache.id,
                    "address": cache.address,
                    "port": cache.port,
                    "tls": cache.tls,
                    "status": cache.status,
                    "primary": cache.primary,
                }
                for cache in elasticache.caches()
            ]
        }

    # --- the loop ----------------------------------------------------------------

    def wanted(self) -> Sequence[Cache]:
        return elasticache.caches()

    def reconcile(self) -> None:
        for cache in self.wanted():
            if group := self._groups.get(cache.key):
                asked = [server.ask() for server in list(group.servers.values())]
                if not all(asked):
                    self._stirred = True
                self._publish(cache, group)
        super().reconcile()

    def tend(self, cache: Cache, parts: Mapping[str, Part]) -> None:
        deleting = cache.status == "deleting"
        wanted = {} if deleting else {self._node_id(cache, m): m for m, _ in cache.members}
        group = self._groups.get(cache.key)
        for node_id in [n for n in self._nodes if n.rpartition("-")[0] == cache.key]:
            if node_id not in wanted:
                self.drop_node(node_id)
                if group and (server := group.servers.pop(node_id.removeprefix(
                    f"{cache.region}-"), None)):  # fmt: skip
                    server.close()
        if deleting:
            if group := self._groups.pop(cache.key, None):
                for address in (group.endpoint, group.reader):
                    self.cloud.networks.release(address)
                    self._held.pop(address, None)
            elasticache.forget(cache)
            return
        group = group or self._group(cache)
        nodes = {
            member: self.node(self._node_id(cache, member), subnet, group.endpoint, group.reader)
            for member, subnet in cache.members
        }
        running = {m: p for m, n in nodes.items() if (p := parts.get(n.id)) and p.running}
        cache = self._fail_over(cache, group, nodes, running)
        for member, node in nodes.items():
            server = group.servers.get(member)
            if member in running and server and server.lost:
                self.log.warning("%s hangs; it is replaced", member)
                self._remove(group, node, member, running)
            copied = None if member == cache.primary else nodes[cache.primary].address
            self._tend_node(cache, group, member, node, copied, parts, member in running)
        self._hold(cache, group, nodes, running)
        ready = all(m in running and group.servers[m].serves for m in nodes)
        if ready and cache.status != "available":
            if group.recovering:
                elasticache.note(cache, "Finished recovery for cache nodes 0001", group.recovering)
                group.recovering = ""
            addresses = {member: node.address for member, node in nodes.items()}
            elasticache.available(cache, group.endpoint, group.reader, addresses)
            self.log.info("%s is available at %s:%d", cache.id, group.endpoint, cache.port)

    @staticmethod
    def _node_id(cache: Cache, member: str) -> str:
        return f"{cache.region}-{member}"

    def _group(self, cache: Cache) -> Group:
        (_, subnet), *_ = cache.members
        made = Group(
            secrets.token_urlsafe(24),
            self.cloud.networks.allocate(subnet),
            self.cloud.networks.allocate(subnet),
        )
        self._groups[cache.key] = made
        return made

    def _tend_node(
        self,
        cache: Cache,
        group: Group,
        member: str,
        node: Node,
        primary: str | None,
        parts: Mapping[str, Part],
        runs: bool,
    ) -> None:
        """Starts the server, or tells a running one what has changed."""
        wish, server = (cache.tokens, cache.parameters, primary), group.servers.get(member)
        if runs and server and server.told == wish:
            return
        lines = configuration(cache, group.password, primary)
        _write(node.folder / "valkey.conf", "".join(f"{name} {value}\n" for name, value in lines))
        shutil.copyfile(self.cloud.authority.certificate, node.folder / "ca.pem")
        if not runs or server is None:
            part = parts.get(node.id)
            # What has ended begins anew, and so empty, as ElastiCache's replacement does.
            self.cloud.podman.remove(self.part_name(node))
            self.log.info("starting %s%s", member, f", found {part.state}" if part else "")
            self.start_node(node, None, ["sh", "-c", START])
            group.servers[member] = Server(
                cache, node.address, group.password, self.cloud.authority.certificate
            )
            group.servers[member].told = wish
        elif server.info:
            server.set_up(cache, primary)

    def _hold(
        self,
        cache: Cache,
        group: Group,
        nodes: Mapping[str, Node],
        running: Mapping[str, Part],
    ) -> None:
        """Sees that the endpoints are where they belong."""
        parts = {nodes[member].id: part for member, part in running.items()}
        replicas = [
            m for m in nodes
            if m != cache.primary and m in running and group.servers[m].serves
        ]  # fmt: skip
        reader = (replicas or [cache.primary])[0]
        for address, holder in ((group.endpoint, cache.primary), (group.reader, reader)):
            others = [node for member, node in nodes.items() if member != holder]
            self.hold(address, nodes[holder], others, parts)

    # --- failover ------------------------------------------------------------------

    def _fail_over(
        self,
        cache: Cache,
        group: Group,
        nodes: Mapping[str, Node],
        running: dict[str, Part],
    ) -> Cache:
        """Makes a replica the primary if that was asked for, or if the primary is lost.

        The old primary is fenced before: its container is gone, and the endpoint's address
        with it. It comes back, empty at first, as a replica.

        Returns:
            The group as it is then.
        """
        old = cache.primary
        server = group.servers.get(old)
        if cache.status == "creating":
            return cache
        # Without a server: it was fenced, and the pass before did not come to an end.
        lost = old not in running or server is None or server.lost
        if not (lost and cache.automatic_failover) and not cache.promote:
            return cache
        heirs = [
            m for m in nodes
            if m != old and m in running and (s := group.servers.get(m)) and s.synced and s.ask()
            and cache.promote in ("", "any", m)
        ]  # fmt: skip
        if not heirs:
            return cache  # a lost primary is started again; what was asked for waits
        if not lost:
            self._level(group, server, heirs)
        heir = max(heirs, key=lambda m: group.servers[m].offset)
        self.log.info("%s: %s takes over from %s", cache.id, heir, old)
        elasticache.begin_failover(cache)
        self._remove(group, nodes[old], old, running)
        group.servers[heir].set_up(cache, None)
        if group.servers[heir].ask().get("role") != "master":
            raise DrydockError(f"{heir} does not become primary.")
        made = elasticache.promote(cache, heir)
        self._hold(made, group, nodes, running)
        group.recovering = old
        for source in (heir, ""):
            elasticache.note(
                cache, f"Failover from primary node {old} to replica node {heir} completed", source
            )
        elasticache.note(cache, "Recovering cache nodes 0001", old)
        return made

    def _level(self, group: Group, primary: Server, heirs: Sequence[str]) -> None:
        """Holds writes until a replica has all that were confirmed."""
        primary.hold_writes(2 * _LEVEL_SECONDS)
        deadline = time.monotonic() + _LEVEL_SECONDS
        primary.ask()
        while time.monotonic() < deadline:
            if max(s.offset for m in heirs if (s := group.servers[m]).ask()) >= primary.offset:
                return
            time.sleep(0.02)

    def _remove(self, group: Group, node: Node, member: str, running: dict[str, Part]) -> None:
        self.cloud.podman.remove(self.part_name(node))
        running.pop(member, None)
        if server := group.servers.pop(member, None):
            server.close()

    # --- metrics -------------------------------------------------------------------

    def _publish(self, cache: Cache, group: Group) -> None:
        now = time.monotonic()
        seconds = now - group.published_at
        if seconds < self.cloud.settings.scaled(_PERIOD):
            return
        primary = group.servers.get(cache.primary)
        for member, server in group.servers.items():
            if not server.info:
                continue
            behind = None
            if member != cache.primary:
                behind = lag(primary.info if primary else {}, server.info, server.address)
            before = group.published.get(member, {})
            for name, value, unit in measure(server.info, before, seconds, cache.node_type, behind):
                self.cloud.metrics.put(
                    cache.region,
                    "AWS/ElastiCache",
                    name,
                    {"CacheClusterId": member, "CacheNodeId": "0001"},
                    value,
                    unit,
                )
        group.published = {m: s.info for m, s in group.servers.items() if s.info}
        group.published_at = now


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
