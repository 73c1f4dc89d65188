"""`mbrl chaos`: every fault that can be injected, with every seed, on the real graph; were all promises kept?"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from mbrl_ros.chaos.domain import free_domain
from mbrl_ros.chaos.faults import FAULTS, Fault
from mbrl_ros.chaos.matrix import Matrix
from mbrl_ros.chaos.promises import Row
from mbrl_ros.chaos.table import Progress
from mbrl_ros.config import ConfigError, as_mapping, unknown_key
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.paths import check_report
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import SECTIONS, RunConfig, load_run
from mbrl_ros.stack import Options, configured
from mbrl_ros.up.discovery import environment

INTERRUPTED = 130  # exit status
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COUNTS = ("falls", "outside_limits", "non_finite", "transitions_lost")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="RUN", nargs="?", default="quadruped_mpc", help="a file of config/")
    parser.add_argument("--faults", metavar="A,B", help="these alone; --list names all")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="of each fault (3)")
    parser.add_argument("--presses", type=int, default=200, metavar="N", help="of the estop, in all seeds (200)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the rows as JSON, and a log beside")
    parser.add_argument("--list", action="store_true", help="name the faults and what is promised of each")


def run(args: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    faults = chosen(args.faults)
    if args.list:
        console.print(promises_table(faults), markup=False)
        return 0
    if args.seeds < 1 or args.presses < 1:
        raise ConfigError("--seeds and --presses are at least 1")
    check_report(args.report)
    run = load_run(args.name)
    if not load_robot(run.planner.robot).floats:
        raise ConfigError(f"{run.planner.robot} does not walk, and faults are given to a robot that does")
    configured(run, Options(settings=tuple(args.settings)))  # what cannot work is said before anything starts
    os.environ.update(environment(), ROS_DOMAIN_ID=str(free_domain()))  # no robot of anybody else hears of this
    return _run(run, faults, args, console)


def _run(run: RunConfig, faults: Sequence[Fault], args: argparse.Namespace, console: Console) -> int:
    log = ProcessLog(args.report)
    matrix = Matrix(run, args.settings, os.environ, log, args.presses)
    rows, began, status = [], time.monotonic(), INTERRUPTED
    previous = {number: signal.signal(number, _interrupt) for number in ENDING}
    try:
        with Progress(console, len(faults) * args.seeds) as progress:
            for fault, seed, row in matrix.rows(faults, args.seeds):
                if row is None:
                    progress.begins(fault.name, seed)
                else:
                    rows.append(row)
                    progress.ends(row)
        status = 1 if any(row.broken for row in rows) else 0
    except KeyboardInterrupt:
        console.print("interrupted: the report has what was done until now", markup=False)
    finally:
        for number in ENDING:  # what was started is ended, however impatient somebody is
            signal.signal(number, signal.SIG_IGN)
        matrix.end()
        log.close()
        if args.report:
            write_report(args.report, report(run, rows, matrix, time.monotonic() - began))
            console.print(f"report written to {args.report}", markup=False)
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status


def _interrupt(number: int, frame) -> None:
    raise KeyboardInterrupt


def chosen(names: str | None) -> list[Fault]:
    """By name, spaces written as _ too."""
    known = {fault.name: fault for fault in FAULTS}
    if names is None:
        return list(FAULTS)
    wanted = [name.strip().replace("_", " ") for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise ConfigError(unknown_key("--faults", name, known))
    if not wanted:
        raise ConfigError("--faults: none is named. `mbrl chaos --list` names all")
    return [known[name] for name in dict.fromkeys(wanted)]


def report(run: RunConfig, rows: Sequence[Row], matrix: Matrix, seconds: float) -> dict:
    config = {"run": run.name, **{name: as_mapping(getattr(run, name)) for name in SECTIONS}}
    return {
        "schema": SCHEMA,
        "config": {**config, "cores": len(os.sched_getaffinity(0))},
        "seeds": sorted({row.seed for row in rows}),
        "summary": {
            "faults": len({row.fault for row in rows}),
            "rows": len(rows),
            "rows_that_break_a_promise": sum(bool(row.broken) for row in rows),
            **{count: sum(getattr(row, count) for row in rows) for count in COUNTS},
            "estop_ms": _percentiles(matrix.press_ms),
            "graphs_started": matrix.graphs,
            "minutes": seconds / 60,
            "busy_cores": os.getloadavg()[0],
        },
        "rows": [dataclasses.asdict(row) for row in rows],
    }


def _percentiles(times_ms: Sequence[float]) -> dict:
    if not times_ms:
        return {"presses": 0, "p50": None, "p99": None, "max": None}
    p50, p99 = np.percentile(times_ms, (50, 99))
    return {"presses": len(times_ms), "p50": float(p50), "p99": float(p99), "max": max(times_ms)}


def promises_table(faults: Sequence[Fault]) -> str:
    """As docs/safety.md has it."""
    head = (
        "fault",
        "what is done",
        "what is said",
        "what the robot may be made to do",
        "safe within",
        "a fall",
    )
    lines = [_line(head), _line(["---"] * len(head))]
    for fault in faults:
        p = fault.promise
        safe = "" if p.safe_ms is None else f"{p.safe_ms:g} ms"
        lines.append(
            _line(
                (
                    fault.name,
                    fault.what,
                    " or ".join(p.verdicts),
                    ", ".join(p.actions),
                    safe,
                    p.falls or "never",
                )
            )
        )
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


class ProcessLog:
    """What processes print, in a file beside the report; nowhere where no report is wanted."""

    def __init__(self, report: Path | None):
        if report:
            report.parent.mkdir(parents=True, exist_ok=True)
        self._file = report.with_suffix(".log").open("w") if report else None
        self._began = time.monotonic()

    def __call__(self, name: str, line: str) -> None:
        if self._file:
            self._file.write(f"{time.monotonic() - self._began:9.2f} [{name}] {line}\n")

    def close(self) -> None:
        if self._file:
            self._file.close()
