"""The instance metadata service, version 2, at each host's own 169.254.169.254.

Source of paths and answers: the EC2 user guide, "Instance metadata categories" and "Use IMDSv2".
"""

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from drydock.moto import fleets, instances, roles
from drydock.moto.instances import Instance
from drydock.podman import hardware_address
from drydock.settings import ACCOUNT_ID

ADDRESS, PORT = "169.254.169.254", 80
_LONGEST = 21600  # seconds that a token may live
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def tree(one: Instance) -> dict[str, Any]:
    """What is below ``/latest``: a folder is a dict, a leaf a text."""
    found: dict[str, Any] = {
        "meta-data": _meta_data(one),
        "dynamic": {"instance-identity": {"document": _json(_document(one))}},
    }
    if one.user_data:
        found["user-data"] = one.user_data
    return found


def _meta_data(one: Instance) -> dict[str, Any]:
    name = f"ip-{one.address.replace('.', '-')}"
    mac = hardware_address(one.address)
    data: dict[str, Any] = {
        "ami-id": one.image_id,
        "hostname": name,
        "instance-id": one.id,
        "instance-type": one.type,
        "local-hostname": name,
        "local-ipv4": one.address,
        "mac": mac,
        "network": {"interfaces": {"macs": {mac: {
            "device-number": "0", "local-ipv4s": one.address, "mac": mac,
            "subnet-id": one.subnet_id, "vpc-id": one.vpc_id,
        }}}},
        "placement": {"availability-zone": one.zone, "region": one.region},
        "block-device-mapping": {
            "ami": "/dev/xvda",
            "root": "/dev/xvda",
            **{f"ebs{number}": disk.device.removeprefix("/dev/")
               for number, disk in enumerate(one.volumes, start=1)},
        },
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }  # fmt: skip
    if one.key:
        data["public-keys"] = {"0": {"openssh-key": one.key[1]}}
    if one.tags_shown:
        data["tags"] = {"instance": {key: value for key, value in one.tags.items()
                                     if not key.startswith("aws:")}}  # fmt: skip
    if one.group:
        data["autoscaling"] = {"target-lifecycle-state": fleets.target_state(one.region, one.id)}
    if arn := instances.role(one):
        data["iam"] = {
            "info": _json({"Code": "Success", "InstanceProfileArn": one.profile}),
            "security-credentials": {arn.rpartition("/")[2]: _json(_credentials(one, arn))},
        }
    return data


def _document(one: Instance) -> dict[str, str]:
    return {
        "accountId": ACCOUNT_ID, "architecture": "x86_64", "availabilityZone": one.zone,
        "imageId": one.image_id, "instanceId": one.id, "instanceType": one.type,
        "pendingTime": one.launched.strftime(_TIME), "privateIp": one.address,
        "region": one.region, "version": "2017-09-30",
    }  # fmt: skip


def _credentials(one: Instance, role_arn: str) -> dict[str, str]:
    given = roles.credentials(one.region, one.id, role_arn)
    return {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": given.access_key_id,
        "SecretAccessKey": given.secret_access_key,
        "Token": given.session_token,
        "Expiration": given.expiration.strftime(_TIME),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2)


def look_up(found: dict[str, Any], path: str) -> str | None:
    """The answer to a path without its version; None when there is nothing."""
    here: Any = found
    for word in [word for word in path.split("/") if word]:
        if not isinstance(here, dict) or word not in here:
            return None
        here = here[word]
    if not isinstance(here, dict):
        return here
    if path.strip("/").endswith("public-keys"):
        return "\n".join(f"{number}={number}" for number in here)
    return "\n".join(f"{key}/" if isinstance(value, dict) else key for key, value in here.items())


class Metadata:
    """Serves one instance, on a socket in its own network.

    Args:
        find: the instance as it is now; None when it is gone.
    """

    def __init__(self, listening: socket.socket, find: Callable[[], Instance | None]):
        service = self
        self._find, self._tokens = find, dict[str, float]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                self._say(*service.token(self.path, dict(self.headers)))

            def do_GET(self) -> None:
                self._say(*service.answer(self.path, dict(self.headers)))

            def _say(self, status: int, text: str) -> None:
                content = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Not logged: answers hold credentials, and cloud-init asks a lot."""

        self._server = ThreadingHTTPServer((ADDRESS, PORT), Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        """A token for so many seconds: (HTTP status, text)."""
        seconds = _header(headers, "X-aws-ec2-metadata-token-ttl-seconds")
        if path != "/latest/api/token" or "X-Forwarded-For" in headers:
            return 403, ""
        if not seconds.isdigit() or not 1 <= int(seconds) <= _LONGEST:
            return 400, ""
        now = time.monotonic()
        self._tokens = {one: end for one, end in self._tokens.items() if end > now}
        self._tokens[token := secrets.token_urlsafe(32)] = now + int(seconds)
        return 200, token

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        """(HTTP status, text) of a GET; without a token that lives, 401."""
        if self._tokens.get(_header(headers, "X-aws-ec2-metadata-token"), 0) < time.monotonic():
            return 401, ""
        one = self._find()
        _, _, rest = path.lstrip("/").partition("/")  # any version is the latest
        text = look_up(tree(one), rest.partition("?")[0]) if one else None
        return (404, "") if text is None else (200, text)


def _header(headers: dict[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name.lower()), "")
