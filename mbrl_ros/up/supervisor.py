"""Starts the processes of a run, passes on what they print, restarts those that may be, and ends them all.

One thread and one selector. Children are started by the main thread alone and ask the kernel to be killed when it goes:
so nothing outlives `mbrl up`, not even if it is killed itself.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mbrl_ros.stack import Process

PR_SET_PDEATHSIG = 1
STEADY = 30.0  # s alive after which earlier restarts are forgiven

LineReader = Callable[[str], None]


@dataclass(frozen=True)
class Death:
    """A process that ended though nobody asked it to."""

    name: str
    code: int  # as in subprocess: minus the signal
    restart_in: float | None  # s; None: it stays dead

    def __str__(self) -> str:
        how = f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"ended with status {self.code}"
        return f"{self.name} {how}" + (
            f", starts again in {self.restart_in:g} s" if self.restart_in is not None else ""
        )


@dataclass
class _Child:
    process: Process
    running: subprocess.Popen | None = None
    started: float = 0.0
    restarts: int = 0  # in a row
    restart_at: float | None = None
    asked_to_end: bool = False
    pieces: dict[int, bytes] = field(default_factory=dict)  # unfinished line of each of its pipes


class Supervisor:
    """`on_line(name, line)` gets what children print; `readers` take the standard output of the named ones instead."""

    def __init__(
        self,
        environment: Mapping[str, str],
        on_line: Callable[[str, str], None],
        on_death: Callable[[Death], None],
        readers: Mapping[str, LineReader],
    ):
        self._environment, self._on_line, self._on_death, self._readers = environment, on_line, on_death, readers
        self._children: dict[str, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self.deaths: list[Death] = []

    def start(self, process: Process, command: list[str] | None = None) -> None:
        """Starts it, with `command` in place of its own where it is no node."""
        child = self._children.setdefault(process.name, _Child(process))
        readable = self._readers.get(process.name)
        child.running = subprocess.Popen(
            command or process.command,
            env={**self._environment, **dict(process.environment), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if readable else subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches `mbrl up` alone, which ends them in order
            preexec_fn=_prepare(process.nice, os.getpid()),
        )
        child.started, child.restart_at, child.asked_to_end = time.monotonic(), None, False
        self._watch(child, child.running.stdout, readable)
        if child.running.stderr is not None:
            self._watch(child, child.running.stderr, None)

    def step(self, timeout: float) -> None:
        """Passes on output for at most `timeout` seconds, then looks after the dead and starts who is due."""
        self._read(timeout)
        for child in self._children.values():
            if child.running is not None and child.running.poll() is not None:
                self._bury(child)
            if child.restart_at is not None and time.monotonic() >= child.restart_at:
                self.start(child.process)

    def pids(self) -> dict[str, int]:
        return {name: c.running.pid for name, c in self._children.items() if c.running is not None}

    def end(self, names: Iterable[str], patience: float) -> None:
        """Asks with SIGTERM, reads what they still have to say, and kills whoever is left after `patience` seconds."""
        children = [self._children[name] for name in names if name in self._children]
        for child in children:
            child.asked_to_end, child.restart_at = True, None
            if child.running is not None:
                child.running.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while any(c.running and c.running.poll() is None for c in children) and time.monotonic() < deadline:
            self._read(0.02)
        for child in children:
            if child.running is not None:
                if child.running.poll() is None:
                    self._on_line(child.process.name, f"did not end within {patience:g} s: killed")
                    child.running.kill()
                child.running.wait()
                self._bury(child)

    def names(self) -> list[str]:
        return list(self._children)

    def _watch(self, child: _Child, pipe, reader: LineReader | None) -> None:
        os.set_blocking(pipe.fileno(), False)
        child.pieces[pipe.fileno()] = b""
        self._selector.register(pipe, selectors.EVENT_READ, (child, reader))

    def _read(self, timeout: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout)
            return
        for key, _ in self._selector.select(timeout):
            self._read_pipe(key.fileobj, *key.data)

    def _read_pipe(self, pipe, child: _Child, reader: LineReader | None) -> None:
        try:
            read = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return
        *lines, rest = (child.pieces.get(pipe.fileno(), b"") + read).split(b"\n")
        if not read:  # its other end is closed
            lines += [rest] if rest else []
            child.pieces.pop(pipe.fileno(), None)
            self._selector.unregister(pipe)
            pipe.close()
        else:
            child.pieces[pipe.fileno()] = rest
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if reader is not None:
                reader(text)
            elif text:
                self._on_line(child.process.name, text)

    def _bury(self, child: _Child) -> None:
        for pipe in (child.running.stdout, child.running.stderr):
            while pipe is not None and not pipe.closed:
                before = child.pieces.get(pipe.fileno())
                self._read_pipe(
                    pipe, child, self._readers.get(child.process.name) if pipe is child.running.stdout else None
                )
                if not pipe.closed and child.pieces.get(pipe.fileno()) == before:
                    self._selector.unregister(pipe)  # a grandchild still holds the other end
                    pipe.close()
        code, lived = child.running.returncode, time.monotonic() - child.started
        child.running = None
        if child.asked_to_end:
            return
        child.restarts = 0 if lived > STEADY else child.restarts
        waits = child.process.restart_after
        wait = waits[child.restarts] if child.restarts < len(waits) else None
        child.restart_at = None if wait is None else time.monotonic() + wait
        child.restarts += 1
        death = Death(child.process.name, code, wait)
        self.deaths.append(death)
        self._on_death(death)


def _prepare(nice: int, parent: int):
    """What a child does between fork and exec."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def prepare():
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it went before the kernel was told
                os._exit(1)
        os.nice(nice)

    return prepare
