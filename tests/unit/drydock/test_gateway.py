"""The endpoint: what one call reads while another changes it is read again; answers come whole."""

import socket
from pathlib import Path
from threading import Thread

import boto3
import pytest
from botocore.exceptions import ClientError

from drydock.audit import Audit
from drydock.gateway import Gateway, serve


class Disturbed:
    """Wraps what answers; the first calls meet a dictionary that grows under their hands."""

    def __init__(self, answer, times: int):
        self.answer, self.left, self.calls = answer, times, 0

    def __call__(self, *arguments):
        self.calls += 1
        read = {"a": 1}
        for name in read:
            if self.left:
                self.left -= 1
                read[f"{name}{name}"] = 2
        return self.answer(*arguments)


@pytest.fixture
def gateway(tmp_path: Path):
    made = Gateway(Audit(tmp_path / "audit.jsonl"), {}, {})
    server = serve(made, 0)
    thread = Thread(target=server.serve_forever)
    thread.start()
    made.port = server.port
    yield made
    server.shutdown()
    thread.join()


def ssm(gateway: Gateway):
    return boto3.client(
        "ssm",
        endpoint_url=f"http://127.0.0.1:{gateway.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_moto_is_asked_again_where_another_call_came_between(gateway: Gateway) -> None:
    gateway._moto = Disturbed(gateway._moto, 3)
    ssm(gateway).put_parameter(Name="/gateway", Type="String", Value="the body is whole each time")
    assert gateway._moto.calls == 4
    found = ssm(gateway).get_parameter(Name="/gateway")["Parameter"]
    assert (found["Value"], found["Version"]) == ("the body is whole each time", 1)


def test_it_is_not_asked_without_end(gateway: Gateway) -> None:
    gateway._moto = Disturbed(gateway._moto, 1000)
    with pytest.raises(ClientError, match="internal error"):
        ssm(gateway).get_parameter(Name="/gateway")
    assert gateway._moto.calls == 10


def test_an_answer_is_sent_in_one_piece(gateway: Gateway, monkeypatch) -> None:
    sent = []
    write = socket.SocketIO.write
    monkeypatch.setattr(
        socket.SocketIO,
        "write",
        lambda self, data: (sent.append(bytes(data)), write(self, data))[1],
    )
    ssm(gateway).describe_parameters()
    [answer] = [one for one in sent if one.startswith(b"HTTP/1.1 200")]
    headers, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in headers
    assert b"Parameters" in body


def test_a_controller_reads_again_but_changes_once(gateway: Gateway) -> None:
    reads = Disturbed(lambda *_: {"Parameters": [{"Name": "one"}]}, 1)
    changes = Disturbed(lambda *_: {"Version": 1}, 1)
    gateway.operations |= {
        ("ssm", "DescribeParameters"): reads,
        ("ssm", "PutParameter"): changes,
    }
    assert ssm(gateway).describe_parameters()["Parameters"][0]["Name"] == "one"
    with pytest.raises(ClientError, match="internal error"):
        ssm(gateway).put_parameter(Name="/gateway", Type="String", Value="1")
    assert (reads.calls, changes.calls) == (2, 1)
