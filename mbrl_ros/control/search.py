"""What finds plans for the agent: the problem in its present shapes, the plan before, a GPU where there is one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.control.beyond import guidance
from mbrl_ros.control.luck import Luck
from mbrl_ros.control.on_device import OnDevice, check_device, recorded_settings
from mbrl_ros.control.plan_memory import PlanMemory
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.control.state_bounds import BoundWeight
from mbrl_ros.dynamics.native import planning_model
from mbrl_ros.known import the
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.robots.action_maps import paced, told_size
from mbrl_ros.robots.fit import check_samples
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import PlannerConfig


class Search:
    """`situation` is to be filled before a plan is asked for."""

    def __init__(self, spec: RobotSpec, config: PlannerConfig, task, action_map, state_size: int):
        check_device(config.device)
        self._spec, self._task, self._map, self._state_size = spec, task, action_map, state_size
        self.config = config
        self.samples = config.search.samples  # rollouts of a plan; fewer than configured where time is short
        self.memory, self.bounds = PlanMemory(), BoundWeight(config.bounds)
        self.model = None
        self._luck = Luck()
        self._policy = None
        self._generator = torch.Generator().manual_seed(config.seed)
        self._on_device: OnDevice | None = None
        self.situation: Situation | None = None
        self._build()

    @property
    def problem(self) -> Problem:
        """As planners see it; another one after every change of model, policy, settings or samples."""
        return self._problem

    def set_model(self, model) -> None:
        c = self.config
        if model is not None:
            check_samples(c, model.members)
        self.model = planning_model(model, c.precision, c.threads)
        self._luck = Luck(self.model)
        if self._on_device is not None and not self._on_device.load(self.model):
            self._on_device = None
        self._build()

    def set_policy(self, policy) -> None:
        """Plans have from it what `proposals` and `terminal_value` of the planner say."""
        self._policy = policy
        if self.config.guided:
            self._on_device = None
            self._build()

    def configure(self, config: PlannerConfig) -> None:
        """Other live settings; the warm start stays."""
        if self.model is not None:
            check_samples(config, self.model.members)
        rebuild = (config.search, config.cost) != (self.config.search, self.config.cost)
        if recorded_settings(config) != recorded_settings(self.config):
            self._on_device = None
        if config.search.samples != self.config.search.samples:
            self.samples = config.search.samples
        self.config, self.bounds.config = config, config.bounds
        if rebuild:
            self._build()

    def set_samples(self, samples: int) -> None:
        """Another number of rollouts, whatever the configured one; the warm start stays."""
        self.samples = samples
        self._build()

    def record(self, sizes) -> None:
        """Plans with as many rollouts as `sizes` say, where they have to be recorded beforehand."""
        for size in sizes if self._on_device is not None else ():
            self._on_device.record(size)

    def plan(self, elapsed: int) -> PlanResult | NoPlan:
        """From the situation, `elapsed` steps after the plan before; that one itself while it is to be followed."""
        s, c = self.situation, self.config
        s.before.copy_(self.memory.before(elapsed, s.prior))
        s.strictness.fill_(self.bounds.weight)
        warm = self.memory.warm(elapsed, s.prior, c.search.tail)
        if self.memory.still_followed(elapsed, c.replan_every):
            result = self.memory.followed(warm, elapsed)
        else:
            result = self.find(warm, self._generator)
        if isinstance(result, PlanResult):
            self.memory.keep(result)
        return result

    def find(self, warm: Tensor, generator: torch.Generator) -> PlanResult | NoPlan:
        """From the situation and nothing else; what is remembered stays."""
        config, s = self.config.search, self.situation
        self._luck.anew()
        if self._on_device is None:
            return the("planner", self.config.planner).plan(config, self._problem, warm, generator)
        s.warm.copy_(warm)
        s.tuning[0], s.tuning[1] = config.temperature, config.noise
        return mppi.judged(config, self._problem, warm, *self._on_device.search(s, self.samples))

    @torch.inference_mode()
    def trace(self, steps: int | None = None) -> Tensor | None:
        """(M, H, S) what each member expects of the last plan, or its first steps; None where nothing was planned."""
        plan, s = self.memory.plan, self.situation
        if plan is None or self.model is None:
            return None
        targets = self._map.decode(plan[None, :steps], s.phase[:steps])
        if s.told.numel():
            targets = paced(targets, s.told, self._map.rate)
        members = self.model.members
        return self.model.rollout(s.state.expand(members, 1, -1), targets.expand(members, 1, -1, -1))[:, 0]

    def watch_bounds(self, estimate: np.ndarray) -> None:
        """Where the task bounds the state: how far outside it is (S,), and what is expected of the plan."""
        violation = getattr(self._task, "violation", None)
        if violation is None:
            return
        executed = float(violation(torch.from_numpy(np.asarray(estimate, np.float32))))
        trace = self.trace()
        self.bounds.note(executed, 0.0 if trace is None else float(violation(trace).mean(0).max()))

    def _build(self) -> None:
        """The problem for the present shapes; a warm start of another horizon is cut or prolonged."""
        c, horizon = self.config, self.config.search.horizon
        if self.situation is None or len(self.situation.warm) != horizon:
            sizes = self._state_size, self._task.command_size, self._map.size, horizon, told_size(self._map)
            self.situation = Situation.empty(*sizes)
        guide = self._policy.guide if self._policy else ()
        self._problem = make_problem(
            self.situation, self.model, self._task, self._map, c.cost, c.treatment, c.pessimism, self.samples,
            *(guidance(*guide, c.search, self.situation, self._spec.phase_step) if guide else ()),
            cvar=c.cvar, luck=self._luck,
        )  # fmt: skip
        if c.device != "cpu" and c.planner == "mppi" and self._on_device is None and hasattr(self.model, "weights"):
            self._on_device = OnDevice(c, self._spec, self.model, c.device, self._policy)
        self.memory.fit(horizon)
