"""How learning is told in one report."""

import numpy as np
import pytest
import torch

from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.learning import judging
from mbrl_ros.learning.evaluating import goal_kept
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.tasks import cartpole


def test_a_goal_that_was_reached_and_kept():
    there = np.arange(300) >= 100  # 4 s away, 8 s there, at 25 Hz
    found = goal_kept("upright", there, 0.04)
    assert found == {"upright_share_last_5s": 1.0, "upright_for_good_after_s": pytest.approx(4.0)}


def test_a_goal_that_was_never_left_was_reached_at_once():
    found = goal_kept("upright", np.full(200, True), 0.04)
    assert found == {"upright_share_last_5s": 1.0, "upright_for_good_after_s": 0.0}


def test_a_goal_that_is_left_at_the_end_was_never_reached_for_good():
    found = goal_kept("upright", np.arange(300) < 299, 0.04)
    assert found["upright_for_good_after_s"] is None
    assert found["upright_share_last_5s"] == pytest.approx(124 / 125)


class StillTask:
    """A task that learning/ has never heard of."""

    command_size = 0
    goal = "still"

    def __init__(self, layout):
        self._speeds = slice(layout.joint_velocity.start, layout.joint_velocity.start + 2)

    def reward(self, state, command):
        return -state[..., self._speeds].square().sum(-1)

    def at_goal(self, state):
        return state[..., self._speeds].abs().amax(-1) < 0.5

    def terminated(self, state):
        return state[..., 0] > 1e9


def test_a_task_is_judged_by_what_it_calls_good(monkeypatch):
    monkeypatch.setattr(cartpole, "Task", StillTask)
    run, spec = load_run("cartpole_mpc").with_setting("planner.mppi.samples", 20), load_robot("cartpole")
    model = new_ensemble(EnsembleConfig(members=2, width=8, layers=1), FeatureLayout(spec), seed=0)
    result = judging.judged(run, spec, model, judging.COMMANDS, 4.0, seed=0)
    assert set(result["summary"]) == {"still_share_last_5s", "still_for_good_after_s", "falls", "no_plans"}
    assert judging.in_words(result).startswith("still ")


class BoundedTask(StillTask):
    def violation(self, state):
        return (state[..., self._speeds].abs().amax(-1) >= 0.0).float()  # wherever it is


def test_where_the_task_bounds_the_state_it_is_said_how_often_it_was_outside(monkeypatch):
    monkeypatch.setattr(cartpole, "Task", BoundedTask)
    run, spec = load_run("cartpole_mpc").with_setting("planner.mppi.samples", 20), load_robot("cartpole")
    model = new_ensemble(EnsembleConfig(members=2, width=8, layers=1), FeatureLayout(spec), seed=0)
    result = judging.judged(run, spec, model, judging.COMMANDS, 4.0, seed=0)
    assert result["summary"]["out_of_bounds_share"] == 1.0
    assert judging.in_words(result).endswith("out of bounds in 100.0% of the steps")


def tracking(velocity, yaw_rate, falls=0):
    summary = {"velocity_error": velocity, "yaw_rate_error": yaw_rate, "worst_velocity_error": velocity,
               "worst_yaw_rate_error": yaw_rate, "samples": 10, "non_finite": 0, "falls": falls}  # fmt: skip
    commands = [{"command": [0.3, 0.0, 0.0], "velocity_error": velocity, "yaw_rate_error": yaw_rate,
                 "reached": [velocity, 0.0, 0.0], "samples": 10}]  # fmt: skip
    return {"summary": summary, "commands": commands}


def test_a_report_of_several_seeds_has_their_mean_their_spread_and_each():
    report = judging.merged_report({}, [0, 1], [tracking(0.1, 0.2, 1), tracking(0.3, 0.4, 2)])
    assert report["summary"]["velocity_error"] == pytest.approx(0.2)
    assert report["spread"]["velocity_error"] == [0.1, 0.3]
    assert report["summary"]["falls"] == 3
    assert report["summary"]["samples"] == 20
    assert [s["falls"] for s in report["per_seed"]] == [1, 2]
    assert report["commands"][0]["velocity_error"] == pytest.approx(0.2)
    assert report["commands"][0]["reached"] == pytest.approx([0.2, 0.0, 0.0])


def test_a_seed_that_could_not_be_judged_leaves_the_others_mean():
    report = judging.merged_report({}, [0, 1], [tracking(None, None), tracking(0.3, 0.4)])
    assert report["summary"]["velocity_error"] == pytest.approx(0.3)
    assert judging.merged_report({}, [0], [tracking(None, None)])["summary"]["velocity_error"] is None


def test_a_judgement_in_words():
    assert judging.in_words(tracking(0.05, 0.2)) == (
        "velocity error 0.050 m/s (worst 0.050), yaw rate 0.200 rad/s (worst 0.200), 0 falls"
    )
    pole = {"summary": {"upright_share_last_5s": 1.0, "upright_for_good_after_s": 3.2, "falls": 0}}
    assert judging.in_words(pole) == "upright 100% of the last 5 s, for good after 3.2 s, 0 falls"


def test_a_pole_that_never_stood_is_said_to_be_so():
    summary = goal_kept("upright", np.full(200, False), 0.04) | {"falls": 0}
    assert judging.in_words({"summary": summary}) == "upright 0% of the last 5 s, never for good, 0 falls"
    report = judging.merged_report({}, [0], [{"summary": summary, "commands": []}])
    assert report["summary"]["upright_for_good_after_s"] is None


def test_commands_held_too_briefly_to_be_judged_are_said_to_be_so():
    assert "not judged" in judging.in_words(tracking(None, None))


def test_steps_without_a_plan_are_said_with_the_reason_and_summed_up_in_the_report():
    some, none = tracking(0.05, 0.2), tracking(0.05, 0.2)
    some["summary"]["no_plans"], none["summary"]["no_plans"] = 7, 0
    some["why_no_plan"], none["why_no_plan"] = "the model is at a loss", ""
    assert judging.in_words(some).endswith("0 falls, no plan in 7 steps: the model is at a loss")
    assert judging.in_words(none).endswith("0 falls")
    report = judging.merged_report({}, [0, 1], [none, some])
    assert report["summary"]["no_plans"] == 7 and report["why_no_plans"] == ["the model is at a loss"]


class Lost:
    """A model of the cartpole that foresees nothing finite, but for its first `known` looks."""

    members = 1

    def __init__(self, known):
        self.left = known

    def rollout(self, states, actions):
        self.left -= 1
        after = states[:, :, None] + 0.0 * actions.cumsum(2)
        return after if self.left >= 0 else after * torch.nan


def test_a_drive_that_was_planned_in_part_says_in_how_many_steps_it_was_not():
    run, spec = load_run("cartpole_mpc").with_setting("planner.mppi.samples", 20), load_robot("cartpole")
    result = judging.judged(run, spec, Lost(known=100), judging.COMMANDS, 4.0, seed=0)
    assert 0 < result["summary"]["no_plans"] < 15 / spec.dt
    assert result["why_no_plan"] == "what the model foresees is not finite"
