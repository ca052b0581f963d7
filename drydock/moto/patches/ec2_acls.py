"""An entry of a network ACL keeps the type and code of its ICMP.

moto 5.2 looks for them under ``Icmp``, their name in the query; its parser knows them as
``IcmpTypeCode`` (botocore's model), so that Terraform would mend such a rule at every plan.
"""

from collections.abc import Callable
from typing import Any

from moto.ec2.responses.network_acls import NetworkACLs


def _with_icmp(moto_call: Callable[[NetworkACLs], Any]) -> Callable[[NetworkACLs], Any]:
    def call(self: NetworkACLs) -> Any:
        answer = moto_call(self)
        acl = self.ec2_backend.get_network_acl(self._get_param("NetworkAclId"))
        # It made the entry as the list's last, also where it replaced one.
        entry = acl.network_acl_entries[-1]
        entry.icmp_type = self._get_param("IcmpTypeCode.Type")
        entry.icmp_code = self._get_param("IcmpTypeCode.Code")
        return answer

    return call


def apply() -> None:
    """Wraps the two calls that make entries."""
    for name in ("create_network_acl_entry", "replace_network_acl_entry"):
        setattr(NetworkACLs, name, _with_icmp(getattr(NetworkACLs, name)))
