"""The ECS scheduler, stepped through whole rollouts without a container.

``World`` plays the part of the containers: what is launched starts, becomes fit or ends as
the test says, and after every step the bounds that AWS promises are checked.
"""

import itertools

import pytest

from drydock.controllers.ecs import scheduler
from drydock.controllers.ecs.model import Deployment, Service, Task
from drydock.moto.ecs import Definition

BREAKER = {"enable": True, "rollback": True}


def definition(number: int) -> Definition:
    container = {"name": "web", "image": f"web:{number}"}
    return Definition(f"arn:web:{number}", "web", True, "awsvpc", (container,), (), 256, 512)


class World:
    def __init__(self, desired: int, minimum: int = 100, maximum: int = 200, breaker=None):
        configuration = {
            "minimumHealthyPercent": minimum,
            "maximumPercent": maximum,
            "deploymentCircuitBreaker": breaker or {"enable": False, "rollback": False},
        }
        attributes = {"deploymentConfiguration": configuration, "taskDefinition": "arn:web:1"}
        self.service = Service("us-east-1", "c", "web", attributes, desired)
        self.tasks: list[Task] = []
        self.now = 1000.0
        self.broken: set[str] = set()  # task definitions whose tasks exit at once
        self.sick: set[Task] = set()  # their health check fails
        self.slow = 0  # steps from RUNNING to fit
        self.log: list[str] = []
        self.bounded = True
        self.deploy(1)

    def deploy(self, number: int, **more) -> Deployment:
        alive = [t for t in self.of(self.service.deployments[:1]) if t.alive]
        return self.service.deploy(definition(number), len(alive), **more)

    def of(self, deployments) -> list[Task]:
        return [task for task in self.tasks if task.deployment in deployments]

    @property
    def alive(self) -> list[Task]:
        return [task for task in self.tasks if task.alive]

    @property
    def fit(self) -> int:
        return sum(task.fit for task in self.tasks)

    def images(self) -> list[str]:
        return sorted(task.definition.arn for task in self.alive)

    def step(self) -> scheduler.Decision:
        """One pass of the controller, then one of the containers."""
        service = self.service
        for task in self.tasks:
            slow = task.began is None or self.now < task.began
            state = "unhealthy" if task in self.sick else "initial" if slow else "healthy"
            states = dict.fromkeys(task.targets, state)
            scheduler.judge(task, states, self.now)
            if task.stop_code == "EssentialContainerExited":
                scheduler.account(task, self.now)
        before = self.fit
        decision = scheduler.plan(service, self.tasks, self.now)
        for task, reason in decision.stop.items():
            if task.unfit:
                scheduler.account(task, self.now)
            task.stop("ServiceSchedulerInitiated", reason)
        for deployment, number in decision.launch.items():
            for _ in range(number):
                self.tasks.append(
                    Task(
                        deployment.definition, "us-east-1", "c", service=service,
                        deployment=deployment, targets=(("tg", 80),),
                        subnet=f"subnet-{len(self.tasks) % 2}",
                    )
                )  # fmt: skip
        for deployment in decision.forget:
            service.deployments.remove(deployment)
        if decision.completed:
            service.primary.become("COMPLETED", "")
            service.last_completed = service.primary
        if decision.failed:
            service.primary.become("FAILED", "")
            if decision.rollback:
                number = int(service.last_completed.definition.arn[-1])
                self.deploy(number, rollback=True)
        if self.bounded:
            lower, upper = scheduler.bounds(service)
            assert len(self.alive) <= max(upper, service.desired)
            assert self.fit >= min(lower, before), "fewer than the minimum serve"
        for task in self.tasks:
            if task.leaving:
                task.status = "STOPPED"
            elif task.alive and task.status == "PROVISIONING":
                task.status, task.began = "RUNNING", self.now + self.slow
                if task.definition.arn in self.broken:
                    self.kill(task)
        self.now += 1
        return decision

    def kill(self, task: Task) -> None:
        task.stop("EssentialContainerExited", "Essential container in task exited")
        task.status = "STOPPED"

    def until(self, condition, steps: int = 300) -> int:
        for taken in range(steps):
            if condition():
                return taken
            self.step()
        pytest.fail(f"not within {steps} steps: {self.images()} {self.service.deployments}")

    def complete(self) -> int:
        return self.until(lambda: self.service.primary.state == "COMPLETED")


def up(desired: int, *arguments, **more) -> World:
    world = World(desired, *arguments, **more)
    world.complete()
    return world


# --- rollouts ---------------------------------------------------------------------------


