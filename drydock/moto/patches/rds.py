"""RDS: an instance's states are left to the controller; what moto forgets is kept.

Clustered (Aurora) instances stay as moto has them: nothing stands behind those yet.
"""

import json
import secrets
import uuid
from typing import Any

from moto.backends import get_backend
from moto.core.utils import utcnow
from moto.rds.exceptions import DBInstanceAlreadyExists, RDSClientError
from moto.rds.models import DBInstance, DBParameterGroup, MasterUserSecret, RDSBackend

from drydock.errors import ApiError
from drydock.moto.api import PASS, Context, Handler


def _wrap(owner: type, name: str, after: Any) -> None:
    """Runs ``after(result, self, named arguments)`` behind a method of moto's."""
    original = getattr(owner, name)

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        result = original(self, *arguments, **named)
        after(result, self, named)
        return result

    setattr(owner, name, method)


def _made(_: None, database: DBInstance, given: dict[str, Any]) -> None:
    database.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
    database.performance_insights_enabled = bool(given.get("enable_performance_insights"))
    for key in ("performance_insights_kms_key_id", "performance_insights_retention_period"):
        if given.get(key) is not None:
            setattr(database, key, given[key])
    if database.db_cluster_identifier is None:
        _begin(database)


def _begin(database: DBInstance) -> None:
    database.status, database.real_address = "creating", None
    database.secondary_availability_zone = None
    number = database.dbi_resource_id[-6:].lower()
    database.real_key = f"{database.db_instance_identifier}-{number}"


def _tell_apart(replica: DBInstance) -> None:
    """moto's replica is its source's copy, down to what tells the two apart."""
    replica.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
    replica.created = replica.instance_create_time = utcnow()
    replica.__dict__.pop("master_user_secret", None)
    replica.manage_master_user_password = False
    replica.vpc_security_group_ids = list(replica.vpc_security_group_ids)
    _begin(replica)


def _create_replica(original: Any) -> Any:
    def create_db_instance_read_replica(self: RDSBackend, db_kwargs: dict[str, Any]) -> Any:
        name = db_kwargs["db_instance_identifier"]
        if name in self.databases:
            raise DBInstanceAlreadyExists
        # Not the source's, whatever that has.
        own = {"multi_az": False, "deletion_protection": False, "backup_retention_period": 0,
               "tags": [], "max_allocated_storage": None}  # fmt: skip
        source = self.find_db_from_id(db_kwargs["source_db_instance_identifier"])
        password = getattr(source, "master_user_secret", None)
        replica = original(self, {**own, **db_kwargs})
        if password:
            version = password.secret.versions[password.secret.default_version_id]
            replica._master_user_password = json.loads(version["secret_string"])["password"]
        _tell_apart(replica)
        return replica

    return create_db_instance_read_replica


def _promoted(database: DBInstance, backend: RDSBackend, _named: dict[str, Any]) -> None:
    source = backend.databases.get(database.source_db_instance_identifier or "")
    if source and database.db_instance_identifier in source.replicas:
        source.remove_replica(database)
    database.source_db_instance_identifier = None
    _move(database, "modifying")


def _modify(original: Any) -> Any:
    def modify_db_instance(self: RDSBackend, name: str, db_kwargs: dict[str, Any]) -> Any:
        before = self.databases[name].multi_az if name in self.databases else None
        database = original(self, name, db_kwargs)
        if bool(before) != bool(database.multi_az) and database.status == "available":
            _move(database, "modifying")
        return database

    return modify_db_instance


def _move(database: DBInstance, status: str) -> None:
    if database.db_cluster_identifier is None:
        database.status = status


def _delete(original: Any) -> Any:
    def delete_db_instance(self: RDSBackend, db_instance_identifier: str, **named: Any) -> Any:
        known = self.databases.get(db_instance_identifier)
        if known and known.status == "deleting":
            raise RDSClientError(
                "InvalidDBInstanceState", f"Instance {db_instance_identifier} is being deleted."
            )
        for replica in list(known.replicas) if known else ():
            if replica in self.databases:  # it goes on as an instance of its own
                self.promote_read_replica({"db_instance_identifier": replica})
        database = original(self, db_instance_identifier, **named)
        # moto forgets it here; AWS shows it until its storage is gone.
        if database.db_cluster_identifier is None:
            self.databases[db_instance_identifier] = database
        return database

    return delete_db_instance


def _endpoint(self: DBInstance) -> dict[str, Any] | None:
    address = getattr(self, "real_address", f"{self.db_instance_identifier}.none")
    return {"Address": address, "Port": self.port} if address else None


def _default_group(self: DBInstance) -> tuple[str, str]:
    version = str(self.engine_version).split(".")
    # PostgreSQL's major version is one number since 10.
    major = version[0] if self.engine == "postgres" else ".".join(version[:-1])
    return f"{self.engine}{major}", f"default.{self.engine}{major}"


def _credentials(self: MasterUserSecret) -> str:
    return json.dumps(
        {"username": self.resource.master_username, "password": secrets.token_urlsafe(24)}
    )


def _rotate(self: MasterUserSecret) -> None:
    self._status = "rotating"


def _given(_: None, group: DBParameterGroup, _named: dict[str, Any]) -> None:
    for parameter in group.parameters.values():
        parameter["Source"] = "user"


def apply() -> None:
    _wrap(DBInstance, "__init__", _made)
    for action, status in (("stop", "stopping"), ("start", "starting"), ("reboot", "rebooting")):
        _wrap(
            RDSBackend,
            f"{action}_db_instance",
            lambda database, *_, status=status: _move(database, status),
        )
    _wrap(RDSBackend, "promote_read_replica", _promoted)
    RDSBackend.create_db_instance_read_replica = _create_replica(
        RDSBackend.create_db_instance_read_replica
    )
    RDSBackend.modify_db_instance = _modify(RDSBackend.modify_db_instance)
    _wrap(DBParameterGroup, "update_parameters", _given)
    RDSBackend.delete_db_instance = _delete(RDSBackend.delete_db_instance)
    DBInstance.default_engine_versions = {**DBInstance.default_engine_versions, "postgres": "17.4"}
    DBInstance.endpoint = property(_endpoint)
    DBInstance.default_db_parameter_group_details = _default_group
    MasterUserSecret._generate_secret_string = _credentials
    MasterUserSecret.rotate_secret = _rotate
    MasterUserSecret.secret_status = property(lambda self: self._status)


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("rds", "ResetDBParameterGroup"): _reset_group,
        ("rds", "DeleteDBParameterGroup"): _refuse_if_used,
    }


def _refuse_if_used(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    name = given["DBParameterGroupName"]
    databases = get_backend("rds")[context.account_id][context.region].databases
    if users := [key for key, one in databases.items() if one.db_parameter_group_name == name]:
        raise ApiError(
            "InvalidDBParameterGroupState",
            f"DB instances are still members of {name}: {', '.join(users)}",
        )
    return PASS


def _reset_group(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    name = given["DBParameterGroupName"]
    group = get_backend("rds")[context.account_id][context.region].db_parameter_groups.get(name)
    if group is None:
        raise ApiError("DBParameterGroupNotFound", f"DBParameterGroup {name} not found.", 404)
    if given.get("ResetAllParameters"):
        group.parameters.clear()
    for parameter in given.get("Parameters", []):
        group.parameters.pop(parameter["ParameterName"], None)
    return {"DBParameterGroupName": name}
