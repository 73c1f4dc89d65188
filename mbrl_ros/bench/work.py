"""Everything that one plan is made of, put together as the planner does it, so that its parts can be run alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.backends.loopback import LoopbackBackend
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.ensemble import Ensemble, new_ensemble
from mbrl_ros.dynamics.native import planning_model, torch_threads
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import Problem
from mbrl_ros.planners.sampling import correlated_noise
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig
from mbrl_ros.settings import SHARED_OUT, PlannerConfig
from mbrl_ros.tasks import make_task
from mbrl_ros.types import RobotState

COMMAND = 0.3  # of every kind: m/s, rad/s


@dataclass(frozen=True)
class Work:
    """One shape of a plan, in one state of the robot."""

    spec: RobotSpec
    config: PlannerConfig
    model: Ensemble
    planning: object  # the model in the form that the planner uses: `members` and `rollout`
    task: object
    action_map: object
    state: RobotState
    situation: Situation
    problem: Problem
    generator: torch.Generator

    def noise(self) -> Tensor:
        """(N, H, U) of one sigma."""
        config = self.config.mppi
        return correlated_noise(
            self.problem.candidates, config.horizon, self.action_map.size, config.knot_steps, self.generator
        )

    def candidates(self) -> Tensor:
        """(N, H, U) decisions around the prior, as a plan scores them."""
        scaled = self.noise() * (self.config.mppi.noise * self.problem.noise)
        decisions = self.problem.prior + scaled
        decisions[0] = decisions[1] = self.problem.prior
        return decisions.clamp(*self.problem.bounds)

    def plan(self):
        return mppi.plan(self.config.mppi, self.problem, self.problem.prior, self.generator)

    @property
    def torch_threads(self) -> int:
        """Of torch's own operations in a plan, as the planner's process sets it."""
        return torch_threads(self.config.precision, self.config.threads)

    def told(self, targets: Tensor) -> Tensor:
        """Targets (N, H, A) as the members get them (M, B, H, A): shared out among them, or the same to all."""
        members = self.model.members
        return targets.unflatten(0, (members, -1)) if self.shared_out else targets.expand(members, *targets.shape)

    @property
    def shared_out(self) -> bool:
        return self.config.treatment in SHARED_OUT

    @property
    def rows(self) -> int:
        """(B) rollouts through each member."""
        return self.problem.candidates // self.model.members if self.shared_out else self.problem.candidates


@torch.no_grad()
def prepare(run: RunConfig) -> Work:
    """Random weights of the run's own shape: time does not depend on what they know."""
    config = run.planner
    spec = load_robot(config.robot)
    layout, action_map = FeatureLayout(spec), make_action_map(config.action_map, spec)
    task, model = make_task(config.task, layout), new_ensemble(run.learner.ensemble, layout, config.seed)
    state = LoopbackBackend(spec, config.seed, noise=False).truth()
    horizon = config.mppi.horizon
    situation = Situation.empty(layout.size, task.command_size, action_map.size, horizon)
    situation.state.copy_(torch.from_numpy(np.asarray(layout.encode(state))))
    situation.command.fill_(COMMAND)
    situation.phase.copy_(torch.arange(horizon) * spec.phase_step % 1.0)
    situation.prior.copy_(action_map.prior(situation.command).expand(horizon, -1))
    situation.before.copy_(situation.prior[0])
    planning = planning_model(model, config.precision, config.threads)
    problem = make_problem(
        situation, planning, task, action_map, config.cost, config.treatment, config.pessimism, config.mppi.samples,
        cvar=config.cvar,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(config.seed)
    return Work(spec, config, model, planning, task, action_map, state, situation, problem, generator)
