"""ECR: Debian's docker-registry keeps the layers; what may be pushed and pulled, the API says.

In front of the registry stands a small proxy on loopback, which streams: it checks the
password that GetAuthorizationToken hands out, knows only the API's repositories, holds tags
immutable, and tells the API what was pushed. The registry itself has no network: the two
speak through a socket in a folder that root alone can enter.
"""

import base64
import datetime
import hmac
import http.client
import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from drydock import images
from drydock.controller import Cloud, Controller
from drydock.moto import ecr
from drydock.moto.api import Context, Handler

log = logging.getLogger("drydock.registry")
_BLOCK = 256 * 1024
_MANIFEST_LIMIT = 4 * 1024 * 1024  # the registry's own limit
_START_SECONDS = 30
# The OCI distribution specification's paths; a repository's name may hold slashes.
_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|tags)/(?P<rest>[^?]+)")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "authorization", "host", "expect"}
_CONFIGURATION = {
    "version": 0.1,
    "log": {"level": "warn", "accesslog": {"disabled": True}},
    "storage": {"filesystem": {"rootdirectory": "/registry/data"}},
    "http": {"net": "unix", "addr": "/registry/socket", "relativeurls": True},
}


class RegistryController(Controller):
    name = "registry"
    interval = 15.0

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._folder = cloud.settings.folder("parts", "registry")
        address = ("127.0.0.1", cloud.settings.registry_port)
        self._proxy = _Proxy(address, self._folder / "socket")

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {("ecr", "GetAuthorizationToken"): self._authorization}

    def _authorization(self, _context: Context, _parameters: dict[str, Any]) -> dict[str, Any]:
        lifetime = datetime.timedelta(hours=12)
        token = base64.b64encode(":".join(ecr.credentials()).encode()).decode()
        return {
            "authorizationData": [
                {
                    "authorizationToken": token,
                    "expiresAt": datetime.datetime.now(datetime.UTC) + lifetime,
                    "proxyEndpoint": f"http://{self.cloud.settings.registry}",
                }
            ]
        }

    def start(self) -> None:
        threading.Thread(target=self._proxy.serve_forever, name="registry-proxy").start()
        super().start()

    def end(self) -> None:
        super().end()
        self._proxy.shutdown()
        self._proxy.server_close()

    def reconcile(self) -> None:
        podman = self.cloud.podman
        parts = podman.parts("registry")
        if any(part.running for part in parts):
            return
        podman.remove(*(part.name for part in parts))
        # JSON is YAML.
        (self._folder / "config.yml").write_text(json.dumps(_CONFIGURATION))
        (self._folder / "socket").unlink(missing_ok=True)
        podman.run(
            "registry",
            "main",
            images.PARTS,
            ["docker-registry", "serve", "/registry/config.yml"],
            network="none",
            mounts=[(self._folder, "/registry", "rw")],
        )


