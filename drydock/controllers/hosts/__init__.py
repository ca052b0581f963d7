"""EC2 instances as systemd hosts: containers with an address, disks and metadata of their own."""

from drydock.controllers.hosts.controller import HostController

__all__ = ["HostController"]
