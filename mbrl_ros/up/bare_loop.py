"""A loop that does nothing at the rate of control, at ordinary priority: what this machine's clock can do at best.

How late it wakes up is what no control step on the same machine at the same time can escape. On SIGTERM it prints one
line of JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import time

PERIOD = 0.02  # s, where no other is given
LATE_MS = (1.0, 5.0, 10.0, 20.0)


def main(period: float = PERIOD) -> int:
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    late_by, due = [], time.monotonic() + period
    while not stopped:
        time.sleep(max(0.0, due - time.monotonic()))
        late = time.monotonic() - due
        late_by.append(late)
        due += period * (1 + late // period)  # steps slept through are counted once, by how late it was
    print(json.dumps(summary(late_by, period)), flush=True)
    return 0


def summary(late_by: list[float], period: float) -> dict:
    """How late the wake-ups of one run were, all of them and as shares of the steps that passed."""
    ordered = sorted(1e3 * late for late in late_by)
    steps = sum(1 + late // period for late in late_by)
    return {
        "period_ms": 1e3 * period,
        "steps": int(steps),
        "p50_ms": ordered[len(ordered) // 2] if ordered else None,
        "p99_ms": ordered[int(0.99 * len(ordered))] if ordered else None,
        "max_ms": ordered[-1] if ordered else None,
        "late_share": {f"{limit:g}_ms": sum(ms > limit for ms in ordered) / max(steps, 1) for limit in LATE_MS},
        "missed_share": sum(late // period for late in late_by) / max(steps, 1),
    }


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
