"""Whether the robot does what the flown model said: each transition beside what the ensemble expected of it.

One that is off by more than its calibrated band for a while is the model's fault only where another version would have
known better. A push, a payload or a floor of ice surprises all of them, and nothing is gained by going back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch

from mbrl_ros.dynamics.calibration import Calibration, through_members
from mbrl_ros.types import Transition

KEPT = 50  # newest transitions, a second at 50 Hz: by these an arriving model is compared with the flown one
RECENT = 10  # of these,
SURPRISING = 8  # so many beyond the band are a surprise
CLEARLY = 1.5  # times the error of another version


@dataclass(frozen=True)
class Predictor:
    """A version of a model, ready to be flown, and what is known of its errors."""

    model: object  # with members and rollout
    calibration: Calibration | None


@dataclass(frozen=True)
class Surprise:
    """Of the flown model, lately."""

    error: float  # root mean square of the last RECENT steps, in the usual sizes of features
    band: float
    better: float | None  # error of the version before it on the same steps, where that is clearly less

    @property
    def reason(self) -> str:
        text = f"one-step error {self.error:.3g} in the last {RECENT} steps, beyond its band of {self.band:.3g}"
        return text if self.better is None else f"{text}; the version before it has {self.better:.3g}"


class Surprises:
    """Give it every transition; it predicts each with the model that is flown then."""

    def __init__(self, scales: np.ndarray):
        """`scales`: (S,) usual sizes of features."""
        self._scales = scales
        self._kept: deque[Transition] = deque(maxlen=KEPT)
        self._errors: deque[float] = deque(maxlen=RECENT)  # of the flown model, since it is flown
        self.beyond = 0  # steps beyond the band so far

    def forget(self) -> None:
        """Another model is flown from now on."""
        self._errors.clear()

    @property
    def error(self) -> float | None:
        """Of the newest step."""
        return self._errors[-1] if self._errors else None

    def look(self, transition: Transition, flown: Predictor, before: Predictor | None) -> Surprise | None:
        """What the flown model, given this transition too, is surprised by; `before`: what could be flown again."""
        self._kept.append(transition)
        self._errors.append(float(self._off(flown, [transition])[0]))
        band = _band(flown, before)
        own = flown.calibration.band if flown.calibration else band
        self.beyond += self._errors[-1] > own
        if sum(error > band for error in self._errors) < SURPRISING:
            return None
        error, better = _together(np.array(self._errors)), None
        if before is not None:
            other = _together(self._off(before, list(self._kept)[-len(self._errors) :]))
            better = other if error > CLEARLY * other else None
        if better is None and sum(e > own for e in self._errors) < SURPRISING:
            return None
        return Surprise(error, band, better)

    def objection(self, new: Predictor, flown: Predictor) -> str:
        """Why an arriving model is not to be flown in place of the flown one; empty: nothing known against it."""
        if len(self._kept) < RECENT:
            return ""
        error, other = (_together(self._off(which, list(self._kept))) for which in (new, flown))
        band = _band(new, flown)
        if error > band and error > CLEARLY * other:
            return (
                f"on the newest {len(self._kept)} steps it has a one-step error of {error:.3g}, beyond its band of "
                f"{band:.3g}; the flown version has {other:.3g}"
            )
        return ""

    def _off(self, which: Predictor, transitions: list[Transition]) -> np.ndarray:
        """(B,) how far the mean of the members is off after each; infinite where it is not finite."""
        states, actions, after = (
            np.stack([np.asarray(part, np.float32) for part in parts])
            for parts in zip(*((t.state, t.action, t.next_state) for t in transitions), strict=True)
        )
        predicted = through_members(which.model, torch.from_numpy(states), torch.from_numpy(actions)[:, None])
        off = (predicted[:, :, 0].mean(0).numpy() - after) / self._scales
        return np.nan_to_num(np.sqrt(np.square(off, dtype=np.float64).mean(1)), nan=np.inf, posinf=np.inf)


def _together(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def _band(one: Predictor, other: Predictor | None) -> float:
    """The narrower one, so that no card talks its model out of being compared; infinite where none is known."""
    return min((p.calibration.band for p in (one, other) if p and p.calibration), default=np.inf)
