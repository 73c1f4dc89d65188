"""SIGKILL in mid-walk, in real time: the robot stays safe, and who may come back comes back."""

import os
import signal

import pytest
from graph import Graph

from mbrl_ros.nodes import convert, topics
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, Action, RobotMode

SPEC = load_robot("go1_like")
LEARNS_SOON = ("--set", "learner.first_seconds=3", "--set", "learner.every_seconds=2", "--set", "learner.steps=40")


class Watch:
    """What a probe sees of the robot."""

    def __init__(self, probe):
        self.probe = probe
        self.applied = probe.collect(topics.APPLIED, lambda message: convert.applied_of(message, SPEC))
        self.events = probe.collect(topics.EVENTS, convert.event_of)
        self.models = probe.collect(topics.MODEL_STATUS)
        self.truth = probe.collect(topics.GROUND_TRUTH, convert.base_of)
        self._diagnostics = probe.collect(topics.DIAGNOSTICS)

    def does(self, *actions):
        """Until the guard does one of these, seen from now on."""
        self.applied.clear()
        self.probe.until(lambda: self.applied and self.applied[-1].action in actions, f"the guard to {actions}", 60.0)
        return self.applied[-1]

    def walks(self):
        self.does(Action.FOLLOW, Action.CLIP)
        self.truth.clear()
        self.probe.until(lambda: self.truth, "the truth")
        begin = self.truth[0][1].position

        def moved():
            return ((self.truth[-1][1].position - begin)[:2] ** 2).sum() > 0.2**2

        self.probe.until(moved, "the robot to walk", 60.0)

    def says(self, node):
        """What the node says about itself from now on."""
        self._diagnostics.clear()
        said = lambda: [d.status[0] for d in self._diagnostics if d.status[0].name == f"/{node}"]  # noqa: E731
        self.probe.until(said, f"diagnostics of the {node}", 60.0)
        return convert.values_of(said()[-1])

    def named(self, name):
        return [event for event in self.events if event.name == name]


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def test_killed_planner_and_learner_come_back_and_the_robot_walks_on_without_a_fall(up, probe):
    run = up("--commands", "0.4,0,0", *LEARNS_SOON)
    robot = Watch(probe)
    robot.walks()

    kill(run.nodes()["planner"])
    assert robot.does(Action.HOLD).plan_sequence == -1
    run.until("planner killed by SIGKILL, starts again")
    robot.walks()

    probe.until(lambda: int(robot.says("learner")["promoted"]) >= 1, "a version learned here", 60.0)
    before = robot.says("learner")
    kill(run.nodes()["learner"])
    run.until("learner killed by SIGKILL, starts again")
    after = robot.says("learner")
    probe.until(lambda: int(robot.says("learner")["received"]) >= int(before["received"]) / 2, "the data", 60.0)
    assert int(after["version"]) >= int(before["version"])
    probe.until(lambda: int(robot.says("learner")["promoted"]) >= 1, "it to learn on", 60.0)
    robot.walks()
    assert not robot.named("fall")
    assert run.end(signal.SIGINT)[0] == 1


@pytest.fixture
def standing(tmp_path, domain):
    graph = Graph("quadruped_mpc", tmp_path, model="scratch", mode="stand", learner=False)
    graph.start()
    yield graph
    graph.close()


def follows(graph):
    graph.applied.clear()
    graph.until(lambda: graph.applied and graph.applied[-1].action == Action.FOLLOW, "plans to be followed")


def damps(graph):
    graph.applied.clear()
    graph.until(lambda: graph.applied and graph.applied[-1].mode == RobotMode.DAMP, "the guard to damp")


def test_guard_notices_a_killed_bridge_and_another_joins_by_hand(standing):
    graph = standing
    follows(graph)
    graph.kill("bridge")
    damps(graph)
    assert "state lost" in [event.message for event in graph.events if event.name == "mode"][-1]
    graph.start("bridge")
    graph.probe.spin(1.0)
    assert graph.applied[-1].mode == RobotMode.DAMP, "it waits for a person"
    graph.until(lambda: graph.probe.call(topics.STAND_UP).success, "stand_up")
    follows(graph)


def test_bridge_without_its_guard_damps_by_itself_and_another_guard_waits_for_stand_up(standing):
    graph = standing
    follows(graph)
    graph.kill("guard")
    graph.probe.spin(0.1)
    last = graph.applied[-1].stamp_ns

    def damped_after():  # s; a busy machine may have made it damp before
        events = [convert.event_of(event) for event in graph.events if event.name == "damp"]
        return [(event.stamp_ns - last) / NS for event in events if event.stamp_ns > last]

    graph.until(damped_after, "the bridge to damp")
    assert 0.04 < damped_after()[0] < 0.2
    graph.start("guard")
    damps(graph)
    graph.probe.spin(1.0)
    assert {command.mode for command in graph.applied[-20:]} == {RobotMode.DAMP}
    graph.until(lambda: graph.probe.call(topics.STAND_UP).success, "stand_up")
    follows(graph)
    assert not [event for event in graph.events if event.name == "error"]
