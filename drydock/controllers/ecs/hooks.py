"""Lifecycle hooks: Lambda functions that a deployment asks before it goes on.

Source of event, answer and delays: ECS developer guide, "Lifecycle hooks for Amazon ECS service
deployments".
"""

import json
import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drydock.errors import DrydockError
from drydock.moto import awslambda

log = logging.getLogger("drydock.ecs")
# Stages at which hooks can be; PRE_PRODUCTION_TRAFFIC_SHIFT has no stage of its own.
STAGES = (
    "RECONCILE_SERVICE", "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
)  # fmt: skip
_AGAIN_SECONDS = 30.0
_DAY_SECONDS = 86400.0  # after which a hook that is still in progress has failed


@dataclass(eq=False)
class Hook:
    """One hook at one stage of one deployment.

    Attributes:
        status: IN_PROGRESS, SUCCEEDED or FAILED.
        reason: why it failed, in words.
    """

    arn: str
    stage: str
    status: str = "IN_PROGRESS"
    reason: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def describe(self) -> dict[str, Any]:
        """The API's ``DeploymentLifecycleHookDetail``."""
        return {"hookId": self.id, "targetType": "AWS_LAMBDA", "targetArn": self.arn,
                "status": self.status}  # fmt: skip


class Hooks:
    """The hooks of one deployment; each is asked in a thread of its own.

    Args:
        asked: lifecycleHooks of the deployment's configuration.
        wake: called when one has answered.
        scaled: seconds here for seconds of AWS.
    """

    def __init__(
        self, asked: list[dict], wake: Callable[[], None], scaled: Callable[[float], float]
    ):
        self._asked, self._wake, self._scaled = asked, wake, scaled
        self._ended = threading.Event()
        self._begun: dict[tuple[str, int], list[Hook]] = {}

    def passed(self, stage: str, step: int, event: dict[str, Any]) -> bool:
        """Whether every hook of a stage has agreed; begins to ask when it was not asked yet.

        Args:
            step: tells the times apart that a stage comes by.
            event: what the functions are told.
        """
        if (stage, step) not in self._begun:
            self._begun[stage, step] = [
                self._begin(one, stage, event)
                for one in self._asked if stage in one["lifecycleStages"]
            ]  # fmt: skip
        return all(hook.status == "SUCCEEDED" for hook in self._begun[stage, step])

    @property
    def all(self) -> list[Hook]:
        return [hook for hooks in self._begun.values() for hook in hooks]

    @property
    def failed(self) -> Hook | None:
        return next((hook for hook in self.all if hook.status == "FAILED"), None)

    def end(self) -> None:
        """No hook is asked again; what one still answers counts no more."""
        self._ended.set()

    def _begin(self, asked: dict, stage: str, event: dict[str, Any]) -> Hook:
        hook = Hook(asked["hookTargetArn"], stage)
        told = {**event, "lifecycleStage": stage, "executionId": hook.id}
        details = asked.get("hookDetails")
        threading.Thread(
            target=self._ask, args=(hook, told, details), name=hook.id, daemon=True
        ).start()
        return hook

    def _ask(self, hook: Hook, told: dict[str, Any], details: Any) -> None:
        waited = 0.0
        while not self._ended.is_set():
            try:
                answer = _answer(awslambda.invoke(
                    hook.arn, told | ({"hookDetails": details} if details else {})
                ))  # fmt: skip
            except Exception as error:
                if not isinstance(error, DrydockError):
                    log.exception("hook %s", hook.arn)
                self._close(hook, "FAILED", str(error))
                return
            if answer["hookStatus"] != "IN_PROGRESS":
                self._close(hook, answer["hookStatus"], "it returned FAILED")
                return
            details = answer.get("hookDetails", details)
            delay = float(answer.get("callBackDelay") or _AGAIN_SECONDS)
            waited += delay
            if waited > _DAY_SECONDS:
                self._close(hook, "FAILED", "it was in progress for 24 hours")
                return
            self._ended.wait(self._scaled(delay))

    def _close(self, hook: Hook, status: str, reason: str) -> None:
        hook.reason = reason if status == "FAILED" else ""
        hook.status = status
        self._wake()


def _answer(text: str) -> dict[str, Any]:
    """What a function returned; DrydockError when it is no answer to a hook."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    known = ("SUCCEEDED", "FAILED", "IN_PROGRESS")
    if not isinstance(answer, dict) or answer.get("hookStatus") not in known:
        raise DrydockError(f"it returned no valid hookStatus but {text[:200]}")
    return answer
