"""What is known to be wrong with the packages of a bill of materials, asked of two sources.

`debian`: the security archive of the image's Debian release, signed, through apt, from an address
or from where this machine's apt has its own (`system`). A package of which it has a newer version
has a fix that was not taken; how grave it is, it does not say.
`osv`: an API of osv.dev (https://google.github.io/osv.dev/api/), for Debian, Python and Node,
with advisories and how grave they are.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 30
BATCH = 500  # queries; the API takes 1000
OUTDATED = "outdated"
UNKNOWN = "unknown"
ECOSYSTEMS = {"pypi": "PyPI", "npm": "npm"}
SYSTEM = "system"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Of a folder's own, so that neither the machine's lists nor its settings are touched or read.
APT = """Dir "{folder}"; Dir::State "state"; Dir::Cache "cache"; Dir::State::status "/dev/null";
Dir::Etc "{folder}"; Dir::Etc::sourcelist "sources.list"; Dir::Etc::sourceparts "parts";
APT::Architecture "{architecture}"; APT::Architectures "{architecture}"; APT::Sandbox::User "";
Acquire::Languages "none"; Acquire::Retries "2"; Acquire::http::Timeout "{timeout}";
Acquire::https::Timeout "{timeout}"; APT::Update::Error-Mode "any";
"""


class SourceUnreachable(Exception):
    """A source of advisories gave no answer; the text says why."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is known of one installed package.

    Attributes:
        severity: critical, high, medium, low, unknown, or outdated.
        fixed: the version that mends it; empty where none is known.
        names: the advisory and its other names.
    """

    severity: str
    package: str
    version: str
    fixed: str
    names: tuple[str, ...]

    def sentence(self) -> str:
        cure = f"{self.fixed} mends it" if self.fixed else "no version mends it yet"
        names = ", ".join(self.names[:2])
        return f"{self.package} {self.version}: {names} ({self.severity}), {cure}"


def properties(component: dict[str, Any]) -> dict[str, str]:
    """Return what the project notes of a component of a bill."""
    return {
        one["name"].removeprefix("drydock:"): one["value"]
        for one in component.get("properties", [])
        if one["name"].startswith("drydock:")
    }


def _kind(component: dict[str, Any]) -> str:
    return component.get("purl", "").partition(":")[2].partition("/")[0]


def _architecture(component: dict[str, Any]) -> str:
    query = urllib.parse.urlparse(component["purl"]).query
    return urllib.parse.parse_qs(query).get("arch", ["all"])[0]


def outdated(bill: dict[str, Any], url: str, keyring: str = KEYRING) -> Iterator[Finding]:
    """Yield Debian packages of which the security archive at `url`, or SYSTEM, has a newer version.

    Raises SourceUnreachable where apt, the archive or the keyring of its signature is missing.
    """
    held = [one for one in bill.get("components", []) if _kind(one) == "deb"]
    about = properties(bill["metadata"]["component"])
    if not held:
        return
    if about.get("ID") != "debian" or not about.get("VERSION_CODENAME"):
        raise SourceUnreachable(f"the image is of {about.get('ID') or 'no named system'}, of which "
                                "Debian's archive knows nothing")  # fmt: skip
    architectures = {_architecture(one) for one in held} - {"all"} or {"amd64"}
    suite = f"{about['VERSION_CODENAME']}-security"
    archive = system_archive() if url == SYSTEM else url
    newest = available(archive, suite, sorted(architectures)[0], keyring)
    for one in held:
        fixed = newest.get(one["name"], "")
        if fixed and fixed != one["version"] and older(one["version"], fixed):
            yield Finding(OUTDATED, one["name"], one["version"], fixed, (suite,))


def older(one: str, other: str) -> bool:
    """Return whether a Debian version comes before another."""
    return subprocess.run(["dpkg", "--compare-versions", one, "lt", other]).returncode == 0


def system_archive() -> str:
    """Return where this machine's apt gets security updates. Raises SourceUnreachable."""
    words = ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI) $(RELEASE)"]
    for line in _run(words, {**os.environ, "LC_ALL": "C"}).splitlines():
        address, _, release = line.partition(" ")
        if release.endswith("-security"):
            return address
    raise SourceUnreachable("this machine's apt has no security archive: give its address")


