"""What each node of a run has to be allowed: the SROS2 policy, from one table.

    python -m mbrl_ros.nodes.rights [--namespace /robot1] > policy.xml

prints config/sros2/policy.xml, or one for robots in a namespace. Everything that stands nowhere here is denied. How to
use it: docs/security.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from xml.etree import ElementTree

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.topics import ServiceEntry, Topic
from mbrl_ros.paths import share
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.stack import enclave, normalised_namespace

STATE = (topics.JOINT_STATES, topics.IMU, topics.ODOM)
COMMANDED = (topics.COMMANDS, topics.ROBOT_MODE)
SAID = (topics.METRICS, topics.DIAGNOSTICS)
STANDING = (topics.ESTOP, topics.ESTOP_RESET, topics.STAND_UP, topics.SIT_DOWN)
SIMULATED = (topics.RESET_WORLD, topics.SET_PAUSE, topics.STEP_SIMULATION, topics.CLEAR_FAULTS)

# What rclpy gives to every node: its log, its parameters, its types.
EVERY_NODE_PUBLISHES = ("/rosout", "/parameter_events")
PARAMETERS = (
    "describe_parameters", "get_parameter_types", "get_parameters", "list_parameters", "set_parameters",
    "set_parameters_atomically", "get_type_description",
)  # fmt: skip
LIFECYCLE = ("change_state", "get_state", "get_available_states", "get_available_transitions", "get_transition_graph")
TRANSITION_EVENT = "transition_event"


@dataclass(frozen=True)
class Rights:
    """Of the nodes of one process; where `nodes` is empty, of one by the name of the process."""

    nodes: tuple[str, ...] = ()
    publishes: tuple[Topic, ...] = ()
    subscribes: tuple[Topic, ...] = ()
    serves: tuple[ServiceEntry, ...] = ()
    calls: tuple[ServiceEntry, ...] = ()
    managed: bool = False  # lifecycle nodes
    asks_of: tuple[str, ...] = ()  # nodes whose parameters and lifecycle it may look at and change


RIGHTS = {
    "planner": Rights(
        publishes=(topics.PLAN, topics.TRANSITION, topics.MODEL_STATUS, topics.PLAN_MARKERS, *SAID),
        # commands: in mode observe; diagnostics: does a learner live?
        subscribes=(
            *STATE, topics.EVENTS, topics.MODEL, topics.POLICY, topics.APPLIED, topics.CMD_VEL, topics.COMMANDS,
            topics.DIAGNOSTICS,
        ),
        calls=(topics.LOCKSTEP,),
        managed=True,
    ),
    "learner": Rights(
        publishes=(topics.MODEL, topics.POLICY, *SAID),
        subscribes=(topics.TRANSITION, topics.MODEL_STATUS),
        serves=(topics.LOCKSTEP,),
        managed=True,
    ),
    "guard": Rights(
        publishes=(*COMMANDED, topics.APPLIED, topics.EVENTS, *SAID),
        subscribes=(*STATE, topics.PLAN, topics.EVENTS, *COMMANDED),  # its own topics: for who else speaks there
        serves=STANDING,
        managed=True,
    ),
    "bridge": Rights(
        publishes=(
            *STATE, topics.GROUND_TRUTH, topics.CLOCK, topics.EVENTS, topics.ROBOT_DESCRIPTION, *SAID,
        ),
        subscribes=(topics.APPLIED, *COMMANDED, topics.JOINT_STATES),  # the last: is there a second robot?
        serves=SIMULATED,
    ),
    # Of a real robot, in place of the bridge. What it is called and needs beside, its own documentation says.
    "driver": Rights(publishes=(*STATE, topics.EVENTS, topics.DIAGNOSTICS), subscribes=COMMANDED),
    "judge": Rights(
        subscribes=(
            *STATE, topics.PLAN, topics.APPLIED, topics.EVENTS, topics.TRANSITION, topics.DIAGNOSTICS, topics.CMD_VEL,
            topics.GROUND_TRUTH, topics.BARE_HOP_ONCE, topics.BARE_HOP_TWICE,
        ),
    ),
    "commander": Rights(
        publishes=(topics.CMD_VEL,), subscribes=(topics.CMD_VEL, topics.PLAN, topics.DIAGNOSTICS)
    ),
    "relay": Rights(
        nodes=("relay_once", "relay_twice"),
        publishes=(topics.BARE_HOP_ONCE, topics.BARE_HOP_TWICE),
        subscribes=(topics.JOINT_STATES, topics.BARE_HOP_ONCE),
    ),
    # A person with ros2 and rviz: drives, stops and watches, and changes parameters; neither plans nor commands joints.
    "operator": Rights(
        publishes=(topics.CMD_VEL,),
        subscribes=(
            *STATE, *COMMANDED, *SAID, topics.APPLIED, topics.PLAN, topics.EVENTS, topics.MODEL_STATUS, topics.CLOCK,
            topics.GROUND_TRUTH, topics.PLAN_MARKERS, topics.ROBOT_DESCRIPTION, topics.CMD_VEL,
        ),
        calls=(*STANDING, *SIMULATED),
        asks_of=("planner", "learner", "guard", "bridge"),
    ),
}  # fmt: skip


def policy(namespace: str = "") -> str:
    """The SROS2 policy of all nodes in a namespace, as XML: an enclave each."""
    namespace = normalised_namespace(namespace)
    root = ElementTree.Element("policy", version="0.2.0")
    root.append(ElementTree.Comment(" printed by: python -m mbrl_ros.nodes.rights; change it there "))
    enclaves = ElementTree.SubElement(root, "enclaves")
    for process, rights in RIGHTS.items():
        place = ElementTree.SubElement(enclaves, "enclave", path=enclave(namespace, process))
        profiles = ElementTree.SubElement(place, "profiles")
        for node in rights.nodes or (process,):
            profile = ElementTree.SubElement(profiles, "profile", ns=namespace, node=node)
            for what, right, found in granted(rights):
                _list(profile, what, right, found)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def granted(rights: Rights) -> list[tuple[str, str, list[str]]]:
    """Topics and services, the right to them, and their names; ~ is the node's own name."""
    transitions = [f"~/{TRANSITION_EVENT}"] if rights.managed else []
    answers = [f"~/{name}" for name in _answered_by(rights)]
    asked = [f"{node}/{name}" for node in rights.asks_of for name in _answered_by(RIGHTS[node])]
    return [
        ("topics", "publish", [*names(rights.publishes), *EVERY_NODE_PUBLISHES, *transitions]),
        ("topics", "subscribe", names(rights.subscribes)),
        ("services", "reply", [*(entry.name for entry in rights.serves), *answers]),
        ("services", "request", [*(entry.name for entry in rights.calls), *asked]),
    ]


def names(wanted: tuple[Topic, ...]) -> list[str]:
    """With every robot's own topic for commands, and every metric."""
    found = []
    for topic in wanted:
        if topic is topics.COMMANDS:
            found += sorted({topics.commands(load_robot(str(path))).name for path in _robots()})
        elif topic is topics.METRICS:
            found.append(topics.metric("*").name)
        else:
            found.append(topic.name)
    return list(dict.fromkeys(found))


def _robots():
    return sorted((share() / "config" / "robots").glob("*.yaml"))


def _answered_by(rights: Rights) -> tuple[str, ...]:
    return PARAMETERS + (LIFECYCLE if rights.managed else ())


def _list(profile: ElementTree.Element, what: str, right: str, found: list[str]) -> None:
    if found:
        allowed = ElementTree.SubElement(profile, what, {right: "ALLOW"})
        for name in sorted(found):
            ElementTree.SubElement(allowed, what.removesuffix("s")).text = name


def main() -> None:
    parser = argparse.ArgumentParser(prog="rights", description="Prints the SROS2 policy of a run's nodes.")
    parser.add_argument("--namespace", default="", help="of the robot's nodes and topics")
    print(policy(parser.parse_args().namespace), end="")


if __name__ == "__main__":
    main()
