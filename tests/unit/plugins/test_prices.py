"""What a bill says: by rule, by assumption, by difference; and never silence about a price."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.drydock.ops.plugins.module_utils import cost_pages, prices
from ansible_collections.drydock.ops.plugins.module_utils.price_rules import HOURS
from ansible_collections.drydock.ops.plugins.module_utils.price_rules_data import RULES
from ansible_collections.drydock.ops.plugins.modules import estate_plan

PROJECT = Path(__file__).resolve().parents[3]
TABLES = PROJECT / "costs"


@pytest.fixture(scope="module")
def table() -> prices.Prices:
    return prices.load(TABLES, "prod", {"hello": 3})


def resource(address: str, **values: Any) -> dict[str, Any]:
    """Return a resource as it stands in planned_values."""
    kind = re.sub(r"\[[^]]*\]", "", address).split(".")[-2]
    return {"address": address, "mode": "managed", "type": kind, "values": values}


def plan(after: list[dict[str, Any]], before: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": after}},
        "prior_state": {"values": {"root_module": {"resources": before or []}}},
    }


def cost(table: prices.Prices, *resources: dict[str, Any]) -> prices.Cost:
    return prices.cost_of(prices.resources_of(plan(list(resources)), stack="s"), table)


def fixed(found: prices.Cost) -> float:
    """Return what does not stand on assumptions."""
    return found.total - found.assumed


DATABASE = {
    "engine": "postgres",
    "instance_class": "db.m7g.large",
    "allocated_storage": 100,
    "manage_master_user_password": True,
}


@pytest.mark.parametrize(
    ("address", "values", "expected"),
    [
        ("aws_nat_gateway.this", {}, 0.045 * HOURS),
        ("aws_eip.this", {}, 0.005 * HOURS),
        ("aws_vpc_endpoint.s3", {"vpc_endpoint_type": "Gateway"}, 0),
        (
            "aws_vpc_endpoint.logs",
            {"vpc_endpoint_type": "Interface", "subnet_ids": ["a", "b"]},
            0.02 * HOURS,
        ),
        ("aws_db_instance.one", DATABASE, 0.168 * HOURS + 100 * 0.115 + 0.40),
        (
            "aws_db_instance.two",
            {**DATABASE, "multi_az": True},
            2 * (0.168 * HOURS + 100 * 0.115) + 0.40,
        ),
        (
            "aws_elasticache_replication_group.this",
            {"engine": "valkey", "node_type": "cache.m7g.large", "num_cache_clusters": 3},
            3 * 0.1264 * HOURS,
        ),
        ("aws_kinesis_stream.this", {"shard_count": 2, "retention_period": 24}, 0.03 * HOURS),
        (
            "aws_cloudwatch_metric_alarm.math",
            {"metric_query": [{"metric": [{"period": 60}]}] * 2 + [{"expression": "a/b"}]},
            0.20,
        ),
        ("aws_cloudwatch_metric_alarm.quick", {"period": 10}, 0.30),
        ("aws_wafv2_web_acl.this", {"rule": [{}, {}, {}]}, 8.0),
        ("aws_route53_health_check.this", {"type": "HTTPS", "request_interval": 10}, 2.5),
        ("aws_instance.host", {"instance_type": "m6i.large"}, 0.096 * HOURS + 8 * 0.08),
        (
            "aws_ebs_volume.ledger",
            {"type": "gp3", "size": 1000, "iops": 5000, "throughput": 225},
            80 + 10 + 4,
        ),
        ("aws_ebs_volume.fast", {"type": "io2", "size": 100, "iops": 40000}, 12.5 + 2080 + 364),
        ("aws_shield_protection.one", {}, 3000),
        ("aws_cloudtrail.this", {}, 0),
        ("aws_accessanalyzer_analyzer.this", {"type": "ACCOUNT"}, 0),
    ],
)
def test_what_is_there_every_month(table, address, values, expected):
    found = cost(table, resource(address, **values))
    assert found.unknown == {}
    assert fixed(found) == pytest.approx(expected)


def test_a_service_is_billed_by_its_task_definition_floor_and_room(table):
    inside = 'module.service["hello"].'
    template = resource(
        f"{inside}aws_ecs_task_definition.template", cpu="512", memory="1024", family="hello"
    )
    service = resource(f"{inside}aws_ecs_service.this", name="hello", desired_count=0)
    limits = resource(f"{inside}aws_appautoscaling_target.this", min_capacity=0, max_capacity=13)
    found = cost(table, template, service, limits)
    # Never released: the floor of three is the inventory's, and a tenth of the room above it.
    assert found.total == pytest.approx(4 * HOURS * (0.5 * 0.04048 + 1 * 0.004445))
    limits["values"]["min_capacity"] = 13
    assert cost(table, template, service, limits).total == pytest.approx(found.total * 13 / 4)


def test_the_rpc_cache_s_own_metrics_are_billed(table):
    inside = 'module.platform.module.service["{}"].'
    shape = {"cpu": "256", "memory": "512"}
    bills = [
        cost(
            table,
            resource(f"{inside.format(name)}aws_ecs_task_definition.template", **shape),
            resource(f"{inside.format(name)}aws_ecs_service.this[0]", name="hello"),
        )
        for name in ("rpc_cache", "hello")
    ]
    assert bills[0].total - bills[1].total == pytest.approx(120 * 0.30)


def test_spot_is_billed_above_the_base_that_stays_ordinary(table):
    template = resource("aws_ecs_task_definition.template", cpu="1024", memory="1024")
    service = resource(
        "aws_ecs_service.this",
        name="hello",
        capacity_provider_strategy=[
            {"capacity_provider": "FARGATE", "base": 1, "weight": 0},
            {"capacity_provider": "FARGATE_SPOT", "base": 0, "weight": 1},
        ],
    )
    one = HOURS * (0.04048 + 0.004445)
    assert cost(table, template, service).total == pytest.approx(one + 2 * one * 0.35)


def test_a_group_of_instances_is_billed_by_its_template(table):
    template = resource(
        "aws_launch_template.this",
        instance_type="r7a.8xlarge",
        monitoring=[{"enabled": True}],
        block_device_mappings=[{"device_name": "/dev/xvda", "ebs": [{"volume_size": 50}]}],
    )
    group = resource("aws_autoscaling_group.this", desired_capacity=2, min_size=0)
    per_node = HOURS * 2.4344 + 50 * 0.08 + 7 * 0.30
    assert fixed(cost(table, template, group)) == pytest.approx(2 * per_node)
    parts = prices.resources_of(plan([template, group]), stack="s")
    three = prices.cost_of(prices.with_nodes(parts, 3), table)
    assert fixed(three) == pytest.approx(3 * per_node)
    # What it sends goes through NAT and to the internet; seven figures of each node and of all.
    sent = 3 * table.usage["node_out_gb"] * (0.09 + 0.045)
    assert three.assumed == pytest.approx(sent + 4 * 7 * 0.30)
    assert prices.cost_of(prices.with_nodes(parts, 0), table).total == 0
    group["values"]["desired_capacity"] = 0
    found = cost(table, template, group)
    assert found.total == 0
    assert found.free["aws_autoscaling_group"] == 1


def test_what_has_no_price_is_listed_with_the_reason_and_stops_nothing(table):
    found = cost(
        table,
        resource("aws_quantum_computer.one"),
        resource("aws_db_instance.big", **{**DATABASE, "instance_class": "db.x9.huge"}),
        resource("aws_db_instance.other", **{**DATABASE, "engine": "oracle-ee"}),
        resource("aws_autoscaling_group.lonely", desired_capacity=1),
        resource("aws_dynamodb_table.odd", billing_mode="PROVISIONED"),
        resource("aws_db_instance.bare"),
        resource("aws_kms_key.fine"),
    )
    assert len(found.unknown) == 6
    assert "price_rules" in found.unknown["aws_quantum_computer.one"]
    assert "rds_postgres.db.x9.huge" in found.unknown["aws_db_instance.big"]
    assert "oracle-ee" in found.unknown["aws_db_instance.other"]
    assert {item.type for item in found.items} == {"aws_kms_key"}
    for text in (
        cost_pages.markdown(found, "prod", table.about),
        cost_pages.html(found, "prod", "Test."),
        "\n".join(cost_pages.lines(found, "prod")),
    ):
        assert "aws_quantum_computer.one" in text


def test_every_type_in_the_modules_is_priced_or_known_to_be_free(table):
    types = {
        kind
        for file in (PROJECT / "terraform").rglob("*.tf")
        for kind in re.findall(r'^resource "(\w+)"', file.read_text(), re.M)
    }
    assert len(types) > 50, "the search has lost its files"
    assert types - set(RULES) - set(table.free) == set()


def test_every_row_has_a_source_a_date_and_a_use():
    sections = yaml.safe_load((TABLES / "prices.yml").read_text())
    for name, section in sections.items():
        assert section["source"].startswith("https://aws.amazon.com/"), name
        assert re.fullmatch(r"20\d\d-\d\d", str(section["known"])), name
    rules = "".join(
        (PROJECT / f"plugins/module_utils/{name}.py").read_text()
        for name in ("price_rules", "price_rules_data")
    )
    usage = yaml.safe_load((TABLES / "usage.yml").read_text())
    unused = {name for name in usage["usage"] if f'"{name}"' not in rules}
    assert unused == set()
    environments = {"about", "local", "dev", "staging", "prod"}
    assert {name for name, row in usage["usage"].items() if set(row) != environments} == set()


def test_a_difference_names_what_grew_and_what_is_new_without_a_price(table):
    old = resource("aws_db_instance.this", **DATABASE)
    new = resource("aws_db_instance.this", **{**DATABASE, "multi_az": True})
    extra = resource("aws_quantum_computer.one")
    kept = resource("aws_kms_key.kept")
    found = prices.plan_delta(plan([new, kept, extra], [old, kept]), table)
    assert list(found.changes) == ["aws_db_instance.this"]
    assert found.monthly == pytest.approx(0.168 * HOURS + 11.5)
    assert list(found.unknown) == ["aws_quantum_computer.one"]
    assert found.sentence().startswith("+$134.14 a month")
    assert "1 without a known price" in found.sentence()
    back = prices.plan_delta(plan([old, kept], [new, kept]), table)
    assert back.sentence().startswith("-$134.14 a month")


def test_a_plan_that_destroys_all_costs_nothing_afterwards(table):
    key = resource("aws_kms_key.this")
    document = plan([], [key])
    document["planned_values"] = {}
    assert prices.plan_delta(document, table).after.total == 0


def test_states_and_plans_hold_the_same_resources(table):
    values = {"tags_all": {"Stack": "data", "Owner": "platform-team"}}
    raw = {
        "version": 4,
        "lineage": "x",
        "resources": [
            {"mode": "data", "type": "aws_ami", "name": "x", "instances": [{}]},
            {
                "mode": "managed",
                "module": 'module.key["a"]',
                "type": "aws_kms_key",
                "name": "this",
                "instances": [
                    {"index_key": 0, "attributes": values},
                    {"index_key": "b", "attributes": values},
                ],
            },
        ],
    }
    found = prices.resources_of(raw)
    assert [one.address for one in found] == [
        'module.key["a"].aws_kms_key.this[0]',
        'module.key["a"].aws_kms_key.this["b"]',
    ]
    assert {one.module for one in found} == {'module.key["a"]'}
    shown = {"format_version": "1.0", "values": plan([resource("aws_kms_key.this", **values)])}
    shown["values"] = shown["values"]["planned_values"]
    bill = prices.cost_of([*found, *prices.resources_of(shown)], table)
    assert bill.by("stack").keys() == {"data"}
    assert bill.by("tag:Owner") == {"platform-team": pytest.approx(bill.total)}
    assert bill.by("tag:Nobody") == {"(untagged)": pytest.approx(bill.total)}


def test_what_is_no_document_of_terraform_is_refused():
    with pytest.raises(prices.PriceError, match="neither a plan nor a state"):
        prices.resources_of({"hello": 1})


def test_an_address_may_know_its_use_better(table):
    name = "module.state_backend.aws_s3_bucket.this"
    assert cost(table, resource(name)).total < cost(table, resource("aws_s3_bucket.other")).total


def test_a_table_without_the_environment_is_refused(tmp_path):
    for name in ("prices.yml", "usage.yml", "free.yml"):
        (tmp_path / name).write_text((TABLES / name).read_text())
    with pytest.raises(prices.PriceError, match="has no amount for moon"):
        prices.load(tmp_path, "moon")
    text = (TABLES / "prices.yml").read_text().replace("  known: 2025-05\n", "", 1)
    (tmp_path / "prices.yml").write_text(text)
    with pytest.raises(prices.PriceError, match="nat_gateway lacks known"):
        prices.load(tmp_path, "dev")


def test_the_page_is_whole_and_shows_no_markup_of_a_name(table):
    found = cost(table, resource("aws_kms_key.this", tags_all={"Service": "<script>"}))
    page = cost_pages.html(found, "<b>", "Test.")
    assert "<script>" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<svg") == page.count("</svg>") == 1


def test_a_root_module_refers_to_stacks_and_to_nothing_else(tmp_path):
    made = estate_plan.root(
        {
            "data": {
                "vpc_id": "${module.foundation.vpc_id}",
                "part": "${module.solana.groups.rpc}",
                "text": ["${path.module}", "%{if}"],
            }
        },
        tmp_path / "stacks",
        tmp_path / "work/estate",
    )
    assert json.loads(json.dumps(made))["module"]["data"] == {
        "source": "../../stacks/data",
        "vpc_id": "${module.foundation.vpc_id}",
        "part": "${module.solana.groups.rpc}",
        "text": ["$${path.module}", "%%{if}"],
    }


def test_an_estimate_knows_every_part_of_an_output_that_a_stack_is_told():
    taken = {
        found
        for file in (PROJECT / "inventories/common/hosts").glob("*.yml")
        if "stacks" in yaml.safe_load(file.read_text())
        for found in re.findall(r"stack_outputs\.(\w+)\.(\w+)\.(\w+)", file.read_text())
    }
    assert taken, "the search has lost its files"
    plays = yaml.safe_load((PROJECT / "playbooks/estimate.yml").read_text())
    known = plays[1]["vars"]["computed_with"]
    for stack, output, part in taken:
        assert part in known[stack][output]
