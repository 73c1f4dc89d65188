"""A learner that distils while the robot runs: its policies are flown by the planner beside it, and outlive it."""

import numpy as np
import pytest
from asking import ask
from graph import Graph
from policies import clumsy, policy
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters

from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_of, transition_message
from mbrl_ros.nodes.messages.status import status_message, values_of
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import policy_file
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import Flag, Transition

ROBOT = load_robot("go1_like")
LAYOUT = FeatureLayout(ROBOT)
TINY = {
    "samples": 20, "robots": 5, "steps": 3, "updates": 10, "batch": 16, "judges": 5,
    "value.robots": 5, "value.steps": 2, "value.batches": 1, "value.updates": 2,
}  # fmt: skip
SETTINGS = tuple(f"learner.distill.{name}={value}" for name, value in TINY.items())
LIVE = ("learner.distill.live=true", *SETTINGS)


@pytest.fixture
def run(tmp_path, domain):
    graphs = []

    first = tmp_path / "first.onnx"  # easily beaten by whoever has learned for a moment
    first.write_bytes(policy(1, clumsy))

    def build(*settings, **options):
        options = {"model": "pretrained", **options}
        settings = (f"planner.policy={first}", *settings)
        graphs.append(Graph("quadruped_mpc", tmp_path, settings=settings, **options))
        return graphs[-1]

    yield build
    for graph in graphs:
        graph.close()


def set_live(graph, live):
    client = graph.probe.node.create_client(SetParameters, "learner/set_parameters")
    value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=live)
    request = SetParameters.Request(parameters=[Parameter(name="distill.live", value=value)])
    return ask(graph.until, client, request, "set_parameters").results[0]


def version_of(content):
    return OnnxPolicy(content, LAYOUT, "quadruped", "gait", 3).card.version


def test_a_policy_that_was_distilled_beside_the_robot_is_flown(run):
    graph = run(*LIVE, mode="stand")
    graph.start()
    graph.until(lambda: int(graph.diagnostics("planner").get("policy_version", 0)) > 1, "a policy in the planner")
    said = graph.said_anew("learner")
    assert int(said["policy_version"]) > 1 and int(said["distill_rounds"]) >= 1
    assert np.isfinite(float(said["policy_reward"])) and float(said["imitation"]) > 0
    assert int(values_of(graph.model_status[-1])["policy"]) > 1
    assert not any(key.startswith("policy refused") for key in values_of(graph.model_status[-1]))


def standing(sequence):
    state = np.zeros(LAYOUT.size, np.float32)
    state[LAYOUT.gravity.start + 2], state[LAYOUT.height.start] = -1.0, 0.285
    return Transition(
        state, ROBOT.stance, state, np.zeros(3), 0.0, 0.0, False, Flag(0), sequence, sequence * ROBOT.dt_ns, 1, 0
    )


def test_a_learner_that_was_killed_publishes_its_newest_policy_again_and_counts_on(run):
    graph = run(*LIVE)
    heard = graph.probe.collect(topics.POLICY, bytes_of)
    graph.start("learner")
    graph.until(lambda: heard, "the first policy")
    graph.kill("learner")
    graph.probe.spin(0.5)
    newest = heard[-1]
    heard.clear()
    graph.start("learner")
    graph.until(lambda: heard, "the newest policy")
    # it may have been killed between writing one and publishing it
    assert heard[0] == newest or version_of(heard[0]) == version_of(newest) + 1
    graph.until(lambda: int(graph.diagnostics("learner").get("distill_rounds", 0)) > 1, "new rounds")
    versions = [version_of(content) for content in heard]
    assert versions == sorted(set(versions))


def test_a_policy_that_was_refused_gives_its_place_to_the_last_good_one(run):
    graph = run(*LIVE)
    heard = graph.probe.collect(topics.POLICY, bytes_of)
    to = graph.probe.publisher(topics.MODEL_STATUS)
    graph.start("learner")
    graph.probe.until_connected(to)
    graph.until(lambda: heard, "the first policy")
    assert set_live(graph, False).successful
    graph.probe.spin(0.5)
    good = policy_file(graph.run.planner, "").read_bytes()

    def refuse() -> None:  # again and again, as planners do
        refused = {f"{keys.POLICY_REFUSED}{version_of(c)}": "does not walk" for c in heard if c != good}
        to.publish(status_message("planner", "", refused))

    graph.until(lambda: heard[-1] == good or refuse(), "the one with which the planner began")


def test_training_does_not_wait_for_a_round_to_end(run):
    endless = "learner.distill.updates=1000000"
    graph = run(*LIVE, endless, "learner.first_seconds=2.0", "learner.every_seconds=1.0", "learner.steps=5")
    to = graph.probe.publisher(topics.TRANSITION)
    graph.start("learner")
    graph.probe.until_connected(to)
    graph.until(lambda: graph.diagnostics("learner").get("state") == "distilling", "the round")
    for sequence in range(150):
        to.publish(transition_message(standing(sequence)))
    graph.until(lambda: int(graph.diagnostics("learner").get("proposed", 0)) >= 1, "a candidate")
    said = graph.said_anew("learner")
    assert (said["distill_rounds"], said["missing"]) == ("0", "0")


def test_it_is_begun_and_ended_while_the_learner_runs(run):
    graph = run(*SETTINGS)
    graph.start("learner")
    assert "distill_rounds" not in graph.said_anew("learner")
    assert set_live(graph, True).successful
    graph.until(lambda: int(graph.diagnostics("learner").get("distill_rounds", 0)) >= 1, "a round")
    assert set_live(graph, False).successful
    assert "distill_rounds" not in graph.said_anew("learner")


def test_without_the_runs_parameter_file_it_is_refused_with_the_mend(run, tmp_path):
    graph = run(*SETTINGS)
    graph.start("learner")
    graph.said_anew("learner")
    for file in tmp_path.rglob("parameters.yaml"):
        file.unlink()
    refused = set_live(graph, True)
    assert not refused.successful and "says how the planner plans" in refused.reason
    assert graph.said_anew("learner")["state"] == "waiting"
