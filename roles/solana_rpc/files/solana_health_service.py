#!/usr/bin/python3
"""solana_health on the node: the answer to the load balancer, metrics, and the start gate.

    solana_health serve            the service; HTTP on port 8898, see below
    solana_health check            one judgement as JSON; exit 0 healthy, 1 not, 2 can't be asked
    solana_health wait [--timeout] until the node could serve; exit 0, or 1 when the time is up

GET /health is 200 or 503 with the reasons, GET /metrics is Prometheus's text with the names that
people know from solana-exporter. The same goes to CloudWatch, under the fleet's name and the
node's own; what is not known is left out and never sent as zero.

The front (HAProxy) logs each request as a datagram "frontend status milliseconds".
"""

from __future__ import annotations

import argparse
import http.server
import json
import math
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from solana_health import CONFIG, Checker, Config, Refused, looks

_LATENCIES_KEPT = 50_000
_STALE_LOOKS = 8


class Front:
    """What the front has answered: counts for ever, latencies since they were last taken."""

    def __init__(self, port: int) -> None:
        """port: UDP on 127.0.0.1."""
        self._lock = threading.Lock()
        self.requests: dict[tuple[str, str], int] = {}
        self._recent: list[float] = []
        self._count = self._errors = 0
        self._since = time.monotonic()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", port))

    def listen(self) -> None:
        while True:
            self.note(self._socket.recv(512).decode(errors="replace"))

    def note(self, line: str) -> None:
        """Count one line; a request that was cut off (status -1) is an error as 5xx is one."""
        try:
            frontend, status, taken = line.split()
            failed = int(status) < 0 or int(status) >= 500
            milliseconds = float(taken)
        except ValueError:
            return
        with self._lock:
            key = (frontend, status)
            self.requests[key] = self.requests.get(key, 0) + 1
            if frontend == "rpc":
                self._count += 1
                self._errors += failed
                if len(self._recent) < _LATENCIES_KEPT:
                    self._recent.append(milliseconds)

    def take(self) -> dict[str, float]:
        """Requests per second, errors, and the 95th percentile in ms, since the last time."""
        with self._lock:
            now = time.monotonic()
            seconds, self._since = max(now - self._since, 0.001), now
            recent, self._recent = sorted(self._recent), []
            count, errors, self._count, self._errors = self._count, self._errors, 0, 0
        found = {"RpcRequestsPerSecond": count / seconds, "RpcErrors": float(errors)}
        if recent:
            found["RpcLatencyP95"] = recent[math.ceil(0.95 * len(recent)) - 1]
        return found


