"""Secrets Manager: a secret is rotated by its function, step by step, behind the call's back.

moto 5.2 calls the function within RotateSecret, makes the new version current even when a step
failed, and forgets to when the function itself moves the stage.
"""

import json
import logging
import threading
import time
import uuid
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend

log = logging.getLogger("drydock.secrets")
_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


def apply() -> None:
    rotate = SecretsManagerBackend.rotate_secret
    move_stage = SecretsManagerBackend.update_secret_version_stage

    def rotate_secret(
        self: SecretsManagerBackend,
        secret_id: str,
        client_request_token: str | None = None,
        rotation_lambda_arn: str | None = None,
        rotation_rules: dict[str, Any] | None = None,
        rotate_immediately: bool = True,
    ) -> str:
        secret = self.secrets.get(secret_id)
        function = rotation_lambda_arn or getattr(secret, "rotation_lambda_arn", "")
        if not function or not isinstance(secret, FakeSecret) or secret.is_deleted():
            return rotate(
                self, secret_id, client_request_token, None, rotation_rules, rotate_immediately
            )
        functions = lambda_backends[self.account_id][self.region_name]
        functions.get_function(function)  # refuses one that is not there
        secret.rotation_lambda_arn, secret.rotation_enabled = function, True
        secret.rotation_requested = True
        days = (rotation_rules or {}).get("AutomaticallyAfterDays", secret.auto_rotate_after_days)
        secret.auto_rotate_after_days = days
        secret.next_rotation_date = int(time.time()) + days * 86400
        version = None
        if rotate_immediately:
            version = client_request_token or str(uuid.uuid4())
            secret.remove_version_stages_from_old_versions(["AWSPENDING"])
            secret.versions[version] = {
                "createdate": int(time.time()),
                "version_id": version,
                "version_stages": ["AWSPENDING"],
            }
            threading.Thread(
                target=_rotate, args=(functions, secret, version), name="rotation", daemon=True
            ).start()
        return secret.to_short_dict(version_id=version)

    def update_secret_version_stage(
        self: SecretsManagerBackend, secret_id: str, version_stage: str, *rest: Any, **named: Any
    ) -> tuple[str, str]:
        moved = move_stage(self, secret_id, version_stage, *rest, **named)
        secret = self.secrets[secret_id]
        for version, content in secret.versions.items():
            if "AWSCURRENT" in content["version_stages"]:
                secret.set_default_version_id(version)
        return moved

    SecretsManagerBackend.rotate_secret = rotate_secret
    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage


def _rotate(functions: Any, secret: FakeSecret, version: str) -> None:
    """Calls the function for each step; one that fails ends the rotation (AWS tries once more)."""
    for step in _STEPS:
        event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": version}
        function = functions.get_function(secret.rotation_lambda_arn)
        result, failed, _ = function._invoke_lambda(event)
        if failed:
            error = json.loads(result)
            log.warning("%s: %s failed: %s", secret.name, step, error["errorMessage"])
            return
    secret.last_rotation_date = int(time.time())
