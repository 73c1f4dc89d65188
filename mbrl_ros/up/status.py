"""What a person sees while a run is up: a table that is drawn again and again, or plain log lines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

COLOURS = {"bridge": "cyan", "guard": "yellow", "learner": "magenta", "planner": "green", "judge": "blue"}
LINE_EVERY = 2.0  # s


class Display(Protocol):
    def line(self, name: str, text: str) -> None: ...

    def show(self, status: Mapping, shares: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class Lines:
    """For logs and pipes: one line every other second, and what the processes print, as it comes."""

    def __init__(self):
        self._shown = -LINE_EVERY

    def line(self, name: str, text: str) -> None:
        print(f"[{name}] {text}", flush=True)

    def show(self, status: Mapping, shares: Mapping[str, float]) -> None:
        if time.monotonic() - self._shown >= LINE_EVERY - 0.1:
            self._shown = time.monotonic()
            print("  ".join(f"{label} {value}" for label, value in rows(status, shares)), flush=True)

    def close(self) -> None:
        pass


class LiveTable:
    """For a terminal."""

    def __init__(self, title: str):
        self._title = title
        self._console = Console(highlight=False)
        # Without a thread of its own: children are killed when the thread that started them ends, and there is but one.
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._live.start()

    def line(self, name: str, text: str) -> None:
        self._console.print(Text(f"{name:>8} ", style=COLOURS.get(name, "white")) + Text(text))

    def show(self, status: Mapping, shares: Mapping[str, float]) -> None:
        table = Table.grid(padding=(0, 2))
        for label, value in rows(status, shares):
            table.add_row(Text(label, style="dim"), value)
        self._live.update(Group(Text(self._title, style="bold"), table), refresh=True)

    def close(self) -> None:
        self._live.stop()


def rows(status: Mapping, shares: Mapping[str, float]) -> list[tuple[str, str]]:
    """Label and text of everything that is known, in the order in which it is shown."""
    plan, outside = status.get("plan_ms") or {}, status.get("receipt_ms") or {}
    command = status.get("command_ms") or {}
    found = [
        ("time", _number(status.get("seconds"), "{:.1f} s")),
        ("mode", status.get("mode") or "-"),
        ("rate", _number(status.get("rate"), "{:.1f} Hz")),
        ("plan", f"{_number(plan.get('p50'), '{:.1f}')}/{_number(plan.get('p99'), '{:.1f}')} ms"),
        ("rollouts", _number(status.get("samples"), "{:.0f}")),
        ("receipt", f"{_number(outside.get('p50'), '{:.1f}')}/{_number(outside.get('p99'), '{:.1f}')} ms"),
        ("to command", f"{_number(command.get('p50'), '{:.1f}')}/{_number(command.get('p99'), '{:.1f}')} ms"),
        ("missed", f"{status.get('misses', 0)}/{status.get('steps', 0)}"),
        ("model", str(status.get("model") if status.get("model") is not None else "-")),
        ("data", _number(status.get("data_seconds"), "{:.0f} s")),
        ("learner", status.get("learner") or "-"),
        *_outcome(status),
        ("guard", status.get("action") or "-"),
        ("falls", str(status.get("falls", 0))),
        ("cpu", " ".join(f"{name} {100 * share:.0f}%" for name, share in shares.items()) or "-"),
    ]
    return found


def _outcome(status: Mapping) -> list[tuple[str, str]]:
    """What the robot should do, and does: a goal and how much of the last seconds it was there, or velocities."""
    reward = ("reward", _number(status.get("reward"), "{:+.2f}"))
    if status.get("violations") is not None:
        reward = ("reward", f"{reward[1]}, {status['violations']:.0f} steps out of bounds")
    if status.get("goal"):
        return [reward, (status["goal"].replace("_", " "), _number(status.get("at_goal"), "{:.0%}"))]
    return [reward, ("commanded", _velocity(status.get("command"))), ("reached", _velocity(status.get("reached")))]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _velocity(value) -> str:
    return "-" if value is None else " ".join(f"{v:+.2f}" for v in value)
