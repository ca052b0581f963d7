"""RDS Multi-AZ: a standby takes over, and no write that was acknowledged is lost."""

import subprocess

import pytest
from botocore.exceptions import ClientError

from .conftest import wait_for
from .postgres import Load, instance


@pytest.fixture(scope="module")
def server(cloud):
    with instance(cloud, MultiAZ=True) as made:
        yield made


def in_sync(server) -> None:
    wait_for(
        lambda: server.shown["in_sync"] and server.node("standby")["state"] == "available",
        60,
        f"{server.name} has a standby in sync",
    )


def moved(server, before: dict) -> None:
    wait_for(
        lambda: server.node()["id"] != before["id"] and server.node()["state"] == "available",
        30,
        "another node is the primary",
    )


def _cut_off(part) -> None:
    """Drops all that comes in or goes out by the part's interface."""
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority 0; {word} eth0 drop; }}\n"
        for hook, word in (("input", "iifname"), ("output", "oifname"))
    )
    subprocess.run(
        ["nsenter", f"--target={part.pid}", "--net", "nft", "-f", "-"],
        input=f"table inet cut {{\n{chains}}}\n",
        text=True,
        check=True,
    )


def test_a_standby_streams_in_another_zone(server):
    described, nodes = server.describe(), server.shown["nodes"]
    assert [node["role"] for node in nodes] == ["primary", "standby"]
    assert {described["AvailabilityZone"], described["SecondaryAvailabilityZone"]} == {
        "us-east-1a",
        "us-east-1b",
    }
    assert described["Endpoint"]["Address"] not in {node["address"] for node in nodes}
    in_sync(server)


def test_a_load_that_lost_a_row_would_be_seen(server):
    with Load(server) as load:
        load.more()
    assert load.lost() == set()
    with server.connect() as connection:
        connection.execute("DELETE FROM written WHERE n = %s", (load.acknowledged[7],))
    assert load.lost() == {load.acknowledged[7]}


def test_a_reboot_with_failover_loses_nothing(server):
    in_sync(server)
    before, described, events = server.node(), server.describe(), len(server.messages())
    with Load(server) as load:
        rebooting = server.rds.reboot_db_instance(
            DBInstanceIdentifier=server.name, ForceFailover=True
        )["DBInstance"]
        assert rebooting["DBInstanceStatus"] == "rebooting"
        moved(server, before)
        load.more()
    server.wait()
    after = server.describe()
    assert load.lost() == set() and load.outages and max(load.outages) < 15
    assert after["AvailabilityZone"] == described["SecondaryAvailabilityZone"]
    assert after["SecondaryAvailabilityZone"] == described["AvailabilityZone"]
    assert after["Endpoint"] == described["Endpoint"]
    assert server.messages()[events:] == [
        "Multi-AZ instance failover started.",
        "DB instance restarted",
        "Multi-AZ instance failover completed",
    ]


@pytest.mark.parametrize("how", ["kill", "pause", "cut off"])
def test_a_primary_that_dies_or_hangs_is_replaced(cloud, server, how):
    in_sync(server)
    before, address = server.node(), server.describe()["Endpoint"]["Address"]
    with Load(server) as load:
        if how == "cut off":
            _cut_off(server.part())
        else:
            cloud.podman.command(how, server.part().name)
        moved(server, before)
        load.more()
    assert load.lost() == set()
    assert server.describe()["Endpoint"]["Address"] == address
    in_sync(server)
    assert server.node("standby")["id"] == before["id"]  # it came back as the standby


def test_without_its_standby_the_primary_goes_on(cloud, server):
    in_sync(server)
    primary = server.node()["id"]
    with Load(server) as load:
        cloud.podman.command("pause", server.part("standby").name)
        wait_for(lambda: not server.shown["in_sync"], 20, "the standby is given up")
        load.more()
        in_sync(server)
        load.more()
    assert server.node()["id"] == primary and load.lost() == set()


def test_a_plain_reboot_stays_where_it_is(server):
    in_sync(server)
    before, began = server.node(), server.value("select pg_postmaster_start_time()")
    server.rds.reboot_db_instance(DBInstanceIdentifier=server.name)
    server.wait()
    assert server.value("select pg_postmaster_start_time()") > began
    assert server.node()["id"] == before["id"]


def test_nobody_but_the_nodes_may_replicate(server):
    in_sync(server)
    [(replicating,)] = server.rows("SELECT count(*) FROM pg_stat_replication")
    assert replicating == 1
    refused = server.psql("select 1", user="rdsrepladmin")
    assert refused.code != 0 and "rejects connection" in refused.stderr


def test_what_copies_log_in_with_is_only_in_a_file_of_the_owner(cloud, server):
    files = list(cloud.settings.folder("parts", "database").glob(f"{server.name}*/pgpass"))
    assert len(files) == 2
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    secret = files[0].read_text().strip().rpartition(":")[2]
    logs = cloud.podman.command("logs", server.container.name)
    inspected = cloud.podman.command("inspect", server.container.name).stdout
    assert secret not in logs.stdout + logs.stderr + inspected
    for file in files[0].parent.iterdir():
        assert file.name == "pgpass" or not file.is_file() or secret not in file.read_text()


def test_a_standby_can_be_given_up_and_asked_for_again(server):
    for wanted, roles in ((False, ["primary"]), (True, ["primary", "standby"])):
        changed = server.rds.modify_db_instance(
            DBInstanceIdentifier=server.name, MultiAZ=wanted, ApplyImmediately=True
        )["DBInstance"]
        assert changed["DBInstanceStatus"] == "modifying"
        server.wait()
        assert [node["role"] for node in server.shown["nodes"]] == roles
        assert server.describe()["MultiAZ"] is wanted
        if not wanted:
            with pytest.raises(ClientError, match="InvalidParameterCombination"):
                server.rds.reboot_db_instance(DBInstanceIdentifier=server.name, ForceFailover=True)
    in_sync(server)
