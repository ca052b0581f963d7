"""Images that are broken in four more ways: each ends on the old version, with its cause named.

That one exits at once is tested in test_main_job. Workloads are broken side by side: what takes
long is ECS's patience, and each service has its own.
"""

import re
from pathlib import Path

import pytest
import requests

from drydock.settings import PROJECT
from tests.platform.conftest import wait_for

from .site import Site, commit, finish, load, start

# The header of a program for 64-bit ARM: enough for a kernel to refuse it.
ARM = r"\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000\001\000\000\000"
PATHS = {
    "hello": "/",
    "trading_api": "/api/trading/instruments/SOL-USD",
    "rpc_cache": "/rpc/health",
}


def _started(workload: str, *lines: str) -> dict[str, str]:
    """A workload's Dockerfile with another way to start."""
    path = f"apps/{workload}/Dockerfile"
    kept = [
        line
        for line in (PROJECT / path).read_text().splitlines()
        if not line.startswith(("CMD", "ENTRYPOINT", "HEALTHCHECK", "    CMD"))
    ]
    return {path: "\n".join([*kept, *lines, ""])}


def _wrong_architecture(workload: str) -> dict[str, str]:
    program = f"RUN printf '{ARM}' > /srv/other && chmod 755 /srv/other"
    return _started(workload, "USER 0:0", program, "USER 10001:10001", 'ENTRYPOINT ["/srv/other"]')


def _listens_elsewhere(workload: str) -> dict[str, str]:
    """It says so in its log, as programs do."""
    serve = "echo serving on port 9090; exec python3 -m http.server --directory /tmp 9090"
    return _started(workload, f'ENTRYPOINT ["sh", "-c", "{serve}"]')


def _answers_500(workload: str) -> dict[str, str]:
    serve = (
        "RUN printf 'import http.server as s\\\\nclass H(s.BaseHTTPRequestHandler):\\\\n"
        " def do_GET(self): self.send_error(500)\\\\n"
        's.ThreadingHTTPServer(("", 8080), H).serve_forever()\\\\n\' > /srv/broken.py'
    ).replace("\\\\", "\\")
    return _started(workload, "USER 0:0", serve, "USER 10001:10001",
                    'ENTRYPOINT ["python3", "/srv/broken.py"]')  # fmt: skip


def _starts_late(workload: str) -> dict[str, str]:
    serve = "echo warming up; sleep 900; exec python3 -m http.server --directory /tmp 8080"
    return _started(workload, f'ENTRYPOINT ["sh", "-c", "{serve}"]')


ROUNDS = [
    {
        "hello": (_listens_elsewhere, r"the container listens on no 8080.*serving on port 9090"),
        "trading_api": (_answers_500, r"within \d+ s of its start: it answered 500 to /health"),
        "rpc_cache": (_starts_late, r"not healthy within \d+ s of its start.*warming up"),
    },
    {"hello": (_wrong_architecture, r"exec format error: .*another architecture")},
]


@pytest.mark.parametrize("broken", ROUNDS, ids=["never-healthy", "never-starts"])
def test_a_broken_image_ends_on_the_old_version_with_its_cause(
    site: Site, tmp_path: Path, broken: dict
) -> None:
    served = {workload: site.primary(workload) for workload in broken}
    files = {}
    for workload, (break_it, _) in broken.items():
        files |= break_it(workload)
    revision = commit(files, "images that are broken", tmp_path)
    with load(*(f"{site.url}{PATHS[workload]}" for workload in broken)) as traffic:
        wait_for(lambda: traffic.total > 50, 20, "load is flowing")
        run = start("deploy", "--limit", ",".join(broken), "-e", f"deploy_revision={revision}")
        done = finish(run)
        for workload, before in served.items():
            back = lambda w=workload, b=before: (  # noqa: E731
                site.primary(w)["rolloutState"] == "COMPLETED"
                and site.primary(w)["taskDefinition"] == b["taskDefinition"]
            )
            wait_for(back, 120, f"{workload} is back at what it ran")
    print(f"{traffic.total} requests; {done.output[-300:]}")
    assert done.code != 0
    assert traffic.failures == []
    assert traffic.total > 500
    said = " ".join(done.output.split())
    for workload, (_, reason) in broken.items():
        assert re.search(rf"Deployment ecs-svc/\d+ of {workload} .*?{reason}", said), done.story
        assert "The version before" in said
        assert requests.get(f"{site.url}{PATHS[workload]}", timeout=5).status_code == 200
