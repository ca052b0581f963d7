"""Bridges that podman made for a cloud's networks, and what it may leave of them.

podman has netavark take a bridge down with the network's last container. One whose containers died
at once, or that began to start while its network was removed, leaves it, with its rules, and then
no podman knows of it. So a cloud notes its bridges by itself.
"""

import ipaddress
import json
import re
import shlex
import subprocess
from collections.abc import Container
from pathlib import Path

_OWN_CHAIN = re.compile(r"NETAVARK-[0-9A-F]{8,}")  # of one network; others are everybody's


def note(folder: Path, interface: str, subnet: str) -> None:
    """Notes the bridge of a network."""
    folder.mkdir(exist_ok=True)
    (folder / interface).write_text(subnet)


def take_down(folder: Path, known: Container[str]) -> int:
    """Removes the noted bridges whose networks are gone, and the rules about them.

    Args:
        known: ranges of podman's networks. Their bridges stay, as do those with ports.

    Returns:
        How many there were.
    """
    removed = 0
    for file in sorted(folder.glob("*")):
        subnet = file.read_text()
        if subnet in known:
            continue
        ports = Path("/sys/class/net") / file.name / "brif"
        # The same name may be another network's by now, the same range may not.
        if ports.is_dir() and not any(ports.iterdir()) and _carries(file.name, subnet):
            _run("ip", "link", "delete", "dev", file.name)
            _forget_rules(subnet)
            removed += 1
        file.unlink()
    return removed


def _carries(interface: str, subnet: str) -> bool:
    shown = json.loads(_run("ip", "-json", "address", "show", "dev", interface) or "[]")
    addresses = [one["local"] for row in shown for one in row.get("addr_info", [])]
    network = ipaddress.ip_network(subnet)
    return any(ipaddress.ip_address(address) in network for address in addresses)


def _forget_rules(subnet: str) -> None:
    for table in ("filter", "nat"):
        chains = set()
        for rule in _run("iptables", "-w", "-t", table, "-S").splitlines():
            words = shlex.split(rule)
            if words[0] == "-A" and subnet in words:
                _run("iptables", "-w", "-t", table, "-D", *words[1:])
                chains |= {word for word in words if _OWN_CHAIN.fullmatch(word)}
        for chain in chains:
            _run("iptables", "-w", "-t", table, "-F", chain)
            _run("iptables", "-w", "-t", table, "-X", chain)


def _run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout
