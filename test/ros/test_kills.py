"""SIGKILL in mid-walk, in real time: the robot stays safe, and who may come back comes back."""

import os
import signal

import pytest
from graph import Graph

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.motion import applied_of
from mbrl_ros.nodes.messages.state import base_of
from mbrl_ros.nodes.messages.status import event_of, values_of
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, Action, RobotMode

SPEC = load_robot("go1_like")
# The shipped model is hard to beat: a candidate that is not much worse is promoted here too.
LEARNS_SOON = (
    "--set", "learner.first_seconds=3", "learner.every_seconds=2", "learner.steps=40", "learner.tolerance=3",
)  # fmt: skip


class Watch:
    """What a probe sees of the robot."""

    def __init__(self, probe):
        self.probe = probe
        self.applied = probe.collect(topics.APPLIED, lambda message: applied_of(message, SPEC))
        self.events = probe.collect(topics.EVENTS, event_of)
        self.models = probe.collect(topics.MODEL_STATUS)
        self.truth = probe.collect(topics.GROUND_TRUTH, base_of)
        self._diagnostics = probe.collect(topics.DIAGNOSTICS)

    def does(self, *actions):
        """Until the guard does one of these, seen from now on."""
        self.applied.clear()
        self.probe.until(lambda: self.applied and self.applied[-1].action in actions, f"the guard to {actions}", 60.0)

    def stands_by_itself(self):
        """Until the guard holds a target of its own, and not one between it and a plan's."""
        self.applied.clear()

        def own():
            return self.applied and (self.applied[-1].action, self.applied[-1].plan_sequence) == (Action.HOLD, -1)

        self.probe.until(own, "the guard to hold stance", 60.0)

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
        return values_of(said()[-1])

    def named(self, name):
        return [event for event in self.events if event.name == name]


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def test_killed_planner_and_learner_come_back_and_the_robot_walks_on_without_a_fall(up, probe):
    run = up("--commands", "0.4,0,0", *LEARNS_SOON)
    robot = Watch(probe)
    robot.walks()

    kill(run.nodes()["planner"])
    robot.stands_by_itself()
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
    yield from started(tmp_path)


@pytest.fixture
def balancing(tmp_path, domain):
    """A robot that needs no stance: nothing but being told so keeps its guard from moving it at once."""
    settings = ("planner.learning=false", "planner.mppi.samples=100")
    yield from started(tmp_path, *settings, run="cartpole_mpc", model="pretrained", mode="mppi")


@pytest.fixture
def patient(tmp_path, domain):
    """Its guard takes the state for lost only after seconds."""
    yield from started(tmp_path, "guard.blend=2.0")


def started(folder, *settings, run="quadruped_mpc", model="scratch", mode="stand"):
    graph = Graph(run, folder, settings=settings, model=model, mode=mode, learner=False)
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


def test_guard_that_stood_still_lets_a_robot_that_damped_itself_fade_in_from_where_it_is(patient):
    graph = patient
    follows(graph)
    since = graph.applied[-1].stamp_ns  # a busy machine may have made it damp before
    graph.running["guard"].send_signal(signal.SIGSTOP)
    graph.probe.spin(0.3)
    graph.running["guard"].send_signal(signal.SIGCONT)
    told = lambda: [event_of(event) for event in graph.events]  # noqa: E731
    said = lambda name: [event for event in told() if event.name == name and event.stamp_ns >= since]  # noqa: E731
    faded_in = lambda: [event for event in said("mode") if event.message.endswith("driver damped")]  # noqa: E731
    graph.until(faded_in, "the guard to fade in")
    damp, obey = said("damp")[-1], said("obey")[-1]
    assert obey.stamp_ns - damp.stamp_ns > 0.1 * NS
    follows(graph)
    assert not said("fall")


def test_bridge_without_its_guard_damps_by_itself_and_another_guard_waits_for_stand_up(standing):
    graph = standing
    follows(graph)
    graph.kill("guard")
    graph.probe.spin(0.1)
    last = graph.applied[-1].stamp_ns

    def damped_after():  # s; a busy machine may have made it damp before
        events = [event_of(event) for event in graph.events if event.name == "damp"]
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


def test_estopped_robot_whose_guard_dies_is_not_moved_by_the_next_until_a_person_asks(balancing):
    graph = balancing
    follows(graph)
    assert graph.probe.call(topics.ESTOP).success
    off = lambda: graph.applied and graph.applied[-1].mode == RobotMode.OFF  # noqa: E731
    graph.until(off, "the guard to switch off")
    graph.probe.spin(0.5)  # it goes on telling the driver so
    graph.kill("guard")
    graph.until(lambda: any(event.name == "damp" for event in graph.events), "the driver to miss its commands")
    graph.applied.clear()
    graph.start("guard")
    graph.until(off, "another guard")
    graph.probe.spin(1.0)
    assert {command.mode for command in graph.applied} == {RobotMode.OFF}
    graph.until(lambda: graph.probe.call(topics.STAND_UP).success, "stand_up")
    follows(graph)
