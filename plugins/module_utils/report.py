"""The report of a runbook."""

import json


def render(record):
    return "<pre>" + json.dumps(record["runbook"])
