"""What the nodes of a running graph publish, hear, serve and call is what the SROS2 policy grants them."""

import signal

import pytest

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.rights import RIGHTS, granted

# Rights that this run has no use for: mode observe, lockstep, who else speaks or lives, cartpoles.
OTHERWISE = {
    "planner": {"/joint_group_position_controller/commands", "/lockstep", "/diagnostics"},
    "learner": {"/lockstep"},
    "guard": {"/joint_group_position_controller/commands", "/robot_mode"},
    "bridge": {"/applied", "/joint_states"},
    "relay": {"/bare_hop/once", "/bare_hop/twice", "/joint_states"},  # each relay has half of them
    "judge": {"/imu/data", "/odom"},  # of a real robot, the truth is odom
}
OTHER_ROBOT = "/joint_group_effort_controller/commands"
LISTS = {
    ("topics", "publish"): "get_publisher_names_and_types_by_node",
    ("topics", "subscribe"): "get_subscriber_names_and_types_by_node",
    ("services", "reply"): "get_service_names_and_types_by_node",
    ("services", "request"): "get_client_names_and_types_by_node",
}


def full(name, node):
    return name if name.startswith("/") else f"/{node}{name[1:]}" if name.startswith("~") else f"/{name}"


def allows(right, used):
    return used == right or (right.endswith("*") and used.startswith(right[:-1]))


@pytest.fixture
def walking(up, probe):
    run = up("--commands", "0.1,0,0", "--bare-hops")
    plans = probe.collect(topics.PLAN)
    probe.until(lambda: len(plans) > 50, "plans", 60.0)
    yield probe.node
    run.end(signal.SIGINT)


def test_every_node_uses_its_rights_and_none_beyond_them(walking, probe):
    there = {name: process for process, r in RIGHTS.items() for name in r.nodes or (process,)}
    there = {name: process for name, process in there.items() if name not in ("driver", "operator")}
    probe.until(lambda: set(there) <= {name for name in walking.get_node_names()}, "all nodes", 60.0)
    for node, process in there.items():
        for what, right, found in granted(RIGHTS[process]):
            rights = {full(name, node) for name in found}
            wanted = rights - {OTHER_ROBOT} - OTHERWISE.get(process, set())

            def used(node=node, what=what, right=right):
                return {name for name, _ in getattr(walking, LISTS[what, right])(node, "/")}

            def idle(wanted=wanted, used=used):
                return {r for r in wanted if not any(allows(r, name) for name in used())}

            probe.until(lambda idle=idle: not idle(), f"{node} to {right} {sorted(idle())}", 60.0)
            beyond = {name for name in used() if not any(allows(r, name) for r in rights)}
            assert not beyond, f"{node} may not {right} {sorted(beyond)}"
