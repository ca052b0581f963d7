"""The metric store and CloudWatch's calls about metrics, without containers."""

import datetime
import random
import time
import tracemalloc

import pytest

from drydock.controllers.cloudwatch.metrics_api import MetricsApi
from drydock.controllers.cloudwatch.store import Metric, MetricStore, Sample
from drydock.errors import ApiError
from drydock.metrics import Metrics
from drydock.moto.api import Context

REGION = "us-east-1"
NOW = int(time.time()) // 300 * 300 - 600
METRIC = Metric("N", "m", (("D", "v"),))
DIMENSIONS = [{"Name": "D", "Value": "v"}]


def at(second: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)


def sample(*values: float) -> Sample:
    made = Sample()
    for value in values:
        made.add(value)
    return made


class TestSample:
    def test_statistics(self):
        made = sample(3, 1, 2, 2)
        names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
        assert [made.statistic(name) for name in names] == [4, 8, 2, 1, 3]

    @pytest.mark.parametrize(
        ("name", "value"), [("p0", 1), ("p50", 50), ("p90", 90), ("p99", 99), ("p100", 100)]
    )
    def test_percentiles_of_a_hundred_values_are_exact(self, name, value):
        values = list(range(1, 101))
        random.Random(1).shuffle(values)  # noqa: S311
        assert sample(*values).statistic(name) == value

    def test_percentiles_of_many_values_are_within_two_per_cent(self):
        dice = random.Random(2)  # noqa: S311
        values = sorted(dice.lognormvariate(-3, 1) for _ in range(20_000))
        made = sample(*values)
        for percent in (1, 50, 90, 99, 99.9):
            exact = values[int(len(values) * percent / 100) - 1]
            assert made.statistic(f"p{percent}") == pytest.approx(exact, rel=0.02)
        assert made.statistic("Maximum") == values[-1]
        assert len(made._values) < 1_000  # however many values came

    def test_a_percentile_counts_how_often_a_value_came(self):
        made = Sample()
        made.add(1, 98)
        made.add(7, 2)
        assert (made.statistic("p98"), made.statistic("p99")) == (1, 7)

    def test_merged_samples_are_as_if_taken_together(self):
        together, parts = sample(1, 5, 5, 9), sample(1, 5)
        parts.merge(sample(5, 9))
        for name in ("SampleCount", "Sum", "Minimum", "Maximum", "p50", "p75", "p100"):
            assert parts.statistic(name) == together.statistic(name)

    def test_finished_statistics_have_no_percentiles(self):
        made = sample(4)
        made.add_set(10, 50, 1, 9)
        assert made.statistic("Average") == pytest.approx(54 / 11)
        assert made.statistic("p50") is None

    def test_finished_statistics_of_one_value_have(self):
        made = Sample()
        made.add_set(10, 20, 2, 2)
        assert made.statistic("p99") == 2


class TestStore:
    def test_what_controllers_measure_arrives(self):
        metrics, store = Metrics(), MetricStore()
        metrics.put(REGION, "N", "m", {"D": "v"}, [1, 2, 3], "Count", at=NOW)
        store.take(metrics.take())
        [found] = store.windows(REGION, METRIC, [NOW], 1, None)
        assert found.total == 6
        assert store.windows("eu-west-1", METRIC, [NOW], 1, None) == [None]

    def test_windows_are_closed_at_the_start_and_open_at_the_end(self):
        store = MetricStore()
        for second, value in ((0, 1), (4.9, 2), (5, 4), (9.999, 8), (10, 16)):
            store.put(REGION, METRIC, "None", NOW + second, [(value, 1)])
        found = store.windows(REGION, METRIC, [NOW, NOW + 5], 5, None)
        assert [one.total for one in found] == [3, 12]

    def test_a_unit_chooses(self):
        store = MetricStore()
        store.put(REGION, METRIC, "Seconds", NOW, [(1, 1)])
        store.put(REGION, METRIC, "Percent", NOW, [(2, 1)])
        for unit, total in ((None, 3), ("Seconds", 1), ("Percent", 2)):
            assert store.windows(REGION, METRIC, [NOW], 1, unit)[0].total == total
        assert store.windows(REGION, METRIC, [NOW], 1, "Bytes") == [None]

    def test_old_seconds_become_minutes_and_old_minutes_go(self):
        store = MetricStore()
        for second in range(600):
            store.put(REGION, METRIC, "None", NOW + second, [(second, 1)])
        store.age(NOW + 3_600 + 300)
        series = store._kept[REGION][METRIC]["None"]
        assert (len(series.fine), len(series.coarse)) == (300, 5)
        found = store.windows(REGION, METRIC, [NOW, NOW + 60, NOW + 300], 60, None)
        assert [one.total for one in found] == [sum(range(n, n + 60)) for n in (0, 60, 300)]
        store.age(NOW + 8 * 3_600)
        store.age(NOW + 8 * 3_600)
        assert store.metrics(REGION) == []

    def test_a_heavy_metric_stays_small(self):
        """An hour of 500 response times a second: memory goes with seconds, not with values."""
        store, dice = MetricStore(), random.Random(3)  # noqa: S311
        values = [(dice.lognormvariate(-4, 0.8), 1.0) for _ in range(500)]
        tracemalloc.start()
        for second in range(30):
            store.put(REGION, METRIC, "Seconds", NOW + second, values)
        each = tracemalloc.get_traced_memory()[0] / 30
        tracemalloc.stop()
        assert each < 40_000


