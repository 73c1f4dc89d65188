"""What doubt does to the robot: slower, labelled, and standing where it lasts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate_driver import GO1, standing

from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.second_opinion import SecondOpinion
from mbrl_ros.control.trust import MEMORY, Trust
from mbrl_ros.dynamics.calibration import Calibration
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.learning.models import load_model
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import PlannerConfig, TrustConfig

KNOWN = Calibration(band=0.1, usual=0.2, floor=0.1, inflation=1.5, width=0.2)
CONFIG = TrustConfig(
    limit_from=0.5, limit_to=0.9, least=0.2, stop_above=0.95, stop_after=0.5, resume_below=0.5, resume_after=1.0
)
AGREED, PARTED = 0.0, 10.0
STEP = 0.1  # s


def trusting(**changes):
    trust = Trust(replace(CONFIG, **changes))
    trust.calibration = KNOWN
    return trust


def hear(trust, disagreement, seconds):
    for _ in range(round(seconds / STEP)):
        trust.hear(disagreement, STEP)
    return trust


@pytest.mark.parametrize("doubt, share", [(None, 1.0), (0.0, 1.0), (0.5, 1.0), (0.7, 0.6), (0.9, 0.2), (1.0, 0.2)])
def test_the_commanded_speed_falls_in_a_straight_line(doubt, share):
    trust = trusting()
    trust.doubt = doubt
    assert trust.share == pytest.approx(share)
    assert trust.unsure == (share < 1.0)
    assert bool(trust.reason) == (share < 1.0)


def test_a_model_that_nobody_has_calibrated_is_not_doubted():
    trust = trusting()
    trust.calibration = None
    assert hear(trust, PARTED, 2.0).doubt is None and trust.share == 1.0 and not trust.stopped


def test_one_odd_look_changes_little():
    trust = hear(trusting(), AGREED, 1.0)
    trust.hear(PARTED, STEP)
    assert trust.doubt == pytest.approx(STEP / MEMORY, abs=0.01) and trust.share == 1.0


def test_doubt_that_lasts_makes_it_stand_and_trust_that_lasts_walk_again():
    trust = hear(trusting(), PARTED, 0.4)
    assert not trust.stopped and trust.share == pytest.approx(0.2)
    assert hear(trust, PARTED, 0.2).stopped and trust.reason.startswith("standing: ")
    hear(trust, AGREED, 1.0)
    assert trust.doubt < 0.1 and trust.stopped, "not before it has lasted"
    assert not hear(trust, AGREED, 0.5).stopped and trust.reason == ""


def test_it_does_not_go_on_while_the_doubt_comes_and_goes():
    trust = hear(trusting(), PARTED, 1.0)
    for _ in range(5):
        hear(hear(trust, AGREED, 0.9), PARTED, 0.5)
        assert trust.stopped


def test_whoever_does_not_want_it_is_told_only():
    trust = hear(trusting(enabled=False), PARTED, 2.0)
    assert trust.doubt == pytest.approx(1.0) and trust.unsure
    assert trust.share == 1.0 and not trust.stopped


def test_whoever_turns_it_off_while_it_stands_lets_it_walk():
    trust = hear(trusting(), PARTED, 2.0)
    assert trust.stopped
    trust.config = replace(trust.config, enabled=False)
    assert not hear(trust, PARTED, STEP).stopped and trust.share == 1


def test_standing_at_once_takes_a_doubt_all_the_same():
    assert not hear(trusting(stop_after=0.0), AGREED, 1.0).stopped
    assert hear(trusting(stop_after=0.0), PARTED, 1.0).stopped


def test_nothing_to_doubt_ends_it():
    trust = hear(trusting(), PARTED, 1.0)
    trust.hear(None, STEP)
    assert (trust.doubt, trust.stopped, trust.share) == (None, False, 1.0)


@pytest.mark.parametrize("wrong", [{"limit_from": 0.9}, {"resume_below": 0.96}])
def test_settings_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ConfigError):
        replace(CONFIG, **wrong)


def agent():
    found = Agent(GO1, PlannerConfig(learning=False))
    model, card = load_model("pretrained", "quadruped_mpc", FeatureLayout(GO1))
    found.set_model(model, card.version)
    found.trust.calibration = card.calibration
    return found


def commanded(agent, seconds=2.0):
    for k in range(round(seconds / GO1.dt)):
        plan = agent.act(standing(k * GO1.dt_ns), np.array([0.5, 0.0, 0.0]))
        assert not isinstance(plan, NoPlan)
    return plan, agent.command[0]


def test_the_agent_walks_as_fast_as_it_is_trusted():
    one = agent()
    assert commanded(one)[1] == pytest.approx(0.5)
    one.trust.doubt = 1.0
    one.forget()
    assert commanded(one)[1] == pytest.approx(0.5 * TrustConfig().least)


def test_the_agent_that_is_not_trusted_plans_to_stand_and_says_stance():
    one = agent()
    one.trust.stopped = True
    plan, command = commanded(one, 0.2)
    assert command == 0.0
    np.testing.assert_array_equal(plan.targets, np.tile(GO1.stance, (len(plan.targets), 1)))
    one.trust.stopped = False
    plan, _ = commanded(one, 0.2)
    assert not np.array_equal(plan.targets, np.tile(GO1.stance, (len(plan.targets), 1)))


def test_the_shipped_model_is_trusted_where_it_has_been_and_doubted_where_it_has_not():
    one, opinion = agent(), []
    opinion = SecondOpinion(one, every=1)
    state = standing(0)
    one.act(state, np.zeros(3))
    opinion.after_plan(took=0.0)
    assert one.trust.doubt < 0.05
    one.forget()
    on_its_back = replace(state.base, orientation_wxyz=np.array([0.0, 1.0, 0.0, 0.0]))
    one.act(replace(state, stamp_ns=GO1.dt_ns, base=on_its_back), np.zeros(3))
    one.trust.doubt = None
    opinion.after_plan(took=0.0)
    assert one.trust.doubt > 0.95


def test_a_model_that_has_learned_nothing_but_claims_to_is_doubted():
    """Its card says what the shipped one's says, its members agree about nothing."""
    one = agent()
    torch.manual_seed(0)
    model = new_ensemble(EnsembleConfig(), FeatureLayout(GO1), 0)
    model.weights[-1].mul_(10.0)
    one.set_model(model, 9)
    one.act(standing(0), np.zeros(3))
    SecondOpinion(one, every=1).after_plan(took=0.0)
    assert one.trust.doubt > 0.95
