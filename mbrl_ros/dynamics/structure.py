"""What is known of how something moves, but for some constants: one step in torch, and where the constants may lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from mbrl_ros.dynamics import bicycle


@dataclass(frozen=True)
class Structure:
    """step(constants, states (..., S), actions (..., A), dt) -> the states that follow, differentiable in all."""

    ranges: Mapping[str, tuple[float, float]]  # of each unknown constant
    step: Callable[[Mapping[str, Tensor], Tensor, Tensor, float], Tensor]


STRUCTURES = {
    "bicycle": Structure(bicycle.RANGES, bicycle.step),
    "car": Structure(bicycle.CAR_RANGES, bicycle.step_of_car),
}
