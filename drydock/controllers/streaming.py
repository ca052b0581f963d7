"""Kinesis's and SQS's metrics.

Names and meanings: Kinesis Data Streams developer guide, "Monitoring with CloudWatch"; SQS
developer guide, "Available CloudWatch metrics". A queue's are measured, not counted: one that
nobody uses tells zeros, where AWS falls silent after six hours.
"""

from drydock.controller import Cloud, Controller
from drydock.moto import streaming

_MOST_SECONDS = 2.0  # between two publications, so that no period closes without one


class StreamingMeter(Controller):
    """Publishes ``AWS/Kinesis`` and ``AWS/SQS``."""

    name = "streaming-metrics"

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self.interval = min(_MOST_SECONDS, cloud.settings.scaled(60) / 5)

    def reconcile(self) -> None:
        put = self.cloud.metrics.put
        for one in streaming.take_counted():
            stream = {"StreamName": one.stream}
            put(one.region, "AWS/Kinesis", one.name, stream, one.value, one.unit, one.at)
        for depth in streaming.depths():
            queue = {"QueueName": depth.queue}
            for name, value in (
                ("ApproximateNumberOfMessagesVisible", depth.visible),
                ("ApproximateNumberOfMessagesNotVisible", depth.held),
                ("ApproximateNumberOfMessagesDelayed", depth.delayed),
            ):
                put(depth.region, "AWS/SQS", name, queue, value, "Count")
