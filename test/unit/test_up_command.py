import argparse
import shlex
from xml.etree import ElementTree

import pytest

from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import parse_commands
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.stack import Options, Process, processes
from mbrl_ros.up import command, discovery
from mbrl_ros.up.bare_loop import summary
from mbrl_ros.up.status import rows


def asked(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parser.add_argument("--set", dest="settings", default=[])
    return parser.parse_args(["quadruped_mpc", *arguments])


@pytest.mark.parametrize("arguments", [(), ("--report", "report.json"), ("--duration", "3")])
def test_nothing_is_driven_unless_asked_for(arguments):
    assert command._commands(asked(*arguments), load_robot("go1_like")) == ""


def test_demo_drives_and_commands_take_its_place():
    robot = load_robot("go1_like")
    assert len(parse_commands(command._commands(asked("--demo"), robot))) > 3
    assert command._commands(asked("--demo", "--commands=-0.2,0,0"), robot) == "-0.2,0,0"


def test_demo_of_a_robot_without_a_base_drives_nothing():
    assert command._commands(asked("--demo"), load_robot("cartpole")) == ""


@pytest.mark.parametrize(
    "arguments", [("--hold", "0"), ("--duration", "-1"), ("--duration", "nan"), ("--report", f"{__file__}/report.json")]
)
def test_what_cannot_work_is_said_before_anything_starts(arguments):
    with pytest.raises(ConfigError):
        command.run(asked("--model", "scratch", *arguments))


@pytest.mark.parametrize("setting", ["robot=cartpole", "task=quadrupd"])
def test_robot_that_cannot_do_the_run_is_refused_before_anything_starts(setting):
    parsed = asked("--model", "scratch")
    parsed.settings = [setting]
    with pytest.raises(ConfigError, match="legs|quadrupd"):
        command.run(parsed)


@pytest.fixture
def nothing_said(monkeypatch):
    """An environment that leaves open who finds whom."""
    for name in discovery.GRAPH:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    return monkeypatch


def test_run_stays_on_this_hosts_loopback_interface_where_nothing_else_is_said(nothing_said):
    environment = discovery.environment()
    assert environment["ROS_DOMAIN_ID"] == "42"
    profile = ElementTree.parse(environment["FASTDDS_DEFAULT_PROFILES_FILE"])
    said = {element.tag.rpartition("}")[2]: element.text for element in profile.iter()}
    assert (said["address"], said["type"], said["useBuiltinTransports"]) == ("127.0.0.1", "UDPv4", "false")
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SYSTEM_DEFAULT", "any other would undo the profile"


@pytest.mark.parametrize(
    ("said", "range_then"),
    [
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, "SUBNET"),
        ({"ROS_STATIC_PEERS": "10.0.0.2"}, "LOCALHOST"),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "mine.xml"}, "LOCALHOST"),
        ({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, "LOCALHOST"),
    ],
)
def test_what_its_owner_says_about_the_graph_stays_and_the_rest_is_this_host(nothing_said, said, range_then):
    for name, value in said.items():
        nothing_said.setenv(name, value)
    environment = discovery.environment()
    assert said.items() <= environment.items()
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == range_then
    assert environment.get("FASTDDS_DEFAULT_PROFILES_FILE") in (None, "mine.xml")


def test_network_is_opened_where_it_is_asked_for_and_nothing_else_is_said(nothing_said):
    nothing_said.setenv(discovery.RANGE, "LOCALHOST")  # and taken back when the test ends, whatever it sets
    discovery.open_to_the_network()
    assert discovery.environment()[discovery.RANGE] == "LOCALHOST"
    nothing_said.delenv(discovery.RANGE)
    discovery.open_to_the_network()
    environment = discovery.environment()
    assert environment[discovery.RANGE] == "SUBNET" and discovery.PROFILES not in environment


def test_line_that_starts_a_process_by_hand_says_all_that_it_needs(nothing_said, tmp_path):
    options = Options(model="scratch")
    started = {p.name: p for p in processes(load_run("quadruped_mpc"), options, tmp_path / "parameters.yaml")}
    guard, learner = shlex.split(command._by_hand(started["guard"])), command._by_hand(started["learner"])
    assert guard[0] == "env" and guard[-len(started["guard"].command) :] == started["guard"].command
    assert {"ROS_DOMAIN_ID=42", "ROS_AUTOMATIC_DISCOVERY_RANGE=SYSTEM_DEFAULT", "OMP_NUM_THREADS=1"} <= set(guard)
    assert any(word.startswith("FASTDDS_DEFAULT_PROFILES_FILE=/") for word in guard)
    assert str(tmp_path / "parameters.yaml") in guard
    assert learner.startswith("nice -n 10 env ")


def test_status_has_a_row_for_everything_even_before_anything_is_known():
    empty = dict(rows({}, {}))
    known = dict(rows({"rate": 50.0, "command": [0.3, 0.0, -0.5], "misses": 2, "steps": 100}, {"planner": 0.4}))
    assert empty.keys() == known.keys()
    assert known["rate"] == "50.0 Hz" and known["commanded"] == "+0.30 +0.00 -0.50"
    assert known["missed"] == "2/100" and known["cpu"] == "planner 40%"


def test_bare_hops_are_as_urgent_as_what_they_stand_for():
    urgent = ("planner.realtime.priority=50", "guard.realtime.priority=60", "guard.realtime.cores='1'")
    run = with_settings(load_run("quadruped_mpc"), urgent)
    relays = command._relays(Process("guard", "/robot1"), run)
    assert {name: line[3:8] for name, line in relays.items()} == {
        "relay_once": ["once", "--priority", "50", "--cores", ""],
        "relay_twice": ["twice", "--priority", "60", "--cores", "1"],
    }
    assert all("__ns:=/robot1" in line for line in relays.values())


def test_bare_loop_counts_steps_slept_through():
    said = summary([0.0, 0.0001, 0.006, 0.045], 0.02)
    assert said["period_ms"] == 20.0 and said["steps"] == 6 and said["missed_share"] == pytest.approx(2 / 6)
    assert said["late_share"]["5_ms"] == pytest.approx(2 / 6) and said["late_share"]["20_ms"] == pytest.approx(1 / 6)
    assert said["max_ms"] == pytest.approx(45.0)
