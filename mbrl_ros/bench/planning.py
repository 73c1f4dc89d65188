"""`mbrl bench plan`: what one plan costs, part by part, and its rollout beside other ways to the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.backends.loopback import LoopbackBackend
from mbrl_ros.bench.timing import Row, compared, interleaved, timed
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.ensemble import Ensemble, new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.native import PATHS, NativeEnsemble, planning_model, why_not
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import Problem
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.settings import PlannerConfig, RunConfig
from mbrl_ros.tasks import make_task
from mbrl_ros.types import Action

CHOSEN, TORCH = "rollout", "rollout, torch"  # the one that the planner uses, and what every machine can run


class Listening:
    """A model that remembers what it was last asked, so that its rollout is timed on what planning asks of it."""

    def __init__(self, model):
        self.members, self._model = model.members, model
        self.asked: tuple[Tensor, Tensor] | None = None

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        self.asked = states, actions
        return self._model.rollout(states, actions)


@torch.inference_mode()
def bench_planning(run: RunConfig, rounds: int, calls: int) -> list[Row]:
    """Random weights of the run's own shape: time does not depend on what they know."""
    torch.set_num_threads(run.planner.threads)
    spec, config = load_robot(run.planner.robot), run.planner
    model = new_ensemble(run.learner.ensemble, FeatureLayout(spec), config.seed)
    took = interleaved(_parts(spec, config, model), rounds, calls)
    shape = Row("plan", "", config.mppi.samples, config.mppi.horizon, model.members)
    rows = [timed(dataclasses.replace(shape, part=name), ms) for name, ms in took.items()]
    return [compared(row, took[CHOSEN], TORCH, took[TORCH]) if row.part == CHOSEN else row for row in rows]


def _parts(spec: RobotSpec, config: PlannerConfig, model: Ensemble) -> dict[str, Callable[[], object]]:
    layout, action_map = FeatureLayout(spec), make_action_map(config.action_map, spec)
    task = make_task(config.task, layout)
    horizon, size = config.mppi.horizon, action_map.size
    state = LoopbackBackend(spec, config.seed, noise=False).truth()
    situation = Situation.empty(layout.size, task.command_size, size, horizon)
    situation.state.copy_(torch.from_numpy(layout.encode(state)))
    chosen = Listening(planning_model(model, config.precision, config.threads))
    samples = config.mppi.samples
    problem: Problem = make_problem(
        situation, chosen, task, action_map, config.cost, config.treatment, config.pessimism, samples
    )
    generator = torch.Generator().manual_seed(config.seed)

    def noise() -> Tensor:
        return mppi.correlated_noise(problem.candidates, horizon, size, config.mppi.knot_steps, generator)

    decisions = (problem.noise * noise()).clamp(*problem.bounds)
    problem.score(decisions)
    asked = chosen.asked
    others = {f"rollout, C in {p}": NativeEnsemble(model, p, config.threads) for p in PATHS if not why_not(p)}
    others |= {TORCH: FoldedEnsemble(model), "rollout, torch, unfolded": model}
    return {
        "noise": noise,
        "action map": lambda: action_map.decode(decisions, situation.phase),
        CHOSEN: lambda: chosen.rollout(*asked),
        **{name: lambda other=other: other.rollout(*asked) for name, other in others.items()},
        "score (action map, rollout, reward, costs)": lambda: problem.score(decisions),
        "whole plan": lambda: mppi.plan(config.mppi, problem, situation.prior, generator),
        "control step (filter, prediction, whole plan)": _control_step(spec, config, model, state),
    }


def _control_step(spec: RobotSpec, config: PlannerConfig, model: Ensemble, state) -> Callable[[], None]:
    """One call is one dt later, with the plan followed; a state that never changes is as much work as any other."""
    agent = Agent(spec, dataclasses.replace(config, mode="mppi", planner="mppi"))
    agent.set_model(model, 1)
    command = np.full(agent.task.command_size, 0.3)

    def step() -> None:
        nonlocal state
        state = dataclasses.replace(state, stamp_ns=state.stamp_ns + spec.dt_ns)
        plan = agent.act(state, command)
        agent.note_applied(state.stamp_ns, plan.targets[0], Action.FOLLOW)

    return step
