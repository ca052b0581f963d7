"""The whole platform, used by people, for every drill."""

import time
from collections.abc import Iterator

import pytest

from tests.platform.conftest import wait_for
from tests.site.site import Site, load

from .drill import Platform
from .fleet import Fleet

INSTRUMENT = "/api/trading/instruments/SOL-USD"


@pytest.fixture(scope="package")
def platform(site: Site) -> Iterator[Platform]:
    """In use: without requests there are no metrics."""
    used = Platform(site.cloud, site.url)
    with load(f"{used.url}{INSTRUMENT}", f"{used.url}/", threads=2, pause=0.1) as traffic:
        # Only a release that was measured to serve well, or lived long, is returned to.
        proven = time.monotonic() + 20
        wait_for(lambda: time.monotonic() > proven and traffic.total > 200, 60, "it has served")
        yield used


@pytest.fixture(scope="package")
def fleet(platform: Platform) -> Fleet:
    """The Solana nodes, brought up when the first drill wants them; they stay for the way back."""
    return Fleet.up(platform.cloud)


@pytest.fixture(autouse=True)
def whole(platform: Platform) -> Iterator[None]:
    """Each drill begins on a sound platform and leaves one, whatever became of it."""
    platform.mend()
    platform.wait_until_green()
    yield
    platform.mend()
