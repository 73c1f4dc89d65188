"""Who speaks on a topic that belongs to another: refused where a node of ours listens, named where a driver does."""

import os
import signal
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import rclpy
import rclpy.subscription
from graph import Graph
from planner_alone import PlannerAlone
from rclpy.serialization import serialize_message
from robot_stub import QUICK, RobotStub, prompt_robot
from test_lockstep_learner import EAGER
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from weights import numbered

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import publishers_of
from mbrl_ros.nodes.messages.learning import bytes_message, bytes_of
from mbrl_ros.nodes.messages.motion import command_message, mode_message, plan_message
from mbrl_ros.nodes.messages.status import ERROR, OK, event_of
from mbrl_ros.types import Action, Plan, RobotMode

EVIL = "/evil"
GIDS = "publisher_gid" in getattr(getattr(rclpy.subscription, "MessageInfo", None), "__annotations__", {})
says_who = pytest.mark.skipif(not GIDS, reason="this rclpy does not say which publisher a message came from")


@contextmanager
def node_of(probe, name):
    """Another node, of the process of the test."""
    node = rclpy.create_node(name, context=probe.context)
    yield node
    node.destroy_node()


@pytest.fixture
def evil(probe):
    with node_of(probe, "evil") as node:
        yield node


def gid_of(node, topic):
    (gid,) = [gid for gid, name in publishers_of(node, f"/{topic.name}").items() if name.endswith(node.get_name())]
    return gid.hex()


class Guarded(RobotStub):
    """A robot and a planner of that name around a guard, and what the guard says of itself."""

    def __init__(self, probe, spec, planner):
        super().__init__(probe, spec)
        self.node = probe.node
        probe.node.destroy_publisher(self._to["plan"])
        self._to["plan"] = topics.publisher(planner, topics.PLAN)
        self.health = probe.collect(topics.DIAGNOSTICS, lambda message: message.status[0])
        self.told = probe.collect(topics.EVENTS, event_of)
        self.plan_target = spec.stance + 0.1
        self.beside = lambda: None  # what strangers do every period

    def standing(self, joints=None):
        """As sensors say it: never twice the same."""
        state, noise = super().standing(joints), 1e-4 * np.random.default_rng(self.now_ns).standard_normal(12)
        state.base.angular_velocity_body[:] = noise[:3]
        state.base.linear_velocity_body[:] = noise[3:6]
        return replace(state, joint_position=state.joint_position + noise)

    def sample(self):
        self.beside()
        super().sample()

    def until_level(self, level, *words):
        def said():
            return self.health and self.health[-1].level == level and all(w in self.health[-1].message for w in words)

        self.until(said, f"diagnostics at {level} with {words}")

    def strangers(self):
        return [event.message for event in self.told if event.name == "stranger"]


@pytest.fixture
def start_guard(processes, tmp_path):
    prompt_robot(tmp_path)
    return lambda: processes.start("guard", f"robot:={tmp_path}/go1_like.yaml", *QUICK)


@pytest.fixture
def walking(probe, start_guard, tmp_path):
    with node_of(probe, "planner") as planner:
        stub = Guarded(probe, prompt_robot(tmp_path)[0], planner)
        stub.guard = start_guard()
        stub.applies("plans are followed", action=Action.FOLLOW)
        yield stub


def absurd_plans(stub, node):
    """What publishes plans inside the limits that nobody should follow, each as if it were newer than any other."""
    to = topics.publisher(node, topics.PLAN)
    target = np.tile(stub.spec.stance - 0.15, (4, 1))

    def publish():
        dt = stub.spec.dt_ns
        plan = Plan(stub.now_ns, stub.sequence + 1, 9, 0, tuple((1 + i) * dt for i in range(4)), target)
        to.publish(plan_message(plan, stub.spec))

    return publish


@says_who
def test_second_planner_is_never_followed_but_named_until_it_has_gone(walking, probe):
    with node_of(probe, "evil") as evil:
        walking.beside = absurd_plans(walking, evil)
        walking.until_level(ERROR, "plan: ", EVIL, gid_of(evil, topics.PLAN), "/planner")
        walking.applied.clear()
        walking.commands.clear()
        walking.until(lambda: len(walking.applied) > 50, "commands")
        assert {command.model for command in walking.applied} == {7}
        assert {command.action for command in walking.applied} == {Action.FOLLOW}
        assert all(np.allclose(command, walking.plan_target) for command in walking.commands)
        assert EVIL in walking.strangers()[-1]
        walking.beside = lambda: None
    walking.until_level(OK)
    walking.until(lambda: EVIL not in walking.strangers()[-1], "word that it has gone")
    walking.applies("plans are followed still", action=Action.FOLLOW, model=7)


