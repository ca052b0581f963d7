"""Database instances as RDS's API holds them."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from moto.backends import get_backend
from moto.rds.models import DBInstance, Event, MasterUserSecret

from drydock.settings import ACCOUNT_ID


@dataclass(frozen=True)
class Database:
    """A PostgreSQL instance.

    Attributes:
        key: unique among all regions and for good: a new name doesn't change it.
        status: AWS's word: creating, available, modifying, stopping, stopped, starting,
            rebooting, deleting, incompatible-parameters, storage-full.
        storage: bytes that are allocated.
        password: the master user's, from the secret that RDS manages or as it was given.
        rotating: the managed secret waits for a new password.
        zone: availability zone of the primary.
        subnets: (availability zone, subnet id) of each of the subnet group's.
        multi_az: a standby is asked for.
        failover: the reboot that goes on is one with failover.
        source: ``key`` of the instance that this one is a read replica of.
        parameters: what the parameter group sets, by name.
    """

    region: str
    id: str
    key: str
    status: str
    instance_class: str
    storage: int
    port: int
    address: str | None
    user: str
    password: str = field(repr=False)
    rotating: bool
    name: str | None
    zone: str
    subnets: tuple[tuple[str, str], ...]
    multi_az: bool
    failover: bool
    source: str | None
    parameters: tuple[tuple[str, str], ...]

    @property
    def subnet_id(self) -> str:
        """The subnet in the primary's zone, else the group's first."""
        return next((own for zone, own in self.subnets if zone == self.zone), self.subnets[0][1])


def _instances() -> Iterator[tuple[str, DBInstance]]:
    for region, backend in list(get_backend("rds")[ACCOUNT_ID].items()):
        for instance in list(backend.databases.values()):
            if instance.engine == "postgres" and instance.db_cluster_identifier is None:
                yield region, instance


def databases() -> list[Database]:
    """Every instance of every region that is PostgreSQL and not part of a cluster."""
    return [_database(region, instance) for region, instance in _instances()]


def _database(region: str, instance: DBInstance) -> Database:
    group = instance.db_parameter_groups()[0]
    secret = getattr(instance, "master_user_secret", None)
    return Database(
        region=region,
        id=instance.db_instance_identifier,
        key=instance.real_key,
        status=instance.status,
        instance_class=instance.db_instance_class,
        storage=int(instance.allocated_storage) * 2**30,
        port=int(instance.port),
        address=instance.real_address,
        user=instance.master_username,
        password=_current(secret.secret) if secret else instance._master_user_password,
        rotating=_state(secret) == "rotating",
        name=instance.db_name,
        zone=instance.availability_zone,
        subnets=tuple(
            (subnet.availability_zone, subnet.id) for subnet in instance.db_subnet_group._subnets
        ),
        multi_az=bool(instance.multi_az),
        failover=getattr(instance, "real_failover", False),
        source=_source(instance),
        parameters=tuple(
            sorted(
                (name, str(parameter["ParameterValue"]))
                for name, parameter in group.parameters.items()
                if parameter.get("ParameterValue") is not None
            )
        ),
    )


def _source(instance: DBInstance) -> str | None:
    name = instance.source_db_instance_identifier if instance.is_replica else None
    known = instance.backend.databases.get(name) if name else None
    return known.real_key if known else None


def _state(managed: MasterUserSecret | None) -> str | None:
    return managed._status if managed else None


def _current(secret: object) -> str:
    return json.loads(secret.versions[secret.default_version_id]["secret_string"])["password"]


def _instance(database: Database) -> DBInstance | None:
    return get_backend("rds")[ACCOUNT_ID][database.region].databases.get(database.id)


def set_status(database: Database, status: str, address: str | None = None) -> None:
    """Moves an instance on; an address becomes its endpoint.

    Only from the status that was acted upon: what the API was asked meanwhile stands.
    """
    instance = _instance(database)
    if instance and instance.status == database.status:
        instance.status = status
        instance.real_address = address or instance.real_address
        secret = getattr(instance, "master_user_secret", None)
        if _state(secret) == "creating" and status == "available":
            secret._status = "active"


def placed(database: Database, zone: str, standby_zone: str | None) -> None:
    """Notes where the primary and the standby are."""
    if instance := _instance(database):
        instance.availability_zone = zone
        instance.secondary_availability_zone = standby_zone


def ask_for_failover(region: str, name: str, wanted: bool) -> None:
    """Notes whether the reboot that follows is one with failover."""
    instance = get_backend("rds")[ACCOUNT_ID][region].databases.get(name)
    if instance:
        instance.real_failover = wanted


def zones(region: str, subnet_group: str) -> set[str]:
    """Availability zones of a DB subnet group; none when there is no such group."""
    group = get_backend("rds")[ACCOUNT_ID][region].subnet_groups.get(subnet_group)
    return {subnet.availability_zone for subnet in group._subnets} if group else set()


def keeps_backups(database: Database) -> bool:
    """Whether automated backups are on, which a source of replicas needs."""
    instance = _instance(database)
    return bool(instance and int(instance.backup_retention_period or 0))


def instance_named(region: str, name: str) -> Database | None:
    """An instance by its identifier; None when there is no such PostgreSQL instance."""
    return next((d for d in databases() if (d.region, d.id) == (region, name.lower())), None)


def tell(database: Database, message: str, *categories: str) -> None:
    """Adds one of RDS's events; messages and categories as in its list of event messages."""
    if instance := _instance(database):
        Event.EVENT_MAP[message] = {"Categories": list(categories), "Message": message}
        instance.add_event(message)


def forget(database: Database) -> None:
    """Ends a deletion: the instance is no longer described."""
    get_backend("rds")[ACCOUNT_ID][database.region].databases.pop(database.id, None)


def start_rotation(region: str, secret_id: str) -> tuple[str, str] | None:
    """Asks for a new master password, given the managed secret's ARN or name.

    Returns:
        The secret's ARN and name; None when RDS doesn't manage this secret.
    """
    for where, instance in _instances():
        managed = getattr(instance, "master_user_secret", None)
        if managed and where == region and secret_id in (managed.secret.arn, managed.secret.name):
            managed.rotate_secret()
            return managed.secret.arn, managed.secret.name
    return None


def new_password() -> str:
    return secrets.token_urlsafe(24)


def finish_rotation(database: Database, password: str) -> None:
    """Makes the password, which the database has by now, the secret's current version."""
    managed = _instance(database).master_user_secret
    managed.secretsmanager.put_secret_value(
        managed.secret.arn,
        json.dumps({"username": database.user, "password": password}),
        secret_binary=None,
        client_request_token=None,
        version_stages=["AWSCURRENT"],
    )
    managed._status = "active"
