"""A Valkey server as the controller sees it: what it is told, what it says of itself."""

import time
from pathlib import Path
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from drydock.errors import DrydockError
from drydock.moto.elasticache import Cache

START = """\
cd /part
chown -R valkey: .
exec setpriv --reuid=valkey --regid=valkey --init-groups valkey-server valkey.conf
"""
# GiB of the smaller node types (AWS's list of supported node types), what maxmemory is.
_MEMORY = {"micro": 0.5, "small": 1.37, "medium": 3.09, "large": 6.38}
_ANSWER_SECONDS = 1.0
# A server that hangs is given up after so long and so many questions: a busy machine's own
# pauses are shorter, and must not be taken for a hang when all of it, this process too, stood.
_LOST_SECONDS, _LOST_QUESTIONS = 5.0, 3
_START_SECONDS = 30.0


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
        # Also at the primary: it may be a replica later.
        ("masteruser", "controller"),
        ("masterauth", password),
        # A second replica that comes within five seconds would share the copy; there is none.
        ("repl-diskless-sync-delay", "0"),
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
        lines.append(("replicaof", f"{primary} {cache.port}"))
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


class Server:
    """One server since its container was started.

    Attributes:
        info: its last answer to INFO; empty while it has given none or gives none now.
        synced: whether it has been a whole copy of its primary; such a one may be promoted.
        told: what was set up last, as :meth:`set_up` takes it.
    """

    def __init__(self, cache: Cache, address: str, password: str, authority: Path):
        self.address, self.info, self.synced = address, {}, False
        self.told: tuple[Any, ...] = ()
        self._unheard, self._lost_at = 0, time.monotonic() + _START_SECONDS
        secured = {"ssl": True, "ssl_ca_certs": str(authority)} if cache.tls else {}
        self._client = Redis(
            host=address,
            port=cache.port,
            username="controller",
            password=password,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            **secured,
        )

    def ask(self) -> dict[str, Any]:
        """Asks for INFO; returns it, or nothing when it doesn't answer within a second."""
        try:
            self.info = self._client.info()
        except RedisError:
            self.info = {}
            self._unheard += 1
            self._client.close()
            return {}
        self._unheard, self._lost_at = 0, time.monotonic() + _LOST_SECONDS
        self.synced = self.synced or self.info.get("master_link_status") == "up"
        return self.info

    @property
    def lost(self) -> bool:
        """Whether it has not answered for so long that it is taken for dead."""
        return self._unheard >= _LOST_QUESTIONS and time.monotonic() > self._lost_at

    @property
    def serves(self) -> bool:
        """Whether it answers, and as a replica is a whole copy."""
        if not self.info or self.info.get("loading"):
            return False
        return self.info["role"] == "master" or self.info.get("master_link_status") == "up"

    @property
    def offset(self) -> int:
        """How much of the stream of writes it has."""
        key = "master_repl_offset" if self.info.get("role") == "master" else "slave_repl_offset"
        return int(self.info.get(key, 0))

    def set_up(self, cache: Cache, primary: str | None) -> None:
        """Tells a running server its tokens, parameters and whose copy it is.

        Raises:
            DrydockError: it refuses.
        """
        commands = [("CONFIG", "SET", name, value) for name, value in parameters(cache)]
        users = ("ACL", "SETUSER", "default", "resetpass", *_passwords(cache).split())
        commands += [users, ("REPLICAOF", *((primary, cache.port) if primary else ("NO", "ONE")))]
        try:
            for command in commands:
                self._client.execute_command(*command)
        except ResponseError as error:
            raise DrydockError(f"{self.address} refuses its set-up: {error}") from None
        except RedisError:
            return  # it doesn't answer now
        self.told = (cache.tokens, cache.parameters, primary)

    def hold_writes(self, seconds: float) -> None:
        """Lets clients' writes wait, for so long at most, so that replicas come level."""
        try:
            self._client.execute_command("CLIENT", "PAUSE", int(seconds * 1000), "WRITE")
        except RedisError as error:
            raise DrydockError(f"{self.address} doesn't hold writes: {error}") from None

    def close(self) -> None:
        self._client.close()
