"""A candidate of any kind of model: a new one in every round, fitted to all data there are by then.

Its units are those of the data, so that no sample is cut off at what was usual before, and what was learned of little
data is not dragged along. A fit takes as long however little is new; so the next waits until there is clearly more.
What stands on another kind, as a residual on physics, is fitted after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.dynamics.corrective import corrected
from mbrl_ros.dynamics.fitting import FitConfig, descents, in_units_of
from mbrl_ros.kind_settings import as_text, kind_config, single_steps
from mbrl_ros.known import the
from mbrl_ros.learner_settings import TrainConfig
from mbrl_ros.learning.symmetry import as_seen
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import LearnerConfig

DRIFT = FitConfig().drift
MORE = 0.25  # share of the data that a round was fitted to, after which the next is due
SEEDS = 2**31


class FittedAnew:
    def __init__(self, layout: FeatureLayout, config: LearnerConfig):
        self._layout, self._config = layout, config
        self._kind = the("model", config.kind)
        self._settings = kind_config(config.kind, config.ensemble, config.kind_settings)
        self.settings = as_text(self._settings)
        self._steps = 1 if single_steps(config.kind) else config.train.rollout
        self.model: Any | None = None

    def begin(self, model: Any | None) -> None:
        """The next round begins from nothing all the same."""
        self.model = model or self.untrained(None)

    def wait(self, seconds: float) -> float:
        return max(self._config.every_seconds, MORE * seconds)

    def round(
        self, buffer: ReplayBuffer, generator: np.random.Generator, first: bool, other_units: bool
    ) -> Iterator[float]:
        seed = int(generator.integers(SEEDS))
        windows = [torch.from_numpy(part) for part in buffer.windows(self._steps, held_out=False)]
        below = getattr(self._kind, "STANDS_ON", None)
        if below is None:
            model = self._kind.new(self._settings, self._layout, seed)
        else:
            base = in_units_of(below.new(below.Config(), self._layout, seed), *windows)
            yield from self._fitted(below, base, windows, generator, seed)
            model = self._kind.on_top(self._settings, base, seed)
        self.model = in_units_of(model, *windows)
        yield from self._fitted(self._kind, self.model, windows, generator, seed)
        for turn in range(self._config.train.corrective):
            own = self._corrected(buffer)
            both = [torch.cat(pair) for pair in zip(windows, own, strict=True)]
            yield from self._fitted(self._kind, self.model, both, generator, seed + turn + 1)

    def _corrected(self, buffer: ReplayBuffer) -> tuple[Tensor, Tensor]:
        """Windows that begin where the model drifts to, from one in DRIFT of the states."""
        length = DRIFT + self._steps
        most = max(1, len(buffer.starts(length, held_out=False)) // DRIFT)
        runs = (torch.from_numpy(part) for part in buffer.windows(length, held_out=False, most=most))
        return corrected(self.model, *runs, DRIFT, self._steps)

    def _fitted(
        self, kind: ModuleType, model, windows: list[Tensor], generator: np.random.Generator, seed: int
    ) -> Iterator[float]:
        train = self._config.train
        usual = getattr(kind, "RATE", FitConfig().rate)  # at the start: it falls to nearly nothing
        rate = min(1.0, usual * train.rate / TrainConfig().rate)
        shape = self._config.first_steps, train.batch, rate, train.weight_decay, self._steps, train.bootstrap

        def loss(model, states: Tensor, actions: Tensor, step) -> Tensor:
            seen = as_seen(self._layout, train, states.numpy(), actions.numpy(), generator)
            return kind.loss(model, *map(torch.from_numpy, seen), step)

        return descents(loss, model, *windows, FitConfig(*shape), seed)

    def finished(self) -> Any:
        """The model itself: the next round makes another one."""
        return self.model

    def untrained(self, like: Any) -> Any:
        return self._kind.new(self._settings, self._layout, self._config.seed)

    def kept(self) -> tuple[None, dict[str, Tensor]]:
        """Nothing outlives a round but the random numbers, which are the learner's."""
        return None, {}

    def go_on(self, model: Any | None, memory: dict[str, Tensor]) -> None:
        if model is not None or memory:
            raise ValueError("it is of an ensemble")
