"""A candidate that is trained on, round after round: the ensemble, whose function stays where its units change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.data.replay import ReplayBuffer, resampled
from mbrl_ros.dynamics.ensemble import Ensemble, Normaliser, feature_units, new_ensemble, renormalise
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.learning.drawing import drawn
from mbrl_ros.learning.symmetry import as_seen
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import LearnerConfig


class TrainedOn:
    settings = ""

    def __init__(self, layout: FeatureLayout, config: LearnerConfig):
        self._layout, self._config = layout, config
        self.trainer: Trainer | None = None

    def begin(self, model: Ensemble | None) -> None:
        model = model or new_ensemble(self._config.ensemble, self._layout, self._config.seed)
        self.trainer = Trainer(copied(model), self._config.train.rate, self._config.train.weight_decay)

    def wait(self, seconds: float) -> float:
        return self._config.every_seconds

    def round(
        self, buffer: ReplayBuffer, generator: np.random.Generator, first: bool, other_units: bool
    ) -> Iterator[float]:
        config, steps = self._config, self._config.train.rollout
        if other_units:
            statistics = Normaliser.of_data(*buffer.everything(), feature_units(self._layout))
            self.trainer.replace_values(renormalise(self.trainer.model, statistics))
        starts, members = buffer.starts(steps, held_out=False), self.trainer.model.members
        own = resampled(buffer, starts, members, config.seed) if config.train.bootstrap else [starts] * members

        def errors(of: np.ndarray) -> np.ndarray:
            """(E, N) of the candidate on the windows that begin there."""
            states, actions = buffer.sequences(of, steps)
            return self.trainer.errors(torch.from_numpy(states), torch.from_numpy(actions)).numpy()

        draws = drawn(own, config.train, errors, generator)
        for picked, counts in islice(draws, config.first_steps if first else config.steps):
            states, actions = as_seen(self._layout, config.train, *buffer.sequences(picked, steps), generator)
            counts = None if counts is None else torch.from_numpy(counts)
            yield self.trainer.step(torch.from_numpy(states), torch.from_numpy(actions), counts)

    def finished(self) -> Ensemble:
        return copied(self.trainer.model)

    def untrained(self, like: Ensemble) -> Ensemble:
        return new_ensemble(like.config, self._layout, self._config.seed)

    def kept(self) -> tuple[Ensemble, dict[str, Tensor]]:
        return self.trainer.model, self.trainer.optimiser_state()

    def go_on(self, model: Ensemble | None, memory: dict[str, Tensor]) -> None:
        if not isinstance(model, Ensemble):
            raise ValueError("its candidate is no ensemble")
        before = self.trainer
        try:
            self.begin(model)
            self.trainer.set_optimiser_state(memory)
        except (ValueError, TypeError, KeyError):
            self.trainer = before
            raise


def copied(model):
    """A frozen copy of an Ensemble, or of another record of weights and biases, with tensors of its own."""
    return replace(
        model,
        weights=tuple(w.detach().clone() for w in model.weights),
        biases=tuple(b.detach().clone() for b in model.biases),
    )
