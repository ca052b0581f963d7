"""RDS Proxy: its states are left to the controller; ModifyDBProxy, and refusals as AWS's."""

from typing import Any

from moto.backends import get_backend
from moto.core.utils import utcnow
from moto.rds.models import DBProxy, DBProxyTarget, RDSBackend

from drydock.errors import ApiError
from drydock.moto.api import PASS, Context, Handler


def _created(original: Any) -> Any:
    def create_db_proxy(self: RDSBackend, *arguments: Any, **named: Any) -> DBProxy:
        proxy = original(self, *arguments, **named)
        proxy.status, proxy.endpoint = "creating", None
        return proxy

    return create_db_proxy


def _registered(original: Any) -> Any:
    def register_db_proxy_targets(self: RDSBackend, **named: Any) -> list[DBProxyTarget]:
        targets = original(self, **named)
        for target in targets:
            known = self.databases.get(target.rds_resource_id)
            if known:
                target.target_arn, target.role = known.db_instance_arn, "READ_WRITE"
                target.port = known.port
        return targets

    return register_db_proxy_targets


def _delete(self: RDSBackend, proxy_name: str) -> DBProxy:
    # moto forgets it here; AWS shows it until its connections are gone.
    proxy = self.db_proxies[proxy_name]
    proxy.status = "deleting"
    return proxy


def apply() -> None:
    RDSBackend.create_db_proxy = _created(RDSBackend.create_db_proxy)
    RDSBackend.register_db_proxy_targets = _registered(RDSBackend.register_db_proxy_targets)
    RDSBackend.delete_db_proxy = _delete
    DBProxyTarget.target_health = property(
        lambda self: getattr(self, "real_health", {"State": "REGISTERING"})
    )


def operations() -> dict[tuple[str, str], Handler]:
    by_name = ("DeleteDBProxy", "DescribeDBProxyTargets", "DescribeDBProxyTargetGroups")
    return {
        **{("rds", action): _known for action in by_name},
        ("rds", "ModifyDBProxyTargetGroup"): _modify_group,
        ("rds", "CreateDBProxy"): _create,
        ("rds", "ModifyDBProxy"): _modify,
        ("rds", "RegisterDBProxyTargets"): _register,
        ("rds", "DeregisterDBProxyTargets"): _deregister,
    }


def _proxy(context: Context, given: dict[str, Any]) -> DBProxy:
    name = given["DBProxyName"]
    proxy = get_backend("rds")[context.account_id][context.region].db_proxies.get(name)
    if proxy is None:
        raise ApiError("DBProxyNotFoundFault", f"DBProxy {name} not found.", 404)
    return proxy


def _known(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _proxy(context, given)
    group = given.get("TargetGroupName", "default")
    if group != "default":
        raise ApiError("DBProxyTargetGroupNotFoundFault", f"There is no target group {group}.", 404)
    return PASS


def _modify_group(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    for name, low, high in (
        ("MaxConnectionsPercent", 1, 100),
        ("ConnectionBorrowTimeout", 0, 3600),
    ):
        value = given.get("ConnectionPoolConfig", {}).get(name, low)
        if not low <= value <= high:
            raise ApiError("InvalidParameterValue", f"{name} is {value}; give {low} to {high}.")
    return _known(context, given)


def _check_auth(auth: list[dict[str, Any]]) -> None:
    for entry in auth:
        if entry.get("IAMAuth", "DISABLED") != "DISABLED":
            raise ApiError(
                "NotImplemented",
                f"The embedded cloud's proxies let clients in by password only: IAMAuth "
                f"{entry['IAMAuth']} is not shown; see docs/fidelity.md.",
                501,
            )
        if not entry.get("SecretArn"):
            raise ApiError("InvalidParameterValue", "Each entry of Auth needs a SecretArn.")


def _create(_context: Context, given: dict[str, Any]) -> dict[str, Any]:
    if given["EngineFamily"] != "POSTGRESQL":
        raise ApiError(
            "NotImplemented",
            f"The embedded cloud's proxies speak POSTGRESQL, not {given['EngineFamily']}; see "
            "docs/fidelity.md.",
            501,
        )
    _check_auth(given.get("Auth", []))
    return PASS


# Members of the API's answer, and what moto calls them.
_MEMBERS = {
    "DBProxyName": "db_proxy_name", "DBProxyArn": "arn", "Status": "status",
    "EngineFamily": "engine_family", "VpcId": "vpc_id", "VpcSubnetIds": "vpc_subnet_ids",
    "VpcSecurityGroupIds": "vpc_security_group_ids", "Auth": "auth", "RoleArn": "role_arn",
    "Endpoint": "endpoint", "RequireTLS": "require_tls", "DebugLogging": "debug_logging",
    "IdleClientTimeout": "idle_client_timeout", "CreatedDate": "created_date",
    "UpdatedDate": "updated_date",
}  # fmt: skip


def _modify(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    proxy = _proxy(context, given)
    _check_auth(given.get("Auth", []))
    backend = proxy.backend
    if name := given.get("NewDBProxyName"):
        if name in backend.db_proxies:
            raise ApiError("DBProxyAlreadyExistsFault", f"There is a DBProxy {name} already.")
        backend.db_proxies[name] = backend.db_proxies.pop(proxy.db_proxy_name)
        proxy.db_proxy_name = name
    for key, attribute in (
        ("Auth", "auth"),
        ("RequireTLS", "require_tls"),
        ("IdleClientTimeout", "idle_client_timeout"),
        ("DebugLogging", "debug_logging"),
        ("RoleArn", "role_arn"),
        ("SecurityGroups", "vpc_security_group_ids"),
    ):
        if key in given:
            setattr(proxy, attribute, given[key])
    proxy.updated_date = utcnow()
    return {"DBProxy": {member: getattr(proxy, name, None) for member, name in _MEMBERS.items()}}


def _register(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    proxy, names = _proxy(context, given), given.get("DBInstanceIdentifiers", [])
    if given.get("DBClusterIdentifiers"):
        raise ApiError(
            "NotImplemented",
            "The embedded cloud runs no clusters behind a proxy: register an instance; see "
            "docs/fidelity.md.",
            501,
        )
    there = [target.rds_resource_id for target in proxy.proxy_target_groups["default"].targets]
    for name in names:
        if name not in proxy.backend.databases:
            raise ApiError("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
        if there:
            raise ApiError(
                "DBProxyTargetAlreadyRegisteredFault",
                f"{given['DBProxyName']} has a target, {there[0]}; a proxy has one instance.",
            )
        there.append(name)
    return _known(context, given)


def _deregister(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    proxy = _proxy(context, given)
    there = {target.rds_resource_id for target in proxy.proxy_target_groups["default"].targets}
    names = given.get("DBInstanceIdentifiers", []) + given.get("DBClusterIdentifiers", [])
    for name in names:
        if name not in there:
            raise ApiError(
                "DBProxyTargetNotFoundFault", f"{name} is no target of {given['DBProxyName']}.", 404
            )
    return _known(context, given)
