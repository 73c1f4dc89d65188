"""The planner as a process: which models it flies, which commands it follows, which states it believes, its modes."""

import pickle

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from graph import Graph
from lifecycle_msgs.msg import Transition
from planner_alone import SAYS_NOTHING, PlannerAlone
from robot_stub import RobotStub
from weights import exploding, not_finite, numbered, shipped, untrained

from mbrl_ros.control.pace import SIZES
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_message
from mbrl_ros.nodes.messages.motion import command_message
from mbrl_ros.nodes.messages.status import OK, WARN, event_message, values_of
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import Event

ROBOT = load_robot("go1_like")
LAYOUT = FeatureLayout(ROBOT)


@pytest.fixture
def alone(tmp_path, domain):
    started = []

    def start(*settings, **options):
        started.append(PlannerAlone(tmp_path / str(len(started)), *settings, **options))
        return started[-1]

    yield start
    for planner in started:
        planner.close()


# Models


def test_swap_keeps_the_warm_start_and_is_told(alone):
    """The same weights under another number in mid-run change nothing but the number."""
    through, swapped = alone("seed=3"), alone("seed=3", namespace="other")
    first = shipped()[1].version
    plain = through.steps(12)
    before = swapped.steps(5)
    swapped.model_to.publish(bytes_message(numbered(first + 1)))
    swapped.probe.spin(SAYS_NOTHING)
    after = swapped.steps(7)
    for a, b in zip(plain, before + after, strict=True):
        np.testing.assert_array_equal(a.targets, b.targets)
    assert [plan.sequence for plan in before + after] == list(range(12))
    assert {plan.model for plan in before} == {first} and after[-1].model == first + 1
    assert swapped.says() == f"flying model {first + 1}"
    assert swapped.graph.said_anew("planner")["swaps"] == "1"


class Bomb:
    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def test_bytes_that_are_no_model_of_this_robot_are_refused_by_name_and_the_planner_flies_on(alone, tmp_path):
    planner = alone()
    first = shipped()[1].version
    planner.steps(2)
    good, spark = numbered(first + 1), tmp_path / "unpickled"
    bad = {
        "not a model file": np.random.default_rng(0).bytes(1000),
        "too few": b"",
        "damaged": good[:-1000],
        "not a model file:": pickle.dumps(Bomb(spark)),
        "model of robot 'cartpole'": untrained(load_robot("cartpole"), 1),
        "weight.0 that are not finite": numbered(first + 2, not_finite),
    }
    for reason, content in bad.items():
        planner.offer(content)
        assert planner.says().startswith("refused a model: ") and reason in planner.says()
        assert planner.step().model == first
    assert not spark.exists()
    refused = values_of(planner.graph.model_status[-1])
    assert "not finite" in refused[f"refused {first + 2}"] and "refused 1" not in refused
    planner.model_to.publish(bytes_message(numbered(first + 2)))  # the number was refused once and for all
    planner.probe.spin(SAYS_NOTHING)
    assert planner.steps(2)[-1].model == first
    planner.offer(numbered(first + 3))
    assert planner.step().model == first + 3


def test_model_whose_scores_are_never_finite_is_given_up_for_the_one_before(alone):
    planner = alone()
    first = shipped()[1].version
    planner.steps(2)
    planner.offer(numbered(first + 1, exploding))
    assert planner.says() == f"flying model {first + 1}"
    assert planner.step().model == first, "robot time stands until there is a plan again"
    assert f"back from model {first + 1} to {first}" in planner.says()
    assert f"refused {first + 1}" in values_of(planner.graph.model_status[-1])
    assert int(planner.graph.said_anew("planner")["no_plans"]) >= 5


def test_robot_whose_only_model_explodes_gives_it_up_and_stands(tmp_path, domain):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(numbered(1, exploding))
    graph = Graph("quadruped_mpc", tmp_path / "run", model=str(folder), learner=False)
    try:
        graph.start()
        graph.until(lambda: graph.model_status and "given up" in graph.model_status[-1].message, "the refusal")
        assert "refused 1" in values_of(graph.model_status[-1])
        graph.until(lambda: graph.applied and graph.applied[-1].action == "follow", "the guard to follow")
        assert {a.action for a in graph.applied} == {"hold", "follow"}
        assert all(np.array_equal(plan.targets, np.tile(ROBOT.stance, (4, 1))) for plan in graph.plans)
        said = graph.said_anew("planner")
        assert (said["mode"], said["model_version"]) == ("stand", "0") and int(said["no_plans"]) >= 5
        assert not [event for event in graph.events if event.name == "fall"]
    finally:
        graph.close()


# Commands


def velocity(vx, wz=0.0):
    command = Twist()
    command.linear.x, command.angular.z = vx, wz
    return command


