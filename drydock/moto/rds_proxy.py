"""RDS Proxies as RDS's API holds them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from moto.backends import get_backend
from moto.rds.models import DBProxy, DBProxyTarget

from drydock.errors import DrydockError
from drydock.moto import rds, secrets
from drydock.moto.rds import Database
from drydock.settings import ACCOUNT_ID


@dataclass(frozen=True)
class Proxy:
    """A proxy.

    Attributes:
        key: unique among all regions and for good.
        status: AWS's word: creating, available, deleting.
        logins: (user, password) out of the secrets that ``Auth`` names, as they are now.
        unread: why a secret gives no login, in a sentence; None when each does.
        idle_seconds: after which a client that asks nothing is let go.
        most_percent: of the target's max_connections that the proxy may use.
        borrow_seconds: that a client waits for a connection.
        target: the instance behind; None while none is registered.
    """

    region: str
    name: str
    key: str
    status: str
    subnet_id: str
    require_tls: bool
    idle_seconds: int
    most_percent: int
    borrow_seconds: int
    logins: tuple[tuple[str, str], ...] = field(repr=False)
    unread: str | None
    target: Database | None


def _all() -> Iterator[tuple[str, DBProxy]]:
    for region, backend in list(get_backend("rds")[ACCOUNT_ID].items()):
        for proxy in list(backend.db_proxies.values()):
            yield region, proxy


def proxies() -> list[Proxy]:
    """Every proxy of every region."""
    known = {(database.region, database.id): database for database in rds.databases()}
    return [_proxy(region, proxy, known) for region, proxy in _all()]


def _proxy(region: str, proxy: DBProxy, known: dict[tuple[str, str], Database]) -> Proxy:
    group = proxy.proxy_target_groups["default"]
    found = [known.get((region, target.rds_resource_id)) for target in group.targets]
    logins, unread = _logins(proxy, region)
    return Proxy(
        region=region,
        name=proxy.db_proxy_name,
        key=f"{proxy.db_proxy_name}-{proxy.unique_id[-6:]}",
        status=proxy.status,
        subnet_id=proxy.vpc_subnet_ids[0],
        require_tls=bool(proxy.require_tls),
        idle_seconds=int(proxy.idle_client_timeout),
        most_percent=int(group.max_connections),
        borrow_seconds=int(group.borrow_timeout),
        logins=logins,
        unread=unread,
        target=next((database for database in found if database), None),
    )


def _logins(proxy: DBProxy, region: str) -> tuple[tuple[tuple[str, str], ...], str | None]:
    found, unread = [], None
    for entry in proxy.auth:
        try:
            secret = json.loads(secrets.resolve(entry.get("SecretArn", ""), region))
            found.append((secret["username"], secret["password"]))
        except (DrydockError, ValueError, KeyError, TypeError):
            # The parser's own words could quote the value.
            unread = (
                f"The secret {entry.get('SecretArn', '')} can't be read, or holds no username and "
                "password."
            )
    return tuple(found), unread


def _found(proxy: Proxy) -> DBProxy | None:
    return get_backend("rds")[ACCOUNT_ID][proxy.region].db_proxies.get(proxy.name)


def available(proxy: Proxy, address: str) -> None:
    """Ends a creation: the address becomes the proxy's endpoint."""
    found = _found(proxy)
    if found and found.status == "creating":
        found.status, found.endpoint = "available", address


def set_health(proxy: Proxy, reason: str | None, description: str | None) -> None:
    """Says how the target is: fit when there is no reason against it."""
    if found := _found(proxy):
        for target in found.proxy_target_groups["default"].targets:
            target.real_health = _health(reason, description)
            _place(target, proxy.target)


def _health(reason: str | None, description: str | None) -> dict[str, str]:
    if reason is None:
        return {"State": "AVAILABLE"}
    return {"State": "UNAVAILABLE", "Reason": reason, "Description": description or reason}


def _place(target: DBProxyTarget, database: Database | None) -> None:
    if database:
        target.endpoint, target.port = database.address, database.port


def forget(proxy: Proxy) -> None:
    """Ends a deletion: the proxy is no longer described."""
    get_backend("rds")[ACCOUNT_ID][proxy.region].db_proxies.pop(proxy.name, None)
