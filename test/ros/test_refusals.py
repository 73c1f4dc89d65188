"""A learner whose versions are refused by the planner goes back to the last good one, and only for its own."""

import pytest
from graph import Graph
from test_lockstep_learner import CARTPOLE, EAGER, transition

from mbrl_ros.dynamics.storage import from_bytes
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_of, transition_message
from mbrl_ros.nodes.messages.status import ERROR, status_message
from mbrl_ros.robots.features import FeatureLayout


class Refuser:
    """Plays the planner for a learner in lockstep."""

    def __init__(self, graph):
        self.graph, self.sent = graph, 0
        self.transitions = graph.probe.publisher(topics.TRANSITION)
        self.status = graph.probe.publisher(topics.MODEL_STATUS)
        self.models = graph.probe.collect(topics.MODEL, lambda m: from_bytes(bytes_of(m), FeatureLayout(CARTPOLE))[1])
        graph.start("learner")
        graph.probe.until_connected(self.transitions, self.status)

    def new_versions(self):
        """Those promoted on the next data, all of which it has learned from."""
        known = len(self.models)
        while len(self.models) == known:
            for _ in range(50):
                self.transitions.publish(transition_message(transition(self.sent)))
                self.sent += 1
            self.graph.probe.until(lambda: self.said(keys.RECEIVED) == self.sent, "the data to be learned from")
            assert self.sent < 5000, "nothing was promoted"
        return [card.version for card in self.models[known:]]

    def refuse(self, *versions):
        values = {f"refused {version}": "no plans" for version in versions}
        self.status.publish(status_message("/planner", "refused", values, ERROR))

    def said(self, key):
        return int(self.graph.said_anew("learner")[key])


@pytest.fixture
def refuser(tmp_path, domain):
    graph = Graph("cartpole_mpc", tmp_path, settings=EAGER, model="pretrained", seed=7, lockstep=True)
    yield Refuser(graph)
    graph.close()


def test_first_version_refused_brings_back_the_model_that_the_run_started_with(refuser):
    versions = refuser.new_versions()
    refuser.refuse(*versions)
    refuser.graph.probe.until(lambda: refuser.models[-1].version < versions[0], "the model of the start")
    assert refuser.models[-1].version == versions[0] - 1
    assert min(refuser.new_versions()) > versions[-1], "numbers are never used again"


def test_version_of_somebody_else_that_was_refused_changes_nothing(refuser):
    versions = refuser.new_versions()
    known = len(refuser.models)
    refuser.refuse(versions[-1] + 1000)
    refuser.graph.probe.spin(1.0)
    assert len(refuser.models) == known
    assert refuser.said(keys.VERSION) == versions[-1]
