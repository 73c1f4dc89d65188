"""Processor time and memory of processes, from /proc."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class _Account:
    pid: int = 0
    before: float = 0.0  # s of processor time used by earlier pids of this name
    used: float = 0.0  # s, by the present one
    since: float = 0.0  # s, the present one's when the count began
    rss_mb: float = 0.0
    first_rss_mb: float = 0.0  # when the count began
    most_rss_mb: float = 0.0
    at_last_look: float = 0.0  # s, total at the last look
    share_now: float = 0.0  # of one core, between the last two looks


class Usage:
    """CPU shares of named processes, counted from `restart()`; a process that was started anew keeps its account."""

    def __init__(self):
        self._accounts: dict[str, _Account] = {}
        self._began = self._looked = time.monotonic()

    def restart(self) -> None:
        """Counts from now on, for instance from the moment at which the robot is driven."""
        for account in self._accounts.values():
            account.before, account.since = 0.0, account.used
            account.first_rss_mb = account.most_rss_mb = account.rss_mb
            account.at_last_look = 0.0
        self._began = self._looked = time.monotonic()

    def look(self, pids: dict[str, int]) -> None:
        now = time.monotonic()
        elapsed, self._looked = max(now - self._looked, 1e-3), now
        for account in self._accounts.values():
            account.share_now = 0.0  # of those who are gone
        for name, pid in pids.items():
            account = self._accounts.setdefault(name, _Account(pid))
            if account.pid != pid:
                account.before += account.used - account.since
                account.pid, account.used, account.since = pid, 0.0, 0.0
            measured = _measure(pid)
            if measured is None:
                continue
            account.used, account.rss_mb = measured
            account.first_rss_mb = account.first_rss_mb or account.rss_mb
            account.most_rss_mb = max(account.most_rss_mb, account.rss_mb)
            total = account.before + account.used - account.since
            account.share_now, account.at_last_look = (total - account.at_last_look) / elapsed, total

    def now(self) -> dict[str, float]:
        """Share of one core that each used between the last two looks."""
        return {name: account.share_now for name, account in self._accounts.items()}

    def report(self) -> dict[str, dict[str, float]]:
        """Share of one core since the count began; memory then, at most, and now."""
        seconds = max(self._looked - self._began, 1e-3)
        return {
            name: {
                "cpu_share": round((account.before + account.used - account.since) / seconds, 4),
                "rss_mb": round(account.most_rss_mb, 1),
                "rss_first_mb": round(account.first_rss_mb, 1),
                "rss_last_mb": round(account.rss_mb, 1),
            }
            for name, account in self._accounts.items()
        }


def _measure(pid: int) -> tuple[float, float] | None:
    """Seconds of processor time and megabytes resident; None where the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS, pages * _PAGE / 1e6
