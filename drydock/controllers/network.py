"""VPCs: refuses ranges that this machine can't route apart, removes networks of gone VPCs."""

from collections.abc import Mapping
from typing import Any

from drydock.controller import Controller
from drydock.moto.api import PASS, Context, Handler
from drydock.network import refuse_overlap


class NetworkController(Controller):
    name = "network"
    interval = 5.0

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {("ec2", "CreateVpc"): self._create_vpc}

    def _create_vpc(self, _context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
        if cidr := parameters.get("CidrBlock"):
            refuse_overlap(cidr)
        return PASS

    def reconcile(self) -> None:
        self.cloud.networks.prune()
