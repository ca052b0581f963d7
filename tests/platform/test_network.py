"""An endpoint's address follows its holder, even away from one that hangs."""

import ipaddress
import urllib.request
import uuid

import pytest

from drydock import images
from drydock.network import Networks

from .conftest import wait_for

_CONFIGURATION = """\
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend all
  bind :80
  http-request return status 200 content-type text/plain string {name}
"""
# A client that never stops asking; a connection that hangs is given up after a second.
_ASK = """\
ask() {
  timeout 1 bash -c 'exec 3<>/dev/tcp/%s/80
    printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3 && tail -n1 <&3' 2>/dev/null || echo none
}
while :; do echo "$(ask)"; sleep 0.1; done
"""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def parts(cloud):
    podman, tag = cloud.podman, uuid.uuid4().hex[:6]
    network = Networks(podman).name(cloud.vpc.id)
    podman.create_network(network, cloud.vpc.cidr)
    # An address that no subnet of the tests' VPC holds.
    first = ipaddress.ip_network(cloud.vpc.cidr)[0x6400]
    names = []

    def run(name: str, offset: int, command: list[str]) -> str:
        folder = cloud.settings.folder("parts", "test", f"{tag}-{name}")
        (folder / "haproxy.cfg").write_text(_CONFIGURATION.format(name=name))
        names.append(
            podman.run(
                "test", f"{tag}-{name}", images.PARTS, command,
                network=network, ip=str(first + offset), mounts=[(folder, "/part", "ro")],
            )
        )  # fmt: skip
        return names[-1]

    serve = ["haproxy", "-db", "-f", "/part/haproxy.cfg"]
    run("anna", 1, serve)
    run("berta", 2, serve)
    address = str(first + 9)
    client = run("client", 3, ["bash", "-c", _ASK % address])
    found = {part.name: part for part in podman.parts("test")}
    yield network, address, *(found[name] for name in names[:2]), client
    podman.remove(*names)


def test_an_address_moves_even_away_from_a_paused_part(cloud, parts):
    network, address, anna, berta, client = parts
    networks = Networks(cloud.podman)

    def hears(name: str) -> None:
        wait_for(
            lambda: cloud.podman.command("logs", "--tail=3", client).stdout.split() == [name] * 3,
            5,
            f"the client hears {name} only",
        )

    hears("none")
    networks.move(address, network, anna, [berta])
    hears("anna")
    networks.move(address, network, berta, [anna])
    networks.move(address, network, berta, [anna])
    hears("berta")
    cloud.podman.command("pause", berta.name)
    hears("none")
    networks.move(address, network, anna, [berta])
    hears("anna")
    cloud.podman.command("unpause", berta.name)
    hears("anna")


def test_the_machine_itself_finds_the_new_holder(cloud, parts):
    network, address, anna, berta, _ = parts
    networks = Networks(cloud.podman)

    def answer() -> str:
        try:
            with _DIRECT.open(f"http://{address}/", timeout=1) as response:
                return response.read().decode()
        except OSError:
            return ""

    for holder, other, name in ((anna, berta, "anna"), (berta, anna, "berta")) * 2:
        networks.move(address, network, holder, [other])
        wait_for(lambda name=name: answer() == name, 3, f"{name} answers the machine")
