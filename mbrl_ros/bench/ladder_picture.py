"""The picture of the ladder: a panel a task, a line a rung, its mean, its interval and every seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.bench.ladder_rows import IS_BASE, LOSES, PAYS, Row  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402

WIDE = 10.0  # times a usual return: one so large needs a scale on which both can be seen
COLOURS = {PAYS: "C2", LOSES: "C3", IS_BASE: "k"}  # what cannot be told is grey


def plot_ladder(rows: Sequence[Row], path: Path, title: str) -> Path:
    climbed = {
        task: [row for row in rows if row.task == task and row.seeds] for task in dict.fromkeys(r.task for r in rows)
    }
    climbed = {task: found for task, found in climbed.items() if found}
    across = min(3, len(climbed))
    down = -(-len(climbed) // across)
    tallest = max(map(len, climbed.values()))
    size = max(6, 5 * across), 1.4 + 0.24 * tallest * down
    figure, axes = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for panel in axes.flat[len(climbed) :]:
        panel.set_visible(False)
    for panel, (task, found) in zip(axes.flat, climbed.items(), strict=False):
        _panel(panel, task, found)
    words = "return: mean, its 95%, every seed (green: pays; red: loses; black: the base; grey: cannot be told)"
    figure.suptitle(f"{title}\n{words}", fontsize=8)
    return saved(figure, path, dpi=110)


def _panel(panel, task: str, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        colour = COLOURS.get(row.verdict, "C7")
        if row.interval:
            panel.hlines(place, *row.interval, color=colour)
        panel.plot(row.returns, [place] * row.seeds, "|", color=colour)
        panel.plot(row.mean, place, "o", markersize=4, color=colour)
        if row.verdict == IS_BASE:
            panel.axvline(row.mean, color="k", linewidth=0.5, linestyle=":")
    sizes = np.abs([number for row in rows for number in row.returns])
    if max(sizes) > WIDE * np.median(sizes) > 0:
        panel.set_xscale("symlog", linthresh=np.median(sizes))
    panel.set_yticks(range(len(rows)), [f"{row.axis} {row.name}" for row in rows], fontsize=7)
    panel.tick_params(axis="x", labelsize=7)
    if panel.get_xscale() == "linear":
        panel.locator_params(axis="x", nbins=6)
    panel.invert_yaxis()
    panel.grid(axis="x", alpha=0.3)
    panel.set_title(task, fontsize=9)
