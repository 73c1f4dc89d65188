"""The picture of `mbrl bench plan`: milliseconds and speedup of each shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter  # noqa: E402

from mbrl_ros.bench.plan_table import device_of, shape_of  # noqa: E402
from mbrl_ros.bench.planning import PlanRow  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402


def plot_plans(rows: Sequence[PlanRow], path: Path, title: str) -> Path:
    figure, (times, speedups) = plt.subplots(1, 2, figsize=(11, 2.2 + 0.3 * len(rows)), sharey=True)
    places = range(len(rows))
    times.hlines(places, [r.ours_ms for r in rows], [r.ours_max_ms for r in rows], color="C0", linewidth=1)
    times.plot([r.ours_ms for r in rows], places, "o", color="C0", label="whole plan, p50 to max")
    times.plot([r.rollout_ms for r in rows], places, ".", color="C2", label="its rollout")
    times.plot([r.floor_ms for r in rows], places, "|", color="black", markersize=10, label="floor of the rollout")
    with_peer = [(place, row) for place, row in zip(places, rows, strict=True) if row.peer_ms is not None]
    if with_peer:
        at = [place for place, _ in with_peer]
        times.plot([r.peer_ms for _, r in with_peer], at, "s", color="C1", markersize=4, label="pytorch_mppi, p50")
        speedups.hlines(at, [r.speedup_low for _, r in with_peer], [r.speedup_high for _, r in with_peer], color="C0")
        speedups.plot([r.speedup for _, r in with_peer], at, "o", color="C0")
    times.set(xscale="log", xlabel="ms")
    times.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    times.xaxis.set_major_formatter(ScalarFormatter())
    times.xaxis.set_minor_formatter(NullFormatter())
    times.set_yticks(places, [f"{shape_of(row)}, {device_of(row)}" for row in rows])
    times.invert_yaxis()
    speedups.set_xlim(left=0)
    speedups.set(xlabel="times as fast as pytorch_mppi (line: least to most of the rounds)")
    for axes in (times, speedups):
        axes.grid(axis="x", alpha=0.3)
    figure.suptitle(title, fontsize=10)
    figure.legend(*times.get_legend_handles_labels(), fontsize=8, ncols=4, loc="lower center")
    figure.tight_layout(rect=(0, 0.35 / figure.get_figheight(), 1, 1))
    return saved(figure, path)
