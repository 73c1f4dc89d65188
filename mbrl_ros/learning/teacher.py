"""The planner as a teacher: what it would have decided where a policy has come to, with more time than a robot has."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.learning.imagined import Robots
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.settings import PlannerConfig

LEAST = 0.1  # of the mean sensitivity, for every decision


class Teacher:
    """Plans for many robots side by side, each with a warm start of its own."""

    def __init__(self, config: PlannerConfig, model, task, action_map, state_size: int, phase_step: float):
        """`model` as planning runs it; `phase_step`: of the gait's phase in one step."""
        self._config = config
        horizon = config.mppi.horizon
        self._situation = Situation.empty(state_size, task.command_size, action_map.size, horizon)
        self._problem = make_problem(
            self._situation, model, task, action_map, config.cost, config.treatment, config.pessimism,
            config.mppi.samples,
        )  # fmt: skip
        self._generator = Generator().manual_seed(config.seed)
        self._ahead = phase_step * torch.arange(horizon)
        self._warm: Tensor | None = None  # (B, H, U)

    def begin(self, priors: Tensor) -> None:
        """Of new robots (B, U)."""
        self._warm = priors[:, None].repeat(1, self._config.mppi.horizon, 1)

    @torch.no_grad()
    def decisions(self, robots: Robots) -> Tensor:
        """(B, U)"""
        found = []
        for b in range(len(robots.states)):
            self._look_at(robots, b)
            prior = self._situation.prior
            result = mppi.plan(self._config.mppi, self._problem, self._warm[b], self._generator)
            plan = prior.clone() if isinstance(result, NoPlan) else result.actions
            found.append(plan[0])
            self._warm[b] = mppi.shifted(plan, 1, prior, self._config.mppi.tail)
        return torch.stack(found)

    @torch.no_grad()
    def sensitivity(self, robots: Robots) -> Tensor:
        """(U,) how much return an error of one in each decision costs, by the curvature of the plans' value.

        From plans moved a noise either way, on robots that have just begun. Scaled to a mean of one.
        """
        reach, size = self._problem.noise, len(self._problem.noise)
        moves = torch.zeros(2, size, self._config.mppi.horizon, size)
        moves[:, torch.arange(size), 0, torch.arange(size)] = torch.stack([reach, -reach])
        lost = []
        for b in range(len(robots.states)):
            self._look_at(robots, b)
            plan = mppi.plan(self._config.mppi, self._problem, self._warm[b], self._generator)
            if isinstance(plan, NoPlan):
                continue
            values = self._problem.value(torch.cat([plan.actions[None], plan.actions + moves.flatten(0, 1)]))
            lost.append((values[0] - values[1:].view(2, size).mean(0)) / reach.square())
        curved = torch.stack(lost).nan_to_num(0.0, 0.0, 0.0).median(0).values.clamp(min=0.0)
        curved = curved + LEAST * curved.mean()  # what seems not to matter is not left to chance
        return curved / curved.mean()

    def _look_at(self, robots: Robots, b: int) -> None:
        s = self._situation
        s.state.copy_(robots.states[b])
        s.command.copy_(robots.commands[b])
        s.phase.copy_((robots.phases[b] + self._ahead) % 1.0)
        s.prior.copy_(robots.priors[b].expand_as(s.prior))
        s.before.copy_(robots.before[b])
