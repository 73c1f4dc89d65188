"""Messages as no node of ours would send them, for every topic that a node of ours listens to."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from fuzzing import as_many, numbers, plain, some_of, whole, words
from geometry_msgs.msg import Twist, TwistStamped
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, String, UInt8MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mbrl_ros.data import transition_record
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import Action, RobotMode

seconds = st.one_of(st.integers(0, 20), st.sampled_from([-1, -(2**31), 2**31 - 1]), st.integers(-(2**31), 2**31 - 1))
nanoseconds = st.one_of(st.integers(0, 49).map(lambda n: 20_000_000 * n), st.integers(0, 2**32 - 1))
tag_values = st.one_of(st.integers(-1, 50).map(str), st.integers(-1, 50).map(str), whole.map(str), words)
NAMED = ("fall", "reset", "estop", "damp", "obey", "pause", "resume", "error", "mode", "release")


def no_zero(text: str) -> str:
    """ROS ends its texts with one."""
    return text.replace("\0", "")


@st.composite
def headed(draw, message, frame=None):
    message.header.stamp.sec, message.header.stamp.nanosec = draw(seconds), draw(nanoseconds)
    message.header.frame_id = no_zero(draw(frame if frame is not None else words))
    return message


@st.composite
def tags(draw, *keys: str, **good) -> str:
    """What a frame_id says; `good`: what a key may well say."""
    chosen = draw(some_of(keys))
    values = {key: draw(st.one_of(good[key], tag_values) if key in good else tag_values) for key in set(chosen)}
    return " ".join(f"{key}={values[key]}" for key in chosen)


@st.composite
def joint_states(draw, spec: RobotSpec) -> JointState:
    names = [no_zero(name) for name in draw(some_of(spec.joint_names))]
    message = JointState(name=names)
    message.position, message.velocity = draw(as_many(len(names))), draw(as_many(len(names)))
    return draw(headed(message))


@st.composite
def imu(draw) -> Imu:
    message = Imu()
    upright = draw(st.booleans())
    for part in ("x", "y", "z", "w"):
        setattr(message.orientation, part, float(part == "w") if upright else draw(numbers))
    for part in ("x", "y", "z"):
        setattr(message.angular_velocity, part, draw(numbers))
    return draw(headed(message))


@st.composite
def odometry(draw) -> Odometry:
    message = Odometry()
    for vector in (message.pose.pose.position, message.twist.twist.linear, message.twist.twist.angular):
        vector.x, vector.y, vector.z = draw(numbers), draw(numbers), draw(numbers)
    for part in ("x", "y", "z", "w"):
        setattr(message.pose.pose.orientation, part, draw(numbers))
    return draw(headed(message))


@st.composite
def plans(draw, spec: RobotSpec) -> JointTrajectory:
    names = [no_zero(name) for name in draw(some_of(spec.actuated_names))]
    message = JointTrajectory(joint_names=names)
    for k in range(draw(st.integers(0, 6))):
        point = JointTrajectoryPoint()
        for field in ("positions", "velocities", "effort"):
            setattr(point, field, draw(as_many(len(names))))
        point.time_from_start.sec = draw(st.one_of(st.just(0), seconds))
        point.time_from_start.nanosec = draw(st.one_of(st.just(20_000_000 * (k + 1)), nanoseconds))
        message.points.append(point)
    return draw(headed(message, tags("sequence", "model", "gait_origin_ns", "exploring")))


@st.composite
def applied(draw, spec: RobotSpec) -> JointState:
    names = [no_zero(name) for name in draw(some_of(spec.actuated_names))]
    message = JointState(name=names)
    for field in ("position", "velocity", "effort"):
        setattr(message, field, draw(as_many(len(names))))
    good = {"action": st.sampled_from([*Action]), "mode": st.sampled_from([*RobotMode])}
    return draw(headed(message, tags("plan", "model", "action", "mode", **good)))


@st.composite
def commands(draw, spec: RobotSpec) -> Float64MultiArray:
    message = Float64MultiArray(data=draw(as_many(len(spec.actuated))))
    labels = draw(st.one_of(st.just([]), some_of(spec.actuated_names)))
    message.layout.dim = [MultiArrayDimension(label=no_zero(name), size=1, stride=1) for name in labels]
    return message


@st.composite
def transitions(draw, spec: RobotSpec) -> Float64MultiArray:
    """A part is now and then of another size, missing, twice, or of odd numbers."""
    states, actions, _ = FeatureLayout(spec).transition_sizes
    sizes = dict(zip(transition_record.ARRAYS, (states, actions, states, 3), strict=True))
    sizes |= dict.fromkeys(transition_record.SCALARS + transition_record.START, 1)
    whole_numbers = st.integers(0, 1000).map(float)
    spoilt = set(draw(st.lists(st.sampled_from(list(sizes)), max_size=2)))
    message = Float64MultiArray()
    numbers_of = []
    for name in draw(st.one_of(st.just(list(sizes)), st.just(list(sizes)), some_of(sizes))):
        size = sizes.get(name, 1) + draw(st.sampled_from([0] * 40 + [1, -1]))
        kind = numbers if name in spoilt else plain if name in transition_record.ARRAYS else whole_numbers
        numbers_of += draw(st.lists(kind, min_size=max(0, size), max_size=max(0, size)))
        said = draw(st.sampled_from([0] * 40 + [1, 2**32 - 1])) or max(0, size)
        message.layout.dim.append(MultiArrayDimension(label=no_zero(name), size=said, stride=1))
    message.data = numbers_of
    return message


@st.composite
def velocity_commands(draw, stamped: bool = False) -> Twist | TwistStamped:
    twist = Twist()
    for vector in (twist.linear, twist.angular):
        vector.x, vector.y, vector.z = draw(numbers), draw(numbers), draw(numbers)
    return draw(headed(TwistStamped(twist=twist))) if stamped else twist


@st.composite
def events(draw) -> DiagnosticStatus:
    message = DiagnosticStatus(name=no_zero(draw(st.one_of(st.sampled_from(NAMED), words))))
    message.message = no_zero(draw(words))
    stamps = st.one_of(st.integers(-1, 10**10).map(str), whole.map(str), words)
    keys = draw(st.one_of(st.just(["stamp_ns"]), st.lists(st.one_of(st.just("stamp_ns"), words), max_size=3)))
    message.values = [KeyValue(key=no_zero(key), value=no_zero(draw(stamps))) for key in keys]
    return message


@st.composite
def statuses(draw) -> DiagnosticStatus:
    """Of a planner's model_status, or of a node's diagnostics."""
    kinds = st.sampled_from(["model refused ", "policy refused ", "refused ", "mode", "rung", "received", "samples"])
    keys = draw(st.lists(st.tuples(kinds, st.one_of(st.just(""), tag_values)).map("".join), max_size=4))
    message = DiagnosticStatus(name=no_zero(draw(st.one_of(st.sampled_from(["/planner", "/learner"]), words))))
    message.values = [KeyValue(key=no_zero(key), value=no_zero(draw(words))) for key in keys]
    return message


def diagnostics() -> st.SearchStrategy[DiagnosticArray]:
    return st.lists(statuses(), max_size=3).map(lambda found: DiagnosticArray(status=found))


def modes() -> st.SearchStrategy[String]:
    return st.one_of(st.sampled_from([*RobotMode]), words.map(no_zero)).map(lambda text: String(data=text))


def byte_arrays(contents) -> st.SearchStrategy[UInt8MultiArray]:
    return contents.map(lambda content: UInt8MultiArray(data=content))