@pytest.mark.parametrize("desired", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(
    ("minimum", "maximum"), [(100, 200), (50, 200), (50, 100), (100, 150), (0, 100), (67, 134)]
)
def test_a_rollout_keeps_its_bounds_and_ends(desired, minimum, maximum):
    """step() checks the bounds; here: it ends, or AWS's rounding leaves it no room."""
    world = up(desired, minimum, maximum)
    lower, upper = scheduler.bounds(world.service)
    world.deploy(2)
    if upper <= desired <= lower:
        for _ in range(20):
            world.step()
        assert world.images() == ["arn:web:1"] * desired
        return
    world.complete()
    assert world.images() == ["arn:web:2"] * desired
    assert len(world.service.deployments) == 1


def test_with_room_for_all_no_old_task_goes_before_a_new_one_is_fit():
    world = up(4, 50, 200)
    world.slow = 5
    world.deploy(2)
    world.step()
    assert world.images() == ["arn:web:1"] * 4 + ["arn:web:2"] * 4


def test_without_room_half_goes_first():
    world = up(4, 50, 100)
    world.deploy(2)
    world.step()
    assert world.images() == ["arn:web:1"] * 2 + ["arn:web:2"] * 2


def test_completed_waits_until_old_tasks_have_drained():
    world = up(1)
    world.deploy(2)
    world.until(lambda: not any(t.alive for t in world.tasks if t.definition.arn == "arn:web:1"))
    old = next(t for t in world.tasks if t.definition.arn == "arn:web:1")
    old.status = "DEACTIVATING"
    decision = scheduler.plan(world.service, world.tasks, world.now)
    assert not decision.completed and not decision.forget
    old.status = "STOPPED"
    decision = scheduler.plan(world.service, world.tasks, world.now)
    assert decision.completed and len(decision.forget) == 1


def test_same_definition_again_is_a_rollout_too():
    world = up(2)
    old = set(world.alive)
    world.deploy(1)
    world.complete()
    assert not old & set(world.alive)


def test_a_service_at_zero_completes_at_once():
    world = World(0)
    decision = world.step()
    assert decision.completed and decision.steady and not world.tasks


def test_first_count_given_with_a_new_revision_starts_nothing_of_the_old():
    world = up(0)
    world.deploy(2)
    world.service.desired = 2
    world.bounded = False
    world.complete()
    assert {task.definition.arn for task in world.tasks} == {"arn:web:2"}


# --- scaling ----------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1), (3, 0), (0, 3), (5, 4)])
def test_scaling_makes_no_deployment(before, after):
    world = up(before)
    deployment = world.service.primary
    world.service.desired, world.bounded = after, False
    world.until(lambda: world.step().steady)
    assert len(world.alive) == after and world.service.deployments == [deployment]
    assert deployment.state == "COMPLETED"


def test_scaling_in_takes_from_the_fuller_zone_and_spares_the_fit():
    world = up(4)
    crowded = [task for task in world.alive if task.subnet == "subnet-0"]
    world.alive[1].subnet = "subnet-0"
    world.service.desired, world.bounded = 3, False
    decision = world.step()
    assert [task.subnet for task in decision.stop] == ["subnet-0"]
    starting = Task(
        definition(1), "us-east-1", "c", service=world.service,
        deployment=world.service.primary, targets=(("tg", 80),), subnet="subnet-9",
    )  # fmt: skip
    world.tasks.append(starting)
    assert list(world.step().stop) == [starting]
    assert crowded


@pytest.mark.parametrize("after", [1, 2, 6, 0])
def test_scaling_during_a_rollout(after):
    world = up(4)
    world.deploy(2)
    world.step()
    world.service.desired, world.bounded = after, False
    world.complete()
    assert world.images() == ["arn:web:2"] * after


def test_deleting_stops_everything():
    world = up(3)
    world.deploy(2)
    world.step()
    world.service.status, world.service.desired, world.bounded = "DRAINING", 0, False
    world.until(lambda: not world.alive)


# --- updates on updates -----------------------------------------------------------------


@pytest.mark.parametrize("steps", range(8))
def test_an_update_during_an_update_wins(steps):
    world = up(3)
    world.deploy(2)
    for _ in range(steps):
        world.step()
    last = world.deploy(3)
    world.complete()
    assert world.images() == ["arn:web:3"] * 3
    assert world.service.deployments == [last]


def test_three_updates_at_once():
    world = up(2)
    for number in (2, 3, 4):
        world.deploy(number)
        world.step()
    world.complete()
    assert world.images() == ["arn:web:4"] * 2


def test_a_superseded_update_that_cannot_start_goes_first():
    world = up(2)
    world.broken.add("arn:web:2")
    world.deploy(2)
    world.step()
    world.deploy(3)
    world.complete()
    assert world.images() == ["arn:web:3"] * 2


# --- replacement ------------------------------------------------------------------------


def test_a_killed_task_is_replaced_at_once_and_counts_no_failure():
    world = up(2)
    world.bounded = False
    world.kill(world.alive[0])
    assert list(world.step().launch.values()) == [1]
    assert world.service.primary.failed == 0
    assert world.service.primary.state == "COMPLETED"
    world.until(lambda: world.fit == 2)


def test_all_killed_are_replaced_at_once():
    world = up(3)
    world.bounded = False
    for task in world.alive:
        world.kill(task)
    assert list(world.step().launch.values()) == [3]


def test_a_user_stopped_task_is_replaced_and_counts_no_failure():
    world = up(1)
    world.bounded = False
    world.alive[0].stop("UserInitiated", "Task stopped by user")
    world.step()
    world.until(lambda: world.fit == 1)
    assert world.service.primary.failed == 0


def test_a_task_that_turned_sick_goes_when_its_replacement_is_fit():
    world = up(2)
    world.bounded = False
    sick = world.alive[0]
    world.sick.add(sick)
    assert not world.step().stop and len(world.alive) == 3
    world.until(lambda: not sick.alive)
    assert world.fit == 2
    assert sick.stopped_reason == "Task failed ELB health checks in (target-group tg)"
    world.until(lambda: len(world.alive) == 2 and world.fit == 2)


def test_a_sick_task_goes_first_where_the_maximum_leaves_no_room():
    world = up(2, 0, 100)
    world.bounded = False
    sick = world.alive[0]
    world.sick.add(sick)
    decision = world.step()
    assert list(decision.stop) == [sick] and list(decision.launch.values()) == [1]


def test_all_sick_are_not_stopped_before_one_is_replaced():
    world = up(2)
    world.bounded = False
    world.sick.update(world.alive)
    decision = world.step()
    assert not decision.stop and list(decision.launch.values()) == [2]


def test_a_sick_task_that_recovers_stays_and_the_spare_one_goes():
    world = up(1)
    world.bounded = False
    first = world.alive[0]
    world.slow = 10
    world.sick.add(first)
    world.step()
    world.sick.clear()
    world.until(lambda: len(world.alive) == 1)
    assert world.alive == [first]


def test_a_task_killed_during_a_rollout_is_replaced_by_its_own_revision():
    world = up(3)
    world.slow = 50
    world.deploy(2)
    world.step()
    world.bounded = False
    world.kill(next(t for t in world.alive if t.definition.arn == "arn:web:1"))
    world.step()
    assert world.images() == ["arn:web:1"] * 3 + ["arn:web:2"] * 3


# --- failing launches -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("desired", "failures"), [(1, 3), (2, 3), (6, 3), (7, 4), (25, 13), (400, 200), (800, 200)]
)
def test_threshold(desired, failures):
    # The pairs 25 → 13, 400 → 200 and 800 → 200 are the developer guide's own.
    assert scheduler.threshold(desired) == failures