@says_who
def test_stranger_does_not_take_the_place_of_a_planner_that_ended(walking, evil):
    walking.beside = absurd_plans(walking, evil)
    walking.until_level(ERROR, EVIL)
    target, walking.plan_target = walking.plan_target, None
    walking.applies("stance", action=Action.HOLD, plan_sequence=-1)
    walking.applied.clear()
    walking.until(lambda: len(walking.applied) > 50, "commands")
    assert {command.action for command in walking.applied} == {Action.HOLD}
    walking.plan_target = target
    walking.applies("plans are followed again", action=Action.FOLLOW, model=7)


@says_who
def test_planner_takes_the_word_from_a_stranger_that_was_first(probe, start_guard, tmp_path, evil):
    with node_of(probe, "planner") as planner:
        stub = Guarded(probe, prompt_robot(tmp_path)[0], planner)
        target, stub.plan_target = stub.plan_target, None
        stub.beside = absurd_plans(stub, evil)
        start_guard()
        stub.applies("stance", action=Action.HOLD)
        stub.plan_target = target
        stub.applies("plans of the planner", action=Action.FOLLOW, model=7)
        stub.applied.clear()
        stub.until(lambda: len(stub.applied) > 50, "commands")
        assert {command.model for command in stub.applied} == {7}


@says_who
def test_plan_of_megabytes_does_not_keep_the_guard_from_the_robot(walking, evil):
    """Opened, each takes 0.3 s."""
    point = JointTrajectoryPoint(positions=[0.0] * 12)
    huge = serialize_message(JointTrajectory(joint_names=list(walking.spec.actuated_names), points=[point] * 20_000))
    to, sent_ns = topics.publisher(evil, topics.PLAN), []
    at = lambda _, info: sent_ns.append(info["source_timestamp"])  # noqa: E731
    topics.subscription(walking.node, topics.APPLIED, at, raw=True)
    walking.until(lambda: len(sent_ns) > 10, "commands")
    for _ in range(8):
        to.publish(huge)
        for _ in range(20):
            walking.sample()
    walking.until_level(ERROR, "plan: ", EVIL)
    late = np.diff(sent_ns) > 200e6
    assert late.sum() < 3, "a busy machine lets it wait once or twice, not at each plan"


def test_what_is_no_message_or_too_long_a_plan_is_refused_and_ends_nobody(walking):
    point = JointTrajectoryPoint(positions=[0.0] * 12)
    walking._to["plan"].publish(serialize_message(JointTrajectory(points=[point] * 1000)))
    walking._to["plan"].publish(b"\x00\x01\x00\x00no plan at all")
    walking._to["joint_states"].publish(b"\x00\x01\x00\x00no joints")
    walking.until(lambda: int(walking.diagnostics[-1]["refused_plan_messages"]) == 2, "them to be counted")
    assert any("joint_states: " in key and "no JointState" in key for key in walking.diagnostics[-1])
    walking.applies("plans are followed still", action=Action.FOLLOW)


def test_estop_is_not_undone_by_a_word_on_robot_mode(walking, evil):
    """The last word is the guard's, whoever spoke before."""
    other = topics.publisher(evil, topics.ROBOT_MODE)
    assert walking.call(topics.ESTOP)[0]
    walking.until(lambda: walking.modes[-1] == RobotMode.DAMP, "damp")
    for _ in range(3):
        said = len(walking.modes)
        other.publish(mode_message(RobotMode.POSITION))
        walking.until(lambda said=said: RobotMode.POSITION in walking.modes[said:], "the stranger's word")
        walking.until(lambda: walking.modes[-1] == RobotMode.DAMP, "the guard's")


