"""The way back, last of all: whatever the tests before it did, nothing stays."""

import requests

from .site import Site, play


def test_destroy_asks_and_then_leaves_nothing(site: Site) -> None:
    asked = play("destroy")
    assert asked.code != 0
    assert "confirm" in asked.output
    assert requests.get(f"{site.url}/", timeout=5).status_code == 200
    done = play("destroy", "-e", "confirm=local")
    assert done.code == 0, done.story
    status = site.cloud.status()
    assert [found for found in status["load_balancers"] if found["name"] == "drydock-local"] == []
    assert [found for found in status["databases"] if found["id"] == "drydock-local"] == []
    assert site.cloud.client("s3").list_buckets()["Buckets"] == []
    assert site.cloud.podman.parts("task") == []
    assert site.cloud.podman.parts("host") == []
