"""Notices when complete states stop coming, and says which topic is missing."""

from __future__ import annotations

from collections.abc import Callable

from mbrl_ros.types import NS


class StateWatch:
    """Give it every complete state, and let it `look` often; times are ns of a clock that may stand still.

    `silent(ns)` names the state topics without a usable message for so long.
    """

    def __init__(self, patience_ns: int, silent: Callable[[int], list[str]]):
        self.gaps = 0  # between complete states, longer than the patience
        self._patience_ns, self._silent = patience_ns, silent
        self._last_ns: int | None = None
        self._in_gap = False
        self._trouble = ""

    def state(self, now_ns: int) -> None:
        self._last_ns, self._in_gap = now_ns, False

    def look(self, now_ns: int) -> str:
        """What is wrong now; empty while states keep coming, and before the first."""
        if self._last_ns is None or now_ns - self._last_ns <= self._patience_ns:
            return ""
        self.gaps += not self._in_gap
        self._in_gap = True
        self._trouble = f"no complete state for {(now_ns - self._last_ns) / NS:.2f} s: {self._cause()}"
        return self._trouble

    def report(self) -> str:
        """The last thing that was wrong since this was asked before; empty where nothing was."""
        if self._last_ns is None:
            return f"no complete state yet: {self._cause()}"
        trouble, self._trouble = self._trouble, ""
        return trouble

    def _cause(self) -> str:
        silent = self._silent(self._patience_ns)
        return f"nothing usable on {', '.join(silent)}" if silent else "the stamps of its topics do not agree"
