"""Action plugin: start a release and show how it gets on until it is complete."""

from __future__ import annotations

import time
from typing import Any

from ansible.utils.display import Display
from ansible_collections.drydock.ops.plugins.modules import ecs_deployment
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import LocalAction

display = Display()


class ActionModule(LocalAction):
    """Call the module of the same name until the deployment has ended one way or the other."""

    module = ecs_deployment

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        timeout = int(arguments.get("wait_timeout", 900))
        answer = self.answer(self.module, arguments)
        result.update(answer)
        host = (task_vars or {}).get("inventory_hostname", "")
        end = time.monotonic() + timeout
        shown = None
        while not answer.get("failed"):
            progress = answer.get("progress")
            if progress and progress != shown and answer.get("deployment"):
                display.display(f"  {host}: {answer['deployment']['id']}: {progress}")
                shown = progress
            if answer["finished"]:
                break
            if time.monotonic() > end:
                result.update(
                    failed=True,
                    msg=f"Deployment {answer['deployment']['id']} of {arguments['service']} "
                    "is not complete "
                    f"after {timeout} s ({progress}). It goes on; look at it with "
                    "playbooks/verify.yml, or "
                    "raise workload.wait_timeout if its tasks need longer to start.",
                )
                return result
            answer = self.answer(
                self.module,
                {**arguments, "phase": "observe", "deployment": answer["deployment"]},
            )
            # What the start said of change and difference stays; the rest is newer.
            news = (
                "finished", "progress", "deployment", "failed", "msg", "exception", "evidence",
                "runbook_evidence",
            )  # fmt: skip
            result.update({key: answer[key] for key in news if key in answer})
        return result
