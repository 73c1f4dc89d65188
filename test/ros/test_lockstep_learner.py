"""Lockstep between planner and learner: what is asked and answered, and what happens when one of them dies."""

import os
import time

import numpy as np
import pytest
from conftest import Probe
from graph import Graph
from weights import untrained

from mbrl_ros.dynamics.storage import from_bytes
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.lockstep import answer
from mbrl_ros.nodes.messages.learning import bytes_message, bytes_of, transition_message
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import Flag, Transition

SEED = 7
EAGER = ("learner.first_seconds=2.0", "learner.first_steps=200", "learner.every_seconds=1.0", "learner.steps=30")
CARTPOLE = load_robot("cartpole")


def standing_still_at(graph):
    """Robot time, once it goes on no longer."""
    last = None
    while max(graph.states) != last:
        last = max(graph.states)
        graph.probe.spin(1.0)
    return last


@pytest.fixture
def cartpole(tmp_path, domain):
    graphs = []

    def build(*settings, **options):
        options = {"model": "scratch", "seed": SEED, "lockstep": True, **options}
        graphs.append(Graph("cartpole_mpc", tmp_path / str(len(graphs)), settings=settings, **options))
        return graphs[-1]

    yield build
    for graph in graphs:
        graph.close()


def newest_model(graph):
    return int(graph.said_anew("planner")["model_version"])


def test_planner_and_learner_killed_in_mid_run_come_back_and_it_goes_on(cartpole):
    graph = cartpole(*EAGER)
    graph.start()
    graph.until_steps(60)
    first_start = graph.transitions[0].start_ns

    graph.kill("planner")
    graph.start("planner")
    graph.until(lambda: graph.transitions[-1].start_ns > first_start, "the new planner")
    graph.until_steps(30)
    anew = [t for t in graph.transitions if t.start_ns > first_start]
    assert [t.sequence for t in anew] == list(range(len(anew)))
    assert anew[-1].model >= 1, "the newest model was there for the new planner"

    learned = graph.said_anew("learner")
    graph.kill("learner")
    waiting_at = standing_still_at(graph)  # nothing moves on without the learner
    graph.start("learner")
    graph.until(lambda: max(graph.states) > waiting_at, "robot time to go on")
    came_back = graph.said_anew("learner")
    assert int(came_back["version"]) >= int(learned["version"]) >= 2
    assert int(came_back["received"]) >= len(anew), "what this planner has sent comes again"
    graph.until_steps(30)
    assert newest_model(graph) > int(learned["version"])


def transition(sequence):
    layout = FeatureLayout(CARTPOLE)
    state = np.full(layout.size, 0.1 * np.sin(0.3 * sequence), np.float32)
    return Transition(
        state, np.array([np.sin(sequence)]), state * 0.9, np.zeros(0), 0.0, 0.0, False, Flag.EXPLORED,
        sequence, sequence * CARTPOLE.dt_ns, 1, 0,
    )  # fmt: skip


def test_learner_answers_with_the_sequence_it_has_and_the_version_it_has_trained(cartpole):
    graph = cartpole(*EAGER)
    publisher = graph.probe.publisher(topics.TRANSITION)
    models = graph.probe.collect(topics.MODEL, bytes_of)
    graph.start("learner")
    graph.probe.until_connected(publisher)

    def asked():
        reply = graph.probe.call(topics.LOCKSTEP)
        assert reply.success
        return reply.message

    def send(begin, end):
        for sequence in range(begin, end):
            publisher.publish(transition_message(transition(sequence)))
        last = None
        deadline = time.monotonic() + 30
        while last is None or f"sequence={end - 1} " not in last:
            last = asked()
            assert time.monotonic() < deadline, last
        return last

    assert asked() == answer(-1, 0)
    assert send(0, 49) == answer(48, 0)
    assert send(49, 50) == answer(49, 1), "2 s are there"
    assert asked() == answer(49, 1), "asked again, nothing more is due"
    assert send(50, 100) == answer(99, 3), "each second one"
    graph.probe.until(lambda: models, "the model")
    assert from_bytes(models[-1], FeatureLayout(CARTPOLE))[1].version == 3


def test_planner_asks_until_the_learner_is_there_and_flies_what_it_names_from_the_next_plan_on(cartpole):
    graph = cartpole("planner.train_every=10")
    asked, replies = [], [answer(8, 0), answer(9, 3)]  # behind, then there

    def reply():
        asked.append(True)
        return True, replies[min(len(asked), len(replies)) - 1]

    topics.service(graph.probe.node, topics.LOCKSTEP, reply)
    model = graph.probe.publisher(topics.MODEL)
    graph.start("bridge", "guard", "planner")
    graph.until(lambda: len(asked) == 2, "the second question")
    graph.probe.spin(1.0)
    assert {plan.model for plan in graph.plans} == {0}
    last = graph.plans[-1].stamp_ns
    graph.probe.spin(1.0)
    assert graph.plans[-1].stamp_ns == last and len(asked) == 2, "no plan without the model that the learner named"
    model.publish(bytes_message(untrained(graph.spec, 3)))
    graph.until(lambda: graph.plans[-1].stamp_ns > last, "the plan")
    assert {plan.model for plan in graph.plans if plan.stamp_ns > last} == {3}


def test_learner_keeps_to_the_cores_that_it_is_given(cartpole):
    core = min(os.sched_getaffinity(0))
    graph = cartpole(f"learner.cores='{core}'")
    graph.start("learner")
    graph.until(lambda: graph.diagnostics("learner"), "the learner")
    assert os.sched_getaffinity(graph.running["learner"].pid) == {core}


def test_probe_in_another_namespace_hears_nothing(cartpole):
    graph = cartpole("planner.mode=stand", namespace="robot1", learner=False)
    outside = Probe()
    heard = [outside.collect(topic) for topic in (topics.JOINT_STATES, topics.PLAN, topics.APPLIED, topics.EVENTS)]
    try:
        graph.start()
        graph.until_steps(20)
        outside.spin(0.5)
        assert not any(heard)
    finally:
        outside.close()
