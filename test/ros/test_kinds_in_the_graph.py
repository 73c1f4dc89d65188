"""Another kind of model than the ensemble, through ROS: the learner fits and publishes it, the planner flies it."""

import pytest
from graph import Graph

from mbrl_ros.dynamics.kinds.gaussian import Gaussian
from mbrl_ros.dynamics.storage import from_bytes
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_of
from mbrl_ros.robots.features import FeatureLayout

GAUSSIAN = ("learner.kind=gaussian", "learner.kind_settings=particles=2", "learner.ensemble.width=16")
TINY = (
    "learner.first_seconds=2.0",
    "learner.first_steps=20",
    "learner.every_seconds=1.0",
    "planner.mppi.samples=20",
    "planner.mppi.horizon=6",
)


@pytest.fixture
def graph(tmp_path, domain):
    found = Graph(
        "pendulum_mpc", tmp_path, settings=(*GAUSSIAN, *TINY), model="scratch", seed=7, lockstep=True
    )  # fmt: skip
    yield found
    found.close()


def test_a_gaussian_is_learned_published_flown_and_gone_on_from(graph):
    models = graph.probe.collect(topics.MODEL, bytes_of)
    graph.start()
    graph.until(lambda: any(plan.model >= 1 for plan in graph.plans), "a plan by what was learned")
    graph.until_steps(30)
    model, card = from_bytes(models[-1], FeatureLayout(graph.spec))
    assert isinstance(model, Gaussian) and model.members == 2
    assert (card.kind, card.calibration) == ("gaussian", None)
    said = graph.said_anew("planner")
    assert int(said["model_version"]) >= 1
    assert said["doubt"] == "unknown, the model is one network, and its members differ by luck"
    learned = int(graph.said_anew("learner")["version"])
    graph.kill("learner")
    models.clear()
    graph.start("learner")
    graph.until(lambda: models, "the model, from the learner that came back")
    assert from_bytes(models[0], FeatureLayout(graph.spec))[1].version >= learned
    graph.until(lambda: int(graph.said_anew("learner")["version"]) > learned, "the next version")
