"""A hosted zone that is made with a VPC is private: moto 5.2 forgets the VPC of one that does not
say so itself, and Terraform's never does."""

from typing import Any

from moto.backends import get_backend
from moto.core.utils import utcnow

from drydock.moto.api import PASS, Context, Handler


def operations() -> dict[tuple[str, str], Handler]:
    return {("route53", "CreateHostedZone"): _create}


def _create(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    if not given.get("VPC"):
        return PASS
    zone = get_backend("route53")[context.account_id]["aws"].create_hosted_zone(
        name=given["Name"].rstrip(".") + ".",
        private_zone=True,
        caller_reference=given["CallerReference"],
        vpcid=given["VPC"].get("VPCId"),
        vpcregion=given["VPC"].get("VPCRegion"),
        comment=given.get("HostedZoneConfig", {}).get("Comment"),
    )
    return {
        "HostedZone": {
            "Id": zone.id,
            "Name": zone.name,
            "CallerReference": zone.caller_reference,
            "Config": zone.config,
        },
        "ChangeInfo": {
            "Id": f"/change/{zone.resource_id}",
            "Status": "INSYNC",
            "SubmittedAt": utcnow(),
        },
        "VPC": given["VPC"],
        "Location": f"https://route53.amazonaws.com/2013-04-01/hostedzone/{zone.resource_id}",
    }
