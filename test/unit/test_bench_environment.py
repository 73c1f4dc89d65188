"""`mbrl bench environment`: an environment and its reward, learned from nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros.backends.environment import Episodes
from mbrl_ros.backends.environments import make_environment
from mbrl_ros.bench import environment_command
from mbrl_ros.bench.student import Box, Student, Told, Trial, sections, taught
from mbrl_ros.cli import main
from mbrl_ros.known import PLANNERS
from mbrl_ros.planners.problem import PlanResult
from mbrl_ros.settings import MppiConfig

CARTPOLE = "own/balanced-cartpole"
QUICK = replace(environment_command.STUDIES, explored=80, first=200, planner=MppiConfig(samples=100, horizon=12))
TINY = replace(QUICK, first=5, planner=MppiConfig(samples=80, horizon=2))


def test_what_is_told_of_rewards_and_ends_is_known_of_states_that_were_not_seen():
    episodes, told = Episodes(make_environment(CARTPOLE, 0)), Told()
    random = np.random.default_rng(0)
    for _ in range(600):
        told.add(episodes.step(random.uniform(-1, 1, 1)))
    told.learn(seed=0)
    upright_and_fallen = torch.tensor([[0.0, 0.0, 0.0, 0.0], [-0.1, -0.6, 0.26, 0.9]])
    assert told.terminated(upright_and_fallen).tolist() == [False, True]
    assert told.reward(upright_and_fallen, torch.zeros(0)).tolist() == pytest.approx([1.0, 0.0], abs=0.05)


def test_decisions_are_actions_between_the_bounds():
    spec = replace(make_environment(CARTPOLE, 0).spec, bounds=np.array([[-1.0], [3.0]]))
    told = Box(spec).decode(torch.tensor([[[-1.0], [0.0], [1.0]]]), torch.zeros(3))
    assert told.flatten().tolist() == [-1.0, 1.0, 3.0]


def test_a_student_that_is_told_no_reward_plans_by_the_one_it_has_learned():
    """Where leaning to the right is worth much it falls to the right, and to the left where that is."""

    def leaned(worth):
        episodes, leans = Episodes(make_environment(CARTPOLE, 0)), []
        student = Student(episodes.spec, QUICK, seed=0)

        def step(action):
            t = episodes.step(action)
            student.add(replace(t, reward=worth * float(t.next_state[2]), terminal=False))

        for _ in range(QUICK.explored):
            step(student.random_action())
        student.learn(QUICK.first)
        for _ in range(4):
            episodes.begin()
            student.begin()
            while not episodes.over:
                step(student.action(episodes.observation))
            leans.append(episodes.observation[2])
        return np.array(leans)

    assert (leaned(10.0) > 0).all() and (leaned(-10.0) < 0).all()


def test_a_trial_counts_its_steps_and_what_it_earned():
    episodes = Episodes(make_environment(CARTPOLE, 0))
    found = taught(Student(episodes.spec, TINY, 0), episodes, TINY, 1)
    assert found[-2].explored and found[-2].steps == TINY.explored and not found[-1].explored
    assert found[-1].steps == TINY.explored + found[-1].earned


@pytest.mark.parametrize("planner", PLANNERS)
def test_any_planner_plans_by_what_was_learned(planner):
    episodes = Episodes(make_environment(CARTPOLE, 0))
    student = Student(episodes.spec, TINY, 0, planner=planner)
    searched, search = [], student._search.plan
    student._search.plan = lambda elapsed: searched.append(search(elapsed)) or searched[-1]
    found = taught(student, episodes, TINY, 1)
    assert len(searched) == found[-1].steps - TINY.explored > 0
    assert all(isinstance(plan, PlanResult) for plan in searched)


def test_another_planner_looks_as_far_ahead_with_as_many_rollouts():
    studies = replace(TINY, planner=MppiConfig(samples=120, horizon=7, knot_steps=2))
    cem, tree = (sections(name, studies)[name] for name in ("cem", "mcts"))
    assert (cem.horizon, cem.knot_steps, cem.samples * cem.iterations) == (7, 2, 120)
    assert (tree.horizon, tree.samples) == (7, 120)
    assert sections("prior", studies)["mppi"] is studies.planner


def test_the_command_prints_each_trial_and_writes_them(capsys, monkeypatch, tmp_path):
    given = [Trial(20.0, 20, 1.0, 1.0, True), Trial(8.0, 28, 1.0, 1.0, True), Trial(200.0, 228, 9.0, 8.0, False)]
    monkeypatch.setattr(environment_command, "learned", lambda name, seed, trials, planner: given)
    report = tmp_path / "report.json"
    assert main(["bench", "environment", CARTPOLE, "--seeds", "2", "--seed", "3", "--report", str(report)]) == 0
    said = capsys.readouterr().out
    assert "seed 4" in said and "20.0" in said and "200.0 (228 steps, 8 s)" in said
    assert len(json.loads(report.read_text())["rows"]) == 2


@pytest.mark.parametrize("wrong", [["own/cartpole"], ["nosuch"], [CARTPOLE, "--seeds", "0"]])
def test_what_is_not_there_is_refused(capsys, wrong):
    assert main(["bench", "environment", *wrong]) == 2
    assert capsys.readouterr().err.count("\n") == 1
