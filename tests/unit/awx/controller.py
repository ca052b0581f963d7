"""A stand-in for AWX's API: it keeps what the modules write, as far as they read it again."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "a-token-of-the-test"  # noqa: S105
_UNIFIED = ("projects", "job_templates", "workflow_job_templates", "workflow_approval_templates")
_LISTS = ("credentials", "labels", "instance_groups", "success_nodes", "always_nodes")
_LISTS += ("failure_nodes", "input_inventories", "galaxy_credentials")
_LISTS += tuple(
    f"notification_templates_{event}" for event in ("started", "success", "error", "approvals")
)
_SECRET = ("password", "ssh_key_data")
_QUESTION = {"question_name", "question_description", "required", "type", "variable"}


class Controller:
    """AWX's API on a port of this machine, while it is entered."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, dict[str, Any]]] = {}
        self.lists: dict[tuple[int, str], list[int]] = {}
        self.surveys: dict[int, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.wrong: list[str] = []
        self.last = 0
        for name in ("Amazon Web Services", "Machine"):
            self.create("credential_types", {"name": name})

    def __enter__(self) -> "Controller":
        api = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    api.wrong.append(f"no token: {self.path}")
                if self.command != "GET":
                    api.writes.append(f"{self.command} {self.path}")
                status, answer = api.answer(self.command, self.path, body)
                text = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", "24.6.1")
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = _do

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def create(self, endpoint: str, fields: dict[str, Any]) -> dict[str, Any]:
        self.last += 1
        url = f"/api/v2/{endpoint}/{self.last}/"
        related = {name: f"{url}{name}/" for name in (*_LISTS, "survey_spec")}
        made = {**fields, "id": self.last, "url": url, "related": related}
        made["type"] = endpoint.removesuffix("s")
        self.objects.setdefault(endpoint, {})[self.last] = made
        return made

    def named(self, endpoint: str) -> dict[str, dict[str, Any]]:
        """What was made, by name (nodes by their identifiers)."""
        found = self.objects.get(endpoint, {}).values()
        return {one.get("name") or f"{one['identifier']}": one for one in found}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        parts = urlsplit(path)
        found = re.fullmatch(r"/api/v2/(\w+)/(?:(\d+)/)?(?:(\w+)/)?", parts.path)
        if not found:
            return 404, {}
        endpoint, number, part = found[1], int(found[2] or 0), found[3]
        if part == "survey_spec":
            return self._survey(method, number, body)
        if part == "create_approval_template":
            made = self.create("workflow_approval_templates", body)
            node = self.objects[endpoint][number]
            node["unified_job_template"] = made["id"]
            node["related"]["unified_job_template"] = made["url"]
            return 201, made
        if part:
            return self._list(method, number, part, body)
        if number:
            one = self.objects[endpoint][number]
            if method == "PATCH":
                one.update(body)
            return 200, _shown(one)
        if method == "POST":
            return 201, _shown(self.create(endpoint, body))
        return 200, _page(
            [
                _shown(one)
                for one in self._all(endpoint)
                if _matches(one, dict(parse_qsl(parts.query)))
            ]
        )

    def _all(self, endpoint: str) -> list[dict[str, Any]]:
        endpoints = _UNIFIED if endpoint == "unified_job_templates" else (endpoint,)
        return [one for each in endpoints for one in self.objects.get(each, {}).values()]

    def _list(self, method: str, number: int, part: str, body: dict[str, Any]) -> tuple[int, Any]:
        ids = self.lists.setdefault((number, part), [])
        if method == "GET":
            return 200, _page([{"id": one} for one in ids])
        if body.get("disassociate"):
            ids.remove(body["id"])
        elif body["id"] not in ids:
            ids.append(body["id"])
        return 204, None

    def _survey(self, method: str, number: int, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            if set(body) != {"name", "description", "spec"}:
                self.wrong.append(f"survey {sorted(body)}")
            for question in body["spec"]:
                if lacking := _QUESTION - set(question):
                    self.wrong.append(f"question {question} lacks {lacking}")
            self.surveys[number] = body
        return 200, self.surveys.get(number, {})


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    inputs = {
        key: "$encrypted$" if key in _SECRET else value
        for key, value in one.get("inputs", {}).items()
    }
    return {**one, **({"inputs": inputs} if inputs else {})}


def _page(results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(results), "next": None, "previous": None, "results": results}


def _matches(one: dict[str, Any], query: dict[str, str]) -> bool:
    either = {key[4:]: value for key, value in query.items() if key.startswith("or__")}
    for key, value in query.items():
        known = key in ("page_size", "order_by") or key.startswith("or__")
        if not known and str(one.get(key)) != value:
            return False
    return not either or any(str(one.get(key)) == value for key, value in either.items())
