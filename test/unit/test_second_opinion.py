"""The ensemble's disagreement about what comes of a policy's decisions: one number, asked for when there is time."""

from dataclasses import replace

import pytest
import torch
from gate_driver import GO1, standing
from test_agent_policy import WALK, flying

from mbrl_ros.control.second_opinion import OLD, PATIENCE, SecondOpinion, doubted_by
from mbrl_ros.dynamics.calibration import Calibration
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.robots.features import FeatureLayout

SCALES = torch.tensor([1.0, 10.0])


def test_members_that_agree_do_not_disagree():
    assert doubted_by(torch.ones(5, 4, 2), SCALES) == 0.0


def test_it_is_in_usual_sizes_whatever_the_units():
    apart = torch.tensor([-1.0, 1.0])[:, None, None] * SCALES
    assert doubted_by(apart.expand(2, 4, 2), SCALES) == pytest.approx(1.0)
    assert doubted_by(0.3 * apart.expand(2, 4, 2), SCALES) == pytest.approx(0.3)


def test_a_member_that_expects_what_is_not_finite_disagrees_without_end():
    trace = torch.zeros(5, 4, 2)
    trace[2, 3, 1] = torch.nan
    assert doubted_by(trace, SCALES) == float("inf")


def test_one_member_agrees_with_itself():
    assert doubted_by(torch.randn(1, 4, 2), SCALES) == 0.0


def asked(every=3, mode="policy", model=True):
    agent = flying(mode=mode)
    if model:
        agent.set_model(new_ensemble(EnsembleConfig(members=5, width=8), FeatureLayout(GO1), 0), 1)
    agent.act(standing(0), WALK)
    return SecondOpinion(agent, every)


def test_it_is_asked_every_few_ticks():
    opinion, found = asked(), []
    for _ in range(7):
        opinion.disagreement = None
        opinion.after_plan(took=0.001)
        found.append(opinion.disagreement is not None)
    assert found == [False, False, True, False, False, True, False]


def test_it_is_not_asked_after_a_tick_that_took_long_but_after_the_next_one():
    opinion = asked()
    for _ in range(5):
        opinion.after_plan(took=0.9 * GO1.dt)
    assert opinion.disagreement is None
    opinion.after_plan(took=0.1 * GO1.dt)
    assert opinion.disagreement > 0


def test_without_a_model_nobody_can_be_asked():
    opinion = asked(every=1, model=False)
    opinion.after_plan(took=0.0)
    assert opinion.disagreement is None


def test_a_plan_is_looked_at_too_and_a_robot_that_only_stands_is_not():
    opinion = asked(every=1, mode="mppi")
    opinion.after_plan(took=0.0)
    assert opinion.disagreement > 0
    opinion._agent.configure(replace(opinion._agent.config, mode="stand"))
    opinion.after_plan(took=0.0)
    assert opinion.disagreement is None


def test_a_plan_that_is_only_repeated_is_not_looked_at_again():
    opinion = asked(every=2)
    for _ in range(5):
        opinion.after_plan(took=0.0, stamp_ns=1)
    assert opinion.disagreement is None
    opinion.after_plan(took=0.0, stamp_ns=2)
    assert opinion.disagreement > 0


def test_the_agent_hears_what_it_says_and_for_how_long():
    opinion, heard = asked(every=3), []
    opinion._agent.trust.hear = lambda *what: heard.append(what)
    for _ in range(3):
        opinion.after_plan(took=0.0)
    assert heard == [(opinion.disagreement, pytest.approx(3 * GO1.dt))]


def test_a_planner_that_is_always_late_is_asked_all_the_same_after_a_while():
    opinion, heard = asked(every=3), []
    opinion._agent.trust.hear = lambda *what: heard.append(what)
    for _ in range(3 * PATIENCE - 1):
        opinion.after_plan(took=0.9 * GO1.dt)
    assert heard == []
    opinion.after_plan(took=0.9 * GO1.dt)
    assert heard == [(opinion.disagreement, pytest.approx(3 * PATIENCE * GO1.dt))]


def test_steps_that_a_slow_planner_left_out_count_too():
    opinion = asked(every=4)
    for k in range(3):
        opinion.after_plan(took=0.0, stamp_ns=2 * k * GO1.dt_ns)
    assert opinion.disagreement is not None


def test_a_doubt_grows_old_where_no_plans_are_made_and_the_next_plan_is_looked_at():
    opinion = asked(every=5, mode="mppi")
    opinion._agent.trust.calibration = Calibration(0.1, 0.2, 0.1, 1.5, 0.2)
    for k in range(5):
        opinion.after_plan(took=0.0, stamp_ns=k * GO1.dt_ns)
    assert opinion.age == 0 and opinion.trouble == ""
    for k in range(5, 6 + round(OLD / GO1.dt)):
        opinion.without_plan(k * GO1.dt_ns)
    assert opinion.age > OLD and "nobody has looked at a plan for 1.0 s" in opinion.trouble
    assert opinion.diagnostics()["doubt_age"] == opinion.age
    opinion.after_plan(took=0.0, stamp_ns=(6 + round(OLD / GO1.dt)) * GO1.dt_ns)
    assert opinion.age == 0 and opinion.trouble == ""


def test_a_model_that_nobody_has_calibrated_is_named():
    opinion = asked(every=1)
    opinion.after_plan(took=0.0)
    assert opinion.diagnostics() == {
        "disagreement": opinion.disagreement,
        "doubt": "unknown, the model carries no calibration",
    }
