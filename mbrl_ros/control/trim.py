"""What a robot that walks has to be told so that it goes as commanded: the command, and a little more where it lags.

    told = command + b,   b <- b + dt / seconds . (command - measured velocity),   |b| <= min(limit, SHARE |command|)

A load, a weak leg or a model that is a little off leave an error that stays and is small beside the sway of a step: a
plan of a few tenths of a second hardly sees it. Summed up slowly, it ends. Planners, policies and the gait alone are
told alike, and none needs to know why. It outlives a change of the command, since a load pulls the same way whichever
way the robot walks; but who is to creep is not told to stride, and zero stays zero: who is to stand does not step.
Where twice the limit lacks, something else is wrong, and b fades: a longer stride may be what makes such a robot slow.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.settings import TrimConfig

SETTLE = 0.5  # s of one command before what is lacking counts, and over which that is smoothed
PUSHED = 0.5  # m/s and rad/s: whoever is off by more was pushed, which passes; above twice the largest limit there is
SHARE = 0.25  # of the command's length, m/s and rad/s alike


class Trim:
    """b (3,) of a command (vx, vy, wz) in m/s and rad/s; 0 at first."""

    def __init__(self, config: TrimConfig):
        self.config = config
        self.forget()

    def configure(self, config: TrimConfig) -> None:
        """From the next command on; turned off, it forgets."""
        self.config = config
        if not config.seconds:
            self.forget()

    def forget(self) -> None:
        """After a fall, or a gap."""
        self._added, self._lacking, self._command, self._held = np.zeros(3), np.zeros(3), np.zeros(3), 0.0

    def note(self, command: np.ndarray, velocity: np.ndarray, seconds: float) -> None:
        """The velocity (3,) that was measured while it was to follow `command` (3,), for `seconds`."""
        if not np.isfinite(velocity).all():
            return
        c = self.config
        self._held = self._held + seconds if np.array_equal(command, self._command) else 0.0
        self._command = command
        if not c.seconds or not command.any() or self._held < SETTLE:
            self._lacking = np.zeros(3)
            return
        error = np.clip(command - velocity, -PUSHED, PUSHED)
        self._lacking = self._lacking + min(1.0, seconds / SETTLE) * (error - self._lacking)
        change = np.where(np.abs(self._lacking) > 2 * c.limit, -self._added, error)
        # A command too slow for what is known already teaches no more, and takes none of it away.
        most = np.minimum(c.limit, np.maximum(np.abs(self._added), self._most(command)))
        self._added = np.clip(self._added + min(1.0, seconds / c.seconds) * change, -most, most)

    def added(self, command: np.ndarray) -> np.ndarray:
        """(3,) to this command."""
        most = self._most(command)
        return np.clip(self._added, -most, most)

    def told(self, command: np.ndarray) -> np.ndarray:
        """(3,)"""
        return command + self.added(command)

    def diagnostics(self, command: np.ndarray) -> dict[str, float]:
        """What is added to this command; of a task that has none, nothing."""
        if not len(command):
            return {}
        return dict(zip(("trim_vx", "trim_vy", "trim_wz"), self.added(command).tolist(), strict=True))

    def _most(self, command: np.ndarray) -> float:
        return min(self.config.limit, SHARE * float(np.linalg.norm(command)))
