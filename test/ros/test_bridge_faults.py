"""Faults asked for by parameter, as a running bridge shows them on its topics."""

import numpy as np
import pytest
from asking import ask
from driven_bridge import DT, SPEC, Driven, drive, target
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import stamp_of
from mbrl_ros.nodes.messages.status import WARN, values_of
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS


class Faulty(Driven):
    def __init__(self, processes, probe, *parameters, **options):
        super().__init__(processes, probe, *parameters, **options)
        self._set = probe.node.create_client(SetParameters, "bridge/set_parameters")
        self._get = probe.node.create_client(GetParameters, "bridge/get_parameters")

    def ask(self, text):
        """What `ros2 param set /bridge faults <text>` says."""
        request = SetParameters.Request(parameters=[Parameter("faults", value=text).to_parameter_msg()])
        return ask(self.probe.until, self._set, request, "set_parameters").results[0]

    @property
    def asked(self):
        request = GetParameters.Request(names=["faults"])
        return ask(self.probe.until, self._get, request, "get_parameters").values[0].string_value

    @property
    def told(self):
        return [event.message for event in self.named("fault")]

    @property
    def health(self):
        """The next that it says of itself."""
        self.diagnostics.clear()
        self.probe.until(lambda: len(self.diagnostics) > 1, "diagnostics")
        return self.diagnostics[-1]

    def until_told(self, *messages):
        self.probe.until(lambda: self.told == list(messages), f"the events {messages}")


@pytest.fixture
def driven(processes, probe):
    return Faulty(processes, probe, "noise:=false")


@pytest.fixture
def lockstep(processes, probe):
    return Faulty(processes, probe, "noise:=false", "lockstep:=true")


def test_a_frozen_imu_freezes_orientation_and_rates_alone_and_ends_by_itself(driven):
    drive(driven)
    assert driven.ask("freeze topic=imu/data duration=0.5").successful
    driven.until_told("begin freeze")
    begun = driven.named("fault")[0].stamp_ns
    driven.for_robot_time(0.4, target(SPEC.stance - 0.1))
    frozen = [state for state in driven.states if begun < state.stamp_ns < begun + 0.3 * NS]
    assert len(frozen) > 1
    assert len({state.base.orientation_wxyz.tobytes() for state in frozen}) == 1
    assert len({state.base.angular_velocity_body.tobytes() for state in frozen}) == 1
    for moving in ("position", "linear_velocity_body"):
        assert len({getattr(state.base, moving).tobytes() for state in frozen}) == len(frozen)
    assert len({state.joint_position.tobytes() for state in frozen}) == len(frozen)
    driven.until_told("begin freeze", "end freeze")
    assert driven.named("fault")[1].stamp_ns - begun == pytest.approx(0.5 * NS, abs=0.01 * NS)


def test_a_weak_joint_gives_way_is_named_and_is_whole_again_once_cleared(driven):
    drive(driven)
    calf = SPEC.joint_names.index("FR_calf_joint")
    whole = driven.state.joint_position[calf]
    assert driven.ask("joint_weak joint=FR_calf_joint size=0.2").successful
    driven.for_robot_time(0.5, target(SPEC.stance))
    assert abs(driven.state.joint_position[calf] - whole) > 0.1
    assert driven.health.level == WARN and "joint_weak joint=FR_calf_joint size=0.2" in driven.health.message
    driven.for_robot_time(0.1, target(SPEC.stance))
    assert driven.asked == "joint_weak joint=FR_calf_joint size=0.2"
    assert driven.probe.call(topics.CLEAR_FAULTS).success
    assert driven.asked == ""
    driven.until_told("begin joint_weak", "end joint_weak")
    driven.probe.call(topics.RESET_WORLD)
    driven.for_robot_time(0.5, target(SPEC.stance))
    assert driven.state.joint_position[calf] == pytest.approx(whole, abs=0.03)
    assert values_of(driven.health)["faults"] == "none"


