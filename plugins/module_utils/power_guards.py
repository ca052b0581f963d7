"""Why an environment may not sleep: by its data, by its account, by what its resources say.

Each of the three is enough by itself. What they compare with is read from the inventory's files,
not from variables, so that no -e changes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.drydock.ops.plugins.module_utils.aws import error_code
from ansible_collections.drydock.ops.plugins.module_utils.power import NOTHING, Refused, tags_of


def table(inventories: Path) -> dict[str, dict[str, Any]]:
    """Return the environments as environments.yml has them. Raises Refused."""
    return _read(inventories / "common/vars/environments.yml")["environments"]


def by_data(inventories: Path, environment: str) -> None:
    """Raise Refused unless the inventory's own files let the environment sleep."""
    known = table(inventories)
    file = inventories / environment / "group_vars/all/environment.yml"
    if known.get(environment, {}).get("never_sleeps", environment not in known):
        raise Refused(
            f"{environment} never sleeps: environments.yml says so, or does not know it. {NOTHING}"
        )
    if _read(file).get("sleep_allowed") is not True:
        raise Refused(
            f"{environment} may not sleep: {file.relative_to(inventories.parent)} has no "
            "sleep_allowed: "
            f"true, and -e does not count here. Change it there, reviewed, if it may. {NOTHING}"
        )


def by_account(sts: Any, inventories: Path, environment: str) -> None:
    """Raise Refused where the account that we are in has an environment that never sleeps."""
    known = table(inventories)
    account = sts.get_caller_identity()["Account"]
    names = [name for name, one in known.items() if str(one.get("account_id")) == account]
    awake = [name for name in names if known[name].get("never_sleeps")]
    if awake:
        raise Refused(
            f"These credentials are of account {account}, which is that of {awake[0]}, and that "
            "never "
            f"sleeps: sign in to the account of {environment}. {NOTHING}"
        )
    if environment not in names:
        raise Refused(
            f"These credentials are of account {account}, which is not that of {environment}: "
            "sign in to "
            f"its own. {NOTHING}"
        )


def by_resources(clients: dict[str, Any], environment: str) -> None:
    """Raise Refused where a resource is another environment's, or protected against deletion.

    clients: of ecs, rds and autoscaling. Looks at all that is named as this environment's.
    """
    name = f"drydock-{environment}"
    for what, tags in _named(clients, name):
        if tags.get("Environment") != environment:
            raise Refused(
                f"{what} has the tag Environment={tags.get('Environment', '(none)')}, so it is not "
                f"{environment}'s: correct the tag (playbooks/provision.yml does), or the "
                "credentials. "
                f"{NOTHING}"
            )
    for page in clients["rds"].get_paginator("describe_db_instances").paginate():
        for database in page["DBInstances"]:
            ours = tags_of(database.get("TagList")).get("Environment") == environment
            if ours and database.get("DeletionProtection"):
                raise Refused(
                    f"Database {database['DBInstanceIdentifier']} is protected against deletion, "
                    "as that "
                    f"of an environment that is always needed, so {environment} does not sleep: "
                    "turn "
                    f"database.deletion_protection off in the inventory if it may. {NOTHING}"
                )


def _named(clients: dict[str, Any], name: str) -> list[tuple[str, dict[str, str]]]:
    """Return (what, tags) of what bears the environment's name."""
    clusters = clients["ecs"].describe_clusters(clusters=[name], include=["TAGS"])["clusters"]
    found = [(f"Cluster {name}", tags_of(one.get("tags"))) for one in clusters]
    for page in clients["autoscaling"].get_paginator("describe_auto_scaling_groups").paginate():
        found += [
            (f"Fleet {one['AutoScalingGroupName']}", tags_of(one.get("Tags")))
            for one in page["AutoScalingGroups"]
            if one["AutoScalingGroupName"].startswith(f"{name}-")
        ]
    try:
        databases = clients["rds"].describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    except Exception as error:
        if error_code(error) not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            raise
        databases = []
    return found + [(f"Database {name}", tags_of(one.get("TagList"))) for one in databases]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise Refused(
            f"{path} can't be read ({error}), so nothing says that this environment may sleep. "
            f"{NOTHING}"
        ) from error
    return found or {}
