"""The value that an alarm's metric has now: asked of the API, as whoever scales asks AWS."""

import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drydock.moto.cloudwatch import Alarm
from drydock.settings import Settings

_PERIODS = (60, 30, 20, 10, 5, 1)  # seconds that CloudWatch's data can be asked in
_WINDOWS = 3  # the newest of which that has a value is taken
_CONFIG = Config(
    user_agent="application-autoscaling.amazonaws.com", retries={"total_max_attempts": 1},
    connect_timeout=2, read_timeout=5, proxies={},
)  # fmt: skip


class Readings:
    """Reads metrics; a client for each region."""

    def __init__(self, settings: Settings):
        self._settings, self._clients = settings, dict[str, Any]()

    def latest(self, alarm: Alarm) -> float | None:
        """The newest datapoint of what the alarm watches; None when there is none."""
        minute = self._settings.scaled(60)
        period = next((one for one in _PERIODS if one <= minute), 1)
        end = int(time.time() // period) * period
        queries, shown = _queries(alarm, period)
        try:
            made = self._client(alarm.region).get_metric_data(
                MetricDataQueries=queries, StartTime=end - _WINDOWS * period, EndTime=end,
                ScanBy="TimestampDescending",
            )["MetricDataResults"]  # fmt: skip
        except (BotoCoreError, ClientError):
            return None
        values = [row["Values"] for row in made if row["Id"] == shown and row["Values"]]
        return float(values[0][0]) if values else None

    def _client(self, region: str) -> Any:
        if region not in self._clients:
            self._clients[region] = boto3.Session().client(
                "cloudwatch", region_name=region, endpoint_url=self._settings.endpoint,
                aws_access_key_id="application-autoscaling", aws_secret_access_key="none",  # noqa: S106
                config=_CONFIG,
            )  # fmt: skip
        return self._clients[region]


def _queries(alarm: Alarm, period: int) -> tuple[list[dict[str, Any]], str]:
    """GetMetricData's queries for an alarm, and the id of the one that counts."""
    given = alarm.parameters
    if not given.get("Metrics"):
        stat = {
            "Metric": {key: given[key] for key in ("Namespace", "MetricName", "Dimensions")
                       if given.get(key)},
            "Period": period,
            "Stat": given.get("Statistic") or given["ExtendedStatistic"],
        }  # fmt: skip
        return [{"Id": "value", "MetricStat": stat}], "value"
    queries = []
    for query in given["Metrics"]:
        made = dict(query)
        if made.get("MetricStat"):
            made["MetricStat"] = {**made["MetricStat"], "Period": period}
        if "Period" in made:
            made["Period"] = period
        queries.append(made)
    return queries, next(q["Id"] for q in queries if q.get("ReturnData", True))
