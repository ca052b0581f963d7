"""Why a service answers with errors or late: causes weighed from what was seen, without I/O.

Each cause is judged for itself, with what speaks for and against it. Where several hold, the
order in PRECEDENCE decides, and the reason for that order is said.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from ansible_collections.drydock.ops.plugins.module_utils.observation import (
    BUSY_WORDS,
    DEPENDENCY_WORDS,
    ERROR_SHARE,
    GROWTH,
    MIN_LINES,
    NODE_WORDS,
    Finding,
    Observation,
    Release,
    Task,
)

LIMIT_SHARE = 0.8  # of the connections a database takes; its alarm's threshold
ROOM_SHARE = 0.9  # of them that may be in use after scaling out
NEAR_PERIODS = 15  # a change this long before the errors is suspected for its time alone
BRIEF_PERIODS = 5  # a release that lived no longer is returned to only if it was measured
FAR_PERIODS = 60  # one this long before them only if the logs agree
STOPS = 3  # tasks that ended by themselves from which on a service flaps
SERVING = ("SUCCESSFUL", "IN_PROGRESS", "PENDING")

# First come those that make the others' cures useless.
PRECEDENCE = {
    "rolling_back": "ECS itself is mending; a second change would only cancel its own",
    "dependency": "new tasks need it in order to start, so no roll back and no further task "
    "helps before it serves again",
    "bad_deploy": "a new task of a revision that fails would fail as well",
    "flapping": "stopping tasks that do not stay up adds to what is wrong",
    "sick_tasks": "a task that fails takes requests away from those that serve",
    "overload": "more tasks help only where each of them serves",
}


def rolling_back(seen: Observation) -> Finding:
    """ECS's circuit breaker, or a person, is returning to an earlier revision now."""
    found = Finding("rolling_back", holds=seen.rolling_back)
    (found.pro if seen.rolling_back else found.contra).append(
        "ECS is rolling back a deployment" if seen.rolling_back else "no roll back is under way"
    )
    return found


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{share:.0f} %"


def dependency(seen: Observation) -> Finding:
    """The database is full, or what tasks ask does not serve while nothing of ours has changed."""
    found = Finding("dependency")
    share = seen.share_of(DEPENDENCY_WORDS)
    used = seen.connections / seen.limit if seen.limit else 0.0
    full = used >= LIMIT_SHARE
    if seen.limit:
        words = f"{seen.connections:.0f} of {seen.limit:.0f} database connections are in use"
        (found.pro if full else found.contra).append(words)
    if share is None:
        found.contra.append("no log says what failed requests failed of")
    else:
        words = f"{_percent(share)} of failed requests name it ({seen.most()})"
        (found.pro if share >= 50 else found.contra).append(words)
    if full:
        found.holds = (seen.failing or seen.late) and (share is None or share >= 50)
        return found
    suspect = suspected(seen)
    asked = [task for task in seen.tasks if task.lines >= MIN_LINES]
    spread = [task for task in asked if task.errors]
    if share is None or share < 80 or not seen.failing:
        return found
    if suspect and _distance(seen, suspect) <= NEAR_PERIODS:
        found.contra.append(f"it began with the deployment of {suspect.definition}")
    elif len(spread) < len(asked):
        found.contra.append(f"only {len(spread)} of {len(asked)} tasks meet it")
    elif seen.requests.grown() and (seen.share_of(BUSY_WORDS) or 0) >= 80:
        found.contra.append("requests have risen: each task's own connections are what is used up")
    else:
        found.pro.append(f"all of {len(asked)} tasks meet it and none was released just before")
        found.holds = bool(asked)
    return found


def suspected(seen: Observation) -> Release | None:
    """The newest release of another revision that was begun before it all began."""
    if seen.began is None:
        return None
    known = [release for release in seen.releases if release.status in SERVING]
    for release, before in zip(known, [*known[1:], None], strict=True):
        if release.started > seen.began + seen.period:
            continue
        if before is None or release.definition != before.definition:
            return release
    return None


def _distance(seen: Observation, release: Release) -> float:
    """Periods from the end of a release (or now, while it goes on) to where it all began."""
    done = release.finished or seen.began or seen.at
    return max(0.0, ((seen.began or seen.at) - done) / seen.period)


