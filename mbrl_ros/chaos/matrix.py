"""Every fault with every seed: on one graph for as long as the robot comes back, on a new one where it did not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mbrl_ros.chaos.faults import Fault
from mbrl_ros.chaos.graph import GraphFailed, RunningGraph
from mbrl_ros.chaos.promises import Row
from mbrl_ros.chaos.trial import run_trial
from mbrl_ros.runs import RunConfig
from mbrl_ros.stack import Options
from mbrl_ros.up.shared_memory import remove_abandoned


class Matrix:
    """`rows()` yields one row after the other; whatever is broken off, `end()` ends the graph."""

    def __init__(
        self,
        run: RunConfig,
        settings: Sequence[str],
        environment: Mapping[str, str],
        log: Callable[[str, str], None],
        presses: int,
    ):
        """`presses`: of the estop, in all seeds together."""
        self._run, self._settings, self._environment, self._log = run, tuple(settings), environment, log
        self._presses = presses
        self._graph: RunningGraph | None = None
        self._folder: tempfile.TemporaryDirectory | None = None
        self.press_ms: list[float] = []
        self.graphs = 0  # started

    def rows(self, faults: Sequence[Fault], seeds: int) -> Iterator[tuple[Fault, int, Row | None]]:
        """Before each trial its fault and seed with no row, after it with one."""
        for seed in range(seeds):
            for lockstep in (True, False):
                for fault in (f for f in faults if f.lockstep == lockstep):
                    yield fault, seed, None
                    yield fault, seed, self._row(fault, seed, -(-self._presses // seeds))
                self.end()

    def _row(self, fault: Fault, seed: int, presses: int) -> Row:
        try:
            graph = self._running(seed, fault.lockstep)
            row, times = run_trial(graph, fault, seed, presses)
        except Exception as failure:  # whatever it is, it ends this trial, and not the hours of the others
            why = str(failure) if isinstance(failure, GraphFailed) else f"{type(failure).__name__}: {failure}"
            self._log("chaos", f"{fault.name}, seed {seed}: {why}")
            self.end()
            return failed(fault, seed, why)
        self.press_ms += times
        if not row.recovered:
            self.end()
        return row

    def _running(self, seed: int, lockstep: bool) -> RunningGraph:
        if self._graph is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mbrl_chaos_")
            options = Options(seed=seed, lockstep=lockstep, settings=self._settings)
            self._graph = RunningGraph(self._run, options, Path(self._folder.name), self._environment, self._log)
            self.graphs += 1
            self._graph.start()
        return self._graph

    def end(self) -> None:
        """Called again where it was broken off, it does the rest."""
        if self._graph is not None:
            self._graph.end()
            self._graph = None
            remove_abandoned()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def failed(fault: Fault, seed: int, why: str) -> Row:
    """A trial that came to nothing keeps no promise."""
    clock = "lockstep" if fault.lockstep else "real"
    return Row(fault.name, seed, None, "none", None, 0, 0, 0, 0, False, clock, 0.0, "", (why,))