class TestCalls:
    @pytest.fixture
    def call(self):
        made = MetricsApi(MetricStore()).operations()

        def call(action: str, **given):
            return made[("cloudwatch", action)](Context(REGION), given)

        return call

    def put(self, call, second: float, **datum) -> None:
        row = {"MetricName": "m", "Dimensions": DIMENSIONS, "Timestamp": at(NOW + second), **datum}
        call("PutMetricData", Namespace="N", MetricData=[row])

    def test_statistics(self, call):
        self.put(call, 0, Values=[1.0, 2.0], Counts=[3.0, 1.0], Unit="Count")
        self.put(call, 30, Value=9.0, Unit="Count")
        self.put(call, 60, StatisticValues={"SampleCount": 4.0, "Sum": 8.0, "Minimum": 1.0,
                                            "Maximum": 3.0}, Unit="Count")  # fmt: skip
        found = call(
            "GetMetricStatistics",
            Namespace="N",
            MetricName="m",
            Dimensions=DIMENSIONS,
            StartTime=at(NOW),
            EndTime=at(NOW + 120),
            Period=60,
            Statistics=["Sum", "SampleCount"],
            ExtendedStatistics=["p99", "p50"],
        )
        assert found["Datapoints"] == [
            {"Timestamp": at(NOW), "Unit": "Count", "Sum": 14, "SampleCount": 5,
             "ExtendedStatistics": {"p99": 9, "p50": 1}},
            {"Timestamp": at(NOW + 60), "Unit": "Count", "Sum": 8, "SampleCount": 4},
        ]  # fmt: skip

    def test_data_with_math(self, call):
        for minute, (errors, requests) in enumerate([(1, 10), (None, 10), (3, None), (2, 8)]):
            for name, value in (("errors", errors), ("requests", requests)):
                if value is not None:
                    self.put(call, 60 * minute, MetricName=name, Value=float(value))

        def query(name, **more):
            metric = {"Namespace": "N", "MetricName": name, "Dimensions": DIMENSIONS}
            stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
            return {"Id": name, "MetricStat": stat, "ReturnData": False, **more}

        found = call(
            "GetMetricData",
            MetricDataQueries=[
                {"Id": "share", "Expression": "100 * FILL(errors, 0) / requests", "Label": "5xx"},
                query("errors"),
                query("requests", ReturnData=True),
            ],
            StartTime=at(NOW + 10),
            EndTime=at(NOW + 240),
            ScanBy="TimestampAscending",
        )["MetricDataResults"]
        assert [(one["Id"], one["Label"]) for one in found] == [
            ("share", "5xx"),
            ("requests", "requests"),
        ]
        assert found[0]["Values"] == [10, 0, 25]
        assert found[0]["Timestamps"] == [at(NOW + 60 * n) for n in (0, 1, 3)]

    def test_short_periods_and_newest_first(self, call):
        for second in (0, 1, 7):
            self.put(call, second, Value=1.0, StorageResolution=1)
        stat = {"Metric": {"Namespace": "N", "MetricName": "m", "Dimensions": DIMENSIONS},
                "Period": 5, "Stat": "SampleCount"}  # fmt: skip
        [found] = call(
            "GetMetricData",
            MetricDataQueries=[{"Id": "m1", "MetricStat": stat}],
            StartTime=at(NOW),
            EndTime=at(NOW + 10),
        )["MetricDataResults"]
        assert (found["Values"], found["Label"]) == ([1, 2], "m")

    def test_list(self, call):
        self.put(call, 0, Value=1.0)
        self.put(call, 0, Value=1.0, MetricName="other", Dimensions=[])
        names = lambda **given: [  # noqa: E731
            one["MetricName"] for one in call("ListMetrics", **given)["Metrics"]
        ]
        assert names() == ["m", "other"]
        assert names(MetricName="other") == ["other"]
        assert names(Dimensions=[{"Name": "D"}]) == ["m"]
        assert names(Dimensions=[{"Name": "D", "Value": "x"}]) == []
        assert names(Namespace="M") == []

    @pytest.mark.parametrize(
        ("datum", "word"),
        [
            ({"Value": float("nan")}, "finite"),
            ({"Value": 1.0, "Values": [1.0]}, "exactly one"),
            ({}, "exactly one"),
            ({"Values": [1.0, 2.0], "Counts": [1.0]}, "as long"),
            ({"Value": 1.0, "Timestamp": at(NOW - 20 * 86_400)}, "two weeks"),
            ({"Value": 1.0, "StorageResolution": 5}, "StorageResolution"),
        ],
    )
    def test_bad_data_is_refused(self, call, datum, word):
        with pytest.raises(ApiError, match=word):
            self.put(call, 0, **datum)

    @pytest.mark.parametrize(
        ("given", "word"),
        [({"Period": 7}, "Period 7"), ({"Statistics": ["tm99"]}, "tm99"), ({"Period": 1}, "limit")],
    )
    def test_bad_questions_are_refused(self, call, given, word):
        given = {
            "Namespace": "N",
            "MetricName": "m",
            "StartTime": at(NOW - 7_200),
            "EndTime": at(NOW),
            "Period": 60,
            "Statistics": ["Sum"],
            **given,
        }
        with pytest.raises(ApiError, match=word):
            call("GetMetricStatistics", **given)
