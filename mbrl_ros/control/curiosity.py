"""What is worth seeing, said as a task's reward: who explores plans for it as for any other task.

    disagreement   r = mean over features of ln(1 + variance over members / noise^2) / 2
    counts         r = 1 / sqrt(1 + how often it has been in the cell of s)

The first is what a look at the state would tell, in nats, were members draws of a normal distribution: information
gain. The second knows nothing of models, and has as many cells as there are places to have been.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import ExploreConfig, PlannerConfig

LEAST_NOISE = 0.02  # of a look, times the feature's scale
SLOTS = 1 << 16  # of the table that cells are counted in; two that share one are counted together
FURTHEST = 1e6  # cells from zero, beyond which all are one


class _Curiosity:
    """Ends and bounds are the task's: what is worth seeing changes no robot."""

    goal = None

    def __init__(self, task, layout: FeatureLayout, config: ExploreConfig):
        self.command_size = task.command_size
        self.terminated = task.terminated
        if hasattr(task, "violation"):
            self.violation = task.violation
        self._matters = torch.tensor(~layout.indifferent)
        self._scales = torch.tensor(layout.scales)

    def note(self, state: np.ndarray) -> None:
        """(S,) where the robot has come to."""


class Disagreement(_Curiosity):
    def __init__(self, task, layout: FeatureLayout, config: ExploreConfig):
        super().__init__(task, layout, config)
        self._noise = torch.maximum(torch.tensor(layout.noise), LEAST_NOISE * self._scales)

    def reward(self, states: Tensor, command: Tensor) -> Tensor:
        """What the members (M, ..., S) expect -> (M, ...), the same for each of them."""
        apart = (states / self._noise)[..., self._matters].var(0, correction=0)
        return (0.5 * apart.log1p().mean(-1)).expand(states.shape[:-1])


class Counts(_Curiosity):
    def __init__(self, task, layout: FeatureLayout, config: ExploreConfig):
        super().__init__(task, layout, config)
        self._cell = config.cell * self._scales
        generator = torch.Generator().manual_seed(0)
        self._spread = torch.randint(1, SLOTS, (layout.size,), generator=generator) * 2 + 1  # of cells over the table
        self._spread = self._spread * self._matters
        self._times = torch.zeros(SLOTS)

    def note(self, state: np.ndarray) -> None:
        self._times[self._slot(torch.from_numpy(np.asarray(state, np.float32)))] += 1

    def reward(self, states: Tensor, command: Tensor) -> Tensor:
        """States (..., S) -> (...)"""
        finite = torch.isfinite(states).all(-1)
        return torch.where(finite, (1 + self._times[self._slot(states)]).rsqrt(), torch.nan)

    def _slot(self, states: Tensor) -> Tensor:
        """(..., S) -> (...) of the cell, by hashing."""
        cell = (states / self._cell).nan_to_num(0.0).clamp(-FURTHEST, FURTHEST).floor().long()
        return (cell * self._spread).sum(-1) % SLOTS


KINDS = {"disagreement": Disagreement, "counts": Counts}


def curious(task, layout: FeatureLayout, config: ExploreConfig) -> Disagreement | Counts | None:
    """None: random motion explores."""
    return KINDS[config.by](task, layout, config) if config.by in KINDS else None


def scouting(config: PlannerConfig) -> PlannerConfig:
    """The planner's settings where it plans for curiosity: all members are asked about each plan, and no policy is."""
    guides = {"terminal_value": False, "proposals": type(config.search.proposals)()}
    search = {config.searching: dataclasses.replace(config.search, **guides)}
    return dataclasses.replace(config, treatment="expectation", device="cpu", **search)