@pytest.mark.skipif(GIDS, reason="this rclpy says which publisher a message came from")
def test_without_gids_nobody_is_followed_while_a_stranger_is_there(walking, probe):
    with node_of(probe, "evil") as evil:
        walking.beside = absurd_plans(walking, evil)
        walking.until_level(ERROR, "plan: ", EVIL, gid_of(evil, topics.PLAN), "/planner")
        walking.applies("stance", action=Action.HOLD, plan_sequence=-1)
        walking.applied.clear()
        walking.until(lambda: len(walking.applied) > 50, "commands")
        assert {command.action for command in walking.applied} == {Action.HOLD}
        walking.beside = lambda: None
    walking.applies("plans are followed again", action=Action.FOLLOW, model=7)
    walking.until_level(OK)


def test_who_commands_the_robot_beside_the_guard_is_named(walking, probe):
    with node_of(probe, "evil") as evil:
        topic = topics.commands(walking.spec)
        name, commands = topic.name, topics.publisher(evil, topic)
        topics.publisher(evil, topics.ROBOT_MODE).publish(mode_message(RobotMode.POSITION))
        walking.beside = lambda: commands.publish(command_message(walking.spec.stance - 0.2, walking.spec))
        walking.until_level(ERROR, f"{name}: {EVIL}", gid_of(evil, topic), f"{topics.ROBOT_MODE.name}: {EVIL}")
        walking.until(lambda: name in walking.strangers()[-1] and "robot_mode" in walking.strangers()[-1], "the event")
        assert "/guard (gid" not in walking.health[-1].message, "it is no stranger to itself"
        walking.beside = lambda: None
    walking.until_level(OK)


def test_guard_that_replaces_a_killed_one_is_not_taken_for_two(walking, start_guard):
    os.kill(walking.guard.pid, signal.SIGKILL)
    walking.guard.wait()
    walking.applied.clear()
    start_guard()
    walking.applies("plans are followed", action=Action.FOLLOW)
    listed = publishers_of(walking.node, f"/{topics.commands(walking.spec).name}")
    assert set(listed.values()) == {"/guard"}  # twice as long as the killed one is listed still, as it mostly is
    said = len(walking.health)
    walking.until(lambda: len(walking.health) > said + 12, "six seconds of diagnostics")
    assert not walking.strangers()


@pytest.fixture
def planner(tmp_path, domain):
    alone = PlannerAlone(tmp_path)
    yield alone
    alone.graph.close()


@says_who
def test_model_of_a_stranger_is_refused_by_name_and_that_of_the_learner_flown(planner, evil):
    with node_of(planner.probe, "learner") as learner:
        planner.model_to = topics.publisher(learner, topics.MODEL)
        first = planner.step().model
        planner.offer(numbered(first + 1))
        assert planner.step().model == first + 1
        stranger = topics.publisher(evil, topics.MODEL)
        known = len(planner.graph.model_status)
        stranger.publish(bytes_message(numbered(first + 2)))
        planner.probe.until(lambda: planner.step() and len(planner.graph.model_status) > known, "a word about it")
        status = planner.graph.model_status[-1]
        assert status.level == ERROR and f"model: {EVIL}" in status.message
        assert gid_of(evil, topics.MODEL) in status.message
        assert planner.step().model == first + 1
        planner.offer(numbered(first + 3))
        assert planner.step().model == first + 3


@says_who
def test_learner_that_starts_again_after_a_kill_is_heard_and_is_no_stranger(tmp_path, domain):
    graph = Graph("cartpole_mpc", tmp_path, settings=EAGER, model="scratch", seed=7, lockstep=True)
    health = graph.probe.collect(topics.DIAGNOSTICS, lambda message: message.status[0])
    offers = graph.probe.collect(topics.MODEL, bytes_of)
    try:
        graph.start()
        until = lambda happened, what: graph.probe.until(happened, what, 120.0)  # noqa: E731, training takes its time
        until(lambda: int(graph.diagnostics("planner").get("model_version", 0)) >= 1, "a model")
        graph.kill("learner")
        graph.start("learner")
        assert publishers_of(graph.probe.node, f"/{topics.MODEL.name}"), "the killed one is listed still"
        known, steps = len(offers), len(graph.transitions)
        until(lambda: len(offers) > known and len(graph.transitions) > steps + 30, "what it offers, and more steps")
        assert not [status.message for status in health if "/learner" in status.message]
    finally:
        graph.close()
