"""Services that moto lacks, answered by handlers with shelves, as a client sees them."""

import pytest
from botocore.exceptions import ClientError

from drydock.errors import ApiError
from drydock.moto import shelf
from drydock.moto.api import Context

ARN = "arn:aws:access-analyzer:us-east-1:123456789012:analyzer/one"


def analyzers():
    kept = shelf.Shelf("analyzer")

    def create(context, given):
        item = {"name": given["analyzerName"], "type": given["type"], "arn": ARN}
        kept.add(context, given["analyzerName"], {**item, "createdAt": 0, "status": "ACTIVE"})
        shelf.set_tags(ARN, given.get("tags"))
        return {"arn": ARN}

    return {
        ("accessanalyzer", "CreateAnalyzer"): create,
        ("accessanalyzer", "GetAnalyzer"): kept.getter("analyzerName", "analyzer"),
        ("accessanalyzer", "ListAnalyzers"): kept.lister("analyzers"),
        ("accessanalyzer", "DeleteAnalyzer"): kept.deleter("analyzerName"),
        **shelf.tag_operations("accessanalyzer"),
    }


def test_a_rest_service_that_moto_lacks(client_of):
    client = client_of(analyzers(), "accessanalyzer")
    made = client.create_analyzer(analyzerName="one", type="ACCOUNT", tags={"Owner": "us"})
    assert made["arn"] == ARN
    assert client.get_analyzer(analyzerName="one")["analyzer"]["status"] == "ACTIVE"
    with pytest.raises(ClientError) as taken:
        client.create_analyzer(analyzerName="one", type="ACCOUNT")
    assert taken.value.response["Error"]["Code"] == "ConflictException"
    assert "The analyzer one is there already" in str(taken.value)
    # The ARN's slash comes encoded in the path.
    client.tag_resource(resourceArn=ARN, tags={"Stack": "security"})
    client.untag_resource(resourceArn=ARN, tagKeys=["Owner"])
    assert client.list_tags_for_resource(resourceArn=ARN)["tags"] == {"Stack": "security"}
    client.delete_analyzer(analyzerName="one")
    assert client.list_analyzers()["analyzers"] == []
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_analyzer(analyzerName="one")


def test_tags_in_each_spelling(client_of):
    for service, arguments, answer in (
        ("globalaccelerator", ("ResourceArn", "Tags", "TagKeys"), "Tags"),
        ("budgets", ("ResourceARN", "ResourceTags", "ResourceTagKeys"), "ResourceTags"),
    ):
        client = client_of(shelf.tag_operations(service), service)
        arn, tags, keys = arguments
        it = {arn: f"arn:aws:{service}::123456789012:x/1"}
        pair = {"Key": "Owner", "Value": "us"}
        client.tag_resource(**it, **{tags: [pair, {"Key": "Gone", "Value": ""}]})
        client.untag_resource(**it, **{keys: ["Gone"]})
        assert client.list_tags_for_resource(**it)[answer] == [pair]


def test_what_moto_has_is_still_moto_s(client_of):
    assert client_of({}, "lambda").list_functions()["Functions"] == []


def test_regions_are_apart_unless_the_service_is_global():
    here, there = Context("us-east-1"), Context("eu-west-1")
    one, everywhere = shelf.Shelf("thing"), shelf.Shelf("thing", everywhere=True)
    for kept in (one, everywhere):
        kept.add(here, "a", {"n": 1})
    assert one.list(there) == []
    assert everywhere.get(there, "a") == {"n": 1}
    with pytest.raises(ApiError, match="There is no thing a"):
        one.get(there, "a")