def test_velocity_commands_are_bounded_refused_and_forgotten(alone):
    planner = alone()
    commanded = planner.probe.collect(topics.metric("commanded_vx"), lambda message: message.data)
    planner.step()

    def becomes(expected):
        commanded.clear()
        planner.probe.until(lambda: commanded and commanded[-1] == pytest.approx(expected), f"{expected} m/s")

    planner.cmd_vel_to.publish(velocity(0.4))
    becomes(0.4)
    for not_a_number in (velocity(float("nan")), velocity(0.1, float("inf"))):
        planner.cmd_vel_to.publish(not_a_number)
    planner.probe.until(lambda: planner.graph.diagnostics("planner").get("cmd_vel_refused") == "2", "the count")
    becomes(0.4)
    planner.cmd_vel_to.publish(velocity(1e300, -1e300))
    becomes(1.0)
    planner.steps(24)
    becomes(1.0)
    planner.steps(3)  # by now older than half a second of robot time
    becomes(0.0)


def test_what_is_added_to_a_command_is_told(alone):
    """The robot stands still, whatever it is told."""
    planner = alone("planner.command_timeout=60.0")
    added = planner.probe.collect(topics.metric("trim_vx"), lambda message: message.data)
    planner.step()
    planner.probe.until(lambda: added and added[-1] == 0.0, "a robot that is to stand")
    planner.cmd_vel_to.publish(velocity(0.08))
    planner.probe.spin(SAYS_NOTHING)
    planner.steps(60)
    planner.probe.until(lambda: added[-1] == pytest.approx(0.02), "a quarter more")
    said = planner.graph.said_anew("planner")
    assert float(said["trim_vx"]) == pytest.approx(0.02)
    assert float(said["trim_vy"]) == float(said["trim_wz"]) == 0.0


def in_real_time(folder, *settings, **options):
    graph = Graph("quadruped_mpc", folder, settings=settings, learner=False, **options)
    try:
        robot = RobotStub(graph.probe, ROBOT)
        graph.start("planner")
        robot.until(lambda: graph.plans, "a plan")
        yield graph, robot
        graph.all_alive()
    finally:
        graph.close()


@pytest.fixture
def real_time(tmp_path, domain):
    """A planner that stands, in real time, and a robot around it that the test plays."""
    yield from in_real_time(tmp_path, "planner.command_timeout=2.0", mode="stand", model="scratch")


@pytest.fixture
def hurried(tmp_path, domain):
    """A planner to which no plan is quick enough."""
    yield from in_real_time(tmp_path, "planner.mppi.budget=0.01", "planner.mppi.samples=1000", model="pretrained")


def test_planner_without_time_plans_with_its_fewest_rollouts_and_says_so(hurried):
    graph, robot = hurried
    plans = len(graph.plans)
    robot.until(lambda: len(graph.plans) > plans + 50, "more plans")
    said = graph.said_anew("planner")
    assert int(said["samples"]) == SIZES[0]


def test_velocity_command_does_not_age_while_the_simulation_is_paused(real_time):
    graph, robot = real_time
    commanded = graph.probe.collect(topics.metric("commanded_vx"), lambda message: message.data)
    cmd_vel = graph.probe.publisher(topics.CMD_VEL)
    graph.probe.until_connected(cmd_vel)
    cmd_vel.publish(velocity(0.4))
    robot.until(lambda: commanded and commanded[-1] == pytest.approx(0.4), "the command")
    cmd_vel.publish(velocity(0.4))  # however long a busy machine took to tell of the first one
    robot.send_event("pause")
    graph.probe.spin(0.5)  # until a busy planner has heard of it
    gaps = graph.said_anew("planner")["state_gaps"]
    graph.probe.spin(2.0)  # without the pause it would be forgotten by now
    assert graph.said_anew("planner")["state_gaps"] == gaps
    commanded.clear()
    robot.send_event("resume")
    robot.until(lambda: commanded, "a word about the command")
    assert commanded[0] == pytest.approx(0.4)
    robot.until(lambda: commanded[-1] == 0.0, "its end")


# States


def test_state_topic_that_falls_silent_is_named(real_time):
    graph, robot = real_time
    said = graph.probe.collect(topics.DIAGNOSTICS, lambda message: message.status[0])

    def named(topic):
        return said and said[-1].level == WARN and said[-1].message.endswith(f"nothing usable on {topic}")

    robot.spoil = nan_orientation
    robot.until(lambda: named("imu/data"), "the topic's name")
    assert int(values_of(said[-1])["state_gaps"]) >= 1
    robot.spoil = None
    robot.until(lambda: said[-1].level == OK, "states again")


def nan_position(joints, imu, odom):
    joints.position[3] = float("nan")


def nan_orientation(joints, imu, odom):
    imu.orientation.x = float("nan")


def nan_height(joints, imu, odom):
    odom.pose.pose.position.z = float("nan")


def missing_joint(joints, imu, odom):
    joints.name, joints.position, joints.velocity = joints.name[1:], joints.position[1:], joints.velocity[1:]


def test_state_that_cannot_be_believed_is_not_planned_from_and_named(alone):
    planner = alone()
    planner.step()
    reasons = {
        nan_position: "joint_states: position is not finite: FL_hip_joint",
        nan_orientation: "imu/data: orientation is not finite",
        nan_height: "odom: position is not finite",
        missing_joint: "joint_states: joint missing: FR_hip_joint",
    }
    for spoil, reason in reasons.items():
        planner.step_without_plan(spoil)
        said = planner.graph.said_anew("planner")
        assert any(key.startswith(reason) for key in said), said
        planner.step()


