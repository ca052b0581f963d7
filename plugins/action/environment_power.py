"""Action plugin: repeat a step of sleep or wake until it waits for nothing."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.utils.display import Display
from ansible_collections.drydock.ops.plugins.modules import environment_power
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import LocalAction

display = Display()
POLL_SECONDS = 2.0
REPEAT_SECONDS = 30  # an unchanged state is said again this often


class ActionModule(LocalAction):
    """See the documentation in plugins/modules/environment_power.py."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        timeout = int(self._task.args.get("timeout", 1800))
        begun, run = time.monotonic(), os.getppid()
        said, said_at = "", begun
        done: list[str] = []
        while True:
            answer = self.answer(environment_power, self._task.args)
            done += [one for one in answer.get("done", []) if one not in done]
            if answer.get("failed") or answer["finished"]:
                break
            now = time.monotonic()
            if answer["progress"] != said or now - said_at > REPEAT_SECONDS:
                display.display(f"  {now - begun:4.0f} s: {answer['progress']}")
                said, said_at = answer["progress"], now
            if now - begun > timeout:
                answer |= {
                    "failed": True,
                    "msg": f"Not there after {timeout} s: {answer['progress']}. What was done "
                    "stays noted; see why, "
                    "then run the playbook again, which goes on from here.",
                }
                break
            # Who was killed must not go on where the next run works by now.
            if os.getppid() != run:
                answer |= {"failed": True, "msg": "The run that this belongs to has ended."}
                break
            time.sleep(POLL_SECONDS)
        return {**result, **answer, "changed": bool(done) or answer.get("changed", False)} | {
            "done": done,
            "evidence": [*done, *answer.get("kept", [])],
        }
