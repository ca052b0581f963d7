"""What tests of the API's answers share: clients that speak real HTTP to a gateway of their own."""

import threading

import boto3
import pytest

from drydock.audit import Audit
from drydock.gateway import Gateway, serve


@pytest.fixture
def client_of(tmp_path):
    """Clients of a gateway that has the operations given; botocore speaks real HTTP to it."""
    servers = []

    def make(operations, service: str):
        gateway = Gateway(Audit(tmp_path / "audit.jsonl"), operations, {})
        server = serve(gateway, 0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{server.port}",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()
