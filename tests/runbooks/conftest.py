"""The whole platform on the embedded cloud, used by people, for every drill of this layer."""

from collections.abc import Iterator

import pytest

from tests.platform.conftest import Cloud, cloud  # noqa: F401 (a fixture is used by its name)
from tests.platform.site import load, play

from .drill import Platform

INSTRUMENT = "/api/trading/instruments/SOL-USD"


@pytest.fixture(scope="session")
def platform(cloud: Cloud) -> Iterator[Platform]:  # noqa: F811
    """Bootstrapped, provisioned, deployed, and used: without requests there are no metrics."""
    done = play("site")
    assert done.code == 0, done.output[-6000:]
    site = Platform.of(cloud)
    with load(f"{site.url}{INSTRUMENT}", f"{site.url}/", threads=2, pause=0.1):
        yield site


@pytest.fixture(autouse=True)
def whole(platform: Platform) -> Iterator[None]:
    """Each drill begins on a sound platform and leaves one, whatever became of it."""
    platform.mend()
    platform.wait_until_green()
    yield
    platform.mend()
