"""The planner as a teacher: what it would have decided where a policy has come to, with more time than a robot has."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from mbrl_ros.control.beyond import guidance
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.distilling.imagined import Robots
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.planners.warm import shifted
from mbrl_ros.policies.network import Policy, Value
from mbrl_ros.settings import PlannerConfig

PROPOSED = 0.3  # of the candidates, where it listens to the policy
LEAST = 0.1  # of the mean sensitivity, for every decision


class Teacher:
    """Plans for many robots side by side, each with a warm start of its own."""

    def __init__(self, config: PlannerConfig, model, task, action_map, state_size: int, phase_step: float):
        """`model` as planning runs it; `phase_step`: of the gait's phase in one step."""
        self._model, self._task, self._map = model, task, action_map
        self._state_size, self._phase_step = state_size, phase_step
        self._generator = torch.Generator().manual_seed(config.seed)
        self._warm: Tensor | None = None  # (B, H, U)
        self._plan_as(config)

    def listen_to(self, policy: Policy, value: Value, discount: float, horizon: int) -> None:
        """From the next robots on it plans only `horizon` steps, from what the policy proposes and with what it makes
        of the rest: so it goes beyond what it could see before, and the policy has more to learn (expert iteration)."""
        mppi = replace(self._config.mppi, horizon=horizon, proposals=PROPOSED, terminal_value=True)
        self._plan_as(replace(self._config, mppi=mppi), (policy, value, discount))

    def _plan_as(self, config: PlannerConfig, guide: tuple[Policy, Value, float] | None = None) -> None:
        self._config, horizon = config, config.mppi.horizon
        self._situation = Situation.empty(self._state_size, self._task.command_size, self._map.size, horizon)
        self._problem = make_problem(
            self._situation, self._model, self._task, self._map, config.cost, config.treatment, config.pessimism,
            config.mppi.samples,
            *(guidance(*guide, config.mppi, self._situation, self._phase_step) if guide else ()), cvar=config.cvar,
        )  # fmt: skip
        self._ahead = self._phase_step * torch.arange(horizon)

    def begin(self, priors: Tensor) -> None:
        """Of new robots (B, U)."""
        self._warm = priors[:, None].repeat(1, self._config.mppi.horizon, 1)

    @torch.no_grad()
    def decisions(self, robots: Robots) -> Iterator[Tensor]:
        """(U,) for each robot in turn. Who was lost begins anew: the plan of a former life is not his."""
        for b in range(len(robots.states)):
            if robots.lost[b]:
                self._warm[b] = robots.priors[b]
            self._look_at(robots, b)
            prior = self._situation.prior
            result = mppi.plan(self._config.mppi, self._problem, self._warm[b], self._generator)
            plan = prior.clone() if isinstance(result, NoPlan) else result.actions
            self._warm[b] = shifted(plan, 1, prior, self._config.mppi.tail)
            yield plan[0]

    @torch.no_grad()
    def sensitivity(self, robots: Robots) -> Generator[float, None, Tensor]:
        """(U,) how much return an error of one in each decision costs, by the curvature of the plans' value.

        From plans moved a noise either way, on robots that have just begun. Scaled to a mean of one. Yields the share
        that is done after each robot.
        """
        reach, size = self._problem.noise, len(self._problem.noise)
        moves = torch.zeros(2, size, self._config.mppi.horizon, size)
        moves[:, torch.arange(size), 0, torch.arange(size)] = torch.stack([reach, -reach])
        lost = []
        for b in range(len(robots.states)):
            self._look_at(robots, b)
            plan = mppi.plan(self._config.mppi, self._problem, self._warm[b], self._generator)
            yield (b + 1) / len(robots.states)
            if isinstance(plan, NoPlan):
                continue
            values = self._problem.value(torch.cat([plan.actions[None], plan.actions + moves.flatten(0, 1)]))
            lost.append((values[0] - values[1:].view(2, size).mean(0)) / reach.square())
        curved = torch.stack(lost).nan_to_num(0.0, 0.0, 0.0).median(0).values.clamp(min=0.0)
        curved = curved + LEAST * curved.mean()  # what seems not to matter is not left to chance
        return curved / curved.mean()

    def _look_at(self, robots: Robots, b: int) -> None:
        s = self._situation
        s.begin(robots.states[b], robots.commands[b], (robots.phases[b] + self._ahead) % 1.0)
        s.prior.copy_(robots.priors[b].expand_as(s.prior))
        s.before.copy_(robots.before[b])