def test_launches_are_spaced_out():
    assert [scheduler.back_off(n) for n in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]
    world = World(1)
    world.broken.add("arn:web:1")
    for _ in range(100):
        world.step()
    assert len(world.tasks) <= 9
    assert world.service.primary.state == "IN_PROGRESS"
    world.broken.clear()
    world.complete()
    assert world.service.primary.failed == 0


@pytest.mark.parametrize("desired", [1, 2, 3, 7, 10])
def test_the_breaker_trips_and_rolls_back_by_a_new_deployment(desired):
    world = up(desired, breaker=BREAKER)
    good = world.service.primary
    world.broken.add("arn:web:2")
    bad = world.deploy(2)
    world.until(lambda: bad.state == "FAILED")
    assert bad.failed >= scheduler.threshold(desired)
    assert world.fit == desired
    back = world.service.primary
    assert back not in (bad, good) and back.rollback
    seen = set()
    while back.state != "COMPLETED":
        world.step()
        seen.update(d.id for d in world.service.deployments)
        assert bad in world.service.deployments or back.state == "COMPLETED"
    assert world.images() == ["arn:web:1"] * desired
    world.step()
    assert world.service.deployments == [back]


def test_an_unhealthy_release_trips_the_breaker():
    world = up(2, breaker=BREAKER)
    bad = world.deploy(2)
    while bad.state != "FAILED":
        world.sick.update(world.of([bad]))
        world.step()
        assert world.now < 1200
    world.complete()
    assert world.images() == ["arn:web:1"] * 2


