"""Notices to people: an SNS topic, and a webhook that takes Slack's incoming JSON."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from ansible_collections.drydock.ops.plugins.module_utils.aws import client, explain
from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact

TIMEOUT = 10
SUBJECT = 100  # characters that SNS takes


def send(
    subject: str, lines: list[str], topic: str, webhook: str, region: str
) -> tuple[list[str], list[str]]:
    """Send a notice. Returns (ways it was sent on, sentences on those it was not).

    Neither names the webhook's URL, which is a secret.
    """
    subject = " ".join(redact(subject).split())
    text = "\n".join([subject, *(redact(line) for line in lines)])
    sent, problems = [], []
    if topic:
        try:
            client("sns", region, timeout=TIMEOUT).publish(
                TopicArn=topic, Subject=subject[:SUBJECT], Message=text
            )
            sent.append("sns")
        except Exception as error:
            problems.append(explain(error, f"The notice to {topic} was not sent"))
    if webhook:
        problem = _post(webhook, {"text": text})
        if problem:
            problems.append(f"The notice to the webhook was not sent: {problem}.")
        else:
            sent.append("webhook")
    return sent, problems


def _post(url: str, content: dict[str, str]) -> str:
    """Post JSON. Returns what went wrong without the URL, or nothing."""
    if not url.startswith(("https://", "http://")):
        return "its URL begins with neither https:// nor http://"
    request = urllib.request.Request(  # noqa: S310 (the scheme is checked above)
        url,
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, ValueError) as error:
        return type(error.reason if isinstance(error, urllib.error.URLError) else error).__name__
