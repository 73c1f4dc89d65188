"""Faults of the simulated robot: what each does while it runs, and that it ends without a trace."""

import numpy as np
import pytest
from fault_line import CARTPOLE, GO1, SAMPLE_NS, Line

from mbrl_ros.backends.fault_injector import FaultInjector
from mbrl_ros.backends.faults import COMMANDS, IMU, JOINT_STATES, KINDS, ODOM, parse, topics_of
from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.types import NS, RobotMode

JOINT = "FR_calf_joint"


ORIENTATION = {IMU: slice(0, 4), ODOM: slice(3, 7)}


def besides_orientation(topic, count):
    places = np.ones(count, bool)
    places[ORIENTATION.get(topic, slice(0, 0))] = False
    return places


# What each fault does. `entry` names it, with its topic; none of its numbers is a default.


def drop(entry, topic, spec):
    line = Line(f"{entry} share=0.3", spec).run(4.0)
    assert 0.6 < len(line.heard[topic]) / len(line.sent[topic]) < 0.8
    assert not line.lateness(topic).any()
    assert Line(f"{entry} share=1.0", spec).run(0.2).heard[topic] == []


def delay(entry, topic, spec):
    line = Line(f"{entry} size=0.05", spec).run(0.5)
    assert set(line.lateness(topic)) == {50_000_000}
    assert line.stamps(topic) == list(line.sent[topic])[: len(line.heard[topic])]


def jitter(entry, topic, spec):
    line = Line(f"{entry} size=0.05", spec).run(2.0)
    late = line.lateness(topic)
    assert late.min() <= 20_000_000 and 40_000_000 <= late.max() <= 50_000_000
    assert line.stamps(topic) == sorted(line.stamps(topic)), "late, but in order"


def duplicate(entry, topic, spec):
    stamps = Line(f"{entry} share=1.0", spec).run(0.1).stamps(topic)
    assert stamps[::2] == stamps[1::2] == sorted(set(stamps))
    some = Line(f"{entry} share=0.3", spec).run(4.0)
    assert 1.2 < len(some.heard[topic]) / len(some.sent[topic]) < 1.4


