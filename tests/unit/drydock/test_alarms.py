"""Alarms over a store of metrics, on a clock that the test sets; and CloudWatch's calls."""

import json
import time
from pathlib import Path

import pytest
from moto.backends import get_backend

from drydock.controllers.cloudwatch.alarms import Alarms
from drydock.controllers.cloudwatch.alarms_api import AlarmsApi
from drydock.controllers.cloudwatch.notifications import message
from drydock.controllers.cloudwatch.store import Metric, MetricStore
from drydock.errors import ApiError
from drydock.moto import cloudwatch
from drydock.moto.api import Context
from drydock.settings import ACCOUNT_ID, Settings

REGION = "eu-north-1"
START = int(time.time()) // 60 * 60  # a window of 5 s begins here
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:topic"


class Recorder:
    """Stands where messages would be sent."""

    def __init__(self):
        self.sent = []

    def act(self, alarm, before, children=None):
        if alarm.parameters["ActionsEnabled"] and not alarm.suppressed:
            self.sent.append((alarm.name, before, alarm.state, message(alarm, before, children)))


class World:
    def __init__(self):
        self.store, self.recorder = MetricStore(), Recorder()
        settings = Settings(Path("/nowhere"), 4566, 4567, time_scale=12.0)
        self.alarms = Alarms(settings, self.store, self.recorder)
        self.operations = AlarmsApi(self.alarms).operations()

    def call(self, action: str, **given):
        return self.operations[("cloudwatch", action)](Context(REGION), given)

    def put(self, second: float, value: float, name: str = "m", **dimensions: str) -> None:
        metric = Metric("N", name, tuple(sorted(dimensions.items())))
        self.store.put(REGION, metric, "None", START + second, [(value, 1)])

    def alarm(self, name: str = "a", **given) -> None:
        plain = {} if "Metrics" in given else {"Namespace": "N", "MetricName": "m", "Period": 60}
        if plain and "ExtendedStatistic" not in given:
            plain["Statistic"] = "Sum"
        self.call(
            "PutMetricAlarm",
            **{
                "AlarmName": name,
                "EvaluationPeriods": 1,
                "Threshold": 5.0,
                "ComparisonOperator": "GreaterThanThreshold",
                "AlarmActions": [TOPIC],
                **plain,
                **given,
            },
        )

    def at(self, second: float) -> None:
        self.alarms.evaluate(START + second)

    def state(self, name: str = "a") -> str:
        return cloudwatch.alarm(REGION, name).state


@pytest.fixture
def world():
    backend = get_backend("cloudwatch")[ACCOUNT_ID][REGION]
    backend.alarms.clear()
    cloudwatch.history(REGION).clear()
    yield World()
    backend.alarms.clear()


