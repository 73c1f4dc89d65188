"""Which policy is flown: another file is another policy, whatever its number; and what is said of the first one."""

from dataclasses import replace

import pytest
from learning_driver import GO1
from test_policy_file import content, network, with_card

from mbrl_ros.config import ConfigError
from mbrl_ros.content import content_hash
from mbrl_ros.control.agent import Agent
from mbrl_ros.nodes.flown import GIVE_UP_AFTER
from mbrl_ros.nodes.flown_policy import flown_policy
from mbrl_ros.policies.card import PolicyRefused
from mbrl_ros.settings import MppiConfig, PlannerConfig

CONFIG = PlannerConfig(mode="policy", model="scratch")
ONE, OTHER = content(network(0)), content(network(1))  # both are number 7


class Heard:
    def __init__(self):
        self.warned, self.told, self.noted = [], [], []


def flown(tmp_path, first=ONE, **changes):
    file = tmp_path / "first.onnx"
    file.write_bytes(first)
    config, heard = replace(CONFIG, policy=str(file), **changes), Heard()
    agent = Agent(GO1, config)
    return flown_policy(config, agent, heard.warned.append, heard.told.append, heard.noted.append), agent, heard


def offered(policies, *contents):
    for one in contents:
        policies.offer(one)
    policies.take(wait=True)


def given_up(policies):
    for _ in range(GIVE_UP_AFTER):
        policies.failed("not finite")


def test_another_file_of_the_same_number_is_flown(tmp_path):
    policies, agent, heard = flown(tmp_path)
    offered(policies, OTHER)
    assert (policies.version, policies.swaps, heard.told) == (7, 1, [""])
    assert agent._policy.hash == content_hash(OTHER)


def test_the_file_that_is_flown_already_is_ignored_and_that_is_no_trouble(tmp_path):
    policies, _, heard = flown(tmp_path)
    offered(policies, ONE)
    assert (policies.swaps, heard.told) == (0, [])
    assert heard.noted == ["ignored policy 7: it is the one that is flown"]


def test_the_file_that_was_given_up_is_not_flown_again_but_another_of_its_number_is(tmp_path):
    policies, agent, heard = flown(tmp_path)
    offered(policies, OTHER)
    given_up(policies)
    assert agent._policy.hash == content_hash(ONE) and policies.refused == {7: "not finite"}
    offered(policies, OTHER)
    assert agent._policy.hash == content_hash(ONE) and heard.noted == ["ignored policy 7: not finite"]
    third = content(network(2))
    offered(policies, third)
    assert agent._policy.hash == content_hash(third) and not policies.refused


def test_a_file_that_does_not_fit_keeps_no_other_of_its_number_out(tmp_path):
    policies, agent, heard = flown(tmp_path)
    good = with_card(OTHER, version=8)
    offered(policies, with_card(good, kp=(1.0,) * 12))
    assert "kp differs" in policies.refused[8] and heard.told[-1].startswith("refused a policy: ")
    offered(policies, good)
    assert policies.version == 8 and not policies.refused and agent._policy.hash == content_hash(good)


def test_the_number_of_a_policy_of_another_robot_is_not_remembered(tmp_path):
    policies, _, heard = flown(tmp_path)
    offered(policies, with_card(OTHER, robot="another", version=8))
    assert "is not for 'go1_like'" in heard.told[-1] and not policies.refused


def test_a_first_policy_that_is_asked_for_and_does_not_fit_is_an_error(tmp_path):
    with pytest.raises(PolicyRefused, match="kp differs"):
        flown(tmp_path, with_card(ONE, kp=(1.0,) * 12), mode="mppi")


@pytest.mark.parametrize(
    ("config", "who"),
    [
        (CONFIG, "planner.mode policy cannot do without"),
        (PlannerConfig(model="scratch", mppi=MppiConfig(terminal_value=True)), "planner.mppi.terminal_value cannot"),
        (PlannerConfig(model="scratch", mppi=MppiConfig(proposals=0.3)), "planner.mppi.proposals 0.3 cannot"),
        (PlannerConfig(model="scratch", policy="/nowhere/policy.onnx"), "no policy at /nowhere/policy.onnx: "),
    ],
)
def test_who_wants_a_policy_that_is_not_there_is_said_with_the_mend(config, who):
    heard = Heard()
    with pytest.raises(ConfigError, match="mbrl distill RUN") as error:
        flown_policy(config, Agent(GO1, config), heard.warned.append, heard.told.append, heard.noted.append)
    assert who in str(error.value)


def test_plans_that_listen_to_a_policy_of_another_model_are_warned_of(tmp_path):
    assert flown(tmp_path)[2].warned == []
    warned = flown(tmp_path, mppi=MppiConfig(terminal_value=True))[2].warned
    assert len(warned) == 1 and "was distilled from model 44 (0123)" in warned[0]
