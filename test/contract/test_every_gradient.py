"""The gradient of a plan's value, through every action map and task, is that of small changes of the plan."""

import pytest
import torch

from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.paths import share
from mbrl_ros.robots.action_maps import ACTION_MAPS, make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import TASK_NAMES, CostConfig
from mbrl_ros.tasks import make_task

HORIZON = 6
RUNS = [load_run(path.stem) for path in sorted((share() / "config").glob("*.yaml"))]
ROBOTS = {run.planner.task: load_robot(run.planner.robot) for run in RUNS}


def fits(task, name):
    """Of a choice between motions nothing comes of small changes, so `primitive` is none of them."""
    return name != "primitive" and (task == "quadruped" or name != "gait")


CASES = [(task, name) for task in TASK_NAMES for name in ACTION_MAPS if fits(task, name)]


@pytest.mark.parametrize("treatment", ["expectation", "pessimism", "cvar"])
@pytest.mark.parametrize(("task", "action_map"), CASES)
def test_it_is_that_of_small_changes(task, action_map, treatment):
    spec, generator = ROBOTS[task], torch.Generator().manual_seed(0)
    layout, actions = FeatureLayout(spec), make_action_map(action_map, spec)
    model = FoldedEnsemble(new_ensemble(EnsembleConfig(members=3, width=32), layout, seed=0))
    judge = make_task(task, layout)
    situation = Situation.empty(layout.size, judge.command_size, actions.size, HORIZON)
    situation.state.copy_(0.1 * torch.tensor(layout.scales) * torch.randn(layout.size, generator=generator))
    situation.phase.copy_(0.03 + 0.045 * torch.arange(HORIZON))
    problem = make_problem(situation, model, judge, actions, CostConfig(), treatment, 0.5, 30, cvar=0.6)
    decisions = 0.1 + 0.05 * torch.rand(HORIZON, actions.size, generator=generator)
    values, (gradient,) = problem.gradient(decisions[None])
    torch.testing.assert_close(values, problem.value(decisions[None]))
    direction = gradient / gradient.norm()
    step = 0.01 * direction
    found = (problem.value((decisions + step)[None]) - problem.value((decisions - step)[None])) / 0.02
    assert float(found) == pytest.approx(float((gradient * direction).sum()), rel=0.02)