def test_the_breaker_without_rollback_leaves_the_old_serving():
    world = up(2, breaker={"enable": True, "rollback": False})
    world.broken.add("arn:web:2")
    bad = world.deploy(2)
    world.until(lambda: bad.state == "FAILED")
    launched = len(world.tasks)
    for _ in range(40):
        world.step()
    assert world.service.primary is bad and world.images() == ["arn:web:1"] * 2
    assert len(world.tasks) == launched
    world.deploy(3)
    world.complete()
    assert world.images() == ["arn:web:3"] * 2


def test_nothing_to_roll_back_to():
    world = World(2, breaker=BREAKER)
    world.broken.add("arn:web:1")
    first = world.service.primary
    world.until(lambda: first.state == "FAILED")
    for _ in range(40):
        world.step()
    assert world.service.deployments == [first] and not world.alive


def test_a_rollback_that_fails_is_not_rolled_back():
    world = up(2, breaker=BREAKER)
    world.broken.update({"arn:web:1", "arn:web:2"})
    world.deploy(2)
    world.until(lambda: world.service.primary.rollback)
    back = world.service.primary
    world.until(lambda: back.state == "FAILED")
    world.step()
    assert world.service.primary is back


def test_one_fit_task_resets_the_count():
    world = World(4, breaker=BREAKER)
    world.service.primary.failed = 2
    world.step()
    world.until(lambda: world.fit > 0)
    assert world.service.primary.failed == 0


def test_failures_after_completion_do_not_fail_the_deployment():
    world = up(1, breaker=BREAKER)
    world.bounded = False
    world.broken.add("arn:web:1")
    world.kill(world.alive[0])
    for _ in range(60):
        world.step()
    assert world.service.primary.state == "COMPLETED"
    assert world.service.primary.failed >= 3


# --- health -----------------------------------------------------------------------------


def running(**fields) -> Task:
    world = World(1)
    task = Task(definition(1), "us-east-1", "c", service=world.service,
                deployment=world.service.primary)  # fmt: skip
    task.status, task.began = "RUNNING", 0.0
    for key, value in fields.items():
        setattr(task, key, value)
    return task


TARGET = ("tg", 80)


@pytest.mark.parametrize(
    ("fields", "targets", "age", "fit", "unfit"),
    [
        ({}, {}, 0.5, False, ""),  # an image that exits at once must not pass for well
        ({}, {}, 5, True, ""),
        ({"checked": True}, {}, 5, False, ""),
        ({"checked": True, "health": "HEALTHY"}, {}, 0.5, True, ""),
        ({"checked": True, "health": "UNHEALTHY"}, {}, 5, False, "container health"),
        ({}, {TARGET: "initial"}, 99, False, ""),
        ({}, {TARGET: None}, 99, False, ""),
        ({}, {TARGET: "unused"}, 99, False, ""),
        ({}, {TARGET: "healthy"}, 0, True, ""),
        ({}, {TARGET: "unhealthy"}, 1, False, "ELB health checks in (target-group tg)"),
        ({}, {TARGET: "healthy", ("b", 1): "initial"}, 9, False, ""),
        ({"checked": True}, {TARGET: "healthy"}, 9, False, ""),
        ({"status": "PENDING"}, {}, 99, False, ""),
        ({"stop_code": "UserInitiated"}, {TARGET: "unhealthy"}, 9, False, ""),
    ],
)
def test_judge(fields, targets, age, fit, unfit):
    task = running(**fields)
    scheduler.judge(task, targets, age)
    assert task.fit is fit
    assert (unfit in task.unfit) if unfit else not task.unfit


@pytest.mark.parametrize("targets", [{}, {TARGET: "unhealthy"}])
def test_the_grace_period_delays_replacement_and_nothing_else(targets):
    task = running(health="UNKNOWN" if targets else "UNHEALTHY")
    task.service.attributes["healthCheckGracePeriodSeconds"] = 60
    scheduler.judge(task, targets, 59)
    assert not task.unfit and not task.fit
    scheduler.judge(task, targets, 60)
    assert task.unfit


def test_every_step_of_every_small_rollout_is_bounded():
    """All bounds a person may set, with every size up to five: none hangs by mistake."""
    for desired, minimum, maximum in itertools.product(
        range(1, 6), (0, 25, 50, 75, 100), (100, 125, 150, 200)
    ):
        world = up(desired, minimum, maximum)
        lower, upper = scheduler.bounds(world.service)
        if upper <= desired <= lower:
            continue
        world.deploy(2)
        world.complete()
        assert world.images() == ["arn:web:2"] * desired
