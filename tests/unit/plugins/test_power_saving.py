"""What a night saves: the hours that end, of what is priced, and nothing that costs on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import power_saving, prices
from ansible_collections.drydock.ops.plugins.module_utils.power import Refused
from ansible_collections.drydock.ops.plugins.module_utils.price_rules import Resource
from ansible_collections.drydock.ops.plugins.modules import sleep_saving

PROJECT = Path(__file__).resolve().parents[3]
JOBS = PROJECT / "jobs/playbooks.yml"
MONDAY = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def resource(address: str, **values: Any) -> Resource:
    kind = address.split("[")[0].rsplit(".", 2)[-2]
    return Resource(address, kind, "s", values)


GATEWAY = resource("module.network.aws_nat_gateway.this[0]")
ADDRESS = resource("module.network.aws_eip.nat[0]")
DATABASE = resource(
    "module.database.aws_db_instance.this", engine="postgres", instance_class="db.t4g.micro",
    allocated_storage=20, identifier="drydock-dev",
)  # fmt: skip


@pytest.fixture(scope="module")
def table() -> prices.Prices:
    return prices.load(PROJECT / "costs", "dev")


def hourly(table: prices.Prices, *resources: Resource, **more: Any) -> float:
    given = {"awake": (), "network": True, **more}
    return power_saving.split(resources, table, **given)[0] / 730


def test_hours_end_and_what_is_kept_costs_on(table: prices.Prices) -> None:
    assert hourly(table, GATEWAY, ADDRESS, DATABASE) == pytest.approx(0.045 + 0.016)
    assert hourly(table, ADDRESS) == 0, "an idle address costs what one in use does"
    still = power_saving.left([prices.cost_of([GATEWAY, ADDRESS, DATABASE], table)])
    # The address, and the gigabytes through the gateway, which are a month's whatever the nights.
    assert still["VPC"] == pytest.approx(730 * 0.005 + 0.45)
    assert still["RDS"] > 0


def test_what_stays_up_saves_nothing(table: prices.Prices) -> None:
    assert hourly(table, DATABASE, awake=["drydock-dev"]) == 0
    assert hourly(table, GATEWAY, network=False) == 0


def test_asleep_the_gateway_is_known_by_its_address() -> None:
    (made,) = [
        one for one in sleep_saving.with_gateways([ADDRESS]) if one.type == "aws_nat_gateway"
    ]
    assert made.address == GATEWAY.address
    assert sleep_saving.with_gateways([GATEWAY, ADDRESS]) == [GATEWAY, ADDRESS]


def test_a_year_of_nights_by_the_times_of_the_jobs() -> None:
    found = power_saving.times(JOBS, MONDAY)
    lengths = [power_saving.hours(*night) for night in found.nights]
    assert lengths[0] == 14
    # Four nights a week, a weekend, and the weekends on which clocks change.
    assert set(lengths) == {14, 62, 61, 63}
    assert lengths.count(61) == lengths.count(63) == 1
    assert found.month_hours == pytest.approx(118 / 7 * 365 / 12, abs=6)


def test_a_job_without_a_time_is_named(tmp_path: Path) -> None:
    file = tmp_path / "playbooks.yml"
    file.write_text("teardown: {description: none}\n")
    with pytest.raises(Refused, match="has no schedule for teardown"):
        power_saving.times(file, MONDAY)


def test_it_is_said_by_hour_night_and_month(table: prices.Prices) -> None:
    saved, cost = power_saving.split([GATEWAY, DATABASE], table, (), True)
    said = power_saving.lines("dev", saved, [cost], power_saving.times(JOBS, MONDAY))
    assert "$0.06 saved an hour" in said[0]
    assert said[1] == "a night of 14 hours: $0.85"
    assert "what costs on, a month: RDS" in said[3]
