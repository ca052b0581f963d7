"""The embedded cloud's core, without containers."""

import json
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from drydock import audit
from drydock.__main__ import main
from drydock.errors import ApiError, DrydockError
from drydock.lifecycle import _end_terraforms, alive, hold
from drydock.moto import api
from drydock.settings import Settings
from drydock.tls import Authority

SIGNED = "AWS4-HMAC-SHA256 Credential=AKID/20261121/{region}/{service}/aws4_request, Signature=x"


def environ(service: str, **extra: str) -> dict:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "4566",
        "wsgi.url_scheme": "http",
        "HTTP_AUTHORIZATION": SIGNED.format(region="eu-west-1", service=service),
        **extra,
    }


class TestSettings:
    def test_defaults(self, monkeypatch):
        for name in ("DRYDOCK_HOME", "DRYDOCK_PORT", "DRYDOCK_REGISTRY_PORT"):
            monkeypatch.delenv(name, raising=False)
        settings = Settings.from_environment()
        assert settings.endpoint == "http://127.0.0.1:4566"
        assert settings.registry == "127.0.0.1:4567"
        assert settings.home.name == ".drydock"

    @pytest.mark.parametrize("port", ["http", "80", "70000", "-1", ""])
    def test_a_port_that_is_none_is_refused_by_name(self, monkeypatch, port):
        monkeypatch.setenv("DRYDOCK_PORT", port)
        with pytest.raises(DrydockError, match=f"DRYDOCK_PORT={port} is not a port"):
            Settings.from_environment()

    def test_two_homes_have_two_tags(self):
        tags = {Settings(Path(home), 1024, 1025).tag for home in ("/a", "/b")}
        assert len(tags) == 2


class TestNamingCalls:
    def test_json_protocol(self):
        call = api.identify(
            environ("ecs", HTTP_X_AMZ_TARGET="AmazonEC2ContainerServiceV20141113.UpdateService"),
            b"{}",
        )
        assert (call.service, call.action, call.region) == ("ecs", "UpdateService", "eu-west-1")
        assert call.access_key == "AKID"
        assert call.mutating

    def test_query_protocol(self):
        call = api.identify(
            environ(
                "elasticloadbalancing", CONTENT_TYPE="application/x-www-form-urlencoded; charset=x"
            ),
            b"Action=DescribeTargetHealth&Version=2015-12-01",
        )
        assert (call.service, call.action) == ("elbv2", "DescribeTargetHealth")
        assert not call.mutating

    def test_rest_protocol(self):
        call = api.identify(environ("s3", REQUEST_METHOD="GET", PATH_INFO="/bucket/a/b"), b"")
        assert (call.service, call.action) == ("s3", "GetObject")
        call = api.identify(environ("s3", REQUEST_METHOD="PUT", PATH_INFO="/bucket/a/b"), b"x")
        assert (call.action, call.mutating) == ("PutObject", True)

    def test_presigned_request(self):
        query = "X-Amz-Credential=AKID%2F20261121%2Fus-east-1%2Fs3%2Faws4_request"
        call = api.identify(
            environ(
                "s3",
                REQUEST_METHOD="GET",
                PATH_INFO="/bucket/key",
                QUERY_STRING=query,
                HTTP_AUTHORIZATION="",
            ),
            b"",
        )
        assert (call.action, call.access_key) == ("GetObject", "AKID")

    def test_unsigned_request_is_no_call(self):
        assert api.identify(environ("ecs", HTTP_AUTHORIZATION=""), b"") is None

    def test_what_has_no_name_counts_as_mutating(self):
        call = api.identify(environ("s3", REQUEST_METHOD="PATCH", PATH_INFO="/"), b"")
        assert call.mutating

    @pytest.mark.parametrize(
        ("action", "mutating"),
        [
            ("GetObject", False),
            ("BatchGetImage", False),
            ("BatchDeleteImage", True),
            ("AssumeRole", False),
            ("Query", False),
            ("PutItem", True),
            ("RebootDBInstance", True),
            ("", True),
        ],
    )
    def test_reading_and_changing(self, action, mutating):
        assert api.Call("x", action, "r", "k", {}).mutating is mutating


class TestAnswering:
    def _ask(self, handler, service="ecs", action="DescribeServices", **extra):
        target = {"HTTP_X_AMZ_TARGET": f"X.{action}", "CONTENT_TYPE": "application/x-amz-json-1.1"}
        asked = environ(service, **(extra or target))
        body = json.dumps({"cluster": "c", "services": ["a"]}).encode()
        return api.answer(api.identify(asked, body), handler, asked, body)

    def test_parameters_and_result_are_in_boto3_shapes(self):
        seen = {}

        def handler(context, parameters):
            seen.update(parameters, region=context.region)
            return {"services": [{"serviceName": "a", "desiredCount": 2}], "failures": []}

        status, _headers, body = self._ask(handler)
        assert status == 200
        assert seen == {"cluster": "c", "services": ["a"], "region": "eu-west-1"}
        assert json.loads(body)["services"] == [{"serviceName": "a", "desiredCount": 2}]

    def test_a_refusal_carries_aws_code_and_sentence(self):
        def handler(_context, _parameters):
            raise ApiError("ClusterNotFoundException", "Cluster c not found.")

        status, headers, body = self._ask(handler)
        assert (status, headers["x-amzn-errortype"]) == (400, "ClusterNotFoundException")
        assert json.loads(body)["message"] == "Cluster c not found."

    def test_a_handler_can_pass(self):
        assert self._ask(lambda _context, _parameters: api.PASS) is None