def test_numbers_that_are_none_are_published_and_complete_states_stay_away(driven):
    messages = driven.probe.collect(topics.JOINT_STATES)
    assert driven.ask("nan topic=joint_states duration=0.5").successful
    driven.until_told("begin nan", "end nan")
    assert any(np.isnan(message.position).all() and np.isnan(message.velocity).all() for message in messages)
    begin, end = (event.stamp_ns for event in driven.named("fault"))
    driven.until_robot_time(end + NS // 10)
    assert not [state for state in driven.states if begin < state.stamp_ns < end]


def test_lost_late_repeated_and_disordered_messages(driven):
    odom = driven.probe.collect(topics.ODOM, lambda message: stamp_of(message.header.stamp))
    imu = driven.probe.collect(topics.IMU, lambda message: stamp_of(message.header.stamp))
    joints = driven.probe.collect(topics.JOINT_STATES, lambda message: stamp_of(message.header.stamp))

    def after_a_second_of(faults):
        """When it had begun."""
        assert driven.ask(faults).successful
        driven.probe.spin(0.1)
        begun = joints[-1]
        driven.probe.until(lambda: joints[-1] > begun + NS, "a second of joint states")
        return begun

    after_a_second_of("delay topic=odom size=0.4; duplicate topic=imu/data")
    assert odom[-1] <= joints[-1] - 0.3 * NS, "late"
    assert len(set(imu)) < 0.9 * len(imu), "twice"
    begun = after_a_second_of("drop topic=odom; reorder topic=imu/data")
    assert not [stamp for stamp in odom if begun + 0.1 * NS < stamp < joints[-1]], "lost"
    assert (np.diff(imu) < 0).any(), "disordered"
    assert (np.diff(joints) > 0).all(), "the others are well"


def test_commands_that_a_fault_breaks_are_refused_as_any_and_the_robot_damps(driven):
    drive(driven)
    assert driven.ask("nan topic=commands joint=FR_hip_joint").successful
    driven.probe.until(lambda: driven.command(target(SPEC.stance)) or driven.named("damp"), "damping")
    driven.probe.until(lambda: int(values_of(driven.health)["refused_messages"]) > 0, "the count")
    assert driven.ask("").successful
    driven.for_robot_time(0.3, target(SPEC.stance))
    assert driven.named("obey") and driven.process.poll() is None


def test_what_is_no_fault_is_refused_and_what_runs_goes_on(driven):
    assert driven.ask("odom_jump size=1.0").successful
    driven.until_told("begin odom_jump")
    answer = driven.ask("odom_jump size=2.0; freze topic=odom")
    assert not answer.successful and "did you mean 'freeze'?" in answer.reason
    assert driven.asked == "odom_jump size=1.0"
    driven.for_robot_time(0.2)
    assert driven.state.base.position[0] == pytest.approx(1.0, abs=0.05)
    assert driven.told == ["begin odom_jump"]


def test_the_same_faults_asked_for_again_begin_again(driven):
    for count in (1, 2):
        assert driven.ask("imu_bias size=0.5 duration=0.1").successful
        driven.until_told(*["begin imu_bias", "end imu_bias"] * count)


def test_a_clock_that_stops_and_one_that_jumps(driven):
    joints = driven.probe.collect(topics.JOINT_STATES)
    clocks = driven.probe.collect(topics.CLOCK, lambda message: stamp_of(message.clock))
    drive(driven)
    assert driven.ask("clock_stop duration=0.5").successful
    driven.until_told("begin clock_stop", "end clock_stop")
    stopped = driven.named("fault")[0].stamp_ns
    still = [message for message in joints if stamp_of(message.header.stamp) == stopped]
    assert len(still) > 10 and len({bytes(message.position) for message in still}) > 10, "only stamps stand"
    assert driven.ask("clock_jump size=100").successful
    driven.probe.until(lambda: clocks[-1] > 100 * NS, "the clock")
    driven.probe.until(lambda: driven.state.stamp_ns > 100 * NS, "the stamps")
    driven.probe.call(topics.RESET_WORLD)
    driven.probe.until(lambda: driven.named("reset"), "the event")
    assert driven.named("reset")[0].stamp_ns > 100 * NS, "by the same clock"
    assert driven.named("fault")[2].stamp_ns < 100 * NS, "by the right one"
    driven.ask("")
    driven.probe.until(lambda: clocks[-1] < 100 * NS, "the right time")


def test_faults_can_be_there_from_the_start(processes, probe):
    driven = Faulty(processes, probe, "noise:=false", "faults:=odom_jump size=3.0")
    assert driven.state.base.position[0] == pytest.approx(3.0, abs=0.05)
    driven.until_told("begin odom_jump")
    assert driven.named("fault")[0].stamp_ns == 0


def test_a_bridge_told_of_a_fault_that_is_none_ends_with_a_hint(processes):
    process = processes.start("bridge", "faults:=freze topic=odom")
    assert process.wait(30) == 1
    assert "did you mean 'freeze'?" in process.log.read_text()


def stepped(lockstep, steps):
    """So many steps, each on the stamp of the state that came last."""
    for _ in range(steps):
        last = lockstep.state.stamp_ns
        lockstep.apply(last, lockstep.spec.stance)
        lockstep.probe.until(lambda last=last: lockstep.state.stamp_ns != last, "the next state")


def test_in_lockstep_what_would_stop_robot_time_is_refused(lockstep):
    answer = lockstep.ask("drop topic=odom")
    assert not answer.successful and "run without lockstep" in answer.reason
    stepped(lockstep, 2)


def test_in_lockstep_a_lost_command_is_lost_and_time_goes_on(lockstep):
    stepped(lockstep, 3)
    assert lockstep.ask("drop topic=commands").successful
    stepped(lockstep, 5)
    lockstep.probe.until(lambda: lockstep.named("damp"), "damping")
    assert lockstep.named("damp")[0].stamp_ns == 2 * DT + 50_000_000


def test_in_lockstep_late_commands_come_between_two_states_when_the_fault_ends(lockstep):
    stepped(lockstep, 3)
    assert lockstep.ask("delay topic=commands size=5.0 duration=0.106").successful
    stepped(lockstep, 8)
    lockstep.probe.until(lambda: lockstep.named("obey"), "following again")
    assert lockstep.named("obey")[0].stamp_ns == lockstep.named("fault")[1].stamp_ns == 3 * DT + 106_000_000


def test_in_lockstep_a_clock_may_jump_both_ways(lockstep):
    stepped(lockstep, 3)
    assert lockstep.ask("clock_jump size=10").successful
    stepped(lockstep, 3)
    assert lockstep.state.stamp_ns == 10 * NS + 6 * DT
    lockstep.ask("clock_jump size=-0.05")
    stepped(lockstep, 3)
    assert lockstep.state.stamp_ns == 9 * DT - 50_000_000


def test_a_cartpole_can_fail_too(processes, probe):
    cartpole = load_robot("cartpole")
    driven = Faulty(processes, probe, "noise:=false", "robot:=cartpole", "lockstep:=true", spec=cartpole)
    assert driven.ask("joint_stuck joint=cart_joint; encoder_glitch joint=pole_joint size=0.5 share=0.5").successful
    cart, pole = [], []
    for _ in range(20):
        driven.apply(driven.state.stamp_ns, np.array([5.0]))
        last = driven.state.stamp_ns
        driven.probe.until(lambda last=last: driven.state.stamp_ns != last, "the next state")
        cart.append(driven.state.joint_position[0])
        pole.append(driven.state.joint_position[1])
    assert np.ptp(cart) < 0.03
    assert 0.4 < np.abs(np.diff(pole)).max() < 0.7
    assert "no imu/data" in driven.ask("imu_bias size=1").reason
