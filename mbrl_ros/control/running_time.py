"""Steady time that stands still while the simulation is paused: what the planner measures ages in."""

from __future__ import annotations


class RunningTime:
    """Nanoseconds throughout; `steady_ns` is time.monotonic_ns()."""

    def __init__(self):
        self._paused_at_ns: int | None = None  # steady time
        self._paused_ns = 0  # in all

    def at(self, steady_ns: int) -> int:
        now = steady_ns if self._paused_at_ns is None else self._paused_at_ns
        return now - self._paused_ns

    def pause(self, steady_ns: int) -> None:
        """A second time in a row changes nothing."""
        if self._paused_at_ns is None:
            self._paused_at_ns = steady_ns

    def resume(self, steady_ns: int) -> None:
        if self._paused_at_ns is not None:
            self._paused_ns += steady_ns - self._paused_at_ns
            self._paused_at_ns = None
