"""Which target holds over which control step: promised by a plan, until the guard says what it really sent.

With a delay a plan begins a step after its state, and with a latency commands take effect later still; so whoever plans
has to know what is already on its way.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.types import FOLLOWED, Action


class Promises:
    """Steps are counted by the agent; `now` is the newest one that has begun."""

    def __init__(self, stance: np.ndarray):
        """`stance` (A,) is in force where nobody has promised anything."""
        self._stance = stance
        self.forget()

    def forget(self) -> None:
        self._promised: dict[int, np.ndarray] = {}
        self._applied: dict[int, tuple[np.ndarray, Action]] = {}

    def give(self, first: int, targets: np.ndarray, keep_from: int) -> None:
        """`targets` (P, A) for the steps from `first` on; what is older than `keep_from` is past."""
        self._promised = {s: t for s, t in self._promised.items() if s >= keep_from}
        self._applied = {s: a for s, a in self._applied.items() if s >= keep_from - 1}
        self._promised |= {first + i: target for i, target in enumerate(targets)}

    def note_applied(self, step: int, target: np.ndarray, action: Action) -> None:
        self._applied[step] = (target, action)

    def told(self, step: int) -> np.ndarray | None:
        """(A,) what was applied over a past step; what was promised, where no word of it came."""
        return self._applied[step][0] if step in self._applied else self._promised.get(step)

    def in_force(self, step: int, now: int, latency: int) -> np.ndarray:
        """(A,) the target that the joints follow in `step`, now or ahead: commanded `latency` steps before."""
        commanded = step - latency
        if commanded >= now:
            return self._promise(commanded, now)
        told = self.told(commanded)
        return self._stance if told is None else told

    def _promise(self, step: int, now: int) -> np.ndarray:
        """The target of `step`, now or ahead: the plan's, unless the guard says that it is not following it."""
        target, action = self._applied.get(step) or self._applied.get(now - 1) or (None, Action.FOLLOW)
        if step in self._applied or action not in FOLLOWED:
            return target
        return self._promised.get(step, self._stance)