def good_ones(seen: Observation, bad: Release, *, proven: bool = False) -> Iterator[Release]:
    """Yield the successful releases before the bad one, of revisions that did not fail, the
    newest first.

    Args:
        proven: only those that were measured to serve well.
    """
    index = list(seen.releases).index(bad)
    blamed = {release.definition for release in seen.releases[: index + 1]} | {seen.current}
    until = bad.started
    for release in seen.releases[index + 1 :]:
        lived, until = until - release.started, release.started
        if release.status != "SUCCESSFUL" or release.definition in blamed:
            continue
        # What was replaced at once was replaced for a reason.
        brief = lived < BRIEF_PERIODS * seen.period
        if release.share is None and (proven or brief):
            continue
        if release.lacks or (release.share is not None and release.share >= ERROR_SHARE):
            blamed.add(release.definition)
            continue
        yield release


def last_good(seen: Observation, bad: Release, *, proven: bool = False) -> Release | None:
    """Return the newest of good_ones, None where there is none."""
    return next(good_ones(seen, bad, proven=proven), None)


def bad_deploy(seen: Observation) -> Finding:
    """The running revision answers with errors, or late, since it was released."""
    found = Finding("bad_deploy")
    suspect = suspected(seen)
    if suspect is None:
        found.contra.append(
            "the metrics show nothing wrong"
            if seen.began is None
            else "no release came before it: it began earlier than every known deployment"
        )
        return found
    found.release = suspect
    distance = _distance(seen, suspect)
    when = f"it began {distance:.0f} periods after {suspect.definition} was released"
    own = [task for task in seen.tasks if task.definition == suspect.definition]
    well = [task for task in own if task.share is not None and task.share < ERROR_SHARE]
    sick = [task for task in own if task.share is not None and task.share >= ERROR_SHARE]
    if distance > FAR_PERIODS:
        found.contra.append(f"{when}: too long after it")
        return found
    found.pro.append(when)
    if not seen.failing and (seen.requests.grown() or not seen.late):
        found.contra.append("there are no errors, and what is late has more requests than before")
        return found
    if well and seen.failing:
        found.contra.append(
            f"{len(well)} of its {len(own)} tasks serve without errors, so it is not the revision"
        )
        return found
    if sick:
        found.pro.append(f"all of its tasks that were asked fail ({len(sick)} of {len(own)})")
    older = [task for task in seen.tasks if task.definition != suspect.definition and task.errors]
    if older and suspect.status != "SUCCESSFUL":
        found.contra.append(f"{len(older)} tasks of the version before fail as well")
        return found
    if distance > NEAR_PERIODS and not sick:
        found.contra.append("that is not at once, and no log shows all of its tasks failing")
        return found
    later = suspect.definition != seen.current
    if later:
        found.pro.append(f"{seen.current}, released since, has not mended it")
    found.target = last_good(seen, suspect, proven=later)
    if found.target:
        found.pro.append(
            f"{found.target.definition} before it served with {_percent(found.target.share)} errors"
            if found.target.share is not None
            else f"{found.target.definition} before it was complete; how well it served is not "
            "measured any more"
        )
    else:
        found.contra.append("there is no earlier successful deployment to return to")
    found.holds = True
    return found


def flapping(seen: Observation) -> Finding:
    """Tasks do not stay up."""
    found = Finding("flapping")
    ended = [t for t in seen.stopped if t.by_itself and t.at >= seen.ago(NEAR_PERIODS)]
    up = sum(task.target in ("healthy", "") for task in seen.tasks)
    words = f"{len(ended)} tasks ended by themselves of late; {up} of {seen.desired} serve"
    found.holds = len(ended) >= STOPS and up < seen.desired
    (found.pro if found.holds else found.contra).append(words)
    if found.holds:
        reason, count = Counter(task.reason or task.code for task in ended).most_common(1)[0]
        found.pro.append(f"{count} of them: {reason}")
    return found


