"""What a task finds out about AWS: the API's address, and its role's credentials.

Source of address, path and answer: ECS developer guide, "Amazon ECS task IAM role". The SDKs know
the address; the path is in ``AWS_CONTAINER_CREDENTIALS_RELATIVE_URI``.
"""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from drydock.moto import roles
from drydock.namespace import listen

ADDRESS, PORT = "169.254.170.2", 80
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def path(task_id: str) -> str:
    return f"/v2/credentials/{task_id}"


class Credentials:
    """Serves one task its role's credentials, in the task's own network.

    Args:
        pid: a process of the task's container, which need not run yet.

    Raises:
        DrydockError: the container is gone.
    """

    def __init__(self, pid: int, region: str, task_id: str, role_arn: str):
        self._task_id = task_id

        def answer() -> str:
            given = roles.credentials(region, task_id, role_arn)
            return json.dumps(
                {
                    "RoleArn": role_arn,
                    "AccessKeyId": given.access_key_id,
                    "SecretAccessKey": given.secret_access_key,
                    "Token": given.session_token,
                    "Expiration": given.expiration.strftime(_TIME),
                }
            )

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path == path(task_id)
                content = answer().encode() if found else b"{}"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Not logged: the answers are credentials."""

        self._server = _Server(listen(pid, ADDRESS, PORT), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.5,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        roles.forget(self._task_id)


class _Server(ThreadingHTTPServer):
    """On a socket that listens already."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, handler: type[BaseHTTPRequestHandler]):
        super().__init__((ADDRESS, PORT), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