def shuffled_with_a_stranger(joints, imu, odom):
    order = np.random.default_rng(1).permutation(len(joints.name))
    joints.name = ["tail_joint", *(joints.name[i] for i in order)]
    joints.position = [9.0, *(joints.position[i] for i in order)]
    joints.velocity = [9.0, *(joints.velocity[i] for i in order)]


def test_joints_are_known_by_name_in_any_order_among_others(alone):
    planner = alone()
    for _ in range(4):
        planner.step(shuffled_with_a_stranger)
    planner.probe.until(lambda: planner.graph.transitions, "a transition")
    np.testing.assert_allclose(planner.graph.transitions[-1].state, LAYOUT.encode(planner.state()), atol=1e-6)


def test_event_without_a_time_does_no_harm(alone):
    planner = alone()
    planner.steps(2)
    message = event_message(Event("reset", planner.now_ns, ""))
    message.values.clear()
    events = planner.probe.publisher(topics.EVENTS)
    planner.probe.until_connected(events)
    events.publish(message)
    planner.probe.spin(SAYS_NOTHING)
    planner.steps(2)


# Modes


def test_mode_at_the_start_and_changed_while_running(alone):
    planner = alone(mode="stand")
    np.testing.assert_allclose(planner.step().targets, np.tile(ROBOT.stance, (4, 1)))
    assert planner.set_mode("explore").successful
    explored = planner.steps(20)[-1]
    assert explored.exploring and np.abs(explored.targets - ROBOT.stance).max() > 0.01
    assert planner.set_mode("mppi").successful
    planned = planner.step()
    assert not planned.exploring and planned.sequence == 21
    said = planner.graph.said_anew("planner")
    assert said["mode"] == "mppi" and float(said["effective_samples"]) >= 1 and said["non_finite_samples"] == "0"
    for mode, reason in (("observe", "chosen at the start"), ("dance", "mppi")):
        refused = planner.set_mode(mode)
        assert not refused.successful and reason in refused.reason
    assert planner.step().sequence == 22


def test_rollouts_too_few_for_the_members_of_the_flown_model_are_refused_while_it_runs(alone):
    planner = alone(mode="mppi")
    planner.step()
    refused = planner.set_samples(12)
    assert not refused.successful and "shared among 5 members" in refused.reason
    assert planner.set_samples(100).successful
    assert planner.step().sequence == 1


def test_mode_policy_flies_what_lies_beside_the_model_and_is_left_and_chosen_live(alone):
    planner = alone(mode="policy")
    decided = planner.steps(3)[-1]
    assert planner.graph.said_anew("planner")["mode"] == "policy"
    assert 0.001 < np.abs(decided.targets - ROBOT.stance).max() < 0.5 and not decided.exploring
    assert planner.set_mode("mppi").successful
    planner.step()
    assert planner.graph.said_anew("planner")["mode"] == "mppi"
    assert planner.set_mode("policy").successful
    assert planner.step().sequence == 4


def test_mode_policy_without_a_policy_is_refused_with_its_mend(alone):
    planner = alone(mode="stand", model="scratch")
    planner.step()
    refused = planner.set_mode("policy")
    assert not refused.successful and "mbrl distill" in refused.reason


def test_observing_planner_pairs_states_with_the_commands_of_others_and_plans_nothing(tmp_path, domain):
    graph = Graph("quadruped_mpc", tmp_path, mode="observe")
    try:
        robot, commands = RobotStub(graph.probe, ROBOT), graph.probe.publisher(topics.commands(ROBOT))
        target = ROBOT.stance + 0.1
        graph.start("planner", "learner")
        graph.probe.until_connected(commands)

        def driven():
            robot.sample()
            commands.publish(command_message(target, ROBOT))
            return len(graph.transitions) > 30

        graph.until(driven, "transitions")
        assert [t.sequence for t in graph.transitions] == list(range(len(graph.transitions)))
        for transition in graph.transitions[2:]:
            np.testing.assert_allclose(transition.action, target)
            np.testing.assert_allclose(transition.state, LAYOUT.encode(robot.standing()), atol=1e-6)
        graph.until(lambda: driven() and int(graph.diagnostics("learner").get("received", 0)) > 30, "the learner")
        assert not graph.plans and "guard" not in graph.described
    finally:
        graph.close()


def test_planner_that_is_not_active_plans_nothing_and_a_new_start_counts_anew(alone):
    planner = alone()
    planner.steps(5)
    start = planner.graph.transitions[-1].start_ns
    assert planner.change_state(Transition.TRANSITION_DEACTIVATE)
    planner.step_without_plan(lambda joints, imu, odom: None)
    assert planner.change_state(Transition.TRANSITION_ACTIVATE)
    planner.steps(5)
    last = planner.graph.transitions[-1]
    assert last.start_ns > start and last.sequence < 5
