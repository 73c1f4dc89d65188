"""Where on a ladder somebody stands: since when, how often each rung was entered, and how long it was stood on."""

from __future__ import annotations

from collections.abc import Sequence

from mbrl_ros.types import NS


class RungTimes:
    """Told at every step which rung it is; times are nanoseconds of any clock that does not go back."""

    def __init__(self, rungs: Sequence[str]):
        """`rungs`: their names, from the best to the last."""
        self.rung: str | None = None  # none before the first step
        self.entered = dict.fromkeys(rungs, 0)
        self._stood_ns = dict.fromkeys(rungs, 0)  # but for the present stay
        self._since_ns = 0

    def stand(self, rung: str, now_ns: int) -> bool:
        """Whether that is another rung than before."""
        if rung == self.rung:
            return False
        if self.rung is not None:
            self._stood_ns[self.rung] += now_ns - self._since_ns
        self.rung, self._since_ns = rung, now_ns
        self.entered[rung] += 1
        return True

    def diagnostics(self, now_ns: int) -> dict[str, str | float | int]:
        """The present rung and how long it has been stood on; of every rung, how often it was entered and how long."""
        stay_ns = 0 if self.rung is None else now_ns - self._since_ns
        values = {"rung": self.rung or "-", "rung_seconds": stay_ns / NS}
        for rung, times in self.entered.items():
            values[f"rung_{rung}_entered"] = times
            values[f"rung_{rung}_seconds"] = (self._stood_ns[rung] + (stay_ns if rung == self.rung else 0)) / NS
        return values
