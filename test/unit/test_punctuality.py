import pytest

from mbrl_ros.control.punctuality import Punctuality
from mbrl_ros.types import Action

MS = 1_000_000
DT = 20 * MS


class Robot:
    """Steps of 20 ms with a plan each and two things applied a step, as a guard at 100 Hz says them."""

    def __init__(self, delay=1):
        self.judge = Punctuality(DT, delay)
        self.delay = delay
        self.k = 0

    def step(self, late=False, action=Action.FOLLOW, named=None):
        start = self.k * DT
        self.judge.plan(self.k, start)
        if named is None:
            named = self.k - self.delay - late if action in (Action.FOLLOW, Action.CLIP) else -1
        for offset in (MS // 10, 10 * MS):
            self.judge.applied(start + offset, named, action)
        self.k += 1

    def steps(self, count, **how):
        for _ in range(count):
            self.step(**how)
        return self


@pytest.fixture
def walking():
    """A robot whose next steps are all judged."""
    robot = Robot()
    robot.judge.plan(-1, -DT)
    robot.steps(3)
    return robot


def counted(robot, count, **how):
    """Steps and misses that these steps add; the last step is closed by one more."""
    robot.step()
    steps, misses = robot.judge.steps, robot.judge.misses
    robot.steps(count, **how).steps(1)
    return robot.judge.steps - steps - 1, robot.judge.misses - misses


def test_step_with_the_plan_that_the_delay_allows_is_no_miss(walking):
    assert counted(walking, 20) == (20, 0)


def test_step_that_names_an_older_plan_is_a_miss(walking):
    assert counted(walking, 3, late=True) == (3, 3)


def test_stance_without_any_plan_is_a_miss(walking):
    assert counted(walking, 4, action=Action.HOLD)[1] == 4


def test_step_of_which_the_guard_says_nothing_is_a_miss(walking):
    walking.step()
    steps, misses = walking.judge.steps, walking.judge.misses
    walking.k += 2
    walking.judge.plan(walking.k - 1, (walking.k - 1) * DT)
    walking.steps(2)
    assert (walking.judge.steps - steps, walking.judge.misses - misses) == (4, 2)


def test_late_for_half_a_step_is_late():
    robot = Robot()
    robot.steps(3)
    start = robot.k * DT
    robot.judge.plan(robot.k, start)
    robot.judge.applied(start + MS // 10, robot.k - 2, Action.FOLLOW)
    robot.judge.applied(start + 3 * MS, robot.k - 1, Action.FOLLOW)
    robot.k += 1
    misses = robot.judge.misses
    robot.steps(2)
    assert robot.judge.misses == misses + 1


def test_without_delay_a_plan_may_replace_the_one_before_within_the_step():
    judge = Punctuality(DT, 0)
    for k in range(10):
        judge.plan(k, k * DT)
        judge.applied(k * DT + MS // 10, k - 1, Action.FOLLOW)
        judge.applied(k * DT + MS, k, Action.FOLLOW)
    assert judge.steps > 5 and judge.misses == 0


def test_fade_in_at_the_start_is_not_judged():
    robot = Robot().steps(10, action=Action.HOLD, named=0)
    assert robot.judge.steps == 0 and not robot.judge.judging
    assert counted(robot, 5) == (5, 0)


def test_fade_in_after_lost_plans_is_judged_by_the_plan_it_names(walking):
    assert counted(walking, 4, action=Action.HOLD)[1] == 4
    misses = walking.judge.misses
    for _ in range(10):
        walking.step(action=Action.HOLD, named=walking.k - 1)
    assert walking.judge.misses == misses
    for _ in range(10):
        walking.step(action=Action.HOLD, named=walking.k - 2)
    walking.step()
    assert walking.judge.misses == misses + 10


@pytest.mark.parametrize("action", [Action.SIT, Action.DAMP])
def test_robot_that_sits_or_damps_is_not_judged(walking, action):
    assert counted(walking, 5, action=action)[1] == 0


@pytest.mark.parametrize("event", ["fall", "reset", "estop"])
def test_after_a_fall_nothing_is_judged_until_the_robot_is_driven_again(walking, event):
    walking.step()
    misses = walking.judge.misses
    walking.judge.event(event)
    walking.steps(10, action=Action.HOLD)
    assert walking.judge.misses == misses
    assert counted(walking, 5, late=True) == (5, 5)


def test_what_others_announce_does_not_stop_the_judging(walking):
    walking.judge.event("mode")
    assert counted(walking, 5, late=True) == (5, 5)


def test_robot_counts_as_driven_from_its_first_followed_plan():
    robot = Robot()
    robot.steps(5, action=Action.HOLD)
    assert robot.judge.driven_since is None
    robot.step()
    assert robot.judge.driven_since == 5 * DT + MS // 10


def test_plan_that_the_guard_has_before_the_judge_is_not_old(walking):
    walking.step()
    misses = walking.judge.misses
    for _ in range(3):  # what is applied is heard before the plan that it names
        walking.judge.applied(walking.k * DT + MS, walking.k, Action.FOLLOW)
        walking.judge.plan(walking.k, walking.k * DT)
        walking.k += 1
    walking.steps(2)
    assert walking.judge.misses == misses
