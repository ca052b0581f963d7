"""What an image holds is found, asked about and held against a policy that is data."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import advisories
from ansible_collections.drydock.ops.plugins.module_utils.image_contents import of_archive
from ansible_collections.drydock.ops.plugins.module_utils.image_policy import (
    PolicyError,
    judge,
    refusal,
)
from ansible_collections.drydock.ops.plugins.module_utils.sbom import bill

TODAY = date(2026, 5, 1)
STATUS = """Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.5.1-1)
Version: 3.5.1-1+b2

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""
FILES = {
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n',
    "var/lib/dpkg/status": STATUS,
    "opt/venv/lib/python3.13/site-packages/Jinja2-2.10.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10\n\nIt is a template engine.\n"
    ),
    "srv/app/node_modules/@scope/tool/package.json": '{"name": "@scope/tool", "version": "1.2.0"}',
    "srv/app/node_modules/tool/test/package.json": '{"name": "a fixture", "version": "1"}',
}
JINJA = {
    "id": "GHSA-462w-v97r-4m45",
    "aliases": ["CVE-2019-10906"],
    "database_specific": {"severity": "HIGH"},
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.10.1"}]}],
        }
    ],
}
POLICY: dict[str, Any] = {"refuse": ["critical", "high", "outdated"]}


@pytest.fixture
def made() -> dict[str, Any]:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, text in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    contents = of_archive(io.BytesIO(held.getvalue()))
    return bill(contents, "hello", "aaa-111", "a" * 40, "2026-01-02T03:04:05+00:00")


@pytest.fixture
def osv() -> Iterator[tuple[str, list[dict]]]:
    """An API as osv.dev has it, that knows of one advisory."""
    asked: list[dict] = []

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.extend(body["queries"])
            known = [one["package"]["name"] == "jinja2" for one in body["queries"]]
            self.answer({"results": [{"vulns": [{"id": JINJA["id"]}]} if k else {} for k in known]})

        def do_GET(self) -> None:
            assert self.path == f"/v1/vulns/{JINJA['id']}"
            self.answer(JINJA)

        def answer(self, content: dict) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


def test_the_bill_names_what_is_installed_and_nothing_else(made: dict[str, Any]) -> None:
    assert sorted(one["purl"] for one in made["components"]) == [
        "pkg:deb/debian/libssl3@3.5.1-1%2Bb2?arch=amd64&distro=debian-13",
        "pkg:npm/%40scope/tool@1.2.0",
        "pkg:pypi/jinja2@2.10",
    ]
    assert made["specVersion"] == "1.6"
    assert made["metadata"]["timestamp"].startswith("2026-01-02T03:04:05")


def test_an_advisory_above_the_policy_refuses_the_image(
    made: dict[str, Any], osv: tuple[str, list[dict]]
) -> None:
    url, asked = osv
    findings, silent = advisories.ask(made, {"osv": url})
    assert silent == {}
    # Debian's advisories are of source packages.
    assert {"package": {"ecosystem": "Debian:13", "name": "openssl"}, "version": "3.5.1-1"} in asked
    assert {"package": {"ecosystem": "npm", "name": "@scope/tool"}, "version": "1.2.0"} in asked
    said = refusal("hello:aaa-111", judge(findings, silent, POLICY, TODAY))
    for word in ("jinja2 2.10", "GHSA-462w-v97r-4m45, CVE-2019-10906", "high", "2.10.1 mends it",
                 "was not pushed", "Nothing was changed."):  # fmt: skip
        assert word in said
    lenient = judge(findings, silent, {"refuse": ["critical"]}, TODAY)
    assert refusal("hello:aaa-111", lenient) == ""
    assert len(lenient.told) == 1


@pytest.mark.parametrize(("until", "stops"), [("2026-05-01", False), ("2026-04-30", True)])
def test_an_exception_holds_until_its_day(
    made: dict[str, Any], osv: tuple[str, list[dict]], until: str, stops: bool
) -> None:
    exception = {"package": "jinja2", "advisory": "CVE-2019-10906", "reason": "no template of "
                 "strangers", "until": until}  # fmt: skip
    findings, silent = advisories.ask(made, {"osv": osv[0]})
    verdict = judge(findings, silent, {**POLICY, "exceptions": [exception]}, TODAY)
    assert bool(verdict.refused) is stops
    assert bool(verdict.excepted) is not stops
    assert any("ended on 2026-04-30" in note for note in verdict.notes) is stops


def test_a_package_behind_the_security_archive_is_outdated(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def available(*words: str) -> dict[str, str]:
        asked.append(words[:3])
        return {"libssl3": "3.5.1-1+deb13u1", "other": "1"}

    monkeypatch.setattr(advisories, "available", available)
    findings, silent = advisories.ask(made, {"debian": "http://mirror.example/security/"})
    assert asked == [("http://mirror.example/security", "trixie-security", "amd64")]
    said = refusal("hello:aaa-111", judge(findings, silent, POLICY, TODAY))
    assert "libssl3 3.5.1-1+b2: trixie-security (outdated), 3.5.1-1+deb13u1 mends it" in said
    monkeypatch.setattr(advisories, "available", lambda *_: {"libssl3": "3.5.1-1+b2"})
    assert advisories.ask(made, {"debian": "http://mirror.example"}) == ([], {})


def test_the_machines_own_security_archive_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = "http://mirror.example/debian/ bookworm\nhttp://mirror.example/sec/ bookworm-security\n"
    monkeypatch.setattr(advisories, "_run", lambda *_: lists)
    assert advisories.system_archive() == "http://mirror.example/sec/"
    monkeypatch.setattr(advisories, "_run", lambda *_: lists.partition("\n")[0])
    with pytest.raises(advisories.SourceUnreachable, match="no security archive"):
        advisories.system_archive()


@pytest.mark.parametrize(("what", "stops"), [("refuse", True), ("tell", False)])
def test_a_silent_source_is_what_the_policy_makes_of_it(
    made: dict[str, Any], what: str, stops: bool
) -> None:
    # Nothing listens on port 1.
    findings, silent = advisories.ask(made, {"osv": "http://127.0.0.1:1"})
    verdict = judge(findings, silent, {**POLICY, "unreachable": {"osv": what}}, TODAY)
    said = refusal("hello:aaa-111", verdict)
    assert ("can't be judged: osv was not asked" in said) is stops
    assert bool(verdict.notes) is not stops


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        ({"refuse": ["grave"]}, "grave"),
        ({"refused": []}, "refused, which mean nothing"),
        ({"unreachable": {"osv": "ignore"}}, "osv: ignore"),
        ({"exceptions": [{"package": "x", "advisory": "y", "until": "2030-01-01"}]}, "no reason"),
        ({"exceptions": [{"package": "x", "advisory": "y", "reason": "z", "until": "soon"}]},
         '"soon", which is no day'),
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(policy: dict[str, Any], word: str) -> None:
    with pytest.raises(PolicyError, match=word):
        judge([], {}, policy, TODAY)
