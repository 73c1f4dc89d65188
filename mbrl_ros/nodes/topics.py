"""Every topic and service of the project: one table. Nodes create theirs through it; the documentation prints it.

Names are relative: a namespace puts several robots in one graph. docs/topics.md is what this file prints:

    python -m mbrl_ros.nodes.topics > docs/topics.md
"""

from __future__ import annotations

import inspect
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float32, Float64MultiArray, String, UInt8MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from mbrl_ros.nodes.messages.fields import Refused
from mbrl_ros.robots.spec import RobotSpec


def _reliable(depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def _latched(depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


QOS = {
    "sensor data": qos_profile_sensor_data,
    "best effort 1": QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
    "reliable 1": _reliable(1),
    "reliable 10": _reliable(10),
    "reliable 50": _reliable(50),
    "latched": _latched(1),
    "latched 100": _latched(100),
    "reliable, transient local 3000": _latched(3000),
}


@dataclass(frozen=True)
class Topic:
    name: str
    type: type
    qos: str  # a key of QOS
    publishers: str
    subscribers: str
    note: str = ""
    most_bytes: int = 0  # of a message that is opened, which takes long where it is long; 0: any


@dataclass(frozen=True)
class ServiceEntry:
    name: str
    type: type
    server: str
    note: str = ""


JOINT_STATES = Topic(
    "joint_states", JointState, "sensor data", "robot", "planner, guard",
    "by name, any order; a missing joint is an error; from the bridge at the larger of 100 Hz and 1/dt",
    most_bytes=32_768,
)  # fmt: skip
IMU = Topic(
    "imu/data", Imu, "sensor data", "robot", "planner, guard", "orientation and body rates; body frame", most_bytes=4096
)
ODOM = Topic(
    "odom", Odometry, "sensor data", "robot", "planner, guard", "twist in the body frame, z above the ground",
    most_bytes=4096,
)  # fmt: skip
GROUND_TRUTH = Topic(
    "ground_truth/odom", Odometry, "sensor data", "bridge", "judges",
    "frames of odom; for judging only, nothing that controls reads it",
)  # fmt: skip
CLOCK = Topic("/clock", Clock, "best effort 1", "bridge", "foreign nodes", "ours take robot time from stamps")
CMD_VEL = Topic("cmd_vel", Twist, "reliable 10", "person", "planner", "older than command_timeout counts as zero")
CMD_VEL_STAMPED = replace(CMD_VEL, type=TwistStamped, note="in place of Twist with stamped_command: true")
PLAN = Topic(
    "plan", JointTrajectory, "reliable 1", "planner", "guard",
    "joint targets from the stamp on; frame_id carries sequence, model version, gait origin, exploring",
    most_bytes=65_536,
)  # fmt: skip
COMMANDS = Topic(
    "joint_group_position_controller/commands", Float64MultiArray, "reliable 1", "guard", "robot",
    "the ros2_control forward-command convention, joint names as layout labels; name and interface from the robot file",
    most_bytes=16_384,
)  # fmt: skip
ROBOT_MODE = Topic(
    "robot_mode", String, "latched", "guard", "robot", "position, damp or off; said again twice a second",
    most_bytes=1024,
)  # fmt: skip
APPLIED = Topic(
    "applied", JointState, "reliable 50", "guard", "planner, judges; in lockstep the bridge",
    "what was sent; frame_id carries plan sequence, model version, action (follow, clip, scale, hold, sit, damp), mode",
    most_bytes=32_768,
)  # fmt: skip
EVENTS = Topic(
    "events", DiagnosticStatus, "latched 100", "bridge, guard", "all",
    "robot: reset, fall, damp, obey, pause, resume, fault, error; guard: estop, release, mode, fall,"
    " stranger; with robot time",
    most_bytes=16_384,
)  # fmt: skip
TRANSITION = Topic(
    "transition", Float64MultiArray, "reliable, transient local 3000", "planner", "learner",
    "layout dims name each part; a restarted learner gets the last minute again",
)  # fmt: skip
MODEL = Topic(
    "model", UInt8MultiArray, "latched", "learner", "planner",
    "safetensors bytes with version, layout hash and held-out error",
)  # fmt: skip
MODEL_STATUS = Topic(
    "model_status", DiagnosticStatus, "latched", "planner", "learner",
    "the versions flown, of model and policy; those refused or rolled back, and why",
)  # fmt: skip
POLICY = Topic(
    "policy", UInt8MultiArray, "latched", "learner", "planner",
    "ONNX bytes that say what they are: robot, version, model they came from, an answer to prove them by",
)  # fmt: skip
DIAGNOSTICS = Topic(
    "diagnostics",
    DiagnosticArray,
    "reliable 10",
    "all",
    "person",
    "rates, ages, misses, versions, drops, what the trim adds; 1-10 Hz",
)
METRICS = Topic("metrics/<name>", Float32, "sensor data", "all", "rqt_plot, PlotJuggler", "one number a topic, 10 Hz")
PLAN_MARKERS = Topic(
    "plan_markers", MarkerArray, "reliable 1", "planner", "rviz", "10 Hz, only while someone subscribes"
)
BARE_HOP_ONCE = Topic(
    "bare_hop/once", JointState, "reliable 1", "relay", "relay, judge", "joint_states as it came; mbrl up --bare-hops"
)
BARE_HOP_TWICE = Topic(
    "bare_hop/twice", JointState, "reliable 1", "relay", "judge", "the same through a second process"
)
ROBOT_DESCRIPTION = Topic("robot_description", String, "latched", "bridge", "rviz", "URDF")

TOPICS = (
    JOINT_STATES,
    IMU,
    ODOM,
    GROUND_TRUTH,
    CLOCK,
    CMD_VEL,
    CMD_VEL_STAMPED,
    PLAN,
    COMMANDS,
    ROBOT_MODE,
    APPLIED,
    EVENTS,
    TRANSITION,
    MODEL,
    MODEL_STATUS,
    POLICY,
    DIAGNOSTICS,
    METRICS,
    PLAN_MARKERS,
    BARE_HOP_ONCE,
    BARE_HOP_TWICE,
    ROBOT_DESCRIPTION,
)

ESTOP = ServiceEntry("estop", Trigger, "guard", "damps at once and stays so")
ESTOP_RESET = ServiceEntry("estop_reset", Trigger, "guard", "the only way out of an estop")
STAND_UP = ServiceEntry("stand_up", Trigger, "guard", "from sit or damp to stance, then follows plans again")
SIT_DOWN = ServiceEntry("sit_down", Trigger, "guard", "through stance to sit, then damps")
RESET_WORLD = ServiceEntry("reset_world", Trigger, "bridge", "stands the robot up again; robot time goes on")
SET_PAUSE = ServiceEntry("set_pause", SetBool, "bridge", "stops or continues the simulation")
STEP_SIMULATION = ServiceEntry("step_simulation", Trigger, "bridge", "one dt with the last command; lockstep only")
CLEAR_FAULTS = ServiceEntry("clear_faults", Trigger, "bridge", "ends all injected faults, as an empty `faults` does")
LOCKSTEP = ServiceEntry("lockstep", Trigger, "learner", "trains what is due, answers with sequence and version")

SERVICES = (ESTOP, ESTOP_RESET, STAND_UP, SIT_DOWN, RESET_WORLD, SET_PAUSE, STEP_SIMULATION, CLEAR_FAULTS, LOCKSTEP)


def commands(spec: RobotSpec) -> Topic:
    """The command topic of this robot."""
    return replace(COMMANDS, name=spec.command_topic)


def metric(name: str) -> Topic:
    return replace(METRICS, name=f"metrics/{name}")


def publisher(node, topic: Topic):
    return node.create_publisher(topic.type, topic.name, QOS[topic.qos])


def subscription(node, topic: Topic, callback, least_depth: int = 1, raw: bool = False, refuse=None):
    """`least_depth`: of the queue, where the topic's own is shorter.

    `raw`: `callback(content, info)` gets the message's bytes, for `opened`. Else it gets a message, and where the topic
    has `most_bytes`, `refuse(why)` those that cannot be opened; without it they are logged.
    """
    qos = copy(QOS[topic.qos])
    qos.depth = max(qos.depth, least_depth)
    if topic.most_bytes and not raw:
        callback, raw = _opening(topic, callback, refuse or partial(log_unopened, node, topic)), True
    return node.create_subscription(topic.type, topic.name, callback, qos, raw=raw)


def opened(content: bytes, topic: Topic):
    """The message. Refused where it is longer than its kind can be, or none."""
    if topic.most_bytes and len(content) > topic.most_bytes:
        raise Refused(f"a message of {len(content)} bytes is not opened, {topic.most_bytes} are the most")
    try:
        return deserialize_message(content, topic.type)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise Refused(f"{len(content)} bytes that are no {topic.type.__name__}: {error}") from error


def log_unopened(node, topic: Topic, refusal: Refused) -> None:
    node.get_logger().error(f"{topic.name}: {refusal}", throttle_duration_sec=2.0)


def _opening(topic: Topic, callback, refuse):
    """`callback` may take what the middleware says of a message beside it, as anywhere in rclpy."""
    alone = _bears_one(callback)

    def take(content: bytes, info) -> None:
        try:
            message = opened(content, topic)
        except Refused as refusal:
            refuse(refusal)
            return
        callback(message) if alone else callback(message, info)

    return take


def _bears_one(callback) -> bool:
    try:
        inspect.signature(callback).bind(object())
    except TypeError:
        return False
    return True


def service(node, entry: ServiceEntry, callback):
    """`callback() -> (success, message)`; a SetBool service passes its flag: `callback(flag)`."""

    def answer(request, response):
        arguments = (request.data,) if entry.type is SetBool else ()
        response.success, response.message = callback(*arguments)
        return response

    return node.create_service(entry.type, entry.name, answer)


def client(node, entry: ServiceEntry):
    return node.create_client(entry.type, entry.name)


def markdown_table() -> str:
    """The tables of topics and services for the documentation."""
    lines = ["| topic | type | QoS | from -> to | note |", "|---|---|---|---|---|"]
    lines += [
        f"| `{t.name}` | {_type_name(t.type)} | {t.qos} | {t.publishers} -> {t.subscribers} | {t.note} |"
        for t in TOPICS
    ]
    lines += ["", "| service | type | of | note |", "|---|---|---|---|"]
    lines += [f"| `{s.name}` | {_type_name(s.type)} | {s.server} | {s.note} |" for s in SERVICES]
    return "\n".join(lines) + "\n"


def document() -> str:
    """docs/topics.md, whole."""
    return f"""# Topics and services

Printed from mbrl_ros/nodes/topics.py by `python -m mbrl_ros.nodes.topics > docs/topics.md`; change it there. "robot" is
the bridge or a driver of real hardware. All names but `/clock` are relative, so a namespace puts several robots in one
graph. Latched topics keep their last messages for whoever comes later.

{markdown_table()}"""


def _type_name(interface: type) -> str:
    package, kind, _ = interface.__module__.split(".", 2)
    return f"{package}/{kind}/{interface.__name__}"


if __name__ == "__main__":
    print(document(), end="")
