"""The judge as a process, shown a run whose faults are known."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import rclpy
from conftest import PATIENCE
from geometry_msgs.msg import Twist

from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import transition_message
from mbrl_ros.nodes.messages.motion import applied_message, plan_message
from mbrl_ros.nodes.messages.state import joint_state_message, odometry_message
from mbrl_ros.nodes.messages.status import diagnostics_message, event_message, status_message
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import Action, BaseState, Command, Event, Flag, Plan, RobotMode, RobotState, Transition

SPEC = load_robot("go1_like")
DT = SPEC.dt_ns
START_NS = 1_000_000_000


class Show:
    """Publishes a walk of 50 steps a second: a sample, then what is applied, then the plan, as the real nodes do."""

    def __init__(self, node):
        self.node, self.k = node, 0
        self.truth_topic, self.command = (
            topics.publisher(node, topics.GROUND_TRUTH),
            topics.publisher(node, topics.CMD_VEL),
        )
        self.states, self.plans = topics.publisher(node, topics.JOINT_STATES), topics.publisher(node, topics.PLAN)
        self.applied, self.events = topics.publisher(node, topics.APPLIED), topics.publisher(node, topics.EVENTS)
        self.transitions = topics.publisher(node, topics.TRANSITION)
        self.diagnostics = topics.publisher(node, topics.DIAGNOSTICS)
        self.next = time.monotonic()

    def until_the_judge_listens(self):
        deadline = time.monotonic() + PATIENCE
        publishers = (self.truth_topic, self.command, self.states, self.plans, self.applied, self.diagnostics)
        while not all(p.get_subscription_count() for p in publishers):
            assert time.monotonic() < deadline, "the judge never came"
            time.sleep(0.05)
        status = status_message("/planner", "", {keys.MODE: "mppi"})
        self.diagnostics.publish(diagnostics_message(0, [status]))
        time.sleep(0.3)
        self.next = time.monotonic()

    def step(self, velocity, command, late=False, action=Action.FOLLOW, model=1):
        stamp = START_NS + self.k * DT
        base = BaseState(
            np.zeros(3), np.array([1.0, 0, 0, 0]), np.array([*velocity[:2], 0.0]), np.array([0, 0, velocity[2]])
        )
        state = RobotState(stamp, SPEC.stance, np.zeros(12), base)
        self.states.publish(joint_state_message(state, SPEC))
        self.truth_topic.publish(odometry_message(state))
        applied = Command(stamp + 100_000, SPEC.stance, RobotMode.POSITION, action, self.k - 1 - late, model)
        self.applied.publish(applied_message(applied, SPEC))
        plan = Plan(stamp, self.k, model, 0, (DT, 2 * DT), np.stack([SPEC.stance] * 2))
        self.plans.publish(plan_message(plan, SPEC))
        twist = Twist()
        twist.linear.x, twist.linear.y, twist.angular.z = command
        self.command.publish(twist)
        nothing = np.zeros(3)
        transition = Transition(nothing, nothing, nothing, nothing, 0.0, 0.0, False, Flag(0), self.k, stamp, 77, model)
        self.transitions.publish(transition_message(transition))
        self.k += 1
        self.next += SPEC.dt
        time.sleep(max(0.0, self.next - time.monotonic()))

    def steps(self, count, *how, **more):
        for _ in range(count):
            self.step(*how, **more)


@pytest.fixture
def shown(tmp_path):
    """(show, report): publish a run, then ask for the judge's report."""
    rclpy.init()
    node = rclpy.create_node("show")
    path = tmp_path / "report.json"
    judge = subprocess.Popen(
        [sys.executable, "-m", "mbrl_ros.nodes.judge", "--report", str(path)], stdout=subprocess.PIPE, text=True
    )

    def report():
        time.sleep(0.5)
        judge.terminate()
        said = [json.loads(line) for line in judge.communicate(timeout=PATIENCE)[0].splitlines()]
        assert judge.returncode == 0
        written = json.loads(path.read_text())
        assert said[-1] == {"report": written}
        return written, said[:-1]

    show = Show(node)
    try:
        show.until_the_judge_listens()
        yield show, report
    finally:
        judge.kill()
        node.destroy_node()
        rclpy.shutdown()