class TestEvaluation:
    def test_a_minute_is_five_seconds_and_is_judged_when_it_has_ended(self, world):
        world.alarm()
        world.put(1, 3)
        world.put(4.9, 3)
        world.at(5.2)  # still in its grace
        assert world.state() == "INSUFFICIENT_DATA"
        world.at(5.6)
        assert world.state() == "ALARM"
        assert [sent[:3] for sent in world.recorder.sent] == [("a", "INSUFFICIENT_DATA", "ALARM")]

    def test_what_comes_late_counts_at_the_next_evaluation(self, world):
        world.alarm(DatapointsToAlarm=1, EvaluationPeriods=2)
        world.put(1, 1)
        world.at(5.6)
        assert world.state() == "OK"
        world.put(2, 9)
        world.at(5.9)
        assert world.state() == "OK"
        world.at(10.6)
        assert world.state() == "ALARM"

    def test_red_and_green_again(self, world):
        world.alarm(EvaluationPeriods=3, DatapointsToAlarm=2, OKActions=[TOPIC])
        for number, value in enumerate([1, 9, 9, 1, 1, 1]):
            world.put(5 * number + 2, value)
        states = []
        for number in range(1, 7):
            world.at(5 * number + 0.6)
            states.append(world.state())
        assert states == ["OK", "OK", "ALARM", "ALARM", "OK", "OK"]
        changes = [sent[1:3] for sent in world.recorder.sent]
        assert changes == [("INSUFFICIENT_DATA", "OK"), ("OK", "ALARM"), ("ALARM", "OK")]

    def test_a_long_period_slides_by_the_minute(self, world):
        world.alarm(Period=300)
        world.put(7, 9)
        world.at(5.6)
        assert world.state() == "INSUFFICIENT_DATA"
        world.at(10.6)  # the 25 s before the second minute's end
        assert world.state() == "ALARM"

    def test_a_percentile(self, world):
        world.alarm(ExtendedStatistic="p90", Threshold=89.0)
        for value in range(1, 101):
            world.put(1, value)
        world.at(5.6)
        assert world.state() == "ALARM"
        world.alarm(ExtendedStatistic="p90", Threshold=90.0)
        world.at(5.7)
        assert world.state() == "OK"

    def test_metric_math(self, world):
        def stat(name, metric):
            of = {"Namespace": "N", "MetricName": metric}
            return {"Id": name, "MetricStat": {"Metric": of, "Period": 60, "Stat": "Sum"},
                    "ReturnData": False}  # fmt: skip

        world.alarm(
            Metrics=[
                {"Id": "share", "Expression": "100 * FILL(bad, 0) / all", "ReturnData": True},
                stat("bad", "errors"),
                stat("all", "requests"),
            ],
            TreatMissingData="notBreaching",
        )
        world.put(1, 100, "requests")
        world.at(5.6)
        assert world.state() == "OK"
        world.put(6, 100, "requests")
        world.put(6, 6, "errors")
        world.at(10.6)
        assert world.state() == "ALARM"
        assert "[6.0 (" in cloudwatch.alarm(REGION, "a").reason
        [(*_, told)] = [one for one in world.recorder.sent if one[2] == "ALARM"]
        assert [one["Id"] for one in told["Trigger"]["Metrics"]] == ["share", "bad", "all"]

    def test_missing_data_breaches_when_asked_to(self, world):
        world.alarm(TreatMissingData="breaching", EvaluationPeriods=5, DatapointsToAlarm=3)
        world.at(5.6)
        assert world.state() == "ALARM"

    def test_a_state_that_was_set_by_hand_lasts_until_the_next_evaluation(self, world):
        world.alarm()
        world.put(1, 1)
        world.at(5.6)
        world.call("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="a test")
        assert world.state() == "ALARM"
        assert world.recorder.sent[-1][3]["NewStateReason"] == "a test"
        world.at(5.7)
        assert world.state() == "ALARM"
        world.put(6, 1)
        world.at(10.6)
        assert world.state() == "OK"

    def test_an_alarm_that_was_deleted_meanwhile_says_nothing(self, world):
        world.alarm()
        one = cloudwatch.alarm(REGION, "a")
        world.call("DeleteAlarms", AlarmNames=["a"])
        world.alarms.move(one, "ALARM", "too late", None)
        assert world.recorder.sent == []

    def test_disabled_actions_are_not_taken(self, world):
        world.alarm()
        world.call("DisableAlarmActions", AlarmNames=["a"])
        world.put(1, 9)
        world.at(5.6)
        assert (world.state(), world.recorder.sent) == ("ALARM", [])
        world.call("EnableAlarmActions", AlarmNames=["a"])
        world.at(30.6)
        assert world.state() == "INSUFFICIENT_DATA"
        assert len(world.recorder.sent) == 1

    def test_thirty_alarms_are_judged_within_milliseconds(self, world):
        for number in range(30):
            world.alarm(f"a{number}", EvaluationPeriods=3)
            for second in range(0, 60):
                world.put(second, 1, "m")
        started = time.perf_counter()
        world.at(60.6)
        assert time.perf_counter() - started < 0.1
        started = time.perf_counter()
        world.at(60.7)  # nothing new
        assert time.perf_counter() - started < 0.02


class TestComposites:
    def test_red_with_one_child_green_with_both(self, world):
        world.alarm("one")
        world.alarm("two")
        world.call(
            "PutCompositeAlarm",
            AlarmName="both",
            AlarmRule='ALARM("one") OR ALARM(two)',
            AlarmActions=[TOPIC],
        )
        world.at(0.6)
        assert world.state("both") == "OK"
        world.call("SetAlarmState", AlarmName="two", StateValue="ALARM", StateReason="x")
        world.at(0.7)
        assert world.state("both") == "ALARM"
        told = world.recorder.sent[-1][3]
        child = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:two"
        assert told["NewStateReason"].startswith(f"{child} transitioned to ALARM at ")
        assert told["TriggeringChildren"][0]["Arn"] == child
        assert told["AlarmRule"] == 'ALARM("one") OR ALARM(two)'
        data = json.loads(cloudwatch.alarm(REGION, "both").reason_data)
        assert data["triggeringAlarms"][0]["state"]["value"] == "ALARM"

    def test_one_on_top_of_another_moves_in_the_same_pass(self, world):
        world.alarm("one")
        world.call("PutCompositeAlarm", AlarmName="z", AlarmRule="ALARM(one)")
        world.call("PutCompositeAlarm", AlarmName="a", AlarmRule="ALARM(z)")
        world.at(0.6)
        world.call("SetAlarmState", AlarmName="one", StateValue="ALARM", StateReason="x")
        world.at(0.7)
        assert (world.state("z"), world.state("a")) == ("ALARM", "ALARM")

    def test_a_suppressor_holds_actions_back(self, world):
        world.alarm("one")
        world.alarm("quiet")
        world.call("PutCompositeAlarm", AlarmName="c", AlarmRule="ALARM(one)",
                   ActionsSuppressor="quiet", ActionsSuppressorWaitPeriod=60,
                   ActionsSuppressorExtensionPeriod=60, AlarmActions=[TOPIC])  # fmt: skip
        world.at(0.6)
        for name in ("quiet", "one"):
            world.call("SetAlarmState", AlarmName=name, StateValue="ALARM", StateReason="x")
        world.at(0.7)
        assert world.state("c") == "ALARM"
        told = [(sent[0], sent[2]) for sent in world.recorder.sent]
        assert ("one", "ALARM") in told
        assert ("c", "ALARM") not in told

    def test_children_must_be_there_and_stay(self, world):
        with pytest.raises(ApiError, match="nobody"):
            world.call("PutCompositeAlarm", AlarmName="c", AlarmRule="ALARM(nobody)")
        world.alarm("one")
        world.call("PutCompositeAlarm", AlarmName="c", AlarmRule="ALARM(one)")
        with pytest.raises(ApiError, match="depending on it"):
            world.call("DeleteAlarms", AlarmNames=["one"])
        world.call("DeleteAlarms", AlarmNames=["one", "c"])
        assert cloudwatch.alarms(REGION) == []


class TestCalls:
    def test_describe(self, world):
        world.alarm("one-a")
        world.alarm("one-b", AlarmActions=["arn:aws:other"])
        world.alarm("two")
        world.call("PutCompositeAlarm", AlarmName="c", AlarmRule="ALARM(two)")
        world.call("SetAlarmState", AlarmName="two", StateValue="OK", StateReason="x")

        def names(**given):
            found = world.call("DescribeAlarms", **given)
            return [
                one["AlarmName"]
                for key in ("MetricAlarms", "CompositeAlarms")
                for one in found[key]
            ]

        assert names() == ["one-a", "one-b", "two"]
        assert names(AlarmTypes=["CompositeAlarm"]) == ["c"]
        assert names(AlarmTypes=["MetricAlarm", "CompositeAlarm"]) == ["one-a", "one-b", "two", "c"]
        assert names(AlarmNamePrefix="one-") == ["one-a", "one-b"]
        assert names(AlarmNames=["two", "gone"]) == ["two"]
        assert names(StateValue="OK") == ["two"]
        assert names(ActionPrefix="arn:aws:other") == ["one-b"]
        assert names(ChildrenOfAlarmName="c") == ["two"]
        assert names(ParentsOfAlarmName="two") == ["c"]
        first = world.call("DescribeAlarms", MaxRecords=2)
        second = world.call("DescribeAlarms", MaxRecords=2, NextToken=first["NextToken"])
        assert [one["AlarmName"] for one in second["MetricAlarms"]] == ["two"]
        assert "NextToken" not in second

    def test_for_a_metric(self, world):
        world.alarm("of", Dimensions=[{"Name": "D", "Value": "1"}])
        world.alarm("other")
        given = {"Namespace": "N", "MetricName": "m"}
        found = world.call("DescribeAlarmsForMetric", **given)
        assert [one["AlarmName"] for one in found["MetricAlarms"]] == ["other"]
        given["Dimensions"] = [{"Name": "D", "Value": "1"}]
        found = world.call("DescribeAlarmsForMetric", **given)
        assert [one["AlarmName"] for one in found["MetricAlarms"]] == ["of"]

    def test_an_update_keeps_the_state_and_a_new_alarm_has_none(self, world):
        world.alarm()
        world.put(1, 9)
        world.at(5.6)
        since = cloudwatch.alarm(REGION, "a").since
        world.alarm(Threshold=7.0)
        one = cloudwatch.alarm(REGION, "a")
        assert (one.state, one.since, one.parameters["Threshold"]) == ("ALARM", since, 7.0)

    def test_history(self, world):
        world.alarm()
        world.put(1, 9)
        world.at(5.6)
        world.alarm(Threshold=7.0)
        world.call("DeleteAlarms", AlarmNames=["a"])
        rows = world.call("DescribeAlarmHistory", AlarmName="a", ScanBy="TimestampAscending")
        rows = rows["AlarmHistoryItems"]
        assert [row["HistorySummary"] for row in rows] == [
            'Alarm "a" created',
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            'Alarm "a" updated',
            'Alarm "a" deleted',
        ]
        change = json.loads(rows[1]["HistoryData"])
        assert change["oldState"]["stateValue"] == "INSUFFICIENT_DATA"
        assert change["newState"]["stateReasonData"]["recentDatapoints"] == [9.0]
        assert json.loads(rows[3]["HistoryData"])["type"] == "Delete"
        only = world.call("DescribeAlarmHistory", AlarmName="a", HistoryItemType="StateUpdate")
        assert len(only["AlarmHistoryItems"]) == 1

    @pytest.mark.parametrize(
        ("given", "word"),
        [
            ({"EvaluationPeriods": 0}, "EvaluationPeriods"),
            ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
            ({"ComparisonOperator": "Above"}, "Above"),
            ({"TreatMissingData": "good"}, "good"),
            ({"Period": 45}, "45"),
            ({"Threshold": None}, "Threshold"),
            ({"ExtendedStatistic": "tm90"}, "tm90"),
            ({"Metrics": [{"Id": "e", "Expression": "x / 2"}]}, "x / 2"),
        ],
    )
    def test_bad_alarms_are_refused(self, world, given, word):
        with pytest.raises(ApiError, match=word):
            world.alarm(**given)

    def test_an_unknown_alarm_has_no_state_to_set(self, world):
        with pytest.raises(ApiError) as refused:
            world.call("SetAlarmState", AlarmName="x", StateValue="OK", StateReason="y")
        assert refused.value.code == "ResourceNotFound"


def test_the_message_is_that_of_aws(world):
    world.alarm(
        AlarmDescription="Runbook: runbooks/x.yml",
        Dimensions=[{"Name": "D", "Value": "1"}],
        TreatMissingData="notBreaching",
        DatapointsToAlarm=1,
    )
    world.put(1, 9, D="1")
    world.at(5.6)
    [(_, _, _, told)] = world.recorder.sent
    assert told["Region"] == "Europe (Stockholm)"
    assert told["AWSAccountId"] == ACCOUNT_ID
    assert told["AlarmArn"] == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:a"
    assert (told["OldStateValue"], told["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert told["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints")
    assert told["Trigger"] == {
        "MetricName": "m",
        "Namespace": "N",
        "StatisticType": "Statistic",
        "Statistic": "SUM",
        "Unit": None,
        "Dimensions": [{"value": "1", "name": "D"}],
        "Period": 60,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5.0,
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "",
    }
