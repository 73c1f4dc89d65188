"""The SROS2 policy: complete, current, and no wider than topics.py says."""

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mbrl_ros.nodes import rights, topics
from mbrl_ros.nodes.rights import RIGHTS
from mbrl_ros.runs import load_run
from mbrl_ros.stack import Options, beside, configured, processes

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "config" / "sros2" / "policy.xml"
WITHOUT_RIGHTS = {
    "probe",  # of mbrl doctor, where there is no robot
    "chaos_probe", "intruder",  # of mbrl chaos, which runs simulations only
}  # fmt: skip
PEOPLE = {"operator"}  # no process of a run
WRITTEN = {"judges": {"judge"}, "robot": {"bridge", "driver"}, "person": {"operator", "commander"}, "all": set()}
WORDS = re.compile(r"[\w-]+")


def written(text):
    """The processes that a column of topics.py names."""
    words = {word for word in WORDS.findall(text)}
    return (words & RIGHTS.keys()).union(*(WRITTEN[word] for word in words & WRITTEN.keys()))


def test_the_policy_file_is_current():
    assert POLICY.read_text() == rights.policy(), f"python -m mbrl_ros.nodes.rights > {POLICY.relative_to(ROOT)}"


def test_every_node_of_the_package_has_rights_or_is_named_here():
    nodes = {
        path.stem
        for path in (ROOT / "mbrl_ros" / "nodes").glob("*.py")
        if any(isinstance(d, ast.FunctionDef) and d.name == "main" for d in ast.parse(path.read_text()).body)
    }
    nodes -= {"rights"}
    assert nodes - WITHOUT_RIGHTS == RIGHTS.keys() - PEOPLE - {"driver"}


def test_every_process_starts_in_an_enclave_of_the_policy():
    options = Options(model="scratch")
    started = processes(configured(load_run("quadruped_mpc"), options), options, Path("parameters.yaml"))
    started += tuple(beside(started[0], name) for name in ("judge", "commander", "relay"))
    known = [place.get("path") for place in ElementTree.parse(POLICY).iter("enclave")]
    for process in started:
        command = process.command
        assert command[command.index("--enclave") + 1] in known
        assert command.index("--enclave") > command.index("--ros-args")


def test_in_a_namespace_enclaves_and_profiles_are_the_robots_own():
    root = ElementTree.fromstring(rights.policy("/robot1/").encode())
    assert {profile.get("ns") for profile in root.iter("profile")} == {"/robot1"}
    assert all(place.get("path").startswith("/mbrl_ros/robot1/") for place in root.iter("enclave"))


def test_the_file_has_the_form_that_sros2_reads():
    """As its policy.xsd 0.2.0 has it: what stands in what, and which attributes."""
    root = ElementTree.parse(POLICY).getroot()
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    (enclaves,) = root
    for place in enclaves:
        assert place.tag == "enclave" and list(place.attrib) == ["path"]
        (profiles,) = place
        for profile in profiles:
            assert profile.tag == "profile" and set(profile.attrib) == {"ns", "node"}
            for granted in profile:
                ((right, allowed),) = granted.attrib.items()
                wanted = {"topics": ("publish", "subscribe"), "services": ("reply", "request")}[granted.tag]
                assert right in wanted and allowed == "ALLOW" and len(granted)
                assert all(entry.tag == granted.tag[:-1] and entry.text for entry in granted)


@pytest.mark.parametrize("topic", topics.TOPICS, ids=lambda topic: f"{topic.name}-{topic.type.__name__}")
def test_who_publishes_and_subscribes_is_who_topics_py_names(topic):
    publish = {name for name, r in RIGHTS.items() if topic.name in {t.name for t in r.publishes}}
    if topic.publishers == "all":
        assert {"planner", "learner", "guard", "bridge"} <= publish
    elif topic in (topics.ROBOT_DESCRIPTION, topics.GROUND_TRUTH, topics.CLOCK, topics.EVENTS):
        assert publish - {"driver"} == written(topic.publishers)
    elif topic in (topics.BARE_HOP_ONCE, topics.BARE_HOP_TWICE):
        assert publish == {"relay"}
    else:
        assert publish == written(topic.publishers)
    subscribe = {name for name, r in RIGHTS.items() if topic.name in {t.name for t in r.subscribes}}
    assert written(topic.subscribers) - {"operator", "commander"} <= subscribe


def test_only_who_has_to_may_plan_command_or_offer_what_is_learned():
    def who(topic):
        return {name for name, r in RIGHTS.items() if topic in r.publishes}

    assert who(topics.PLAN) == {"planner"}
    assert who(topics.COMMANDS) == who(topics.ROBOT_MODE) == who(topics.APPLIED) == {"guard"}
    assert who(topics.MODEL) == who(topics.POLICY) == {"learner"}


@pytest.mark.parametrize("entry", topics.SERVICES, ids=lambda entry: entry.name)
def test_who_serves_is_who_topics_py_names(entry):
    assert {name for name, r in RIGHTS.items() if entry in r.serves} == {entry.server}
    assert any(entry in r.calls for r in RIGHTS.values())
