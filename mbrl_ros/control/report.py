"""How well a robot followed its commands, and the report that says so. Used in-process and by the outside judge alike.

At every sample the body-frame velocity averaged over the last stride is compared with the command:

    velocity_error = mean |mean_stride (vx, vy) - command (vx, vy)|      m/s
    yaw_rate_error = mean |mean_stride wz       - command wz|            rad/s

A stride counts once it lies wholly after the first `SETTLE` seconds of its command.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mbrl_ros.config import ConfigError

SCHEMA = 1
STRIDE = 0.44  # s, one period of the trot: an average over less would count the body's sway as error
SETTLE = 1.5  # s, of each command that are not judged
_SLACK = 1e-4  # s, stamps are floats

Velocity = tuple[float, float, float]  # vx, vy m/s, wz rad/s, body frame


@dataclass
class _Sum:
    strides: int = 0
    velocity: float = 0.0
    yaw_rate: float = 0.0
    reached: tuple[float, float, float] = (0.0, 0.0, 0.0)


class TrackingScore:
    """Fed with one sample after another; `commands()` and `summary()` may be read at any time."""

    def __init__(self, stride: float = STRIDE, settle: float = SETTLE):
        self._stride, self._settle = stride, settle
        self._sums: dict[Velocity, _Sum] = {}  # in the order in which commands were first given
        self._window: deque[tuple[float, Velocity]] = deque()
        self._command: Velocity | None = None
        self._since = self._newest = -math.inf
        self.non_finite = 0  # samples that were no numbers and could not be judged

    def begin(self) -> None:
        """A new run: what follows is not continuous with what came before."""
        self._command, self._newest = None, -math.inf
        self._window.clear()

    def add(self, time_s: float, command: Iterable[float], velocity_body: Iterable[float]) -> None:
        """One sample: robot time, command (3,) and true velocity (3,), both vx, vy, wz in the body frame."""
        command, velocity = _three(command), _three(velocity_body)
        if not all(map(math.isfinite, (time_s, *command, *velocity))):
            self.non_finite += 1
            return
        if time_s < self._newest:
            self.begin()
        self._newest = time_s
        if command != self._command:
            self._command, self._since = command, time_s
            self._window.clear()
            self._sums.setdefault(command, _Sum())
        judged = time_s - self._since - self._settle
        if judged <= _SLACK:
            return
        self._window.append((time_s, velocity))
        while self._window[0][0] <= time_s - self._stride + _SLACK:
            self._window.popleft()
        if judged >= self._stride - _SLACK:
            self._count(command)

    def _count(self, command: Velocity) -> None:
        vx, vy, wz = (math.fsum(axis) / len(self._window) for axis in zip(*(v for _, v in self._window), strict=True))
        total = self._sums[command]
        total.strides += 1
        total.velocity += math.hypot(vx - command[0], vy - command[1])
        total.yaw_rate += abs(wz - command[2])
        total.reached = tuple(a + b for a, b in zip(total.reached, (vx, vy, wz), strict=True))

    def commands(self) -> list[dict]:
        """One entry a distinct command; its numbers are None where it was not held long enough to judge."""
        return [
            {
                "command": list(command),
                "velocity_error": _mean(total.velocity, total.strides),
                "yaw_rate_error": _mean(total.yaw_rate, total.strides),
                "reached": [_mean(axis, total.strides) for axis in total.reached],
                "samples": total.strides,
            }
            for command, total in self._sums.items()
        ]

    def summary(self) -> dict:
        """Means over time, and the worst command."""
        strides = sum(total.strides for total in self._sums.values())
        judged = [entry for entry in self.commands() if entry["samples"]]
        return {
            "velocity_error": _mean(sum(total.velocity for total in self._sums.values()), strides),
            "yaw_rate_error": _mean(sum(total.yaw_rate for total in self._sums.values()), strides),
            "worst_velocity_error": max((entry["velocity_error"] for entry in judged), default=None),
            "worst_yaw_rate_error": max((entry["yaw_rate_error"] for entry in judged), default=None),
            "samples": strides,
            "non_finite": self.non_finite,
        }


def tracking_report(config: dict, seeds: Iterable[int], score: TrackingScore, falls: int, **more) -> dict:
    """The report of a run: `more` goes into its summary."""
    return {
        "schema": SCHEMA,
        "config": config,
        "seeds": list(seeds),
        "summary": {**score.summary(), "falls": falls, **more},
        "commands": score.commands(),
    }


def write_report(path: Path | str, report: dict) -> Path:
    """JSON that any reader takes: a number that is not finite is refused, not written as NaN."""
    path = Path(path)
    text = json.dumps(report, indent=2, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return path


def parse_commands(text: str) -> tuple[Velocity, ...]:
    """`vx,vy,wz;vx,vy,wz;...` in m/s and rad/s."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        try:
            numbers = tuple(float(number) for number in part.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
            raise ConfigError(f"--commands: {part!r} is not 'vx,vy,wz'. Example: --commands '0.3,0,0;-0.2,0,0.5'")
        found.append(numbers)
    if not found:
        raise ConfigError("--commands: no command given. Example: --commands '0.3,0,0;-0.2,0,0.5'")
    return tuple(found)


def _three(numbers: Iterable[float]) -> Velocity:
    vx, vy, wz = (float(number) for number in numbers)
    return vx, vy, wz


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None
