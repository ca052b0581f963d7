"""CloudWatch: keeps what is measured, evaluates the alarms, tells SNS."""

import time
from collections.abc import Mapping

from drydock.controller import Cloud, Controller
from drydock.controllers.cloudwatch import log_metrics
from drydock.controllers.cloudwatch.alarms import Alarms
from drydock.controllers.cloudwatch.alarms_api import AlarmsApi
from drydock.controllers.cloudwatch.metrics_api import MetricsApi
from drydock.controllers.cloudwatch.notifications import Notifier
from drydock.controllers.cloudwatch.store import MetricStore
from drydock.moto import cloudwatch, logs
from drydock.moto.api import Handler


class CloudWatchController(Controller):
    """Metrics of every part, and the alarms on them."""

    name = "cloudwatch"
    interval = 0.25

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._store = MetricStore()
        self._alarms = Alarms(cloud.settings, self._store, Notifier())
        self._aged = time.time()

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {
            **MetricsApi(self._store).operations(),
            **AlarmsApi(self._alarms).operations(),
        }

    def status(self) -> Mapping[str, object]:
        return {
            "alarms": [
                {"region": one.region, "name": one.name, "state": one.state, "since": one.since}
                for one in cloudwatch.alarms()
            ]
        }

    def reconcile(self) -> None:
        self._store.take(self.cloud.metrics.take())
        log_metrics.read(self._store, logs.take_heard())
        now = time.time()
        self._alarms.evaluate(now)
        if now - self._aged > 60:
            self._store.age(now)
            self._aged = now
