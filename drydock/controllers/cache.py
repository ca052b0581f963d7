"""ElastiCache: Valkey servers behind each replication group, whichever engine it names."""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drydock.controller import Cloud
from drydock.controllers.engines import EngineController, Node
from drydock.errors import ApiError, DrydockError
from drydock.moto import elasticache
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.elasticache import Cache
from drydock.podman import Part

_START = """\
cd /part
chown -R valkey: .
exec setpriv --reuid=valkey --regid=valkey --init-groups valkey-server valkey.conf
"""
# As the controller's own user; the password comes from a file, never from a command line.
_CLI = """\
cd /part
exec env REDISCLI_AUTH="$(cat controller)" valkey-cli --user controller --no-auth-warning \
  -e -p "$1" $2
"""
# GiB of the smaller node types (AWS's list of supported node types), what maxmemory is.
_MEMORY = {"micro": 0.5, "small": 1.37, "medium": 3.09, "large": 6.38}


def configuration(cache: Cache, password: str, primary: str | None) -> list[tuple[str, str]]:
    """valkey.conf's lines as (name, value).

    Args:
        password: of the controller's own user, which replicas also come in as.
        primary: address that this server copies; None for the primary itself.
    """
    lines = [
        ("bind", "*"),
        ("protected-mode", "no"),
        # ElastiCache keeps nothing on disk: a node that is replaced begins empty.
        ("save", '""'),
        ("dir", "/part"),
        ("port", "0" if cache.tls else str(cache.port)),
        ("user", f"controller on >{password} ~* &* +@all"),
        ("user", f"default on {_passwords(cache)} ~* &* +@all"),
    ]
    if cache.tls:
        lines += [
            ("tls-port", str(cache.port)),
            ("tls-cert-file", "server.crt"),
            ("tls-key-file", "server.key"),
            ("tls-ca-cert-file", "ca.pem"),
            ("tls-auth-clients", "no"),
            ("tls-replication", "yes"),
        ]
    if primary:
        lines += [
            ("replicaof", f"{primary} {cache.port}"),
            ("masteruser", "controller"),
            ("masterauth", password),
        ]
    return [*lines, *parameters(cache)]


def _passwords(cache: Cache) -> str:
    return " ".join(f">{token}" for token in cache.tokens) or "nopass"


def parameters(cache: Cache) -> list[tuple[str, str]]:
    """What can also be changed while the server runs; ElastiCache's defaults, then the group's."""
    _, family, size = cache.node_type.split(".")
    made = {"maxmemory-policy": "volatile-lru"}
    if gib := _MEMORY.get(size):
        made["maxmemory"] = str(int(gib * (2 if family[0] == "r" else 1) * 2**30))
    return list({**made, **dict(cache.parameters)}.items())


class CacheController(EngineController):
    name = kind = "cache"
    settled = frozenset({"available"})

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._passwords: dict[str, str] = {}
        self._told: dict[str, tuple[Any, Any]] = {}  # tokens and parameters

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
                }
                for cache in elasticache.caches()
            ]
        }

    # --- the loop ----------------------------------------------------------------

    def wanted(self) -> Sequence[Cache]:
        return elasticache.caches()

    def tend(self, cache: Cache, parts: Mapping[str, Part]) -> None:
        wanted = {f"{cache.region}-{member}": subnet for member, subnet in cache.members}
        deleting = cache.status == "deleting"
        for node_id in [n for n in self._nodes if n.rpartition("-")[0] == cache.key]:
            if deleting or node_id not in wanted:
                self.drop_node(node_id)
                self._told.pop(node_id, None)
        if deleting:
            self._passwords.pop(cache.key, None)
            elasticache.forget(cache)
            return
        password = self._passwords.setdefault(cache.key, secrets.token_urlsafe(24))
        nodes = {node_id: self.node(node_id, subnet) for node_id, subnet in wanted.items()}
        primary = nodes[f"{cache.region}-{cache.primary}"]
        ready = [
            self._tend_node(cache, node, None if node is primary else primary, parts, password)
            for node in nodes.values()
        ]
        if all(ready) and cache.status != "available":
            addresses = {member: nodes[f"{cache.region}-{member}"].address for member, _ in
                         cache.members}  # fmt: skip
            elasticache.available(cache, addresses)
            self.log.info("%s is available at %s:%d", cache.id, primary.address, cache.port)

    def _tend_node(
        self,
        cache: Cache,
        node: Node,
        primary: Node | None,
        parts: Mapping[str, Part],
        password: str,
    ) -> bool:
        """Starts the server or tells a running one what has changed; True when it serves."""
        part, told = parts.get(node.id), self._told.get(node.id)
        wish = (cache.tokens, cache.parameters)
        if part and part.running and told == wish and cache.status == "available":
            return True
        lines = configuration(cache, password, primary.address if primary else None)
        _write(node.folder / "valkey.conf", "".join(f"{name} {value}\n" for name, value in lines))
        _write(node.folder / "controller", password)
        shutil.copyfile(self.cloud.authority.certificate, node.folder / "ca.pem")
        if self.start_node(node, part, ["sh", "-c", _START]):
            self._told[node.id] = wish
        commands = ["PING"]
        if self._told.get(node.id) != wish:
            commands += [f"CONFIG SET {name} {value}" for name, value in parameters(cache)]
            commands += [f"ACL SETUSER default resetpass {_passwords(cache)}"]
        if primary:
            commands += ["ROLE"]
        flags = "--tls --cacert ca.pem -h " + node.address if cache.tls else "-h " + node.address
        done = self.cloud.podman.execute(
            self.part_name(node),
            ["sh", "-c", _CLI, "cli", str(cache.port), flags],
            stdin="\n".join(commands) + "\n",
        )
        answers = done.stdout.split()
        if "PONG" not in answers:
            return False
        if done.code:
            raise DrydockError(f"{node.id} refuses its set-up: {done.stdout.strip()}")
        self._told[node.id] = wish
        return not primary or "connected" in answers


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
