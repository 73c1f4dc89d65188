"""The commander as a process, beside a stand-in for the planner."""

import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
from conftest import PATIENCE
from geometry_msgs.msg import Twist

from mbrl_ros.nodes import commander, topics
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes.messages.motion import plan_message
from mbrl_ros.nodes.messages.status import diagnostics_message, status_message
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import Plan

SPEC = load_robot("go1_like")
FIRST, SECOND = (-0.2, 0.0, 0.5), (0.3, 0.0, 0.0)
HOLD = 1.0


class Planner:
    """Publishes plans whose robot time runs as it is told; hears what is commanded."""

    def __init__(self, node):
        self.node, self.heard, self.sequence, self.now_ns = node, [], 0, 0
        self.plans = topics.publisher(node, topics.PLAN)
        self.commands = topics.publisher(node, topics.CMD_VEL)
        self.diagnostics = topics.publisher(node, topics.DIAGNOSTICS)
        topics.subscription(node, topics.CMD_VEL, lambda m: self.heard.append((m.linear.x, m.linear.y, m.angular.z)))

    def says(self, mode):
        status = status_message("/planner", "", {keys.MODE: mode})
        self.diagnostics.publish(diagnostics_message(self.now_ns, [status]))
        self.spin(0.1)

    def until_heard(self):
        """Robot time runs faster here than a busy machine connects two processes, so the first plans may be lost."""
        deadline = time.monotonic() + PATIENCE
        while not self.heard:
            assert time.monotonic() < deadline, "the commander never said a word"
            self.plan(0.02)

    def plan(self, seconds, mode="mppi"):
        self.says(mode)
        for _ in range(round(seconds / SPEC.dt)):
            plan = Plan(self.now_ns, self.sequence, 1, 0, (SPEC.dt_ns,), SPEC.stance[np.newaxis])
            self.plans.publish(plan_message(plan, SPEC))
            self.sequence += 1
            self.now_ns += SPEC.dt_ns
            self.spin(0.005)

    def spin(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            rclpy.spin_once(self.node, timeout_sec=left)

    def until_somebody_listens(self):
        deadline = time.monotonic() + PATIENCE
        while not (
            self.diagnostics.get_subscription_count()
            and self.plans.get_subscription_count()
            and self.commands.get_subscription_count() > 1
        ):
            assert time.monotonic() < deadline, "the commander never came"
            self.spin(0.05)


@pytest.fixture
def planner():
    rclpy.init()
    node = rclpy.create_node("planner")
    arguments = ["--commands=" + ";".join(",".join(map(str, c)) for c in (FIRST, SECOND)), "--hold", str(HOLD)]
    commander = subprocess.Popen([sys.executable, "-m", "mbrl_ros.nodes.commander", *arguments])
    planner = Planner(node)
    try:
        planner.until_somebody_listens()
        yield planner
    finally:
        commander.terminate()
        commander.wait(PATIENCE)
        node.destroy_node()
        rclpy.shutdown()


def test_schedule_is_driven_by_robot_time_over_and_over(planner):
    planner.until_heard()
    planner.plan(2.5 * HOLD)
    planner.spin(0.3)
    changes = [c for i, c in enumerate(planner.heard) if i == 0 or c != planner.heard[i - 1]]
    assert changes == [FIRST, SECOND, FIRST]
    assert len(planner.heard) >= 2.5 * HOLD * 8, "a command has to come more often than it times out"


@pytest.mark.parametrize("hold", ["0", "inf", "nan"])
def test_hold_that_no_command_could_be_held_for_is_refused(monkeypatch, capsys, hold):
    monkeypatch.setattr(sys, "argv", ["commander", "--commands=0.2,0,0", "--hold", hold])
    with pytest.raises(SystemExit, match="2"):
        commander.main()
    assert f"--hold {hold}: expected a number of seconds above 0" in capsys.readouterr().err


def test_nothing_is_commanded_while_the_robot_explores_or_nobody_plans(planner):
    planner.plan(1.0, mode="explore")
    planner.spin(0.3)
    assert planner.heard == []
    planner.until_heard()
    planner.spin(0.3)
    said = len(planner.heard)
    assert set(planner.heard) == {FIRST}
    planner.spin(1.0)
    assert len(planner.heard) == said


def test_commander_falls_silent_for_good_when_somebody_else_drives(planner):
    planner.until_heard()
    mine = Twist()
    mine.linear.x = 0.11
    for _ in range(5):
        planner.commands.publish(mine)
        planner.spin(0.1)
    planner.heard.clear()
    planner.plan(2.0)
    planner.spin(0.3)
    assert planner.heard == []
