"""How many tasks a policy wants: pure functions.

Source: Application Auto Scaling user guide, "How target tracking scaling works" and "How step
scaling works".
"""

import math
from collections.abc import Mapping
from typing import Any


def tracked(count: int, value: float, target: float) -> int:
    """The count at which the metric would be at its target."""
    return math.ceil(round(count * value / target, 6))


def stepped(configuration: Mapping[str, Any], count: int, difference: float) -> int:
    """The count that a step policy wants; the same when no step fits.

    Args:
        difference: the metric's value less the alarm's threshold.
    """
    for step in configuration.get("StepAdjustments") or []:
        low = step.get("MetricIntervalLowerBound")
        high = step.get("MetricIntervalUpperBound")
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        # A bound belongs to the step that is farther from the threshold.
        fits = low <= difference < high if difference >= 0 else low < difference <= high
        if fits:
            return adjusted(configuration, count, step["ScalingAdjustment"])
    return count


def adjusted(configuration: Mapping[str, Any], count: int, amount: float) -> int:
    """A count after one adjustment."""
    kind = configuration.get("AdjustmentType")
    if kind == "ExactCapacity":
        return int(amount)
    if kind == "PercentChangeInCapacity":
        change = count * amount / 100
        # Towards zero, but by one at least.
        whole = math.trunc(change) or (change > 0) - (change < 0)
        least = configuration.get("MinAdjustmentMagnitude") or 0
        return count + int(math.copysign(max(abs(whole), least), whole) if whole else 0)
    return count + int(amount)