class TestAudit:
    def test_rows_since_a_mark(self, tmp_path):
        path = tmp_path / "audit.jsonl"
        path.write_text('{"action": "A"}\n')
        mark = audit.mark(path)
        with path.open("a") as file:
            file.write('{"action": "B"}\n')
        assert [row["action"] for row in audit.read(path, mark)] == ["B"]
        assert len(audit.read(path)) == 2

    def test_a_line_that_is_being_written_is_left_for_the_next_look(self, tmp_path):
        path = tmp_path / "audit.jsonl"
        path.write_text('{"action": "A"}\n{"acti')
        mark = audit.mark(path)
        assert [row["action"] for row in audit.read(path)] == ["A"]
        assert audit.read(path, mark) == []
        with path.open("a") as file:
            file.write('on": "B"}\n')
        assert [row["action"] for row in audit.read(path, mark)] == ["B"]

    def test_a_mark_beyond_the_end_is_refused(self, tmp_path):
        with pytest.raises(DrydockError, match="Mark 7 lies beyond"):
            audit.read(tmp_path / "none", 7)


class TestLiveness:
    def test_a_held_lock_is_alive_and_a_left_one_is_not(self, tmp_path):
        settings = Settings(tmp_path, 1024, 1025)
        assert not alive(tmp_path)
        with hold(settings):
            assert alive(tmp_path)
            with pytest.raises(DrydockError, match="already runs"), hold(settings):
                pass
        assert (tmp_path / "gateway.lock").exists()
        assert not alive(tmp_path)


class TestAuthority:
    def test_its_certificates_verify_and_its_keys_are_private(self, tmp_path):
        authority = Authority(tmp_path / "ca")
        certificate, key = authority.issue(tmp_path / "part", "10.0.0.5", "db.example")
        context = ssl.create_default_context(cafile=str(authority.certificate))
        assert context.get_ca_certs()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        # A handshake in memory: the client checks the address against the certificate.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client_side = context.wrap_bio(incoming, outgoing, server_hostname="10.0.0.5")
        server_side = server.wrap_bio(outgoing, incoming, server_side=True)
        for _ in range(4):
            for side in (client_side, server_side):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        assert ("IP Address", "10.0.0.5") in client_side.getpeercert()["subjectAltName"]
        for path in (key, tmp_path / "ca/ca.key"):
            assert path.stat().st_mode & 0o077 == 0

    def test_it_is_made_once(self, tmp_path):
        first = Authority(tmp_path).certificate.read_bytes()
        assert Authority(tmp_path).certificate.read_bytes() == first

    def test_its_bundle_has_this_machines_authorities_and_its_own(self, tmp_path, monkeypatch):
        public = Authority(tmp_path / "public").certificate
        monkeypatch.setattr("drydock.tls.BUNDLE", public)
        authority = Authority(tmp_path / "ca")
        context = ssl.create_default_context(cafile=str(authority.bundle))
        assert len(context.get_ca_certs()) == 2
        assert authority.bundle.stat().st_mode & 0o777 == 0o644
        written = authority.bundle.stat().st_mtime_ns
        assert Authority(tmp_path / "ca").bundle.stat().st_mtime_ns == written
        public.unlink()  # a machine without any
        bare = Authority(tmp_path / "ca")
        assert bare.bundle.read_bytes() == bare.certificate.read_bytes()


def test_an_unknown_command_shows_usage(capsys):
    with pytest.raises(SystemExit):
        main(["sideways"])
    assert "usage: python -m drydock" in capsys.readouterr().err


def test_a_log_stream_keeps_its_newest_events_only(monkeypatch):
    from moto.backends import get_backend

    from drydock.moto import logs

    monkeypatch.setattr(logs, "_KEPT", 3)
    logs.create_group("us-east-1", "/tests/kept")
    logs.create_stream("us-east-1", "/tests/kept", "s")
    now = int(time.time() * 1000)
    for batch in range(3):
        rows = [(now, f"{batch}.{n}") for n in range(2)]
        logs.put("us-east-1", "/tests/kept", "s", rows)
    stream = get_backend("logs")["123456789012"]["us-east-1"].groups["/tests/kept"].streams["s"]
    assert [event.message for event in stream.events] == ["1.1", "2.0", "2.1"]


def test_only_this_cloud_s_terraforms_are_ended(tmp_path):
    """One of another environment works below the same folder, and must live."""
    program = tmp_path / "terraform"
    shutil.copy(shutil.which("sleep"), program)
    settings = Settings(tmp_path, 1024, 1025)
    data = {"TF_DATA_DIR": f"{tmp_path}/terraform/local/data"}
    ours = subprocess.Popen([program, "60"], env={**data, "AWS_ENDPOINT_URL": settings.endpoint})
    other = subprocess.Popen([program, "60"], env=data)
    said: list[str] = []
    try:
        _end_terraforms(settings, said.append)
        assert ours.wait(timeout=5) == -9
        assert other.poll() is None
        assert [str(ours.pid) in line for line in said] == [True]
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()