def reorder(entry, topic, spec):
    line = Line(f"{entry} share=1.0", spec).run(0.08)
    steps = [stamp_ns // SAMPLE_NS for stamp_ns in line.stamps(topic)]
    assert steps == [1, 0, 3, 2, 5, 4, 7, 6]
    some = Line(f"{entry} share=0.2", spec).run(2.0).stamps(topic)
    assert 0 < np.count_nonzero(np.diff(some) < 0) < 60


def freeze(entry, topic, spec):
    line = Line(entry, spec).run(0.1)
    told, meant = line.values(topic)
    assert (told == told[0]).all() and (told[0] == meant[0]).all()
    if topic != COMMANDS:
        assert line.stamps(topic) == list(line.sent[topic]), "stamps go on"


def nan(entry, topic, spec):
    told, _ = Line(entry, spec).run(0.1).values(topic)
    assert np.isnan(told).all()
    told, meant = Line(f"{entry} share=0.3", spec).run(4.0).values(topic)
    hit = np.isnan(told).any(axis=1)
    assert 0.2 < hit.mean() < 0.4 and (told[~hit] == meant[~hit]).all()


def bias(entry, topic, spec):
    told, meant = Line(f"{entry} size=0.25", spec).run(0.1).values(topic)
    plain = besides_orientation(topic, told.shape[1])
    np.testing.assert_allclose(told[:, plain], meant[:, plain] + 0.25)
    if topic in ORIENTATION:
        turned = np.einsum("ni,ni->n", told[:, ORIENTATION[topic]], meant[:, ORIENTATION[topic]])
        np.testing.assert_allclose(2 * np.arccos(turned), 0.25, atol=1e-9)


def scale(entry, topic, spec):
    told, meant = Line(f"{entry} size=-1.5", spec).run(0.1).values(topic)
    plain = besides_orientation(topic, told.shape[1])
    np.testing.assert_allclose(told[:, plain], -1.5 * meant[:, plain])
    assert (told[:, ~plain] == meant[:, ~plain]).all()


def encoder_glitch(entry, _, spec):
    joint = spec.joint_names[-1]
    told, meant = Line(f"{entry} joint={joint} size=0.4 share=0.2", spec).run(4.0).values(JOINT_STATES)
    off = told - meant
    place = len(spec.joints) - 1
    hit = np.isclose(off[:, place], 0.4)
    assert 0.13 < hit.mean() < 0.27 and not off[~hit].any()
    assert not np.delete(off, place, axis=1).any(), "one angle alone"


def imu_bias(entry, _, spec):
    line = Line(f"{entry} size=0.3", spec).run(0.1)
    told, meant = line.values(IMU)
    np.testing.assert_allclose(told - meant, [[0.0] * 4 + [0.3] * 3] * len(told), atol=1e-12)
    told, meant = line.values(ODOM)
    assert (told == meant).all()


def odom_jump(entry, _, spec):
    line = Line(f"{entry} size=-2.0", spec).run(0.1)
    told, meant = line.values(ODOM)
    np.testing.assert_allclose(told - meant, [[-2.0] + [0.0] * 12] * len(told), atol=1e-12)


def clock_stop(entry, _, spec):
    line = Line(f"{entry} after=0.1", spec).run(0.3)
    for topic in spec.state_topics:
        stamps = np.array(line.stamps(topic))
        assert (stamps == np.minimum(np.arange(30) * SAMPLE_NS, 100_000_000)).all()
        assert len(np.unique([values for _, _, values in line.heard[topic]], axis=0)) == 30, "the robot goes on"


def clock_jump(entry, _, spec):
    for size in (5.0, -0.05):
        line = Line(f"{entry} size={size} after=0.1", spec).run(0.3)
        jumps = np.array(line.stamps(JOINT_STATES)) - np.arange(30) * SAMPLE_NS
        assert set(jumps[:10]) == {0} and set(jumps[10:]) == {round(size * NS)}
    early = Line(f"{entry} size=-5.0 after=0.1", spec).run(0.3).stamps(JOINT_STATES)
    assert early[9:12] == [90_000_000, 0, SAMPLE_NS], "from 0 on, where it would lie before"


def pulled(spec, entry, mode=RobotMode.POSITION, move=0.2):
    """Torques of the motors that are told to move, under the fault and without."""
    torques = []
    for text in (entry, ""):
        robot = MujocoBackend(spec, 0, noise=False)
        FaultInjector(spec, robot, 0).set(parse(text, spec), 0)
        robot.set_mode(mode)
        robot.data.qvel[:] = 0.5
        robot.set_target(spec.stance + move)
        robot.advance(1)
        torques.append(robot.data.actuator_force.copy())
    return torques


def joint_dead(entry, _, spec):
    for mode in (RobotMode.POSITION, RobotMode.DAMP):
        under, without = pulled(spec, f"{entry} joint={spec.actuated_names[-1]}", mode)
        assert under[-1] == 0.0 and abs(without[-1]) > 0.1
        np.testing.assert_allclose(under[:-1], without[:-1])


def joint_weak(entry, _, spec):
    for mode, move in ((RobotMode.POSITION, 0.2), (RobotMode.POSITION, 20.0), (RobotMode.DAMP, 0.2)):
        under, without = pulled(spec, f"{entry} joint={spec.actuated_names[-1]} size=0.25", mode, move)
        np.testing.assert_allclose(under, [*without[:-1], 0.25 * without[-1]])
    assert abs(pulled(spec, "", RobotMode.POSITION, 20.0)[0][-1]) == spec.actuated[-1].effort, "the most it has"


def joint_stuck(entry, _, spec):
    robot = MujocoBackend(spec, 0, noise=False)
    FaultInjector(spec, robot, 0).set(parse(f"{entry} joint={spec.actuated_names[-1]}", spec), 0)
    at = spec.actuated_indices[-1]
    before = robot.truth().joint_position
    for mode in RobotMode:
        robot.set_mode(mode)
        robot.set_target(spec.stance + 0.5 * np.sign(0.1 - spec.stance))
        robot.advance(200)
        assert robot.truth().joint_position[at] == pytest.approx(before[at], abs=0.02)
    robot.hold(True)
    robot.data.qfrc_applied[robot.model.joint(spec.actuated_names[-1]).dofadr] = 3 * spec.actuated[-1].effort
    robot.advance(200)
    assert robot.truth().joint_position[at] == pytest.approx(before[at], abs=0.1), "more than its motor could hold"


EFFECTS = {
    "drop": drop,
    "delay": delay,
    "jitter": jitter,
    "duplicate": duplicate,
    "reorder": reorder,
    "freeze": freeze,
    "nan": nan,
    "bias": bias,
    "scale": scale,
    "encoder_glitch": encoder_glitch,
    "imu_bias": imu_bias,
    "odom_jump": odom_jump,
    "joint_dead": joint_dead,
    "joint_weak": joint_weak,
    "joint_stuck": joint_stuck,
    "clock_stop": clock_stop,
    "clock_jump": clock_jump,
}
POSSIBLE = [
    pytest.param(name, topic, spec, id=f"{name}-{topic}-{spec.name}" if topic else f"{name}-{spec.name}")
    for spec in (GO1, CARTPOLE)
    for name, kind in KINDS.items()
    for topic in topics_of(kind, spec) or [""]
    if not kind.measured_on or kind.measured_on in spec.state_topics
]


def test_every_fault_has_its_effect_tested():
    assert list(EFFECTS) == list(KINDS)


@pytest.mark.parametrize(("name", "topic", "spec"), POSSIBLE)
def test_effect_of(name, topic, spec):
    EFFECTS[name](f"{name} topic={topic}" if topic else name, topic, spec)


def test_every_sample_and_command_passes_as_it_is_without_faults():
    line = Line("").run(0.1)
    for topic in line.sent:
        told, meant = line.values(topic)
        assert len(told) == 10 and (told == meant).all()
    assert line.events == []


def test_a_fault_begins_and_ends_in_robot_time_and_says_so():
    line = Line("freeze topic=imu/data after=0.1 duration=0.05; imu_bias size=1.0 after=0.3").run(0.4)
    assert [(e.name, e.message, e.stamp_ns) for e in line.events] == [
        ("fault", "begin freeze", 100_000_000),
        ("fault", "end freeze", 150_000_000),
        ("fault", "begin imu_bias", 300_000_000),
    ]
    told, meant = line.values(IMU)
    assert (told != meant).any(axis=1).nonzero()[0].tolist() == [11, 12, 13, 14, *range(30, 40)]
    assert [fault.name for fault in line.injector.running] == ["imu_bias"]


def test_faults_asked_for_anew_replace_all_and_none_clears():
    line = Line("imu_bias size=1.0; freeze topic=odom; odom_jump size=1.0 after=9.0")
    events = line.injector.set(parse("imu_bias size=2.0", GO1), 5)
    assert [e.message for e in events] == ["end imu_bias", "end freeze", "begin imu_bias"]
    assert [fault.size for fault in line.injector.running] == [2.0]
    assert [e.message for e in line.injector.set((), 6)] == ["end imu_bias"]
    assert not line.injector.any


@pytest.mark.parametrize("topic", [JOINT_STATES, COMMANDS])
@pytest.mark.parametrize("fault", ["delay size=0.5", "jitter size=0.5", "reorder"])
def test_what_is_on_its_way_when_a_fault_ends_arrives_at_once_and_in_order(fault, topic):
    name, *keys = fault.split()
    line = Line(" ".join([name, f"topic={topic}", *keys, "duration=0.105"])).run(0.2)
    assert sorted(line.stamps(topic)) == list(line.sent[topic])
    after = [stamp for arrived, stamp, _ in line.heard[topic] if arrived >= 110_000_000]
    assert after == sorted(after) and after[-9:] == list(line.sent[topic])[-9:]


def test_faults_on_one_topic_add_up():
    line = Line(
        "bias topic=joint_states size=1.0; scale topic=joint_states size=2.0; delay topic=joint_states size=0.03"
    )
    told, meant = line.run(0.2).values(JOINT_STATES)
    np.testing.assert_allclose(told, 2.0 * (meant + 1.0))
    assert set(line.lateness(JOINT_STATES)) == {30_000_000}


def test_one_joint_of_a_topic_can_be_meant():
    for topic in (JOINT_STATES, COMMANDS):
        told, meant = Line(f"nan topic={topic} joint={GO1.joint_names[2]}").run(0.1).values(topic)
        hit = np.isnan(told).all(axis=0).nonzero()[0].tolist()
        assert hit == ([2, 14] if topic == JOINT_STATES else [2])
        assert np.array_equal(np.delete(told, hit, axis=1), np.delete(meant, hit, axis=1))


def test_chance_depends_on_seed_and_robot_time_alone():
    def lost(seed):
        line = Line("drop topic=odom share=0.5", seed=seed).run(0.5)
        return set(line.sent[ODOM]) - set(line.stamps(ODOM))

    assert lost(1) == lost(1) != lost(2)
    line = Line("nan topic=odom share=0.5")
    line.backend.advance(3)
    state = line.backend.measure()
    first, again = (dict(line.injector.sent(state))[ODOM] for _ in range(2))
    assert np.isnan(first.base.position).all() == np.isnan(again.base.position).all()


def test_two_faults_of_one_name_strike_apart():
    line = Line("nan topic=imu/data share=0.5; nan topic=odom share=0.5").run(2.0)
    hit = [np.isnan(line.values(topic)[0]).any(axis=1) for topic in (IMU, ODOM)]
    assert 0.3 < (hit[0] == hit[1]).mean() < 0.7


@pytest.mark.parametrize("spec", [GO1, CARTPOLE], ids=lambda spec: spec.name)
@pytest.mark.parametrize("fault", ["joint_dead", "joint_weak size=0.3", "joint_stuck"])
def test_a_joint_is_whole_again_once_its_fault_has_ended(fault, spec):
    robot = MujocoBackend(spec, 0, noise=False)

    def motors():
        parts = ("gainprm", "biasprm", "forcerange", "forcelimited")
        return np.concatenate([getattr(robot.model, f"actuator_{part}").ravel() for part in parts])

    injector = FaultInjector(spec, robot, 0)
    before = {}
    for mode in RobotMode:
        robot.set_mode(mode)
        before[mode] = motors()
    name, *keys = fault.split()
    injector.set(parse(" ".join([name, f"joint={spec.actuated_names[0]}", *keys]), spec), 0)
    assert not np.array_equal(motors(), before[RobotMode.OFF]) or fault != "joint_stuck"
    robot.set_mode(RobotMode.POSITION)
    assert not np.array_equal(motors(), before[RobotMode.POSITION])
    robot.reset()
    injector.set((), 1)
    for mode in RobotMode:
        robot.set_mode(mode)
        assert np.array_equal(motors(), before[mode])


def test_a_stuck_joint_is_stuck_where_a_reset_puts_it():
    robot = MujocoBackend(GO1, 0, noise=False)
    robot.set_target(np.tile([0.0, 1.1, -2.0], 4))
    robot.advance(200)
    robot.impair({}, [JOINT])
    robot.reset()
    robot.set_target(GO1.stance)
    stood = robot.truth().joint_position[2]
    robot.advance(200)
    assert robot.truth().joint_position[2] == pytest.approx(stood, abs=0.03)
    assert not robot.fallen()


def test_two_faults_of_one_motor_multiply():
    under, without = pulled(GO1, f"joint_weak joint={JOINT} size=0.5; joint_weak joint={JOINT} size=0.5")
    np.testing.assert_allclose(under[2], 0.25 * without[2])


def test_other_backends_refuse_what_their_joints_cannot_do():
    with pytest.raises(ValueError, match="joints of LoopbackBackend cannot fail"):
        Line(f"joint_dead joint={JOINT}")
