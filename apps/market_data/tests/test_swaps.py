"""What a swap's log says it was dealt for, and when it says nothing."""

from decimal import Decimal
from typing import Any

import pytest
from conftest import ray_log, sold

from market_data.settings import Pool
from market_data.swaps import price

POOL = Pool(symbol="SOL-USD", base_decimals=9, quote_decimals=6)


@pytest.mark.parametrize(
    "line",
    [
        ray_log(3, 2_000_000_000, 1, 2, 301_500_000),  # 2 SOL in, 301.5 dollars out
        ray_log(3, 301_500_000, 1, 1, 2_000_000_000),  # dollars in, SOL out
        ray_log(4, 2_500_000_000, 301_500_000, 2, 2_000_000_000),  # so many dollars wanted
        ray_log(4, 400_000_000, 2_000_000_000, 1, 301_500_000),  # so many SOL wanted
    ],
)
def test_all_four_kinds_of_swap(line: str) -> None:
    assert price(["Program x invoke [1]", line], POOL) == Decimal("150.75")


def test_a_price_has_twelve_digits_and_no_exponent() -> None:
    found = price([ray_log(3, 3_000_000_000, 1, 2, 100_000_000)], POOL)
    assert f"{found:f}" == "33.3333333333"
    tiny = price([ray_log(3, 10**18, 1, 2, 1)], POOL)
    assert f"{tiny:f}" == "0.000000000000001"


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "ray_log",
        [],
        [7],
        sold(100) + sold(101),  # of two, either may be another pool's
        ["Program log: ray_log: !!"],
        ["Program log: ray_log: AAAA"],
        [ray_log(1, 5, 5, 2, 5)],  # a deposit
        [ray_log(3, 5, 5, 7, 5)],
        [ray_log(3, 0, 1, 2, 5)],
    ],
)
def test_what_tells_no_price(messages: Any) -> None:
    assert price(messages, POOL) is None
