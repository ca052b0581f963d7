"""Why tasks don't start or don't stay up: ECS's words about stopped tasks sorted, without I/O.

Source of the words: ECS developer guide, "Stopped tasks error messages" and
"CannotPullContainer task errors".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.drydock.ops.plugins.module_utils.diagnosis import (
    FAR_PERIODS,
    NEAR_PERIODS,
    good_ones,
    rollback,
    suspected,
)
from ansible_collections.drydock.ops.plugins.module_utils.observation import (
    Finding,
    Observation,
    Release,
    Stopped,
)
from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact

ARN = re.compile(r"arn:aws[\w-]*:(?:secretsmanager|ssm):[^\s,;'\")]+")
# Cause → what ECS says, and the cure in a sentence. The first that matches is taken.
CAUSES = {
    "image": (
        r"CannotPull|manifest unknown|pull image|ImageNotFound",
        "Have the image in the registry again: playbooks/deploy.yml --limit {workload} builds and "
        "pushes the revision it is given.",
    ),
    "secret": (
        r"pull secrets|ResourceNotFoundException.*secret|invalid ssm parameters|"
        r"secrets? from (asm|ssm)",
        "Restore or create {what}, or take it out of the workload's release in the inventory; the "
        "execution role must be allowed to read it.",
    ),
    "logs": (
        r"failed to validate logger args|Cloudwatch log",
        "Restore the workload's log group: playbooks/provision.yml --limit platform.",
    ),
    "memory": (
        r"OutOfMemory|OOM",
        "Give the workload more memory in the inventory (workload.memory) and provision, or mend "
        "what uses it up.",
    ),
    "health": (
        r"health checks",
        "Look at what the health path answers in the task's log; raise health_grace_seconds if "
        "the task only needs longer to start.",
    ),
    "network": (
        r"ResourceInitializationError|network interface|timeout",
        "See that the subnets reach ECR, Secrets Manager and CloudWatch Logs (NAT or endpoints).",
    ),
    "start": (
        r"CannotStartContainer|CannotCreateContainer",
        "The image and its command do not fit: look at the entry point and the user it runs as.",
    ),
    "exit": (
        r"Essential container in task exited|exited",
        "Read the last lines of its log above; what it exits for is in its configuration or code.",
    ),
}


@dataclass(frozen=True)
class Death:
    """A stopped task with what it had to say.

    Attributes:
        stopped: when and with which of ECS's words. lived: seconds it ran; 0: never started.
        exit_code: of its essential container. words: last lines of its log, redacted.
    """

    stopped: Stopped
    lived: float = 0.0
    exit_code: int | None = None
    container_reason: str = ""
    words: Sequence[str] = ()

    @property
    def cause(self) -> str:
        text = f"{self.stopped.reason} {self.container_reason}"
        for cause, (pattern, _) in CAUSES.items():
            if re.search(pattern, text, re.I):
                # SIGKILL or SIGTERM from outside, where memory was not the reason.
                return "killed" if cause == "exit" and self.exit_code in (137, 143) else cause
        return "exit"

    @property
    def missing(self) -> str:
        """The ARN that the task could not read; empty where it names none."""
        found = ARN.search(f"{self.stopped.reason} {self.container_reason}")
        return found[0].rstrip(".:") if found else ""

    def sentence(self) -> str:
        parts = [self.stopped.reason.rstrip(".") or self.stopped.code]
        if self.container_reason and self.container_reason not in parts[0]:
            parts.append(self.container_reason.rstrip("."))
        if self.exit_code is not None:
            parts.append(f"exit code {self.exit_code}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Needs:
    """What a revision needs to start: images, ARNs of secrets, MiB of memory."""

    images: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    memory: int = 0


@dataclass
class TaskDiagnosis:
    """Cause of flapping tasks, in ECS's words and the task's own."""

    cause: str
    pro: list[str] = field(default_factory=list)
    contra: list[str] = field(default_factory=list)
    cure: str = ""
    target: Release | None = None
    tasks: list[str] = field(default_factory=list)


def shorten(line: str, most: int = 300) -> str:
    """Return a log line with what looks like a secret masked, in a readable length."""
    line = redact(line.strip())
    return line if len(line) <= most else f"{line[:most]}…"


def diagnose(
    seen: Observation,
    deaths: Sequence[Death],
    needs: dict[str, Needs],
    workload: str,
    sick: Finding,
) -> TaskDiagnosis:
    """Name why tasks of a service don't start or don't stay up, and what would help.

    Args:
        deaths: newest first. needs: of each revision in the history, by its name.
        sick: finding of diagnosis.sick_tasks on the tasks that run.
    """
    of_late = [
        death
        for death in deaths
        if death.stopped.by_itself
        and death.stopped.definition == seen.current
        and death.stopped.at >= seen.ago(FAR_PERIODS)
    ]
    if not of_late:
        if sick.holds:
            return TaskDiagnosis("hung", list(sick.pro), tasks=sick.tasks)
        none = f"no task of {seen.current} ended by itself within {FAR_PERIODS} periods"
        return TaskDiagnosis("unknown", contra=[none, *sick.contra])
    cause, count = Counter(death.cause for death in of_late).most_common(1)[0]
    # The newest of those that have said most: one that is still ending has no exit code yet.
    typical = max(
        (death for death in of_late if death.cause == cause),
        key=lambda death: (death.exit_code is not None, bool(death.words)),
    )
    found = TaskDiagnosis(cause)
    found.pro.append(f"{count} of {len(of_late)} tasks of {seen.current} that ended of late: "
                     f"{typical.sentence()}")  # fmt: skip
    found.pro += [f"its log ended with: {line}" for line in typical.words]
    if sick.holds:
        found.contra.append(f"besides, {'; '.join(sick.pro)}")
    what = typical.missing or "the secret"
    found.cure = CAUSES.get(cause, CAUSES["exit"])[1].format(workload=workload, what=what)
    if cause == "killed":
        found.cure = "Something outside of the task ended it: look for who stops tasks or hosts."
        return found
    _return_to(seen, found, typical, needs)
    return found


def _return_to(
    seen: Observation, found: TaskDiagnosis, typical: Death, needs: dict[str, Needs]
) -> None:
    """Find the newest earlier revision that would start; says why there is none."""
    up = [task for task in seen.tasks if task.definition == seen.current
          and task.target in ("healthy", "") and task.age > NEAR_PERIODS * seen.period]  # fmt: skip
    running = next((one for one in seen.releases if one.definition == seen.current), None)
    if running is None:
        found.contra.append(f"no deployment of {seen.current} is known to return from")
        return
    cannot_start = found.cause in ("image", "secret", "logs", "network", "start")
    suspect = suspected(seen)
    fresh = suspect is not None and suspect.definition == seen.current
    if not cannot_start and not fresh and up:
        found.contra.append(
            f"{len(up)} tasks of {seen.current} have long been up: it did not begin with a release"
        )
        return
    others = list(good_ones(seen, running))
    if not others:
        found.contra.append("there is no earlier deployment to return to")
        return
    for target in others:
        if not _same(found.cause, typical, needs, seen.current, target.definition):
            found.target = target
            lacks = "does not need what is missing" if cannot_start else "stayed up"
            found.pro.append(f"{target.definition} before it {lacks}")
            return
    names = ", ".join(dict.fromkeys(one.definition for one in others))
    found.contra.append(f"what was complete before it ({names}) needs the same, so it would not "
                        "start either")  # fmt: skip


def _same(cause: str, typical: Death, needs: dict[str, Needs], current: str, other: str) -> bool:
    """Whether another revision would fail of the same."""
    then, now = needs.get(other, Needs()), needs.get(current, Needs())
    return {
        "image": bool(then.images & now.images),
        "secret": any(secret.startswith(typical.missing) for secret in then.secrets),
        "logs": True,  # every revision writes to the workload's one log group
        "network": True,  # a revision has no network of its own
        "memory": then.images == now.images and then.memory == now.memory,
    }.get(cause, False)


def decide(seen: Observation, found: TaskDiagnosis) -> dict:
    """Return the decision as role runbook takes it."""
    decision = {
        "cause": found.cause,
        "action": "none" if found.cause == "unknown" else "hand_over",
        "because": [*found.pro, *(f"but {one}" for one in found.contra)],
        "plan": ["change nothing"],
        "undo": [],
        "to": (found.cure or "Look at the service's events").rstrip("."),
        "definition": "",
        "tasks": [],
        "count": seen.desired,
    }
    if seen.rolling_back:
        words = "ECS is rolling back by itself; a second change would only cancel its own"
        return {**decision, "action": "none", "because": [*found.pro, words], "plan": []}
    if found.tasks:
        return {
            **decision,
            "action": "restart",
            "plan": [f"stop task {name}, wait until another serves" for name in found.tasks],
            "undo": ["a task that was stopped is replaced by ECS; there is nothing to undo"],
            "tasks": found.tasks,
            "to": "",
        }
    return {**decision, **rollback(seen, found.target)}
