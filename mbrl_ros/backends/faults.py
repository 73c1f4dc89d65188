"""The faults that a simulated robot can be given: what they are called, what they take, and how a text names them.

    freeze topic=imu/data after=0.5 duration=1.0; joint_weak joint=... size=0.3

Entries are separated by semicolons. `parse` says of each what is wrong with it and what was meant. docs/safety.md has
the table: `python -m mbrl_ros.backends.faults` prints it.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import NamedTuple

from mbrl_ros.config import ConfigError, range_text, unknown_key
from mbrl_ros.robots.spec import RobotSpec

JOINT_STATES, IMU, ODOM, COMMANDS = "joint_states", "imu/data", "odom", "commands"
TOPICS = (JOINT_STATES, IMU, ODOM, COMMANDS)
OF_JOINTS = (JOINT_STATES, COMMANDS)  # the topics that have a number for each joint
WHERE = "faults"  # errors begin with it
MOST_SIZE, MOST_SECONDS, MOST_FAULTS = 1e6, 1e6, 20  # so that numbers stay finite, whatever comes together


class Number(NamedTuple):
    """What a key takes."""

    unit: str  # empty: that of what is measured, or none
    low: float | None = None
    high: float | None = None
    default: float | None = None  # none: it must be given


class Kind(NamedTuple):
    """One name of a fault."""

    does: str
    topics: tuple[str, ...] = ()  # of which one must be named
    joints: tuple[str, ...] = ()  # who must name a joint: "measured", "driven"; "" where it may be left out
    size: Number | None = None
    share: Number | None = None
    measured_on: str = ""  # the topic without which a robot cannot have it
    stops_lockstep: bool = False  # on a topic of the state nothing answers any more, and robot time stands


def of_size(unit: str = "") -> Number:
    return Number(unit, -MOST_SIZE, MOST_SIZE)


LATE = Number("s", 0.0, 10.0)
PART = Number("0 .. 1", 0.0, 1.0)
ALWAYS = Number("", 0.0, 1.0, default=1.0)
KINDS = {
    # What becomes of messages on their way
    "drop": Kind("messages are lost", TOPICS, share=ALWAYS, stops_lockstep=True),
    "delay": Kind("messages come late by `size`", TOPICS, size=LATE, stops_lockstep=True),
    "jitter": Kind("messages come late by up to `size`, in order", TOPICS, size=LATE, stops_lockstep=True),
    "duplicate": Kind("messages come twice", TOPICS, share=ALWAYS),
    "reorder": Kind("a message comes after its successor", TOPICS, share=ALWAYS, stops_lockstep=True),
    # What they say
    "freeze": Kind("the numbers stand still, the stamps go on", TOPICS),
    "nan": Kind("all numbers are NaN, or one joint's", TOPICS, ("",), share=ALWAYS, stops_lockstep=True),
    "bias": Kind("`size` is added to every number; orientations are turned by it", TOPICS, ("",), size=of_size()),
    "scale": Kind("every number but orientations is `size` times as much", TOPICS, ("",), size=of_size()),
    "encoder_glitch": Kind(
        "`size` is added to the joint's angle in some messages",
        joints=("measured",),
        size=of_size("rad"),
        share=Number("", 0.0, 1.0, default=0.1),
        measured_on=JOINT_STATES,
    ),
    "imu_bias": Kind("`size` is added to the three body rates of imu/data", size=of_size("rad/s"), measured_on=IMU),
    "odom_jump": Kind("`size` is added to x of the position on odom", size=of_size("m"), measured_on=ODOM),
    # What becomes of the robot
    "joint_dead": Kind("the joint's motor has no torque, damping included", joints=("driven",)),
    "joint_weak": Kind("the joint's motor has this share of its torque", joints=("driven",), size=PART),
    "joint_stuck": Kind("the joint holds the angle that it has, whatever it is told", joints=("driven",)),
    # What becomes of its clock
    "clock_stop": Kind("stamps and /clock stand still", stops_lockstep=True),
    "clock_jump": Kind("stamps and /clock are `size` ahead; behind, where it is negative", size=of_size("s")),
}  # fmt: skip
TIMES = dict.fromkeys(("after", "duration"), Number("s", 0.0, MOST_SECONDS, default=0.0))


@dataclass(frozen=True)
class Fault:
    """One fault as asked for. Times are s of robot time from the asking on."""

    name: str
    topic: str = ""
    joint: str = ""  # empty: all
    size: float = 0.0
    share: float = 1.0
    after: float = 0.0
    duration: float = 0.0  # 0: until cleared

    def __str__(self) -> str:
        """As it is written, without its times."""
        kind = KINDS[self.name]
        words = [self.name]
        words += [f"topic={self.topic}"] if self.topic else []
        words += [f"joint={self.joint}"] if self.joint else []
        words += [f"size={self.size:g}"] if kind.size else []
        words += [f"share={self.share:g}"] if kind.share else []
        return " ".join(words)


def parse(text: str, spec: RobotSpec, lockstep: bool = False) -> tuple[Fault, ...]:
    """The faults that `text` asks for; ConfigError for what this robot cannot be given."""
    entries = [entry.split() for entry in text.split(";") if entry.strip()]
    if len(entries) > MOST_FAULTS:
        raise ConfigError(f"{WHERE}: {len(entries)} at a time, {MOST_FAULTS} are the most")
    return tuple(_entry(entry, spec, lockstep) for entry in entries)


def _entry(words: list[str], spec: RobotSpec, lockstep: bool) -> Fault:
    name = _known(words[0], KINDS, WHERE)
    kind, where = KINDS[name], f"{WHERE}: {name}"
    if kind.measured_on and kind.measured_on not in spec.state_topics:
        raise ConfigError(f"{where}: robot {spec.name} has no {kind.measured_on}")
    given = _given(words[1:], keys_of(kind), where)
    values = {key: _number(given, key, number, where) for key, number in _numbers(kind).items()}
    if kind.topics:
        values["topic"] = _known(_needed(given, "topic", where), topics_of(kind, spec), f"{where}: topic")
    if kind.joints:
        values["joint"] = _joint(given, kind, values.get("topic", ""), spec, where)
    if lockstep and kind.stops_lockstep and values.get("topic") != COMMANDS:
        raise ConfigError(f"{where}: robot time would stop, as lockstep waits for every state; run without lockstep")
    return Fault(name, **values)


def keys_of(kind: Kind) -> tuple[str, ...]:
    """What may stand in an entry, in the order of the table."""
    own = {"topic": kind.topics, "joint": kind.joints, "size": kind.size, "share": kind.share}
    return (*(key for key, has in own.items() if has), *TIMES)


def topics_of(kind: Kind, spec: RobotSpec) -> list[str]:
    return [topic for topic in kind.topics if topic == COMMANDS or topic in spec.state_topics]


def _numbers(kind: Kind) -> dict[str, Number]:
    own = {"size": kind.size, "share": kind.share, **TIMES}
    return {key: number for key, number in own.items() if number is not None}


def _given(words: list[str], keys: tuple[str, ...], where: str) -> dict[str, str]:
    given = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not value:
            raise ConfigError(f"{where}: expected key=value, got {word!r}. Known: {', '.join(keys)}")
        if key not in keys:
            raise ConfigError(unknown_key(where, key, keys))
        if key in given:
            raise ConfigError(f"{where}: {key} stands twice")
        given[key] = value
    return given


def _needed(given: dict[str, str], key: str, where: str) -> str:
    if key not in given:
        raise ConfigError(f"{where}: missing {key}")
    return given[key]


def _number(given: dict[str, str], key: str, number: Number, where: str) -> float:
    if key not in given and number.default is not None:
        return number.default
    text = _needed(given, key, where)
    try:
        value = float(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {key}: expected a number, got {text!r}") from error
    if not math.isfinite(value):
        raise ConfigError(f"{where}: {key}: {text} is not a finite number")
    if (number.low is not None and value < number.low) or (number.high is not None and value > number.high):
        raise ConfigError(f"{where}: {key}: {text} is outside the range {range_text(number.low, number.high)}")
    return value


def _joint(given: dict[str, str], kind: Kind, topic: str, spec: RobotSpec, where: str) -> str:
    """Empty for all of a topic."""
    if "" in kind.joints:
        name = given.get("joint", "all")
        if name == "all":
            return ""
        if topic not in OF_JOINTS:
            raise ConfigError(f"{where}: {topic} has no joints; joint= goes with {' and '.join(OF_JOINTS)}")
    else:
        name = _needed(given, "joint", where)
    driven = "driven" in kind.joints or topic == COMMANDS
    if driven and name in spec.joint_names and name not in spec.actuated_names:
        raise ConfigError(f"{where}: joint: {name!r} has no motor. Known: {', '.join(spec.actuated_names)}")
    return _known(name, spec.actuated_names if driven else spec.joint_names, f"{where}: joint")


def _known(given: str, known, where: str) -> str:
    if given in known:
        return given
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"{where}: {given!r} is none of {', '.join(known)}{hint}")


def markdown_table() -> str:
    lines = ["| fault | keys | what it does |", "|---|---|---|"]
    lines += [f"| `{name}` | {', '.join(_keys_told(kind))} | {kind.does} |" for name, kind in KINDS.items()]
    return "\n".join(lines) + "\n"


def _keys_told(kind: Kind):
    if kind.topics:
        yield "`topic`"
    if kind.joints:
        yield "`joint` (all)" if "" in kind.joints else "`joint`"
    if kind.size:
        yield f"`size` {kind.size.unit}".rstrip()
    if kind.share:
        yield f"`share` ({kind.share.default:g})"


if __name__ == "__main__":
    print(markdown_table(), end="")
