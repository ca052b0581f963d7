"""RDS: a PostgreSQL server behind each instance of the API."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from drydock.controller import Cloud
from drydock.controllers.database.cluster import Cluster
from drydock.controllers.database.configuration import MAJOR, REPLICATOR
from drydock.controllers.engines import EngineController
from drydock.errors import ApiError
from drydock.moto import rds
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.rds import Database
from drydock.podman import Part


class DatabaseController(EngineController):
    """Tends a :class:`Cluster` for each instance.

    Attributes:
        clusters: by the instance's ``key``; the meter reads them.
    """

    name = kind = "database"
    settled = frozenset({"available", "stopped", "incompatible-parameters", "storage-full"})

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self.clusters: dict[str, Cluster] = {}

    # --- calls -------------------------------------------------------------------

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        from_data = ("RestoreDBInstanceFromDBSnapshot", "RestoreDBInstanceToPointInTime")
        return {
            ("rds", "CreateDBInstance"): self._create,
            ("rds", "CreateDBInstanceReadReplica"): self._create_replica,
            ("rds", "PromoteReadReplica"): self._promote,
            ("rds", "ModifyDBInstance"): self._modify,
            ("rds", "RebootDBInstance"): self._reboot,
            ("secretsmanager", "RotateSecret"): self._rotate,
            **{("rds", action): _no_copies for action in from_data},
        }

    def _create(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("DBClusterIdentifier"):
            return PASS
        engine, version = given["Engine"], given.get("EngineVersion", MAJOR)
        if engine != "postgres" or version.split(".")[0] != MAJOR:
            raise ApiError(
                "InvalidParameterCombination",
                f"Cannot find version {version} for {engine}: the embedded cloud carries "
                f"PostgreSQL {MAJOR}.",
            )
        group = given.get("DBSubnetGroupName")
        if not group:
            raise ApiError(
                "InvalidSubnet",
                "No default subnet detected in VPC: the embedded cloud has no default VPC to run "
                f"{given['DBInstanceIdentifier']} in; name a DB subnet group.",
            )
        user = given.get("MasterUsername")
        if not user or user in ("rdsadmin", REPLICATOR):
            reason = "cannot be used as it is a reserved word used by the engine"
            raise ApiError("InvalidParameterValue", f"MasterUsername {user} {reason}")
        if not given.get("MasterUserPassword") and not given.get("ManageMasterUserPassword"):
            reason = "must be provided, or managed by RDS (ManageMasterUserPassword)"
            raise ApiError("InvalidParameterValue", f"MasterUserPassword {reason}")
        if given.get("MultiAZ"):
            if given.get("AvailabilityZone"):
                raise ApiError(
                    "InvalidParameterCombination",
                    "Requesting a specific availability zone is not valid for Multi-AZ instances.",
                )
            _refuse_one_zone(group, rds.zones(context.region, group))
        return PASS

    def _create_replica(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        name = given["SourceDBInstanceIdentifier"]
        if name.startswith("arn:") and name.split(":")[3] == context.region:
            name = given["SourceDBInstanceIdentifier"] = name.split(":")[-1]
        if (
            name.startswith("arn:")
            or given.get("MultiAZ")
            or given.get("SourceDBClusterIdentifier")
        ):
            raise ApiError(
                "NotImplemented",
                f"The embedded cloud keeps read replicas beside their source, without a standby of "
                f"their own: {given['DBInstanceIdentifier']} of {name} is neither; see "
                "docs/fidelity.md.",
                501,
            )
        source = rds.instance_named(context.region, name)
        if source is None:
            return PASS  # moto says in AWS's words that there is none
        if source.source:
            raise ApiError(
                "NotImplemented",
                f"The embedded cloud keeps no replicas of replicas, and {name} is one; see "
                "docs/fidelity.md.",
                501,
            )
        _refuse_unless_available(source)
        if not rds.keeps_backups(source):
            raise ApiError(
                "InvalidDBInstanceState",
                "Automated backups are not enabled for this database instance. To enable automated "
                "backups, use ModifyDBInstance to set the backup retention period to a non-zero "
                "value.",
            )
        return PASS

    def _promote(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        database = rds.instance_named(context.region, given["DBInstanceIdentifier"])
        if database and not database.source:
            raise ApiError("InvalidDBInstanceState", "DB Instance is not a read replica.")
        return PASS

    def _modify(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        database = rds.instance_named(context.region, given["DBInstanceIdentifier"])
        if database and given.get("MultiAZ"):
            if database.source:
                raise ApiError(
                    "NotImplemented",
                    f"The embedded cloud gives read replicas no standby of their own, and "
                    f"{database.id} is one; see docs/fidelity.md.",
                    501,
                )
            _refuse_one_zone(database.id, {zone for zone, _ in database.subnets})
        self.wake()
        return PASS

    def _reboot(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        database = rds.instance_named(context.region, given["DBInstanceIdentifier"])
        if database:
            if given.get("ForceFailover") and not database.multi_az:
                raise ApiError(
                    "InvalidParameterCombination",
                    f"Cannot force a failover when rebooting {database.id}: it is not configured "
                    "for MultiAZ.",
                )
            if database.status != "incompatible-parameters":
                _refuse_unless_available(database)
            rds.ask_for_failover(context.region, database.id, bool(given.get("ForceFailover")))
        return PASS

    def _rotate(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        found = rds.start_rotation(context.region, given["SecretId"])
        if found is None:
            return PASS
        self.wake()
        return {
            "ARN": found[0],
            "Name": found[1],
            "VersionId": given.get("ClientRequestToken") or str(uuid.uuid4()),
        }

    def status(self) -> Mapping[str, object]:
        return {"databases": [self._shown(database) for database in rds.databases()]}

    def _shown(self, database: Database) -> dict[str, object]:
        cluster = self.clusters.get(database.key)
        return {
            "id": database.id,
            "address": database.address,
            "port": database.port,
            "status": database.status,
            "multi_az": database.multi_az,
            "in_sync": bool(cluster and cluster.synced),
            "nodes": [
                {
                    "id": member.node.id,
                    "address": member.node.address,
                    "zone": member.zone,
                    "role": cluster.role(member),
                    "state": member.watch.state,
                }
                for member in (cluster.members if cluster else ())
            ],
        }

    # --- the loop ----------------------------------------------------------------

    def wanted(self) -> Sequence[Database]:
        return rds.databases()

    def unfinished(self) -> bool:
        return any(cluster.busy for cluster in self.clusters.values())

    def tend(self, database: Database, parts: Mapping[str, Part]) -> None:
        cluster = self.clusters.get(database.key)
        if database.status == "deleting":
            if cluster:
                cluster.drop()
                del self.clusters[database.key]
            rds.forget(database)
            return
        source = self.clusters.get(database.source) if database.source else None
        if cluster is None:
            if database.source and source is None:
                return  # of a source that has yet to be made
            cluster = self.clusters[database.key] = Cluster(self, database, source)
        replicas = [
            self.clusters[one.key]
            for one in rds.databases()
            if one.source == database.key and one.key in self.clusters and one.status != "deleting"
        ]
        cluster.tend(database, parts, source, replicas)


def _refuse_unless_available(database: Database) -> None:
    if database.status != "available":
        raise ApiError(
            "InvalidDBInstanceState",
            f"Instance {database.id} is not in available state (it is {database.status}).",
        )


def _refuse_one_zone(name: str, zones: set[str]) -> None:
    if len(zones) == 1:
        raise ApiError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            f"The DB subnet group of {name} covers {', '.join(zones)} only; a Multi-AZ instance "
            "needs two Availability Zones.",
        )


def _no_copies(_context: Context, _given: dict[str, Any]) -> dict[str, Any]:
    raise ApiError(
        "NotImplemented",
        "The embedded cloud's snapshots are only noted: nothing can be restored from them; see "
        "docs/fidelity.md.",
        501,
    )
