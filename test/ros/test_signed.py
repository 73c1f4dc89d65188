"""A run with a key: its learner signs, its planner refuses what is not signed."""

import pytest
from graph import Graph
from planner_alone import PlannerAlone
from test_lockstep_learner import EAGER
from weights import numbered

from mbrl_ros.authentic import signature
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_message, sign_message
from mbrl_ros.nodes.messages.status import ERROR

KEY = b"of this run alone"


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


def signed(content, key=KEY, kind="model"):
    message = bytes_message(content)
    sign_message(message, signature(key, kind, content))
    return message


def test_planner_flies_what_is_signed_and_refuses_the_rest_by_name(tmp_path, domain, key_file):
    planner = PlannerAlone(tmp_path / "run", f"key_file={key_file}")
    try:
        first = planner.step().model

        def offered(message):
            known = len(planner.graph.model_status)
            planner.model_to.publish(message)
            planner.probe.until(lambda: planner.step() and len(planner.graph.model_status) > known, "a word about it")
            return planner.graph.model_status[-1]

        for message, why in (
            (bytes_message(numbered(first + 1)), "not signed"),
            (signed(numbered(first + 1), key=b"somebody else's"), "signature is wrong"),
            (signed(numbered(first + 1), kind="policy"), "signature is wrong"),
        ):
            status = offered(message)
            assert status.level == ERROR and why in status.message
            assert planner.step().model == first
        assert offered(signed(numbered(first + 2))).message == f"flying model {first + 2}"
        assert planner.step().model == first + 2
        kept = offered(signed(numbered(first + 1)))
        assert kept.level == ERROR and "older" in kept.message
        assert planner.step().model == first + 2
    finally:
        planner.close()


def test_learner_with_the_same_key_is_flown(tmp_path, domain, key_file):
    graph = Graph(
        "cartpole_mpc", tmp_path / "run", settings=(f"key_file={key_file}", *EAGER), model="scratch", lockstep=True
    )
    labels = graph.probe.collect(topics.MODEL, lambda message: [dim.label for dim in message.layout.dim])
    try:
        graph.start()
        flown = lambda: int(graph.diagnostics("planner").get("model_version", 0)) >= 1  # noqa: E731
        graph.probe.until(flown, "a model of the learner", 120.0)  # training takes its time
        assert labels and all(label.startswith("hmac-sha256 ") for (label,) in labels)
    finally:
        graph.close()


def test_planner_does_not_start_with_a_key_that_others_can_read(processes, key_file):
    key_file.chmod(0o644)
    process = processes.start("planner", "model:=scratch", f"key_file:={key_file}")
    assert process.wait(60.0) == 1
    assert f"chmod 600 {key_file}" in process.log.read_text()
