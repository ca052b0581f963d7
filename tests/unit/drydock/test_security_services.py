"""Detectors and AWS Config as Terraform reads them back."""

import pytest

from drydock.errors import ApiError
from drydock.moto import patches
from drydock.moto.api import Context
from drydock.moto.patches import accessanalyzer, securityhub

HERE = Context("us-east-1")


@pytest.fixture(scope="module", autouse=True)
def mended():
    patches.apply()


@pytest.fixture
def client(client_of):
    return lambda service: client_of(patches.operations(), service)


def test_an_update_of_one_feature_leaves_the_others(client):
    guardduty = client("guardduty")
    detector = guardduty.create_detector(Enable=True, Tags={"Owner": "us"})["DetectorId"]
    for name, status in (("S3_DATA_EVENTS", "ENABLED"), ("RDS_LOGIN_EVENTS", "ENABLED")):
        feature = {"Name": name, "Status": status}
        guardduty.update_detector(DetectorId=detector, Features=[feature])
    guardduty.update_detector(
        DetectorId=detector, Features=[{"Name": "RDS_LOGIN_EVENTS", "Status": "DISABLED"}]
    )
    found = guardduty.get_detector(DetectorId=detector)
    states = {feature["Name"]: feature["Status"] for feature in found["Features"]}
    assert states["S3_DATA_EVENTS"] == "ENABLED"
    assert states["RDS_LOGIN_EVENTS"] == "DISABLED"
    assert states["CLOUD_TRAIL"] == "ENABLED"
    arn = f"arn:aws:guardduty:us-east-1:123456789012:detector/{detector}"
    guardduty.tag_resource(ResourceArn=arn, Tags={"Stack": "security"})
    guardduty.untag_resource(ResourceArn=arn, TagKeys=["Owner"])
    assert guardduty.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"Stack": "security"}
    assert guardduty.get_detector(DetectorId=detector)["Tags"] == {"Stack": "security"}
    guardduty.delete_detector(DetectorId=detector)


def test_the_hub_keeps_its_settings_and_standards(client):
    hub = client("securityhub")
    with pytest.raises(hub.exceptions.ClientError, match="not subscribed"):
        hub.get_enabled_standards()
    hub.enable_security_hub(EnableDefaultStandards=False)
    hub.update_security_hub_configuration(AutoEnableControls=False)
    assert hub.describe_hub()["AutoEnableControls"] is False
    standard = "arn:aws:securityhub:us-east-1::standards/aws-foundational/v/1.0.0"
    made = hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": standard}])
    arn = made["StandardsSubscriptions"][0]["StandardsSubscriptionArn"]
    assert arn == "arn:aws:securityhub:us-east-1:123456789012:subscription/aws-foundational/v/1.0.0"
    found = hub.get_enabled_standards(StandardsSubscriptionArns=[arn])["StandardsSubscriptions"]
    assert [row["StandardsStatus"] for row in found] == ["READY"]
    hub.batch_disable_standards(StandardsSubscriptionArns=[arn])
    assert hub.get_enabled_standards()["StandardsSubscriptions"] == []
    hub.disable_security_hub()
    assert securityhub.STANDARDS.list(HERE) == []


def test_a_hub_that_is_turned_off_forgets_its_standards(client):
    hub = client("securityhub")
    hub.enable_security_hub(EnableDefaultStandards=False)
    standard = "arn:aws:securityhub:us-east-1::standards/cis/v/1.0.0"
    hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": standard}])
    hub.disable_security_hub()
    hub.enable_security_hub(EnableDefaultStandards=False)
    assert hub.get_enabled_standards()["StandardsSubscriptions"] == []
    assert hub.describe_hub()["AutoEnableControls"] is True
    hub.disable_security_hub()


def test_the_recorder_keeps_how_often_it_records(client):
    config = client("config")
    recorder = {
        "name": "r",
        "roleARN": "arn:aws:iam::123456789012:role/r",
        "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
    }
    for mode in ({"recordingFrequency": "DAILY"}, None):
        given = {**recorder, "recordingMode": mode} if mode else recorder
        config.put_configuration_recorder(ConfigurationRecorder=given)
        found = config.describe_configuration_recorders()["ConfigurationRecorders"]
        assert [row["recordingMode"] for row in found] == [
            mode or {"recordingFrequency": "CONTINUOUS"}
        ]
    config.delete_configuration_recorder(ConfigurationRecorderName="r")


def test_analyzers_are_found_by_type_with_their_tags():
    made = accessanalyzer._create(
        HERE, {"analyzerName": "two", "type": "ACCOUNT", "tags": {"Owner": "us"}}
    )
    found = accessanalyzer._list(HERE, {"type": "ACCOUNT"})["analyzers"]
    assert [(row["arn"], row["tags"]) for row in found] == [(made["arn"], {"Owner": "us"})]
    assert accessanalyzer._list(HERE, {"type": "ORGANIZATION"}) == {"analyzers": []}
    accessanalyzer._delete(HERE, {"analyzerName": "two"})
    with pytest.raises(ApiError, match="no analyzer two"):
        accessanalyzer._get(HERE, {"analyzerName": "two"})
