"""Every planner with every kind of model on three tasks, under every treatment: it drives, or says why not.

The models have learned nothing: what is asked is that the parts go together, whatever the plans are worth.
"""

from dataclasses import fields

import numpy as np
import pytest

from mbrl_ros.config import ConfigError
from mbrl_ros.known import MODELS, PLANNERS, the
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import TREATMENTS
from mbrl_ros.types import Plan

TASKS = ("pendulum", "rover", "car")
WITH_CONSTANTS = ("car",)  # whose law has some that can be unknown
NEED_A_LAW = ("physics", "residual")
STEPS = 2
SMALL = {"horizon": 4, "samples": 12, "iterations": 2, "restarts": 2, "knot_steps": 2}
SMALL_MODEL = {"members": 2, "particles": 2, "width": 8, "starts": 4, "waves": 20}
FEWER_STEPS = {"energy": 1, "diffusion": 2}  # of a sample
EXPECTED = {("gradient", "energy"): "needs a model with a gradient"}  # of planner and kind, why there is no plan
RUNS = {task: load_run(f"{task}_mpc") for task in TASKS}
SPECS = {task: load_robot(run.planner.robot) for task, run in RUNS.items()}


def untrained(name, task):
    kind = the("model", name)
    small = SMALL_MODEL | ({"steps": FEWER_STEPS[name]} if name in FEWER_STEPS else {})
    read = {f.name for f in fields(kind.Config)}
    config = kind.Config(**{key: value for key, value in small.items() if key in read})
    return kind.new(config, FeatureLayout(SPECS[task]), 0)


def driven(planner, model, task, treatment):
    """What was decided in each of a few steps."""
    run = RUNS[task].with_setting("planner.planner", planner)
    read, section = {f.name for f in fields(run.planner.search)}, f"planner.{run.planner.searching}"
    small = {f"{section}.{key}": value for key, value in SMALL.items() if key in read}
    session = driving(run.with_all({"planner.treatment": treatment, **small}), SPECS[task], model, 0, noise=False)
    decided, act = [], session.agent.act
    session.agent.act = lambda *given: decided.append(act(*given)) or decided[-1]
    for _ in range(STEPS):
        session.step(np.zeros(session.agent.task.command_size))
    return decided


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("planner", PLANNERS)
def test_it_drives_or_says_why_not(planner, name, task):
    if name in NEED_A_LAW and task not in WITH_CONSTANTS:
        with pytest.raises(ConfigError, match="a law of motion with unknown constants"):
            untrained(name, task)
        return
    model, (low, high) = untrained(name, task), SPECS[task].target_limits
    disagreeing = model.members > 1 and planner != "prior"
    for treatment in TREATMENTS if disagreeing else ("expectation",):
        for plan in driven(planner, model, task, treatment):
            if reason := EXPECTED.get((planner, name)):
                assert isinstance(plan, NoPlan) and reason in plan.reason
                continue
            assert isinstance(plan, Plan), (treatment, plan)
            assert np.isfinite(plan.targets).all()
            assert (plan.targets >= low - 1e-6).all() and (plan.targets <= high + 1e-6).all()
