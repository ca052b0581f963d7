"""Puts an environment to sleep and wakes it: the script of the automation `power`.

Asleep, its services run no task and its databases are stopped; each carries the tag
`auto-stopped`. Waking touches only what carries that tag, so what somebody stopped on purpose stays
stopped. Both can be run again at any time. playbooks/teardown.yml and wake.yml do more, with the
same tag of the same grammar (plugins/module_utils/power.py): a service's value is its number of
tasks, and which kinds of scaling had been suspended before, as in `3` or `3 in/out/scheduled`.
wake.yml wakes all that sleeps by this script; this script wakes no environment whose NAT gateways
teardown.yml took away.

Facts: a stopped database starts again by itself after seven days; one with a read replica or of a
cluster can't be stopped (RDS user guide); a step of an automation lasts ten minutes at most.
"""

import time
from datetime import UTC, datetime

import boto3

TAG = "auto-stopped"
AWAKE_TAG = "keep-awake-until"
WAIT_SECONDS = 540
SUSPENSIONS = {
    "in": "DynamicScalingInSuspended",
    "out": "DynamicScalingOutSuspended",
    "scheduled": "ScheduledScalingSuspended",
}


def handler(events, _context):
    """Do what `action` says to the environment; returns what was done, by name.

    Raises TimeoutError where databases are not there in time; the step is then tried again. Raises
    RuntimeError where the way out of the network is gone.
    """
    power = Power(events["environment"], events["region"])
    done = {"sleep": power.sleep, "wake": power.wake}[events["action"]]()
    return {"done": done}


