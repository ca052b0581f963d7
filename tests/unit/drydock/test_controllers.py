"""Every controller: what its thread needs to run at all."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from drydock import controllers
from drydock.controller import Cloud, Controller
from drydock.controllers.registry import RegistryController
from drydock.podman import Podman
from drydock.settings import Settings


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    settings = Settings(tmp_path, _free_port(), _free_port())
    return Cloud(settings, Podman(settings))


def test_a_started_registry_answers_and_an_ended_one_does_not(cloud, monkeypatch):
    monkeypatch.setattr(RegistryController, "reconcile", lambda self: None)  # no container
    registry = RegistryController(cloud)
    registry.start()
    url = f"http://{cloud.settings.registry}/v2/"
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=5)
        assert refused.value.code == 401
    finally:
        registry.end()
        registry.join(timeout=5)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=5)


def test_no_controller_hides_the_frame_s_own_parts(cloud):
    frame = {"_run", "join"}
    for controller in controllers.all_of(cloud):
        assert isinstance(controller, Controller)
        own = {name for cls in type(controller).__mro__ if cls not in (Controller, object)
               for name in vars(cls)}  # fmt: skip
        assert not own & frame, (controller.name, own & frame)
        assert not hasattr(controller, "run"), controller.name


def test_a_pass_that_fails_is_tried_again(cloud):
    passes = []

    class Flaky(Controller):
        name = "flaky"
        interval = 0.01

        def reconcile(self) -> None:
            passes.append(1)
            if len(passes) == 1:
                raise OSError("once")

    flaky = Flaky(cloud)
    flaky.start()
    while len(passes) < 3:
        flaky.wake()
    flaky.end()
    flaky.join(timeout=5)
