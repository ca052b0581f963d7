"""Budgets, anomalies and tags of bills, as a client sees them."""

import threading

import boto3
import pytest
from botocore.exceptions import ClientError

from drydock.audit import Audit
from drydock.gateway import Gateway, serve
from drydock.moto.patches import budgets, ce

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:costs"
NOTE = {
    "NotificationType": "ACTUAL",
    "ComparisonOperator": "GREATER_THAN",
    "Threshold": 25.0,
    "ThresholdType": "ABSOLUTE_VALUE",
}


@pytest.fixture
def client(tmp_path):
    gateway = Gateway(
        Audit(tmp_path / "audit.jsonl"), {**budgets.operations(), **ce.operations()}, {}
    )
    server = serve(gateway, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield lambda service: boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    server.shutdown()
    server.server_close()


def test_a_budget_shows_whom_it_tells_is_tagged_and_changes_in_place(client):
    api = client("budgets")
    budget = {
        "BudgetName": "monthly",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "50.0", "Unit": "USD"},
    }
    told = [{"SubscriptionType": "SNS", "Address": TOPIC}]
    name = {"AccountId": ACCOUNT, "BudgetName": "monthly"}
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/monthly"
    api.create_budget(
        AccountId=ACCOUNT,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": NOTE, "Subscribers": told}],
        ResourceTags=[{"Key": "Owner", "Value": "us"}],
    )
    try:
        found = api.describe_subscribers_for_notification(**name, Notification=NOTE)
        assert found["Subscribers"] == told
        tags = api.list_tags_for_resource(ResourceARN=arn)["ResourceTags"]
        assert tags == [{"Key": "Owner", "Value": "us"}]

        limit = {"Amount": "60.0", "Unit": "USD"}
        api.update_budget(AccountId=ACCOUNT, NewBudget={**budget, "BudgetLimit": limit})
        later = {**NOTE, "Threshold": 30.0}
        api.update_notification(**name, OldNotification=NOTE, NewNotification=later)
        assert api.describe_budget(**name)["Budget"]["BudgetLimit"] == limit
        assert api.describe_notifications_for_budget(**name)["Notifications"] == [later]
        assert api.describe_subscribers_for_notification(**name, Notification=later)["Subscribers"]
        with pytest.raises(ClientError, match="no such notification"):
            api.describe_subscribers_for_notification(**name, Notification=NOTE)
    finally:
        api.delete_budget(**name)
    assert api.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == []
    with pytest.raises(ClientError) as gone:
        api.update_budget(AccountId=ACCOUNT, NewBudget=budget)
    assert gone.value.response["Error"]["Code"] == "NotFoundException"


def test_an_account_takes_one_monitor_of_its_services(client):
    api = client("ce")
    wanted = {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
    monitor = api.create_anomaly_monitor(
        AnomalyMonitor=wanted, ResourceTags=[{"Key": "Owner", "Value": "us"}]
    )["MonitorArn"]
    with pytest.raises(ClientError) as second:
        api.create_anomaly_monitor(AnomalyMonitor=wanted)
    assert second.value.response["Error"]["Code"] == "LimitExceededException"

    made = api.create_anomaly_subscription(
        AnomalySubscription={
            "SubscriptionName": "s",
            "MonitorArnList": [monitor],
            "Frequency": "IMMEDIATE",
            "Subscribers": [{"Type": "SNS", "Address": TOPIC}],
        }
    )["SubscriptionArn"]
    api.update_anomaly_subscription(SubscriptionArn=made, SubscriptionName="t")
    found = api.get_anomaly_subscriptions(MonitorArn=monitor)["AnomalySubscriptions"]
    assert [(one["SubscriptionName"], one["Subscribers"][0]["Status"]) for one in found] == [
        ("t", "CONFIRMED")
    ]
    assert api.list_tags_for_resource(ResourceArn=monitor)["ResourceTags"] == [
        {"Key": "Owner", "Value": "us"}
    ]
    api.delete_anomaly_subscription(SubscriptionArn=made)
    api.delete_anomaly_monitor(MonitorArn=monitor)
    with pytest.raises(ClientError) as gone:
        api.get_anomaly_monitors(MonitorArnList=[monitor])
    assert gone.value.response["Error"]["Code"] == "UnknownMonitorException"


def test_tags_of_bills_are_listed_by_key_and_status(client):
    api = client("ce")
    api.update_cost_allocation_tags_status(
        CostAllocationTagsStatus=[
            {"TagKey": "Owner", "Status": "Active"},
            {"TagKey": "Stack", "Status": "Inactive"},
        ]
    )
    active = api.list_cost_allocation_tags(Status="Active")["CostAllocationTags"]
    assert [tag["TagKey"] for tag in active] == ["Owner"]
    one = api.list_cost_allocation_tags(TagKeys=["Stack"])["CostAllocationTags"]
    assert [(tag["TagKey"], tag["Type"]) for tag in one] == [("Stack", "UserDefined")]