def test_judge_finds_every_fault_of_a_run(shown):
    show, report = shown
    show.step((0.35, 0.0, 0.1), (0.3, 0.0, 0.0), action=Action.HOLD)
    show.steps(149, (0.35, 0.0, 0.1), (0.3, 0.0, 0.0))
    show.steps(3, (0.35, 0.0, 0.1), (0.3, 0.0, 0.0), late=True)
    show.steps(50, (0.35, 0.0, 0.1), (0.3, 0.0, 0.0), model=2)
    learned = {keys.RECEIVED: 203, keys.MISSING: 0, keys.PROPOSED: 3, keys.PROMOTED: 2, keys.REFUSED: 1}
    show.diagnostics.publish(diagnostics_message(0, [status_message("learner", "", learned)]))
    for rung in ("full", "fewer", "fewer", "full"):
        status = status_message("/planner", "", {keys.MODE: "mppi", keys.RUNG: rung, keys.SAMPLES: 150})
        show.diagnostics.publish(diagnostics_message(0, [status]))
        time.sleep(0.05)
    fall = Event("fall", START_NS + show.k * DT, "tilted")
    show.events.publish(event_message(fall))
    show.events.publish(event_message(replace(fall, stamp_ns=fall.stamp_ns + DT)))  # of the guard too
    written, said = report()

    summary = written["summary"]
    assert summary["velocity_error"] == pytest.approx(0.05, abs=1e-6)
    assert summary["yaw_rate_error"] == pytest.approx(0.1, abs=1e-6)
    assert summary["falls"] == 1
    assert written["commands"][0]["command"] == [0.3, 0.0, 0.0]
    control = written["control"]
    assert 195 <= control["steps"] <= 203 and control["misses"] == 3 and control["misses_around_a_swap"] == 3
    assert control["plans_per_robot_second"] == pytest.approx(50.0, rel=0.01)
    assert written["transitions"] == {"sent_in_all": 203, "sent": 203, "received": 203, "missing": 0}
    assert written["models"] == {"versions": [1, 2], "swaps": 1, "proposed": 3, "promoted": 2, "refused": 1}
    assert [change["rung"] for change in written["rungs"]] == ["full", "fewer", "full"]
    assert all(c["node"] == "planner" and c["samples"] == 150 and c["at_s"] > 3.0 for c in written["rungs"])
    assert 0.0 < written["receipt_ms"]["p50"] < 20.0
    for by in ("received", "sent"):
        response = written["response_ms"][by]
        assert 0.0 < response["plan"]["p50"] < response["command"]["p50"], "which the next step executes"
        assert response["bare_hop_once"]["p50"] is None, "no relays were asked for"
    assert said and said[-1]["driven"] and said[-1]["reached"] == pytest.approx([0.35, 0.0, 0.1])


def test_message_that_cannot_be_read_is_counted_and_judging_goes_on(shown):
    show, report = shown
    show.plans.publish(topics.PLAN.type())
    show.step((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), action=Action.HOLD)
    show.steps(60, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    written, _ = report()
    assert sum(written["refused"].values()) == 1 and "plan" in next(iter(written["refused"]))
    assert written["control"]["steps"] > 40 and written["control"]["misses"] == 0


def test_robot_that_is_never_driven_has_no_figures(shown):
    show, report = shown
    show.steps(60, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), action=Action.DAMP)
    written, said = report()
    assert written["control"]["steps"] == 0 and written["summary"]["velocity_error"] is None
    assert not said[-1]["driven"]


def test_who_is_driven_before_a_state_is_heard_of_is_judged_from_then_on(shown):
    show, report = shown
    begun = Command(START_NS - DT, SPEC.stance, RobotMode.POSITION, Action.FOLLOW, -1, 1)
    show.applied.publish(applied_message(begun, SPEC))
    time.sleep(0.3)
    rung = {keys.MODE: "mppi", keys.SAMPLES: "50"}
    show.diagnostics.publish(diagnostics_message(0, [status_message("/planner", "", rung | {keys.RUNG: "fewer"})]))
    time.sleep(0.3)
    show.steps(30, (0.3, 0.0, 0.0), (0.3, 0.0, 0.0))
    show.diagnostics.publish(diagnostics_message(0, [status_message("/planner", "", rung | {keys.RUNG: "full"})]))
    written, _ = report()
    assert [each["rung"] for each in written["rungs"]] == ["full"]
    assert written["rungs"][0]["at_s"] > 0.3
