"""What a robot that walks has to be told so that it goes as commanded: the command, and a little more where it lags.

    told = command + b,   b <- b + dt / seconds . (command - measured velocity),   |b| <= limit

A load, a weak leg or a model that is a little off leave an error that stays and is small beside the sway of a step: a
plan of a few tenths of a second hardly sees it. Summed up slowly, it ends. Planners, policies and the gait alone are
told alike, and none needs to know why. Zero stays zero: who is to stand does not step. Where twice the limit lacks,
something else is wrong, and b fades: a longer stride may be what makes such a robot slow.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.settings import TrimConfig

SETTLE = 0.5  # s of one command before what is lacking counts, and over which that is smoothed
PUSHED = 0.5  # m/s and rad/s: whoever is off by more was pushed, which passes


class Trim:
    """b (3,) of a command (vx, vy, wz) in m/s and rad/s; 0 at first."""

    def __init__(self, config: TrimConfig):
        self.config = config
        self.forget()

    def forget(self) -> None:
        """After a fall, or a gap."""
        self._added, self._lacking, self._command, self._held = np.zeros(3), np.zeros(3), np.zeros(3), 0.0

    def note(self, command: np.ndarray, velocity: np.ndarray, seconds: float) -> None:
        """The velocity (3,) that was measured while it was to follow `command` (3,), for `seconds`."""
        c = self.config
        self._held = self._held + seconds if np.array_equal(command, self._command) else 0.0
        self._command = command
        if not c.seconds or not command.any() or self._held < SETTLE:
            self._lacking = np.zeros(3)
            return
        error = np.clip(command - velocity, -PUSHED, PUSHED)
        self._lacking = self._lacking + min(1.0, seconds / SETTLE) * (error - self._lacking)
        change = np.where(np.abs(self._lacking) > 2 * c.limit, -self._added, error)
        self._added = np.clip(self._added + min(1.0, seconds / c.seconds) * change, -c.limit, c.limit)

    def told(self, command: np.ndarray) -> np.ndarray:
        """(3,)"""
        return command + self._added if self.config.seconds and command.any() else command
