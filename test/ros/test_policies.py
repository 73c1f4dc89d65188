"""Policies over their topic: flown from one tick to the next, refused by name and reason, given up."""

import numpy as np
import pytest
from conftest import Probe
from lifecycle_msgs.msg import Transition
from planner_alone import SAYS_NOTHING, PlannerAlone
from policies import policy, treacherous, turning_left

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_message
from mbrl_ros.nodes.messages.status import ERROR, values_of


@pytest.fixture
def alone(tmp_path, domain):
    """A planner without a model, whose first policy is number 3."""
    started = []

    def start(*settings, first=None, **options):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        file = folder / "first.onnx"
        file.write_bytes(first or policy(3))
        options = {"mode": "policy", "model": "scratch", **options}
        started.append(PlannerAlone(folder, f"planner.policy={file}", *settings, **options))
        return started[-1]

    yield start
    for planner in started:
        planner.close()


def told(planner):
    return values_of(planner.graph.model_status[-1])


def test_a_policy_that_comes_in_mid_run_is_flown_from_one_tick_to_the_next(alone):
    through, swapped = alone(), alone(namespace="other")
    plain = through.steps(8)
    before = swapped.steps(4)
    swapped.policy_to.publish(bytes_message(policy(4, turning_left)))
    swapped.probe.spin(SAYS_NOTHING)
    after = swapped.steps(4)
    same = [np.array_equal(a.targets, b.targets) for a, b in zip(plain, before + after, strict=True)]
    assert same[:4] == [True] * 4 and same[-1] is False
    assert [plan.sequence for plan in before + after] == list(range(8))
    assert told(swapped)["policy"] == "4"
    said = swapped.graph.said_anew("planner")
    assert (said["policy_version"], said["policy_swaps"], said["mode"]) == ("4", "1", "policy")


def test_bytes_that_are_no_policy_of_this_robot_are_refused_by_name_and_the_planner_flies_on(alone):
    planner = alone()
    planner.steps(2)
    good = policy(4)
    bad = {
        "not a policy": np.random.default_rng(0).bytes(1000),
        "that this onnxruntime can load": good[: len(good) // 2],
        "robot 'another' is not for 'go1_like'": policy(5, robot="another"),
        "low differs": policy(6, low=[-9.0] * 12),
    }
    for reason, content in bad.items():
        planner.offer(content, planner.policy_to)
        assert planner.says().startswith("refused a policy: ") and reason in planner.says()
        assert planner.graph.model_status[-1].level == ERROR
        assert told(planner)["policy"] == "3"
    assert "low differs" in told(planner)["policy refused 6"]
    assert "refused 6" not in told(planner), "that would be a model"
    assert "policy refused 5" not in told(planner), "the numbers of another robot's policies are not ours"
    planner.offer(policy(6), planner.policy_to)  # another file of a number that was refused
    assert told(planner)["policy"] == "6" and "policy refused 6" not in told(planner)
    planner.offer(good, planner.policy_to)
    assert told(planner)["policy"] == "4"


def test_another_file_of_the_number_that_is_flown_is_another_policy(alone):
    planner = alone()
    planner.steps(2)
    planner.policy_to.publish(bytes_message(policy(3)))  # the same file again
    planner.probe.spin(SAYS_NOTHING)
    planner.step()
    assert planner.graph.said_anew("planner")["policy_swaps"] == "0"
    planner.offer(policy(3, turning_left), planner.policy_to)
    said = planner.graph.said_anew("planner")
    assert (said["policy_version"], said["policy_swaps"]) == ("3", "1")


def test_a_policy_whose_decisions_are_not_finite_is_given_up_for_the_one_before(alone):
    planner = alone()
    planner.steps(2)
    planner.offer(policy(4, treacherous), planner.policy_to)
    planner.step()
    assert "back from policy 4 to 3: the policy's decisions are not finite" in planner.says()
    assert "policy refused 4" in told(planner) and told(planner)["policy"] == "3"
    assert int(planner.graph.said_anew("planner")["no_plans"]) >= 5
    assert np.isfinite(planner.step().targets).all()


def test_a_planner_whose_only_policy_is_not_finite_plans_by_itself(alone):
    planner = alone("planner.planner=prior", first=policy(3, treacherous))
    planner.step()
    assert planner.says().startswith("policy 3 is given up, and there is none to go back to")
    assert planner.graph.said_anew("planner")["mode"] == "mppi"
    assert not planner.set_mode("hybrid").successful
    planner.offer(policy(4), planner.policy_to)
    assert planner.graph.said_anew("planner")["mode"] == "policy"


def test_a_policy_that_comes_while_the_planner_is_not_active_is_flown_once_it_is(alone):
    planner = alone()
    planner.steps(2)
    assert planner.change_state(Transition.TRANSITION_DEACTIVATE)
    planner.policy_to.publish(bytes_message(policy(4, turning_left)))
    planner.probe.spin(SAYS_NOTHING)
    assert planner.change_state(Transition.TRANSITION_ACTIVATE)
    planner.probe.until(lambda: told(planner)["policy"] == "4", "the policy")
    planner.step()
    assert planner.graph.said_anew("planner")["policy_version"] == "4"


def test_a_policy_that_was_published_before_the_planner_started_is_flown(alone, tmp_path):
    early = Probe("late")
    try:
        early.publisher(topics.POLICY).publish(bytes_message(policy(4, turning_left)))
        planner = alone(namespace="late")
        planner.probe.until(lambda: planner.step() and told(planner)["policy"] == "4", "the policy")
    finally:
        early.close()


def test_a_policy_that_comes_in_another_mode_is_there_when_the_mode_changes(tmp_path, domain):
    planner = PlannerAlone(tmp_path, mode="stand", model="scratch")
    try:
        planner.step()
        assert not planner.set_mode("hybrid").successful
        planner.offer(policy(1), planner.policy_to)
        assert planner.graph.said_anew("planner")["mode"] == "stand"
        for mode in ("policy", "hybrid"):
            assert planner.set_mode(mode).successful
            planner.step()
            assert planner.graph.said_anew("planner")["mode"] == mode
    finally:
        planner.close()


@pytest.mark.parametrize("mode", ["policy", "hybrid"])
def test_the_ensemble_is_asked_what_it_thinks_of_a_policys_decisions(alone, mode):
    planner = alone(mode=mode, model="pretrained")
    told = planner.probe.collect(topics.metric("disagreement"), lambda message: message.data)
    shown = planner.probe.collect(topics.PLAN_MARKERS, lambda message: len(message.markers))
    planner.steps(12)
    planner.probe.until(lambda: told and shown, "the disagreement, and its picture")
    assert shown[-1] == 5, "a line for each member"
    assert 0 < told[-1] < 10
    assert float(planner.graph.said_anew("planner")["disagreement"]) == pytest.approx(told[-1], rel=1e-4)
    assert planner.set_mode("stand").successful
    planner.step()
    assert "disagreement" not in planner.graph.said_anew("planner")
