"""VPCs: refuses ranges that this machine can't route apart, removes networks of gone VPCs, and
answers calls of the AWS API at each VPC's router, where its hosts and tasks can reach it."""

from collections.abc import Callable, Mapping
from typing import Any

from drydock.controller import Cloud, Controller
from drydock.moto import ec2
from drydock.moto.api import PASS, Context, Handler
from drydock.network import refuse_overlap, router


class NetworkController(Controller):
    name = "network"
    interval = 5.0

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._answers: dict[str, Callable[[], None]] = {}

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {("ec2", "CreateVpc"): self._create_vpc}

    def _create_vpc(self, _context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
        if cidr := parameters.get("CidrBlock"):
            refuse_overlap(cidr)
        self.wake()
        return PASS

    def reconcile(self) -> None:
        self.cloud.networks.prune()
        vpcs = ec2.vpcs()
        for gone in self._answers.keys() - vpcs.keys():
            self._answers.pop(gone)()
        for vpc_id, cidr in vpcs.items():
            if vpc_id not in self._answers and self.cloud.answer_at:
                self._answers[vpc_id] = self.cloud.answer_at(router(cidr))