class Power:
    """One environment's services and databases."""

    def __init__(self, environment, region):
        self.environment, self.cluster = environment, f"drydock-{environment}"
        self.ecs = boto3.client("ecs", region_name=region)
        self.rds = boto3.client("rds", region_name=region)
        self.ec2 = boto3.client("ec2", region_name=region)
        self.scaling = boto3.client("application-autoscaling", region_name=region)

    def sleep(self):
        done = []
        for service in self._services():
            if service["desiredCount"] and not _marked_awake(_tags(service.get("tags", []))):
                # Noted before it is done, so that a broken run can be woken from.
                count = str(service["desiredCount"])
                before = _tags(service.get("tags", [])).get(TAG)
                held = _read(before)[1] if before else self._suspended(service)
                note = f"{count} {'/'.join(word for word in SUSPENSIONS if word in held)}".strip()
                tags = [{"key": TAG, "value": note}]
                self.ecs.tag_resource(resourceArn=service["serviceArn"], tags=tags)
                self._suspend(service, SUSPENSIONS)
                self._scale(service, 0)
                done.append(f"{service['serviceName']}: 0 tasks instead of {count}")
        for database in self._databases():
            if database["DBInstanceStatus"] == "available" and not _kept_awake(database):
                arn, name = database["DBInstanceArn"], database["DBInstanceIdentifier"]
                tags = [{"Key": TAG, "Value": "database"}]
                self.rds.add_tags_to_resource(ResourceName=arn, Tags=tags)
                self.rds.stop_db_instance(DBInstanceIdentifier=name)
                done.append(f"{name}: stopped")
        return done

    def wake(self):
        """Databases first: a service whose database is not there would be rolled back."""
        self._refuse_without_way_out()
        done, ours = [], [one for one in self._databases() if TAG in _tags(one["TagList"])]
        end = time.monotonic() + WAIT_SECONDS
        for database in ours:
            name = database["DBInstanceIdentifier"]
            # One that is on its way down can't be started before it is.
            self._wait(name, ("stopped", "available", "starting"), end)
            if self._status(name) == "stopped":
                self.rds.start_db_instance(DBInstanceIdentifier=name)
        for database in ours:
            name = database["DBInstanceIdentifier"]
            self._wait(name, ("available",), end)
            arn = database["DBInstanceArn"]
            self.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=[TAG])
            done.append(f"{name}: started")
        for service in self._services():
            note = _tags(service.get("tags", [])).get(TAG)
            if note:
                count, held = _read(note)
                self._scale(service, count)
                self._suspend(service, held)
                self.ecs.untag_resource(resourceArn=service["serviceArn"], tagKeys=[TAG])
                done.append(f"{service['serviceName']}: {count} tasks")
        return done

    def _services(self):
        arns = [
            arn
            for page in self.ecs.get_paginator("list_services").paginate(cluster=self.cluster)
            for arn in page["serviceArns"]
        ]
        found = []
        for start in range(0, len(arns), 10):  # as many as DescribeServices takes
            asked = {"services": arns[start : start + 10], "include": ["TAGS"]}
            found += self.ecs.describe_services(cluster=self.cluster, **asked)["services"]
        return [one for one in found if one["status"] == "ACTIVE"]

    def _databases(self):
        return [
            one
            for page in self.rds.get_paginator("describe_db_instances").paginate()
            for one in page["DBInstances"]
            if _tags(one["TagList"]).get("Environment") == self.environment
        ]

    def _scale(self, service, count):
        name = service["serviceName"]
        self.ecs.update_service(cluster=self.cluster, service=name, desiredCount=count)

    def _target(self, service):
        """Return what names the service in Application Auto Scaling, and what it knows of it."""
        target = {
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        name = f"service/{self.cluster}/{service['serviceName']}"
        found = self.scaling.describe_scalable_targets(**target, ResourceIds=[name])
        return {**target, "ResourceId": name}, found["ScalableTargets"]

    def _suspended(self, service):
        """Return the kinds of scaling that are suspended."""
        states = {}
        for found in self._target(service)[1]:
            states = found.get("SuspendedState", {})
        return [word for word, key in SUSPENSIONS.items() if states.get(key)]

    def _suspend(self, service, held):
        """Keep autoscaling from bringing the tasks back, or let all kinds but those work again."""
        target, found = self._target(service)
        if found:
            states = {key: word in held for word, key in SUSPENSIONS.items()}
            self.scaling.register_scalable_target(**target, SuspendedState=states)

    def _refuse_without_way_out(self):
        """Raise RuntimeError where there are the gateways' addresses, and no gateway."""
        own = [{"Name": "tag:Environment", "Values": [self.environment]}]
        addresses = self.ec2.describe_addresses(Filters=own)["Addresses"]
        addresses = [
            one for one in addresses if f"{self.cluster}-nat-" in _tags(one["Tags"]).get("Name", "")
        ]
        gateways = self.ec2.describe_nat_gateways(Filters=own)["NatGateways"]
        if addresses and not any(one["State"] in ("available", "pending") for one in gateways):
            raise RuntimeError(
                f"{self.environment} has no NAT gateway: playbooks/teardown.yml took it away, "
                "and only "
                "playbooks/wake.yml brings it back. Nothing was changed."
            )

    def _status(self, name):
        found = self.rds.describe_db_instances(DBInstanceIdentifier=name)
        return found["DBInstances"][0]["DBInstanceStatus"]

    def _wait(self, name, states, end):
        while (status := self._status(name)) not in states:
            if time.monotonic() > end:
                raise TimeoutError(f"{name} is {status}, not {states[-1]}, after {WAIT_SECONDS} s")
            time.sleep(5)


def _tags(pairs):
    return {
        pair.get("key", pair.get("Key")): pair.get("value", pair.get("Value")) for pair in pairs
    }


def _marked_awake(tags):
    """Return whether somebody keeps it awake for now; what can't be read counts as yes."""
    if AWAKE_TAG not in tags:
        return False
    try:
        until = datetime.fromisoformat(tags[AWAKE_TAG].replace("Z", "+00:00"))
        return until > datetime.now(UTC)
    except (TypeError, ValueError):
        return True


def _read(note):
    """Return tasks and kinds of scaling that had been suspended, from a service's tag."""
    count, _, held = note.partition(" ")
    return int(count), [word for word in held.split("/") if word]


def _kept_awake(database):
    """Return whether somebody wants it up, or RDS would refuse to stop it."""
    if _marked_awake(_tags(database["TagList"])):
        return True
    replica = database.get("ReadReplicaSourceDBInstanceIdentifier")
    return bool(replica or database.get("ReadReplicaDBInstanceIdentifiers"))