class _Upstream(http.client.HTTPConnection):
    """HTTP through the registry's socket; waits for a registry that is starting."""

    def __init__(self, path: Path):
        super().__init__("registry", timeout=300)
        self._path = path

    def connect(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        # A socket's path may have 107 bytes, a home's more: the folder is named by its number.
        folder = os.open(self._path.parent, os.O_PATH)
        try:
            while True:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(self.timeout)
                try:
                    self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
                    return
                except OSError:
                    self.sock.close()
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
        finally:
            os.close(folder)


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], upstream: Path):
        self.upstream = upstream
        self.pushing = threading.Lock()  # check, push and register of a tag are one act
        super().__init__(address, _Request)

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is its own affair."""
        log.debug("a request to the registry ended", exc_info=True)


class _Request(BaseHTTPRequestHandler):
    server: _Proxy
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "drydock", ""
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Nothing: pushes and pulls show in the API."""

    def do_GET(self) -> None:
        if not self._authorized():
            headers = {"WWW-Authenticate": f'Basic realm="http://{self.headers["Host"]}/"'}
            return self._refuse(401, "UNAUTHORIZED", "Not Authorized", headers)
        if self.path in ("/v2", "/v2/"):
            return self._say(200, b"{}")
        found = _PATH.match(self.path)
        if not found:
            return self._refuse(404, "UNSUPPORTED", f"{self.path} is not answered")
        name, kind, rest = found["name"], found["kind"], found["rest"]
        if not ecr.exists(name):
            text = f"The repository with name '{name}' does not exist in the registry"
            return self._refuse(404, "NAME_UNKNOWN", text)
        if kind == "manifests" and self.command == "PUT":
            return self._push(name, rest)
        if self.command == "DELETE" and kind == "manifests":
            return self._refuse(405, "UNSUPPORTED", "Delete images with BatchDeleteImage")
        if kind == "manifests":
            return self._manifest(name, rest)
        if kind == "tags":
            return self._say(200, json.dumps({"name": name, "tags": ecr.tags(name)}).encode())
        self._relay(self._body() if self._has_body() else None)

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def _authorized(self) -> bool:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        expected = base64.b64encode(":".join(ecr.credentials()).encode())
        return scheme.lower() == "basic" and hmac.compare_digest(token.strip().encode(), expected)

    # --- answers of our own ------------------------------------------------------

    def _say(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        # A body that nobody read would be taken for the next request.
        self.close_connection = self.close_connection or self._has_body()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        errors = {"errors": [{"code": code, "message": message}]}
        self._say(status, json.dumps(errors).encode(), headers)

    def _manifest(self, name: str, reference: str) -> None:
        manifest = ecr.manifest(name, reference)
        if manifest is None:
            return self._refuse(404, "MANIFEST_UNKNOWN", "Requested image not found")
        headers = {"Content-Type": manifest.media_type, "Docker-Content-Digest": manifest.digest}
        self._say(200, manifest.content, headers)

    def _push(self, name: str, reference: str) -> None:
        content = b""
        for block in self._body():
            content += block
            if len(content) > _MANIFEST_LIMIT:
                self.close_connection = True
                return self._refuse(400, "MANIFEST_INVALID", "The manifest is larger than 4 MiB")
        tag, media_type = None if ":" in reference else reference, self.headers["Content-Type"]
        with self.server.pushing:
            try:
                ecr.check_push(name, tag)
            except ecr.TagIsImmutable:
                text = f"The image tag '{tag}' already exists in the '{name}' repository and "
                text += "cannot be overwritten because the tag is immutable."
                return self._refuse(400, "TAG_INVALID", text)
            self._relay(content, lambda: ecr.register(name, tag, content, media_type))

    # --- through to the registry -------------------------------------------------

    def _has_body(self) -> bool:
        return self._chunked() or int(self.headers.get("Content-Length") or 0) > 0

    def _chunked(self) -> bool:
        return self.headers.get("Transfer-Encoding", "").lower() == "chunked"

    def _body(self) -> Iterator[bytes]:
        """The request's body, block by block."""
        if self._chunked():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield from self._read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            yield from self._read(int(self.headers.get("Content-Length") or 0))

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            block = self.rfile.read(min(size, _BLOCK))
            if not block:
                raise ConnectionError("the client ended in the middle of a body")
            size -= len(block)
            yield block

    def _relay(
        self, body: Iterator[bytes] | bytes | None, created: Callable[[], None] | None = None
    ) -> None:
        """Streams the request to the registry and its answer back.

        Args:
            created: called after a 201, before the client hears of it.
        """
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        chunked = self._chunked() and not isinstance(body, bytes)
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif isinstance(body, bytes):
            headers["Content-Length"] = str(len(body))
        upstream = _Upstream(self.server.upstream)
        try:
            upstream.request(self.command, self.path, body, headers, encode_chunked=chunked)
            answer = upstream.getresponse()
        except OSError as error:
            upstream.close()
            self.close_connection = True
            return self._refuse(503, "UNAVAILABLE", f"The registry does not answer ({error})")
        try:
            if created and answer.status == 201:
                created()
            self._answer(answer)
        finally:
            upstream.close()

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in _HOP_BY_HOP:
                self.send_header(key, value)
        chunked = answer.length is None and self.command != "HEAD"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while block := answer.read(_BLOCK):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
