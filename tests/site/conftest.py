"""The whole platform, built once for the main job's tests, all drills and the way back."""

import pytest

from tests.platform.conftest import Cloud, cloud  # noqa: F401 (a fixture is used by its name)

from .site import Site, play


@pytest.fixture(scope="session")
def site(cloud: Cloud) -> Site:  # noqa: F811
    """Bootstrap, provision and deploy from nothing."""
    done = play("site")
    assert done.code == 0, done.story
    return Site.of(cloud)