def _sick(seen: Observation, task: Task, others: Sequence[Task]) -> str:
    """What is wrong with one task; empty when nothing is."""
    if task.target == "unhealthy":
        return "the load balancer finds it unhealthy"
    if task.share is not None and task.share >= 50:
        return f"{task.errors} of its last {task.lines} requests failed"
    least = min((other.lines for other in others), default=0)
    # Requests are spread evenly: where others were sent many, one with next to none is hung, or
    # something before it answers in its place.
    if least >= 20 and task.lines <= 0.05 * least and task.age > 3 * seen.period:
        return f"it logged {task.lines} requests while each of the others logged {least} or more"
    return ""


def sick_tasks(seen: Observation, max_share: float = 0.5) -> Finding:
    """Some tasks are dead, hung or fail, while others of the same kind serve."""
    found = Finding("sick_tasks")
    wrong = {}
    for task in seen.tasks:
        others = [other for other in seen.tasks if other is not task]
        if words := _sick(seen, task, others):
            wrong[task.id] = words
    well = [
        task
        for task in seen.tasks
        if task.id not in wrong
        and task.target in ("healthy", "")
        and (task.share is None or task.share < ERROR_SHARE)
    ]
    most = max(1, math.floor(max_share * max(seen.desired, len(seen.tasks))))
    found.tasks = sorted(wrong)
    for name, words in sorted(wrong.items()):
        found.pro.append(f"task {name[:8]}: {words}")
    if not wrong:
        found.contra.append(f"none of {len(seen.tasks)} tasks differs from the others")
    elif not well:
        found.contra.append("no other task serves well, so it is not a fault of single tasks")
    elif len(wrong) > most:
        found.contra.append(
            f"{len(wrong)} of {len(seen.tasks)} tasks are too many for a fault of single tasks "
            f"(at most {most} are replaced in one run)"
        )
    else:
        found.pro.append(f"{len(well)} other tasks serve well")
        found.holds = True
    return found


def overload(seen: Observation) -> Finding:
    """More is asked than these tasks can serve, and they serve it without errors of their own."""
    found = Finding("overload")
    if seen.requests.factor is not None:
        words = f"{seen.requests.now:.1f} requests a second, {seen.requests.before:.1f} before"
        (found.pro if seen.requests.grown() else found.contra).append(words)
    if seen.cpu.now is not None:
        words = f"CPU at {seen.cpu.now:.0f} % of what is reserved"
        (found.pro if seen.busy else found.contra).append(words)
    if seen.latency.now is not None:
        words = f"p99 {seen.latency.now:.2f} s"
        words += f", {seen.latency.before:.2f} s before" if seen.latency.before else ""
        (found.pro if seen.late or seen.latency.grown() else found.contra).append(words)
    # A task that has no connection free is short of capacity like one that has no CPU free.
    own = 0 if (seen.share_of(BUSY_WORDS) or 0) >= 80 else seen.target_errors
    if seen.failing and own:
        found.contra.append(f"{own} errors that load does not explain")
        return found
    slow = seen.late or (seen.failing and not own)
    found.holds = (seen.requests.grown() and slow) or (seen.busy and (slow or not seen.failing))
    found.count = wanted(seen)
    if found.holds and found.count <= seen.desired:
        found.contra.append(
            f"{seen.desired} tasks run and the workload may have {seen.maximum}, or the database "
            "takes no more connections: raise the limit first"
        )
    return found


def wanted(seen: Observation) -> int:
    """Number of tasks to scale out to: at most twice as many, within the limits.

    The tasks' connections grow with them, so the database must have room for those too.
    """
    factor = min(2.0, max(GROWTH, seen.requests.factor or 0.0))
    count = min(math.ceil(seen.desired * factor), seen.maximum)
    if seen.limit and seen.connections and seen.desired:
        room = seen.limit * ROOM_SHARE
        count = min(count, math.floor(seen.desired * room / seen.connections))
    return max(count, seen.desired)


def weigh(seen: Observation, max_share: float = 0.5) -> list[Finding]:
    """Every cause judged; those that hold first, in the order of PRECEDENCE."""
    found = [
        rolling_back(seen),
        dependency(seen),
        bad_deploy(seen),
        flapping(seen),
        sick_tasks(seen, max_share),
        overload(seen),
    ]
    return sorted(found, key=lambda one: not one.holds)


