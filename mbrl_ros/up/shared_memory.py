"""Fast DDS keeps shared-memory segments in /dev/shm; a process ended by SIGKILL leaves its own, half a megabyte each.

Our own processes use none by default (up/discovery.py), but do where their user says who finds whom: in the discovery
range LOCALHOST, for one, the middleware sets up both transports and looks at no profile. So what is left behind is
swept.

Beside each segment lies a lock file that its owner holds with flock. The kernel frees that lock however the owner ends,
so a lock that can be had means a segment that nobody owns, in whichever container its owner lived. A port (the queue of
one reader) may lose its lock file and stay: then, too, nobody reads it.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
LOCK_SUFFIXES = ("_el", "_sl")  # exclusive (one reader), shared
PREFIXES = ("fastdds_", "fastrtps_")
JUST_MADE = 1.0  # s: its maker may not have locked it yet


def remove_abandoned(folder: Path = FOLDER) -> list[str]:
    """Removes what no process owns, and returns the names of the segments."""
    names = {path.name for path in folder.glob("fast*") if path.name.startswith(PREFIXES)}
    removed = []
    for segment in sorted({_without_suffix(name) for name in names}):
        locks = [segment + suffix for suffix in LOCK_SUFFIXES if segment + suffix in names]
        unlocked_port = not locks and "_port" in segment
        if (locks or unlocked_port) and all(_is_free(folder / name) for name in locks or [segment]):
            for name in (segment, f"sem.{segment}_mutex", *locks):
                (folder / name).unlink(missing_ok=True)
            removed.append(segment)
    return removed


def _without_suffix(name: str) -> str:
    return name[:-3] if name.endswith(LOCK_SUFFIXES) else name


def _is_free(lock: Path) -> bool:
    """Whether nobody holds it, and its maker has had time to."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except (FileNotFoundError, PermissionError):  # gone by now, or another user's
        return False
    try:
        if time.time() - os.fstat(handle).st_mtime < JUST_MADE:
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
