"""A Deny whose condition is not met denies nothing (moto 5.2 lets it deny everything)."""

from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.iam.policy_conditions import CONDITION_OPERATIONS


def apply() -> None:
    """Mends the evaluation of conditions in policies that moto enforces (S3 buckets)."""
    # moto takes an operator that it does not know for met.
    CONDITION_OPERATIONS["Bool"] = lambda expected, actual: str(expected).lower() == actual
    original = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(
        self: IAMPolicyStatement,
        action: str,
        resource: str = "*",
        principal: str | None = None,
        incoming_condition_values: dict[str, str] | None = None,
    ) -> PermissionResult:
        # The endpoint is on loopback, where transport is as private as TLS makes it
        # elsewhere; so a TLS-only policy is answered as AWS answers its HTTPS endpoint.
        values = {"aws:SecureTransport": "true", **(incoming_condition_values or {})}
        result = original(self, action, resource, principal, values)
        if (
            result is PermissionResult.DENIED
            and self._statement["Effect"] == "Deny"
            and "Condition" in self._statement
            and not self._check_conditions(values)
        ):
            return PermissionResult.NEUTRAL
        return result

    IAMPolicyStatement.is_action_permitted = is_action_permitted
