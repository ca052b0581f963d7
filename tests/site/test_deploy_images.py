"""Deploys: nothing for nothing, nothing known to be bad is pushed, wrong ones are taken back."""

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from drydock.settings import PROJECT

from .site import Site, commit, finish, load, play, start

PAGE = "apps/hello/site/index.html"
ADVISORY = {
    "id": "DSA-0000-1",
    "aliases": ["CVE-2026-0000"],
    "affected": [
        {
            "package": {"ecosystem": "Debian:13", "name": "curl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "99:1"}]}],
            "ecosystem_specific": {"urgency": "high"},
        }
    ],
}


class Listener(BaseHTTPRequestHandler):
    """A web hook for people, and an API as osv.dev has it that knows of one advisory on curl."""

    told: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/hook":
            self.told.append(body["text"])
            return self.answer({})
        concerned = [one["package"]["name"] == "curl" for one in body["queries"]]
        known = {"vulns": [{"id": ADVISORY["id"]}]}
        return self.answer({"results": [known if one else {} for one in concerned]})

    def do_GET(self) -> None:
        self.answer(ADVISORY)

    def answer(self, content: dict) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("DRYDOCK_WEBHOOK", f"{url}/hook")
    Listener.told.clear()
    yield url
    server.shutdown()


def _page(tmp_path: Path) -> tuple[str, str]:
    """A commit with another page, and what is in it alone."""
    mark = f"mark-{uuid.uuid4().hex[:8]}"
    text = (PROJECT / PAGE).read_text().replace("</body>", f"<!-- {mark} --></body>")
    assert mark in text
    return commit({PAGE: text}, "another page", tmp_path), mark


def test_a_moved_head_builds_pushes_and_starts_nothing(
    site: Site, tmp_path: Path, listener: str
) -> None:
    assert play("deploy", "--limit", "hello").code == 0
    Listener.told.clear()
    moved = commit({"docs/none.md": f"{uuid.uuid4()}\n"}, "not read by a build", tmp_path)
    mark, before = site.mark(), site.primary("hello")["id"]
    begun = time.monotonic()
    done = play("deploy", "--limit", "hello", "-e", f"deploy_revision={moved}")
    print(f"unchanged deploy: {time.monotonic() - begun:.1f} s")
    assert done.code == 0, done.story
    assert set(done.changed.values()) == {0}, done.story
    assert site.changes_since(mark) == []
    assert site.primary("hello")["id"] == before
    assert Listener.told == []


def test_an_image_with_a_known_weakness_is_not_pushed(
    site: Site, tmp_path: Path, listener: str
) -> None:
    revision, _ = _page(tmp_path)
    policy = {"refuse": ["high"], "sources": {"osv": listener}}
    mark = site.mark()
    done = play("deploy", "--limit", "hello", "-e", f"deploy_revision={revision}",
                "-e", json.dumps({"image_policy": policy}))  # fmt: skip
    assert done.code != 0
    said = " ".join(done.output.split())
    for word in ("was not pushed", "curl", "DSA-0000-1", "99:1 mends it", "Nothing was changed."):
        assert word in said, done.story
    assert not [call for call in site.changes_since(mark) if call.startswith(("ecr:", "ecs:"))]
    assert len(Listener.told) == 1
    assert "Deploy of hello to local: FAILED" in Listener.told[0]
    bills = (site.cloud.settings.home / "evidence/local/sbom").glob("hello-*.cdx.json")
    newest = max(bills, key=lambda path: path.stat().st_mtime)
    names = {one["name"] for one in json.loads(newest.read_text())["components"]}
    assert {"curl", "libc6"} <= names


def test_a_complete_release_that_is_wrong_is_taken_back_and_told(
    site: Site, tmp_path: Path, listener: str
) -> None:
    revision, mark = _page(tmp_path)
    before = site.primary("hello")["taskDefinition"]
    smoke = {"ecs_service_smoke": [{"path": "/", "text": "never there"}],
             "ecs_service_smoke_seconds": 6}  # fmt: skip
    with load(f"{site.url}/") as traffic:
        run = start("deploy", "--limit", "hello", "-e", f"deploy_revision={revision}",
                    "-e", json.dumps(smoke))  # fmt: skip
        done = finish(run)
    assert done.code != 0
    said = " ".join(done.output.split())
    assert 'answered 200 without "never there"' in said, done.story
    assert f"The release before ({before.rpartition('/')[2]}) serves again." in said
    assert site.primary("hello")["taskDefinition"] == before
    assert mark not in requests.get(f"{site.url}/", timeout=5).text
    assert traffic.failures == []
    (told,) = Listener.told
    assert "Deploy of hello to local: FAILED" in told
    assert f"from {before.rpartition('/')[2]} to " in told
    assert "commit " + revision[:12] in told
    # Nobody who rolls back later is led to it, though ECS calls its deployment complete.
    wrong = re.search(r" to (drydock-local-hello:\d+)", told)[1]
    shown = site.cloud.client("ecs").describe_task_definition(taskDefinition=wrong)
    assert shown["taskDefinition"]["status"] == "INACTIVE"
