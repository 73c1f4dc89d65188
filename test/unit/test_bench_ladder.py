"""The ladder: which rungs there are, that they get the same, what is made of their returns, going on after Ctrl-C."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros import known
from mbrl_ros.bench import ladder_climb, ladder_command
from mbrl_ros.bench.kept import Kept
from mbrl_ros.bench.ladder import MODELS, PLANNERS, RUNGS, TASKS, TREATMENTS, Rung, excuse
from mbrl_ros.bench.ladder_budgets import BUDGETS, GRADIENT_PASSES, QUICK
from mbrl_ros.bench.ladder_cell import judged, let_others_plan, settled
from mbrl_ros.bench.ladder_models import PASSES, of_kind
from mbrl_ros.bench.ladder_rows import row
from mbrl_ros.bench.ladder_table import COLUMNS, excuses, line, markdown
from mbrl_ros.cli import main
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.planners.problem import NoPlan, PlanResult
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import TREATMENTS as KNOWN_TREATMENTS
from mbrl_ros.types import RobotState

CELL = {
    "at_goal": 0.5, "outside": None, "falls": 1, "decision_ms": 2.0, "robot_seconds": 20.0, "fit_seconds": 1.0,
    "learning_falls": 0, "wall_seconds": 1.0,
}  # fmt: skip
BASE = next(rung for rung in RUNGS if rung.is_base)


def cells(*returns):
    return [{**CELL, "return": value} for value in returns]


def rung(text) -> Rung:
    return next(rung for rung in RUNGS if str(rung) == text)


class Counting:
    """A pendulum that nothing moves; counts the rows that it is asked for, times their steps."""

    def __init__(self, members):
        self.members, self.rows = members, 0.0

    def rollout(self, states, actions, each=1):
        self.rows += each * actions.shape[0] * actions.shape[1] * actions.shape[2]
        return states[:, :, None] + 0.1 * actions.cumsum(2) * torch.tensor([0.0, 0.0, 1.0])

    def differentiable_rollout(self, states, actions):
        return self.rollout(states, actions, each=GRADIENT_PASSES)


def test_all_names_are_there_and_are_known():
    assert [r.name for r in RUNGS if r.axis == "planner"] == list(PLANNERS)
    assert [r.name for r in RUNGS if r.axis == "model"] == list(MODELS)
    assert [r.name for r in RUNGS if r.axis == "treatment"] == list(TREATMENTS)
    assert set(PLANNERS) < set(known.PLANNERS) and set(MODELS) < set(known.MODELS)
    assert set(TREATMENTS) == set(KNOWN_TREATMENTS) and set(TASKS) == set(known.TASKS) == set(BUDGETS)


def test_a_rung_of_an_axis_differs_from_the_base_in_that_alone():
    for each in RUNGS:
        if each.axis in ("planner", "model", "treatment"):
            others = {"planner", "model", "treatment"} - {each.axis}
            assert all(getattr(each, axis) == getattr(BASE, axis) for axis in others)


def test_quick_climbs_every_name_at_least_once():
    there = [rung(text) for task, texts in QUICK.items() for text in texts if not excuse(task, rung(text))]
    assert {r.planner for r in there} >= set(PLANNERS)
    assert {r.model for r in there} == set(MODELS)
    assert {r.treatment for r in there} == set(TREATMENTS)
    assert set(QUICK) == set(TASKS)


def test_what_does_not_apply_says_why():
    assert [task for task in TASKS if not excuse(task, rung("model physics"))] == ["car"]
    assert [task for task in TASKS if not excuse(task, rung("planner mcts"))] == [
        "pendulum",
        "cartpole",
        "cliff",
        "rover",
    ]
    assert not excuse("rover", rung("planner gradient"))  # votes for motions have a slope, through learned models
    assert all(excuse(task, rung("outside mbrl-lib PETS")) for task in TASKS)
    assert not any(excuse(task, BASE) for task in TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_whoever_is_climbed_on_a_task_finds_plans_there(task):
    budget = replace(BUDGETS[task], passes=80)
    for each in RUNGS:
        if each.axis not in ("planner", "outside") or excuse(task, each):
            continue
        run = settled(load_run(budget.run), each, budget)
        spec = load_robot(run.planner.robot)
        shape = replace(run.learner.ensemble, width=8)
        model = new_ensemble(shape, FeatureLayout(spec), 0)
        session = driving(run, spec, model, 0, noise=False)
        let_others_plan(each, session.agent)
        for _ in range(3):
            session.step(np.zeros(session.agent.task.command_size))
        assert isinstance(session.agent.last_result, PlanResult), f"{task}, {each}"


@pytest.mark.parametrize("name", PLANNERS)
def test_a_decision_of_any_planner_takes_the_same_arithmetic(name):
    budget = BUDGETS["pendulum"]
    run = settled(load_run(budget.run), rung(f"planner {name}"), budget)
    agent, model = Agent(load_robot("pendulum"), run.planner), Counting(run.learner.ensemble.members)
    agent.set_model(model, 1)
    model.rows = 0
    agent.search.situation.begin(torch.tensor([-1.0, 0.0, 0.0]), torch.zeros(0), torch.zeros(run.planner.mppi.horizon))
    assert not isinstance(agent.search.plan(1), NoPlan)
    spent = model.rows / (budget.passes * run.planner.mppi.horizon)
    assert (0.4 if name == "mcts" else 0.8) < spent < 1.15  # a tree plays on from where it is, not from the root


def test_a_planner_without_a_section_of_its_own_is_set_by_that_of_mppi():
    """As one that was only added to known.PLANNERS."""
    budget = BUDGETS["pendulum"]
    planner = settled(load_run(budget.run), replace(BASE, planner="prior"), budget).planner
    assert planner.planner == "prior" and planner.mppi.samples == budget.passes


@pytest.mark.parametrize("name", sorted(PASSES))
def test_a_model_that_needs_several_passes_gets_fewer_candidates(name):
    budget = BUDGETS["pendulum"]
    usual = settled(load_run(budget.run), BASE, budget).planner.mppi.samples
    dear = settled(load_run(budget.run), rung(f"model {name}"), budget).planner.mppi.samples
    assert dear == usual // PASSES[name]


@pytest.mark.parametrize("task, name", [*(("pendulum", name) for name in MODELS[:-1]), ("car", "physics")])
def test_every_kind_of_model_can_be_planned_with(task, name):
    """In inference mode, as the agent plans: whatever samples with a gradient has to see to it itself."""
    run = settled(load_run(BUDGETS[task].run), rung(f"model {name}"), BUDGETS[task])
    agent, kind = Agent(load_robot(run.planner.robot), run.planner), known.the("model", name)
    agent.set_model(kind.new(of_kind(name, run.learner.ensemble), agent.layout, 0), 1)
    agent.search.set_samples(10)
    still = np.zeros(len(agent.spec.joints))
    base = None
    if task == "car":
        from mbrl_ros.backends import new_backend

        base = new_backend(agent.spec, 0).truth().base
    plan = agent.act(RobotState(0, still, still.copy(), base), np.zeros(0))
    assert not isinstance(plan, NoPlan) and np.isfinite(plan.targets).all()


def test_a_rung_pays_where_it_gains_seed_by_seed_beyond_the_interval():
    cem = rung("planner cem")
    base = cells(10.0, 50.0, 90.0)
    assert row("pendulum", cem, "", cells(15.0, 56.0, 94.0), base, 0.02).verdict == "pays"
    assert row("pendulum", cem, "", cells(5.0, 44.0, 86.0), base, 0.02).verdict == "loses"
    assert row("pendulum", cem, "", cells(5.0, 56.0, 90.0), base, 0.02).verdict == "cannot be told"
    assert row("pendulum", cem, "", cells(5.0), base[:1], 0.02).verdict == ""
    assert row("pendulum", BASE, "", base, base, 0.02).verdict == "the base"


def test_a_row_has_a_word_for_every_column_and_what_is_not_there_is_not_made_up():
    found = row("cliff", rung("planner cem"), "", cells(1.0, 3.0), (), 0.02)
    assert (found.mean, found.lowest, found.highest, found.gain, found.outside) == (2.0, 1.0, 3.0, None, None)
    words = dict(zip(COLUMNS, line(found), strict=True))
    assert (words["return"], words["at goal"], words["outside"]) == ("2.0", "50%", "-")
    missing = [row(task, rung("model physics"), "not known", (), (), 0.02) for task in ("rover", "hand")]
    assert missing[0].mean is None and "not here" in line(missing[0])
    assert excuses(missing) == ["model physics (rover, hand): not known"]
    text = markdown([found, *missing])
    assert "| planner cem | 2 |  |  |" in text and "| model physics |" not in text, "a line where it was climbed"
    assert "| planner cem | 2.0 |" in text and "Not here: model physics (rover, hand): not known." in text


def test_a_robot_that_had_no_model_to_plan_with_is_told_from_one_that_planned_badly():
    stood = [{**cell, "unflown": 1.0} for cell in cells(0.0)] + cells(3.0)
    found = row("cliff", rung("model energy"), "", stood, (), 0.02)
    assert found.unflown == 1 and line(found)[1] == "model energy (1 of 2 without a model)"
    assert line(row("cliff", rung("model energy"), "", cells(3.0), (), 0.02))[1] == "model energy"
    lost = [{**cell, "no_plans": 7} for cell in cells(1.0, 2.0)] + cells(3.0)
    assert line(row("cliff", BASE, "", lost, (), 0.02))[1].endswith(" (no plan in 14 steps)")


def test_what_could_not_be_driven_and_what_stands_there_twice_is_marked():
    slow = [{**cell, "decision_ms": 21.0} for cell in cells(1.0)]
    for dt, mark in ((0.02, "21.0 > a step"), (0.03, "21.0")):
        assert line(row("cliff", rung("planner mcts"), "", slow, (), dt))[-1] == mark
    assert line(row("cliff", rung("version v5"), "", slow, (), 0.02))[1] == "version v5 = planner mcts"


def test_what_was_climbed_with_another_run_file_is_not_gone_on_with(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(ladder_climb, "climbed", lambda *given: {**CELL, "return": 1.0})
    monkeypatch.setattr(Kept, "reported", lambda kept: "")  # as if it had been ended early
    asked = ["bench", "ladder", "--tasks", "cliff", "--rungs", "mppi", "--seeds", "1"]
    assert main([*asked, "--report", str(tmp_path / "ladder.json")]) == 0
    load = ladder_command.load_run
    monkeypatch.setattr(ladder_command, "load_run", lambda name: load(name).with_setting("planner.mppi.horizon", 7))
    assert main([*asked, "--report", str(tmp_path / "ladder.json")]) == 2
    assert "of a run with other settings" in capsys.readouterr().err


def killed(part):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_ends_the_climb_with_a_word(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(ladder_climb, "_outcome", killed)
    asked = ["bench", "ladder", "--tasks", "cliff", "--rungs", "cem", "mppi", "--seeds", "1", "--jobs", "2"]
    assert main([*asked, "--report", str(tmp_path / "ladder.json")]) == 2
    assert "a process of --jobs was killed" in capsys.readouterr().err


def test_what_was_climbed_before_an_end_is_not_climbed_again(monkeypatch, tmp_path, capsys):
    climbed, file = [], tmp_path / "ladder.json"

    def cell(task, rung, budget, seed):
        if len(climbed) == 3:
            raise KeyboardInterrupt
        climbed.append((task, rung.cell, seed))
        return {**CELL, "return": float(seed)}

    asked = ["bench", "ladder", "--tasks", "cliff", "--rungs", "shooting", "cem", "mppi", "expectation", "--seeds", "2"]
    monkeypatch.setattr(ladder_climb, "climbed", cell)
    assert main([*asked, "--report", str(file)]) == 130
    again = []
    monkeypatch.setattr(
        ladder_climb, "climbed", lambda task, rung, budget, seed: again.append(seed) or {**CELL, "return": 9.0}
    )
    assert main([*asked, "--report", str(file)]) == 0
    assert climbed == [("cliff", f"{name} ensemble expectation", 0) for name in ("shooting", "mppi", "cem")]
    assert again == [1, 1, 1], "mppi and expectation are the same cell"
    report = json.loads(file.read_text())
    assert [r["name"] for r in report["rows"]] == ["shooting", "mppi", "cem", "expectation"]
    assert [r["mean"] for r in report["rows"]] == [4.5] * 4 and report["seeds"] == [0, 1]
    assert report["rows"][0].keys() == report["rows"][3].keys()
    assert file.with_suffix(".png").stat().st_size > 1000 and "planner cem" in file.with_suffix(".md").read_text()
    assert "cannot be told" in capsys.readouterr().out


def test_unknown_rungs_no_seeds_and_no_data_are_refused(capsys):
    assert main(["bench", "ladder", "--rungs", "cme"]) == 2
    assert "no rung 'cme'. Known: shooting, mppi" in capsys.readouterr().err
    assert main(["bench", "ladder", "--seeds", "0"]) == 2
    assert main(["bench", "ladder", "--seconds", "0"]) == 2


def test_a_cell_says_how_many_steps_had_no_plan_and_only_then():
    still = Counting(1)
    found = []
    for lost in (False, True):
        budget = replace(BUDGETS["pendulum"], judged=0.3)
        run = settled(load_run(budget.run), rung("planner gradient"), budget)
        if lost:
            still.differentiable_rollout = lambda states, actions: still.rollout(states, actions) * torch.nan
        found.append(judged(rung("planner gradient"), run, load_robot("pendulum"), still, None, budget, 0))
    assert "no_plans" not in found[0]
    assert found[1]["no_plans"] == 6  # all of 0.3 s at 20 Hz
