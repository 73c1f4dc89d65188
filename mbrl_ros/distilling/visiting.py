"""Where the robot comes to when the policy drives it: states that the planner's own data may lack."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.learning.curriculum import TrainingCommands
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import RunConfig


class Visits:
    """One robot in simulation, that goes on from visit to visit."""

    def __init__(self, run: RunConfig, spec: RobotSpec, model):
        run, seed = run.with_setting("planner.mode", "policy"), run.planner.seed
        self._session = driving(run, spec, model, seed, run.bridge.noise)
        size = self._session.agent.task.command_size
        self._commands = TrainingCommands(size, seed, -run.learner.practice.ramp, run.learner.practice)
        self.seconds, self.falls = 0.0, 0  # of driving so far

    def drive(self, policy: OnnxPolicy, seconds: float) -> Tensor:
        """(N, S) as they were measured while it followed commands."""
        self._session.agent.set_policy(policy)
        found = np.array(list(self._steps(seconds)), np.float32)
        return torch.from_numpy(found.reshape(-1, self._session.agent.layout.size))

    def _steps(self, seconds: float) -> Iterator[np.ndarray]:
        agent = self._session.agent
        for _ in range(round(seconds / agent.spec.dt)):
            outcome = self._session.step(self._commands.at(self.seconds))
            self.seconds += agent.spec.dt
            if outcome.fell:
                self.falls += 1
            elif self._session.following:
                yield agent.layout.encode(self._session.backend.measure())
