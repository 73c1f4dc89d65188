"""Robots in the model: many at once, from where the real one has been, each in one member of the ensemble."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.control.velocity_command import approached
from mbrl_ros.learning.curriculum import HIGH, LOW
from mbrl_ros.policies.network import seen_from
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import PlannerConfig

STANDING = 8  # of so many commands one is to stand still
HELD = 0.24  # s that a command is held, on average
PUSHED = 0.8  # s between two pushes of a robot, on average
WORST = -200.0  # reward of a step, for a robot that the model has blown up, too
FILTERED = 0.3  # of the sensors' noise is left in an estimate


@dataclass
class Robots:
    """B of them, at one step."""

    states: Tensor  # (B, S)
    told: Tensor  # (B, C) the commands under which they arrived
    commands: Tensor  # (B, C) the ones from now on, on their way to
    wanted: Tensor  # (B, C)
    phases: Tensor  # (B,)
    priors: Tensor  # (B, U)
    before: Tensor  # (B, U) decisions of the step before
    arrived: Tensor  # (B, S) where that step led: `states`, but for those that were lost there and begin anew
    lost: Tensor  # (B,) bool


class Imagined:
    """The model as a world to walk in."""

    def __init__(
        self, layout: FeatureLayout, config: PlannerConfig, model, task, action_map, starts: Tensor, push: float = 0.0
    ):
        """`config` of the planner whose robot this is; `starts` (N, S): states in which the real robot was; `push`: the
        hardest there is, in m/s."""
        self._hardest = push
        self.task, self.map, self.model, self._layout = task, action_map, model, layout
        spec = layout.spec
        self._starts, self.phase_step, self.dt = starts, spec.phase_step, spec.dt
        self._approach = config.acceleration_limit * spec.dt, config.yaw_acceleration_limit * spec.dt
        self._noise = FILTERED * torch.tensor(layout.noise)
        self._random = np.random.default_rng(config.seed)
        self._generator = torch.Generator().manual_seed(config.seed)

    def again(self, seed: int) -> Imagined:
        """The same world with other luck."""
        world = copy(self)
        world._random = np.random.default_rng(seed)
        world._generator = torch.Generator().manual_seed(seed)
        return world

    def begin_also_in(self, states: Tensor) -> None:
        """(N, S) other states in which the real robot was."""
        self._starts = torch.cat([self._starts, states])

    def robots(self, count: int) -> Robots:
        """`count` is a multiple of the members. Each is told at first to go on as it does."""
        states = self._somewhere(count)
        wanted = torch.stack([self._command() for _ in range(count)])
        commands = self._velocities(states) if self.task.goal is None else wanted
        priors = self._priors(commands)
        phases, lost = torch.rand(count, generator=self._generator), torch.zeros(count, dtype=torch.bool)
        return Robots(states, commands, commands, wanted, phases, priors, priors, states, lost)

    def seen(self, robots: Robots) -> Tensor:
        """(B, I) with what noise a filter leaves."""
        noise = self._noise * torch.randn(robots.states.shape, generator=self._generator)
        return seen_from(robots.states + noise, robots.commands, robots.phases)

    def step(self, robots: Robots, decisions: Tensor, disturbed: bool = True) -> Robots:
        """One step later; those that fell are somewhere else, told at first to go on as they do there.

        `disturbed`: commands change, and robots are pushed; else they are held.
        """
        members, count = self.model.members, len(decisions)
        targets = self.map.decode(decisions[None], robots.phases)[0]  # steps and robots change places: phases differ
        after = self.model.rollout(
            robots.states.view(members, count // members, -1), targets.view(members, count // members, 1, -1)
        )
        arrived = after.reshape(count, -1)
        lost = self.task.terminated(arrived) | ~torch.isfinite(arrived).all(1)
        states = arrived.clone()
        states[lost] = self._somewhere(int(lost.sum()))
        phases = (robots.phases + self.phase_step) % 1.0
        wanted = robots.wanted.clone()
        if disturbed:
            for b in self._some(count, self.dt / HELD):
                wanted[b] = self._command()
            self._push(states, self._some(count, self.dt / PUSHED))
        told = commands = wanted
        if self.task.goal is None:
            told = torch.from_numpy(approached(robots.commands.numpy(), wanted.numpy(), *self._approach))
            commands = torch.where(lost[:, None], self._velocities(states), told)
            if not disturbed:
                wanted = torch.where(lost[:, None], commands, wanted)
        priors = self._priors(commands)
        before = torch.where(lost[:, None], priors, decisions)
        return Robots(states, told, commands, wanted, phases, priors, before, arrived, lost)

    def reward(self, robots: Robots) -> Tensor:
        """(B,) for having arrived where they did."""
        return self.task.reward(robots.arrived, robots.told.T).nan_to_num(WORST, WORST, WORST).clamp(min=WORST)

    def _some(self, count: int, share: float) -> list[int]:
        return torch.nonzero(torch.rand(count, generator=self._generator) < share).flatten().tolist()

    def _push(self, states: Tensor, which: list[int]) -> None:
        """Changes the velocity of some, in place: in any direction, at most by what is set."""
        if self._hardest and self._layout.spec.base is not None:
            v = self._layout.linear_velocity.start
            angle = self._random.uniform(0, 2 * np.pi, len(which))
            speed = self._hardest * self._random.uniform(size=len(which))
            push = speed * np.stack([np.cos(angle), np.sin(angle)])
            states[which, v : v + 2] += torch.tensor(push.T, dtype=torch.float32)

    def _somewhere(self, count: int) -> Tensor:
        return self._starts[torch.randint(len(self._starts), (count,), generator=self._generator)].clone()

    def _command(self) -> Tensor:
        """(C,) any that is practised; one in so many is to stand still."""
        size = self.task.command_size
        share = self._random.uniform(size=size)
        if size == 0 or self._random.uniform() < 1 / STANDING:
            return torch.zeros(size)
        return torch.tensor(LOW[:size] + (HIGH - LOW)[:size] * share, dtype=torch.float32)

    def _velocities(self, states: Tensor) -> Tensor:
        """(B, C) what each would be told if it were to go on like this."""
        v, w = self._layout.linear_velocity.start, self._layout.angular_velocity.start
        now = states[:, [v, v + 1, w + 2]]
        return torch.minimum(torch.maximum(now, torch.tensor(LOW).float()), torch.tensor(HIGH).float())

    def _priors(self, commands: Tensor) -> Tensor:
        return torch.stack([self.map.prior(command) for command in commands])
