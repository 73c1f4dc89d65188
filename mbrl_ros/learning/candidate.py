"""What a learner trains beside the model that flies, whatever kind it is of.

An ensemble is trained on, from where it was (learning/trained_on.py); any other kind is fitted anew in every round
(learning/fitted_anew.py), since its weights mean something else in the units of more data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from mbrl_ros.data.replay import ReplayBuffer


class Candidate(Protocol):
    settings: str  # of its kind, for the card

    def begin(self, model: Any | None) -> None:
        """It goes on from this model; None: from nothing."""

    def wait(self, seconds: float) -> float:
        """s of data from a round after so many until the next."""

    def round(
        self, buffer: ReplayBuffer, generator: np.random.Generator, first: bool, other_units: bool
    ) -> Iterator[float]:
        """A round of training, a loss at a time. `first`: nothing flies yet; `other_units`: those of the data may be
        taken for those of the model."""

    def finished(self) -> Any:
        """A frozen copy, with tensors of its own."""

    def untrained(self, like: Any) -> Any:
        """One that has learned nothing, of the shape of another."""

    def kept(self) -> tuple[Any | None, dict[str, Tensor]]:
        """Between two rounds: what it takes to go on, a model and what the optimiser remembers."""

    def go_on(self, model: Any | None, memory: dict[str, Tensor]) -> None:
        """From there; ValueError, TypeError or KeyError where that does not fit, and nothing is changed."""
