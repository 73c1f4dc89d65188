"""A learner killed in mid-run goes on where it was: data, optimiser, version. Nobody repeats the transitions for it."""

import resource

import numpy as np
import pytest
from graph import Graph

from mbrl_ros.chaos.poison import poison_newest_version
from mbrl_ros.data.journal import files
from mbrl_ros.data.journal_file import read
from mbrl_ros.dynamics.storage import from_bytes
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_of, transition_message
from mbrl_ros.nodes.messages.status import ERROR, OK
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import Flag, Transition

CARTPOLE = load_robot("cartpole")
LAYOUT = FeatureLayout(CARTPOLE)
EAGER = ("learner.first_seconds=2.0", "learner.first_steps=200", "learner.every_seconds=1.0", "learner.steps=30")


def transition(sequence):
    state = np.full(LAYOUT.size, 0.1 * np.sin(0.3 * sequence), np.float32)
    return Transition(
        state, np.array([np.sin(sequence)]), state * 0.9, np.zeros(0), 0.0, 0.0, False, Flag.EXPLORED,
        sequence, sequence * CARTPOLE.dt_ns, 1, 0,
    )  # fmt: skip


class Alone:
    """A learner in lockstep, and a test that is its planner."""

    def __init__(self, folder):
        self.graph = Graph("cartpole_mpc", folder, settings=EAGER, model="scratch", seed=7, lockstep=True)
        self.folder = folder / "versions"
        self.models = self.graph.probe.collect(topics.MODEL, bytes_of)
        self._diagnostics = self.graph.probe.collect(topics.DIAGNOSTICS)

    def start(self):
        self.graph.start("learner")
        self.graph.said_anew("learner")

    def sends(self, begin, end):
        """By a publisher of its own, which takes with it what it would have repeated."""
        publisher = self.graph.probe.publisher(topics.TRANSITION)
        self.graph.probe.until_connected(publisher)
        for sequence in range(begin, end):
            publisher.publish(transition_message(transition(sequence)))
        self.says(received=end)
        self.graph.probe.node.destroy_publisher(publisher)

    def says(self, **wanted):
        """Until it does, of numbers in its diagnostics."""

        def so():
            said = self.graph.said_anew("learner")
            return all(int(said[name]) == value for name, value in wanted.items())

        self.graph.until(so, f"the learner to say {wanted}")

    def level(self):
        self._diagnostics.clear()
        self.graph.until(lambda: self._diagnostics, "diagnostics")
        return self._diagnostics[-1].status[0].level

    def text(self):
        return self._diagnostics[-1].status[0].message

    def newest(self):
        """The newest model, to the last bit, once nothing more is learned of what was sent."""
        said = []

        def settled():
            said.append(self.graph.said_anew("learner"))
            return said[-1]["state"] == "waiting" and len({each["version"] for each in said[-3:]}) == 1 < len(said)

        self.graph.until(settled, "an end to learning")
        version = int(said[-1]["version"])
        self.graph.until(lambda: self.models and self.published(-1)[0].version == version, f"model {version}")
        return self.published(-1)

    def published(self, index):
        model, card = from_bytes(self.models[index], LAYOUT)
        return card, [tensor.numpy().tobytes() for tensor in model.parameters]


@pytest.fixture
def learner(tmp_path, domain):
    started = []

    def build(name):
        started.append(Alone(tmp_path / name))
        return started[-1]

    yield build
    for one in started:
        one.graph.close()


def test_a_killed_learner_learns_the_same_as_one_that_was_not(learner):
    one = learner("whole")
    one.start()
    one.sends(0, 150)
    card, model = one.newest()
    one.graph.kill("learner")

    other = learner("cut")
    other.start()
    other.sends(0, 120)
    other.says(journaled=120)
    other.graph.kill("learner")
    other.start()
    other.sends(120, 150)
    other.says(journaled=30, missing=0, duplicates=0)
    assert other.newest() == (card, model)
    assert card.version >= 4 and len(files(other.folder)) == 2


def test_a_poisoned_newest_version_is_refused_from_disk_and_the_one_before_is_published(learner):
    one = learner("poisoned")
    one.start()
    one.sends(0, 150)
    card, model = one.newest()
    one.graph.kill("learner")
    bad = poison_newest_version(one.folder, one.folder)
    one.models.clear()
    one.start()
    one.graph.until(lambda: one.models, "a model")
    assert one.level() == ERROR and one.text().startswith(f"refused model {bad} in ")
    assert one.published(0) == (card, model) and bad == card.version + 1
    one.sends(150, 250)
    assert one.newest()[0].version > bad, "numbers are never used again"
    assert all(one.published(i)[0].held_out_error < 0.1 for i in range(len(one.models))), "nothing grows out of it"
    one.graph.until(lambda: one.level() == OK, "an end to it")


def test_a_disk_that_takes_no_more_is_an_error_in_the_diagnostics_until_it_does(learner):
    one = learner("full")
    one.start()
    one.sends(0, 10)
    one.says(journaled=10, not_journaled=0)
    assert one.level() == OK
    process = one.graph.running["learner"].pid
    before = resource.prlimit(process, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))  # bytes a file may have
    one.sends(10, 20)
    one.says(journaled=10, not_journaled=10)
    assert one.level() == ERROR
    resource.prlimit(process, resource.RLIMIT_FSIZE, before)
    one.says(journaled=20, not_journaled=0)
    assert one.level() == OK
    one.graph.running["learner"].terminate()
    assert one.graph.running["learner"].wait(30) == 0
    contents = [read(path) for path in files(one.folder)]
    assert [e.sequence for c in contents for e in c.entries] == list(range(20))
    assert contents[-1].ended, "closed properly"
