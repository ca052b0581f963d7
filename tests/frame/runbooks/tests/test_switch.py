"""The switch is on."""

import json
import os

import boto3


def test_the_switch_is_on():
    facts = json.loads(os.environ["DRYDOCK_RUNBOOK"])
    ssm = boto3.client("ssm", region_name=facts["region"])
    value = ssm.get_parameter(Name=f"/frame/{facts['host']}")["Parameter"]["Value"]
    assert value == "on"
