"""What the kernel can do for a process that must be on time: its own cores, SCHED_FIFO, memory that is never paged out.

`take` asks for it once the process has all its threads and is warm. It applies to every thread there is, and threads
made later inherit it. That is wanted: a state reaches the control loop through a thread of the middleware, and a plan
needs the threads that roll out, so each of them is as urgent as the loop itself. Threads that only prepare something
(reading a model) call `step_back`: one priority lower, they never take the core from the loop, and are still above
everything that is not real-time, so that whatever lock they hold is given back soon.

What is not permitted is not had: `take` says what and how to mend it, and the process goes on without.
`python -m mbrl_ros.control.realtime` tries all of it in a process that then ends.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Set
from contextlib import suppress
from pathlib import Path

from mbrl_ros.settings import RealtimeConfig, cores_of

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4  # sys/mman.h
CAP_IPC_LOCK = 14
TRIED_PRIORITY = 50
LIMITS = "/etc/security/limits.d/mbrl.conf, and log in again"
MEND = {
    "priority": f"put `{{user}} - rtprio {{priority}}` into {LIMITS}; in a container, --cap-add=SYS_NICE",
    "cores": "name some of these",
    "lock_memory": f"put `{{user}} - memlock unlimited` into {LIMITS}; in a container, --ulimit memlock=-1",
}


def take(config: RealtimeConfig) -> list[str]:
    """Takes what is asked for; a line for each thing that could not be had, with its mend."""
    asked: list[tuple[str, Callable[[], None]]] = []
    if config.cores:
        asked.append(("cores", lambda: _keep_to(cores_of(config.cores))))
    if config.lock_memory:
        asked.append(("lock_memory", _lock_memory))
    if config.priority:
        asked.append(("priority", lambda: _raise_to(config.priority)))
    refused = []
    for name, attempt in asked:
        try:
            attempt()
        except (OSError, AttributeError) as error:  # AttributeError: not on this system at all
            mend = MEND[name].format(user=os.environ.get("USER", "<user>"), priority=config.priority)
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            refused.append(f"realtime.{name} {getattr(config, name)} is not in force: {reason}; {mend}")
    return refused


def step_back() -> None:
    """Makes the calling thread one less urgent than the main one, where both are real-time; again and again if need be.

    Only ever lowers, for which no permission is needed.
    """
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) != os.SCHED_FIFO:
        return
    below = max(1, os.sched_getparam(os.getpid()).sched_priority - 1)
    if os.sched_getparam(0).sched_priority > below:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(below))


def _threads() -> list[int]:
    return [int(path.name) for path in Path("/proc/self/task").iterdir()]


def _ask_for_all_threads(ask: Callable[[int], None]) -> None:
    for thread in _threads():
        with suppress(ProcessLookupError):  # it has ended since
            ask(thread)


def _keep_to(cores: Set[int]) -> None:
    usable = os.sched_getaffinity(0)
    if not cores <= usable:
        raise OSError(
            0, f"of the cores that this process may use, {_listed(usable)}, {_listed(cores - usable)} is none"
        )
    _ask_for_all_threads(lambda thread: os.sched_setaffinity(thread, cores))


def _raise_to(priority: int) -> None:
    wanted = os.sched_param(priority)
    _ask_for_all_threads(lambda thread: os.sched_setscheduler(thread, os.SCHED_FIFO, wanted))


def _lock_memory() -> None:
    """Pages stay once they have been touched. All that is mapped would be several times as much, never used."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not _may(CAP_IPC_LOCK):
        # It might fit now; but then some later allocation would fail, in mid-flight.
        raise OSError(0, f"only {limit / 1e6:.0f} MB may be locked")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _may(capability: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False


def _listed(cores: Set[int]) -> str:
    return ",".join(map(str, sorted(cores)))


def main() -> int:
    """Prints what is not permitted here; exit status 1 where that is anything."""
    usable = _listed(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ""
    refused = take(RealtimeConfig(priority=TRIED_PRIORITY, cores=usable, lock_memory=True))
    print("\n".join(refused), end="\n" if refused else "")
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
