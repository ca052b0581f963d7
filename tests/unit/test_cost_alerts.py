"""An alert about costs tells of a surprise: not of what docs/costs.md says that it costs."""

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\w+) \| \$([\d,.]+) \|", flags=re.MULTILINE)
EXPECTED = {
    name: float(amount.replace(",", ""))
    for name, amount in ROW.findall(
        (PROJECT / "docs/costs.md").read_text().split("## Side by side")[1].split("\n## ")[0]
    )
}


def test_every_environment_has_a_price():
    assert set(EXPECTED) == {"dev", "staging", "prod"}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_first_alert_is_just_above_what_is_expected(environment: str):
    path = PROJECT / f"inventories/{environment}/group_vars/all/stack_costs.yml"
    amounts = yaml.safe_load(path.read_text())["cost_alert_amounts"]
    assert EXPECTED[environment] < amounts[0] < 1.25 * EXPECTED[environment]
