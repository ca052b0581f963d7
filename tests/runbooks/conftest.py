"""The whole platform on the embedded cloud, used by people, for every drill of this layer."""

import time
from collections.abc import Iterator

import pytest

from tests.platform.conftest import Cloud, cloud, wait_for  # noqa: F401 (a fixture is used by its name)
from tests.platform.site import load, play

from .drill import Platform

INSTRUMENT = "/api/trading/instruments/SOL-USD"


@pytest.fixture(scope="session")
def platform(cloud: Cloud) -> Iterator[Platform]:  # noqa: F811
    """Bootstrapped, provisioned, deployed, and used: without requests there are no metrics."""
    done = play("site")
    assert done.code == 0, done.output[-6000:]
    site = Platform.of(cloud)
    with load(f"{site.url}{INSTRUMENT}", f"{site.url}/", threads=2, pause=0.1) as traffic:
        # Only a release that was measured to serve well, or lived long, is returned to.
        proven = time.monotonic() + 20
        wait_for(lambda: time.monotonic() > proven and traffic.total > 200, 60, "it has served")
        yield site


@pytest.fixture(autouse=True)
def whole(platform: Platform) -> Iterator[None]:
    """Each drill begins on a sound platform and leaves one, whatever became of it."""
    platform.mend()
    platform.wait_until_green()
    yield
    platform.mend()