def available(url: str, suite: str, architecture: str, keyring: str) -> dict[str, str]:
    """Return the newest version of each package in a suite, its signature checked by apt."""
    with tempfile.TemporaryDirectory(prefix="drydock-apt-") as name:
        folder = Path(name)
        for part in ("state/lists/partial", "cache/archives/partial", "parts", "apt.conf.d",
                     "preferences.d"):  # fmt: skip
            (folder / part).mkdir(parents=True)
        (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {url} {suite} main\n")
        settings = APT.format(folder=folder, architecture=architecture, timeout=TIMEOUT)
        (folder / "apt.conf").write_text(settings)
        _apt(folder, "apt-get", "update", "--quiet")
        listed = _apt(folder, "apt-cache", "dumpavail")
    found: dict[str, str] = {}
    for paragraph in listed.split("\n\n"):
        read = dict(re.findall(r"^(Package|Version): (\S+)$", paragraph, re.MULTILINE))
        before = found.get(read.get("Package", ""))
        if len(read) == 2 and (before is None or older(before, read["Version"])):
            found[read["Package"]] = read["Version"]
    return found


def _apt(folder: Path, *words: str) -> str:
    settings = {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    return _run(list(words), {**os.environ, **settings})


def _run(words: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False,
            timeout=10 * TIMEOUT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceUnreachable(f"{words[0]} did not run ({error})") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SourceUnreachable(f"{words[0]} failed: {last}")
    return done.stdout


def advisories(bill: dict[str, Any], url: str) -> Iterator[Finding]:
    """Yield what an OSV API at `url` knows of a bill's packages. Raises SourceUnreachable."""
    about = properties(bill["metadata"]["component"])
    queries: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in bill.get("components", []):
        kind, more = _kind(one), properties(one)
        if kind == "deb" and about.get("ID") == "debian":
            asked = (f"Debian:{about.get('VERSION_ID', '')}", more["source"],
                     more["source_version"])  # fmt: skip
        elif kind in ECOSYSTEMS:
            name = urllib.parse.unquote(one["purl"].partition("/")[2].rpartition("@")[0])
            asked = (ECOSYSTEMS[kind], name, one["version"])
        else:
            continue
        queries.setdefault(asked, one)
    for asked, identifiers in _ask(url, list(queries)):
        for identifier in identifiers:
            path = f"{url}/v1/vulns/{urllib.parse.quote(identifier)}"
            yield finding(_call(path), asked)


def _ask(
    url: str, queries: list[tuple[str, str, str]]
) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    waiting = [(asked, "") for asked in queries]
    while waiting:
        now, waiting = waiting[:BATCH], waiting[BATCH:]
        body = [
            {"package": {"ecosystem": system, "name": name}, "version": version,
             **({"page_token": page} if page else {})}
            for (system, name, version), page in now
        ]  # fmt: skip
        results = _call(f"{url}/v1/querybatch", {"queries": body}).get("results")
        if not isinstance(results, list) or len(results) != len(now):
            raise SourceUnreachable(f"{url} answered, but not as osv.dev's API does")
        for (asked, _), result in zip(now, results, strict=True):
            if result and result.get("vulns"):
                yield asked, [one["id"] for one in result["vulns"]]
            if result and result.get("next_page_token"):
                waiting.append((asked, result["next_page_token"]))


def finding(advisory: dict[str, Any], asked: tuple[str, str, str]) -> Finding:
    """Read one advisory in the OSV format (https://ossf.github.io/osv-schema/)."""
    system, name, version = asked
    concerned = [
        one for one in advisory.get("affected", [])
        if one.get("package", {}).get("name") == name
        and one.get("package", {}).get("ecosystem") == system
    ]  # fmt: skip
    fixed = [
        event["fixed"]
        for one in concerned for span in one.get("ranges", []) if span.get("type") != "GIT"
        for event in span.get("events", []) if "fixed" in event
    ]  # fmt: skip
    said = [advisory.get("database_specific", {}).get("severity"),
            *(one.get("ecosystem_specific", {}).get("urgency") for one in concerned),
            *(one.get("ecosystem_specific", {}).get("severity") for one in concerned)]  # fmt: skip
    words = (str(word).lower().replace("moderate", "medium") for word in said if word)
    severity = next((w for w in words if w in ("critical", "high", "medium", "low")), UNKNOWN)
    names = (advisory["id"], *advisory.get("aliases", []))
    return Finding(severity, name, version, " or ".join(dict.fromkeys(fixed)), names)


def _call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    if not url.startswith(("https://", "http://")):
        raise SourceUnreachable(f"{url} begins with neither https:// nor http://")
    request = urllib.request.Request(  # noqa: S310 (the scheme is checked above)
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            found = json.load(answer)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SourceUnreachable(f"{url} gave no answer ({reason})") from error
    if not isinstance(found, dict):
        raise SourceUnreachable(f"{url} answered, but not as osv.dev's API does")
    return found


def ask(bill: dict[str, Any], sources: dict[str, str]) -> tuple[list[Finding], dict[str, str]]:
    """Ask all sources that have an address. Returns (findings, source → why it did not answer)."""
    asks = {"debian": outdated, "osv": advisories}
    found: set[Finding] = set()
    silent = {}
    for name, one in asks.items():
        if not sources.get(name):
            continue
        try:
            found.update(_all(one(bill, sources[name].rstrip("/"))))
        except SourceUnreachable as error:
            silent[name] = str(error)
    return sorted(found), silent


def _all(found: Iterable[Finding]) -> list[Finding]:
    """A source that breaks off has not answered."""
    return list(found)
