"""RDS Proxy: a PgBouncer with an address of its own, which shares a few connections out."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from drydock.controller import Cloud
from drydock.controllers.database.configuration import max_connections
from drydock.controllers.database.session import Refused, Session
from drydock.controllers.engines import EngineController, Node
from drydock.errors import DrydockError
from drydock.moto import rds_proxy
from drydock.moto.rds import Database
from drydock.moto.rds_proxy import Proxy
from drydock.podman import Part

CONSOLE = "controller"  # PgBouncer's console, by its socket only
_DEFAULT_PORT = 5432
_START = """\
set -e
cd /part
chown postgres: . *
exec setpriv --reuid=postgres --regid=postgres --init-groups pgbouncer pgbouncer.ini
"""
# A connection that waits for a server which is gone is known to be dead within five seconds.
_CONFIGURATION = """\
[databases]
{databases}
[pgbouncer]
listen_addr = *
listen_port = {port}
unix_socket_dir = /part
auth_type = hba
auth_hba_file = /part/pg_hba.conf
auth_file = /part/users.txt
admin_users = {console}
client_tls_sslmode = {client_tls}
client_tls_key_file = /part/server.key
client_tls_cert_file = /part/server.crt
server_tls_sslmode = verify-full
server_tls_ca_file = /part/ca.pem
pool_mode = transaction
max_client_conn = 5000
default_pool_size = {most}
max_db_connections = {most}
max_user_connections = {most}
max_prepared_statements = 1000
query_wait_timeout = {borrow}
client_idle_timeout = {idle}
idle_transaction_timeout = {idle}
server_connect_timeout = 3
server_login_retry = 1
server_fast_close = 1
tcp_keepidle = 2
tcp_keepintvl = 1
tcp_keepcnt = 3
tcp_user_timeout = 5000
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""
_HBA = """\
local pgbouncer {console} trust
local all all reject
host pgbouncer all all reject
{host} all all all scram-sha-256
"""


def configuration(proxy: Proxy) -> dict[str, str]:
    """PgBouncer's files by name.

    ``MaxConnectionsPercent`` is of the target's ``max_connections``. A session that holds a
    transaction open and asks nothing is let go like any idle client, as RDS Proxy does.
    """
    target = proxy.target
    if target and target.address:
        databases = f"* = host={target.address} port={target.port}"
        most = max(max_connections(target) * proxy.most_percent // 100, 1)
    else:
        databases, most = "", 1
    host = "hostssl" if proxy.require_tls else "host"
    users = [(CONSOLE, ""), *proxy.logins]
    return {
        "pgbouncer.ini": _CONFIGURATION.format(
            databases=databases,
            port=target.port if target else _DEFAULT_PORT,
            console=CONSOLE,
            client_tls="require" if proxy.require_tls else "allow",
            most=most,
            # PgBouncer takes 0 for "wait without end"; AWS for "wait not at all".
            borrow=proxy.borrow_seconds or 1,
            idle=proxy.idle_seconds,
        ),
        "pg_hba.conf": _HBA.format(console=CONSOLE, host=host),
        "users.txt": "".join(f"{_quoted(user)} {_quoted(text)}\n" for user, text in users),
    }


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class ProxyController(EngineController):
    """Tends a PgBouncer for each proxy.

    Attributes:
        running: of each proxy that serves: the node; the meter asks it.
    """

    name = kind = "database-proxy"
    settled = frozenset({"available"})

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self.running: dict[str, tuple[Proxy, Node]] = {}
        self._told: dict[str, dict[str, str]] = {}
        self._place: dict[str, tuple[object, ...]] = {}  # where the target was

    def wanted(self) -> Sequence[Proxy]:
        return rds_proxy.proxies()

    def status(self) -> Mapping[str, object]:
        return {
            "database_proxies": [
                {
                    "name": proxy.name,
                    "id": proxy.key,
                    "address": self._nodes[proxy.key].address if proxy.key in self._nodes else None,
                    "port": proxy.target.port if proxy.target else _DEFAULT_PORT,
                    "status": proxy.status,
                    "target": proxy.target.id if proxy.target else None,
                }
                for proxy in rds_proxy.proxies()
            ]
        }

    def tend(self, proxy: Proxy, parts: Mapping[str, Part]) -> None:
        if proxy.status == "deleting":
            self.running.pop(proxy.key, None)
            self._told.pop(proxy.key, None)
            self.drop_node(proxy.key)
            rds_proxy.forget(proxy)
            return
        node = self.node(proxy.key, proxy.subnet_id)
        files = configuration(proxy)
        changed = self._told.get(proxy.key) != files
        if changed:
            shutil.copyfile(self.cloud.authority.certificate, node.folder / "ca.pem")
            for name, content in files.items():
                _write(node.folder / name, content)
        if self.start_node(node, parts.get(proxy.key), ["sh", "-c", _START]):
            self._told.pop(proxy.key, None)
            return
        port = proxy.target.port if proxy.target else _DEFAULT_PORT
        try:
            with console(node, port) as session:
                self._tell(proxy, session, changed)
        except OSError:
            self._told.pop(proxy.key, None)
            self._stirred = True  # it has yet to listen
            return
        except Refused as refusal:
            raise DrydockError(f"{proxy.name} refuses its set-up: {refusal}") from None
        self._told[proxy.key] = files
        self.running[proxy.key] = (proxy, node)
        rds_proxy.set_health(proxy, *_health(proxy))
        if proxy.status == "creating":
            rds_proxy.available(proxy, node.address)
            self.log.info("%s is available at %s:%d", proxy.name, node.address, port)

    def _tell(self, proxy: Proxy, session: Session, changed: bool) -> None:
        if changed:
            session.query("RELOAD")
        place = _place(proxy.target)
        if place != self._place.get(proxy.key):
            # Connections that are left at the primary of before must not be lent again.
            session.query("RECONNECT")
            self._place[proxy.key] = place


def console(node: Node, port: int) -> Session:
    """A session at a proxy's own console. Raises as :class:`Session`."""
    return Session(node.folder, port, user=CONSOLE, database="pgbouncer")


def _place(target: Database | None) -> tuple[object, ...]:
    return (target.key, target.address, target.zone, target.status) if target else ()


def _health(proxy: Proxy) -> tuple[str | None, str | None]:
    """AWS's reason and description why the target can't be used; None when it can."""
    if proxy.target is None:
        return None, None
    if proxy.unread or not proxy.logins:
        return "AUTH_FAILURE", proxy.unread or "The proxy has no secret to log in with."
    if proxy.target.status not in ("available", "modifying"):
        return "UNREACHABLE", f"{proxy.target.id} is {proxy.target.status}."
    return None, None


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
