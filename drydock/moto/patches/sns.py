"""SNS delivers over HTTP without making the publisher wait, and tries again, as AWS does.

moto 5.2 posts within Publish, without time-out and without SNS's headers; a subscriber that is
down fails the call. Each endpoint has its own queue here, so that a dead one holds up nobody.
"""

import json
import logging
import queue
import threading
import time
from typing import Any
from urllib.parse import urlparse

import requests
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import Subscription

log = logging.getLogger("drydock.sns")
_ATTEMPTS, _PAUSE = 3, 1.0  # AWS: some 50 attempts within an hour
_TIMEOUT = (2, 5)  # seconds to connect and to answer
_WAITING = 100  # messages for one endpoint; more are dropped
_queues: dict[str, queue.Queue[tuple[Subscription, dict[str, Any]]]] = {}
_lock = threading.Lock()


def apply() -> None:
    original = Subscription.publish

    def publish(self: Subscription, message: str, message_id: str, **given: Any) -> None:
        if self.protocol in ("http", "https"):
            _enqueue(self, {"message": message, "message_id": message_id, **given})
            return
        try:
            original(self, message, message_id, **given)
        except InvalidParameterValue:
            raise  # the publisher's own mistake
        except Exception:
            # AWS accepts a message whatever becomes of it at one of its subscribers.
            log.exception("%s of %s was not reached", self.endpoint, self.topic.arn)

    Subscription.publish = publish


def _enqueue(subscription: Subscription, message: dict[str, Any]) -> None:
    matcher = subscription._filter_policy_matcher
    if matcher and not matcher.matches(message.get("message_attributes"), message["message"]):
        return
    if message.get("message_structure") == "json":
        message["message"] = subscription._parse_message_structure(
            message["message"], subscription.protocol
        )
    endpoint = subscription.endpoint
    with _lock:
        if endpoint not in _queues:
            _queues[endpoint] = queue.Queue(_WAITING)
            threading.Thread(
                target=_deliver, args=(_queues[endpoint],), name="sns-http", daemon=True
            ).start()
    try:
        _queues[endpoint].put_nowait((subscription, message))
    except queue.Full:
        log.warning("%s: %s messages wait already; one is dropped", endpoint, _WAITING)


def _deliver(waiting: queue.Queue[tuple[Subscription, dict[str, Any]]]) -> None:
    while True:
        subscription, message = waiting.get()
        try:
            _post(subscription, message)
        except Exception:
            log.exception("%s: a message can't be delivered", subscription.endpoint)


def _post(subscription: Subscription, message: dict[str, Any]) -> None:
    raw = str(subscription.attributes.get("RawMessageDelivery")).lower() == "true"
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": message["message_id"],
        "x-amz-sns-topic-arn": subscription.topic.arn,
        "x-amz-sns-subscription-arn": subscription.arn,
    }
    if raw:
        headers["x-amz-sns-rawdelivery"] = "true"
        body = message["message"]
    else:
        made = subscription.get_post_data(
            message["message"],
            message["message_id"],
            message.get("subject"),
            message.get("message_attributes"),
        )
        body = json.dumps(made)
    for attempt in range(1, _ATTEMPTS + 1):
        if subscription.arn not in subscription.topic.sns_backend.subscriptions:
            return  # unsubscribed while the message waited
        try:
            answer = requests.post(
                subscription.endpoint, data=body.encode(), headers=headers, timeout=_TIMEOUT
            )
            if answer.status_code < 400:
                return
            reason = f"HTTP {answer.status_code}"
        except requests.RequestException as error:
            reason = type(error).__name__
        # The path of a webhook is often its secret.
        host = urlparse(subscription.endpoint).netloc.rsplit("@", 1)[-1]
        log.warning("%s: attempt %s failed: %s", host, attempt, reason)
        if attempt < _ATTEMPTS:
            time.sleep(_PAUSE)