class Service:
    """Looks without pause; answers from the newest look, and closed when that has grown old."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.front = Front(config.log_port) if config.log_port else None
        self._report: dict[str, Any] = {"healthy": False, "reasons": {"too_early": "first look"}}
        self._at = time.monotonic()

    @property
    def report(self) -> dict[str, Any]:
        age = time.monotonic() - self._at
        if age > _STALE_LOOKS * max(self.config.interval, self.config.timeout):
            return {"healthy": False, "reasons": {"stale": f"the last look is {age:.0f} s old"}}
        return self._report

    def run(self) -> None:
        """Serve for ever; ends with an exception where looking itself fails."""
        Handler.service = self
        server = Server((self.config.listen, self.config.port), Handler)
        self._begin(server.serve_forever)
        if self.front:
            self._begin(self.front.listen)
        if self.config.cloudwatch:
            self._begin(self._publish)
        checker, said = Checker(self.config), None
        while True:
            begun = time.monotonic()
            self._report, self._at = checker.look(), time.monotonic()
            if said != (words := sorted(self._report["reasons"])):
                said = words
                print("; ".join(self._report["reasons"].values()) or "healthy", flush=True)
            time.sleep(max(0.1, self.config.interval - (time.monotonic() - begun)))

    def _begin(self, work: Any) -> None:
        threading.Thread(target=work, daemon=True).start()

    def figures(self) -> dict[str, float]:
        """CloudWatch's metrics of this moment. Of a node in planned maintenance no health is told,
        so that nobody is woken for work that somebody does."""
        seen = self.report
        out = seen.get("maintenance") or {}
        found = {"NodeInMaintenance": float(bool(out))}
        if not out.get("planned"):
            found["NodeHealthy"] = float(seen["healthy"])
            if seen.get("slots_behind") is not None:
                found["SlotsBehind"] = float(seen["slots_behind"])
        if seen.get("slot") is not None:
            found["SlotHeight"] = float(seen["slot"])
        return {**found, **(self.front.take() if self.front else {})}

    def _publish(self) -> None:
        import boto3  # Debian's python3-boto3, which a node without CloudWatch needs not have

        to = self.config.cloudwatch
        # Said here, since boto3 reads this variable itself only from 1.28 on (bookworm has 1.26).
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or None
        client = boto3.client("cloudwatch", region_name=to["region"], endpoint_url=endpoint)
        fleet = [{"Name": "AutoScalingGroupName", "Value": to["group"]}]
        node = [*fleet, {"Name": "InstanceId", "Value": to["instance_id"]}]
        while True:
            time.sleep(to["seconds"])
            data = [
                {
                    "MetricName": name, "Value": value, "Dimensions": dimensions,
                    "Unit": UNITS.get(name, "None"),
                    "StorageResolution": 1 if to["seconds"] < 60 else 60,
                }
                for name, value in self.figures().items()
                for dimensions in (fleet, node)
            ]  # fmt: skip
            try:
                client.put_metric_data(Namespace=to["namespace"], MetricData=data)
            except Exception as error:  # the check must go on; silence is what the alarm hears
                print(f"CloudWatch was not told: {error}", file=sys.stderr, flush=True)

    def exposition(self) -> str:
        """Prometheus's text."""
        seen = self.report
        lines = [
            f"solana_node_is_healthy {int(seen['healthy'])}",
            f"solana_node_in_maintenance {int(bool(seen.get('maintenance')))}",
        ]
        for name, key in NAMES.items():
            if seen.get(key) is not None:
                lines.append(f"{name} {seen[key]}")
        if seen.get("version"):
            lines.append(f'solana_node_version{{version="{seen["version"]}"}} 1')
        lines += [f'solana_node_unhealthy_reason{{reason="{code}"}} 1' for code in seen["reasons"]]
        for (frontend, status), count in sorted(self.front.requests.items() if self.front else []):
            labels = f'frontend="{frontend}",status="{status}"'
            lines.append(f"solana_rpc_requests_total{{{labels}}} {count}")
        return "\n".join(lines) + "\n"


UNITS = {
    "RpcRequestsPerSecond": "Count/Second", "RpcErrors": "Count",
    "RpcLatencyP95": "Milliseconds", "SlotsBehind": "Count",
}  # fmt: skip
NAMES = {
    "solana_node_num_slots_behind": "slots_behind",
    "solana_node_slot_height": "slot",
    "solana_node_transactions_total": "transactions",
    "solana_cluster_slot_height": "reference_slot",
}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing of a client that went away, as checks do once they have the status."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /health and /metrics."""

    service: ClassVar[Service]
    timeout = 5  # seconds for a client to ask

    def do_GET(self) -> None:
        if self.path == "/health":
            seen = self.service.report
            text, kind = json.dumps(seen) + "\n", "application/json"
            code = 200 if seen["healthy"] else 503
        elif self.path == "/metrics":
            code, text, kind = 200, self.service.exposition(), "text/plain; version=0.0.4"
        else:
            code, text, kind = 404, "Here are /health and /metrics.\n", "text/plain"
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: it is asked every second."""


def wait(config: Config, timeout: float) -> int:
    """Wait until the node could serve, taken out or not; say every ten seconds what is missing.

    As the unit's start gate it is told the node's process by systemd, which would wait for the
    gate for hours before it starts a dead node anew: so the gate ends with the process.
    """
    told, reasons = 0.0, ""
    process = os.environ.get("MAINPID")
    for seen in looks(config, timeout):
        if process and not Path("/proc", process).exists():
            print(f"the node's process {process} has ended", file=sys.stderr)
            return 1
        if seen["ready"]:
            print(f"ready at slot {seen['slot']}, {seen['slots_behind']} behind", flush=True)
            return 0
        reasons = "; ".join(text for code, text in seen["reasons"].items() if code != "maintenance")
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(f"not ready: {reasons}", flush=True)
    print(f"not ready after {timeout:.0f} s: {reasons}", file=sys.stderr)
    return 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="solana_health", description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=["serve", "check", "wait"])
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--timeout", type=float, default=math.inf, help="seconds for wait")
    given = parser.parse_args(arguments)
    try:
        config = Config.load(given.config)
        if given.action == "serve":
            Service(config).run()
        if given.action == "wait":
            return wait(config, given.timeout)
        seen = next(looks(config, 0))
        print(json.dumps(seen, indent=2))
        return 0 if seen["healthy"] else 1
    except (Refused, OSError) as error:
        print(f"solana_health: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