def decide(seen: Observation, workload: str, command: str, max_share: float = 0.5) -> dict:
    """Return the decision as role runbook takes it, and what the mitigation needs.

    Args:
        command: how a runbook is started, up to its file: `ansible-playbook -i inventories/dev`.
    """
    findings = weigh(seen, max_share)
    chosen = findings[0] if findings[0].holds else Finding("unknown")
    because = [*chosen.pro, *(f"but {one}" for one in chosen.contra)]
    if chosen.cause == "unknown":
        because = ["no known cause explains what was seen"]
    also = [one.cause for one in findings[1:] if one.holds]
    if also:
        because.append(
            f"{' and '.join(also)} would hold too, but {chosen.cause} goes first: "
            f"{PRECEDENCE[chosen.cause]}"
        )
    because += [
        f"not {one.cause}: {'; '.join(one.contra)}"
        for one in findings
        if one.contra and not one.holds
    ]
    decision = {
        "cause": chosen.cause,
        "action": "none",
        "because": because,
        "plan": [],
        "undo": [],
        "to": "",
        "definition": "",
        "tasks": [],
        "count": seen.desired,
    }
    decision |= _measures(seen, chosen, workload, command)
    return {**decision, "to": decision["to"].rstrip(".")}


def _measures(seen: Observation, chosen: Finding, workload: str, command: str) -> dict:
    """What to do about a cause: action, plan, undo, and who goes on where nothing is done."""
    hand_over = {"action": "hand_over", "plan": ["change nothing"]}
    if chosen.cause == "rolling_back":
        return {"to": f"Wait for ECS, then run again: {command} runbooks/high-5xx.yml "
                        f"-e workload={workload}"}  # fmt: skip
    if chosen.cause == "dependency":
        if seen.limit and seen.connections >= LIMIT_SHARE * seen.limit:
            return {**hand_over, "to": f"{command} runbooks/db-connections-exhausted.yml"}
        if (seen.share_of(NODE_WORDS) or 0) >= 50:
            return {**hand_over, "to": "Solana's nodes do not serve it: "
                    "runbooks/solana-node-lagging.yml where they are away, "
                    "runbooks/rpc-overloaded.yml where they are late"}  # fmt: skip
        if not seen.limit:
            return {**hand_over, "to": f"Look at what {workload} asks ({seen.most()}): it has no "
                    "database, and no runbook knows more"}  # fmt: skip
        return {**hand_over, "to": "No runbook mends a database that does not serve: look at "
                "its status and events (aws rds describe-events --source-type db-instance), and "
                "fail over by hand if its primary hangs."}  # fmt: skip
    if chosen.cause == "flapping":
        go_on = f"{command} runbooks/ecs-tasks-flapping.yml -e workload={workload}"
        return {**hand_over, "to": go_on}
    if chosen.cause == "bad_deploy":
        return rollback(seen, chosen.target) or {
            **hand_over,
            "to": "Mend the revision and release it: ansible-playbook playbooks/deploy.yml "
            f"--limit {workload} -e deploy_revision=COMMIT",
        }
    if chosen.cause == "sick_tasks":
        return {
            "action": "restart",
            "plan": [f"stop task {name}, wait until another serves" for name in chosen.tasks],
            "undo": ["a task that was stopped is replaced by ECS; there is nothing to undo"],
            "tasks": chosen.tasks,
        }
    if chosen.cause == "overload":
        if chosen.count <= seen.desired:
            return {**hand_over, "to": f"Raise max_count of {workload} in the inventory, or the "
                    "database's size, and run playbooks/provision.yml"}  # fmt: skip
        return {
            "action": "scale",
            "plan": [f"run {chosen.count} tasks instead of {seen.desired}"],
            "undo": [f"run {seen.desired} tasks again"],
            "count": chosen.count,
        }
    return {"to": "Nothing was changed. Look at the figures above; the runbook knows no cause "
            "that explains them."}  # fmt: skip


def rollback(seen: Observation, target: Release | None) -> dict:
    """The measure that returns to a release; empty where there is none to return to."""
    if target is None:
        return {}
    return {
        "action": "rollback",
        "plan": [f"run {target.definition} instead of {seen.current}, its configuration included"],
        "undo": [f"run {seen.current} again"],
        "definition": target.definition,
    }
